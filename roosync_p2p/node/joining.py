"""``join``: enrols this machine with a code (docs/protocol/trust.md §4).

The key is made and kept before anybody is asked, so a join that was interrupted goes on with the same key, and an
answer that was lost is given again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import anyio

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home, create_home
from roosync_p2p.adapters.home_lock import HomeLock
from roosync_p2p.adapters.keystore import Identity, PendingIdentity, create_request, install_enrolment
from roosync_p2p.adapters.mdns import NodeSeen, browse_fleets
from roosync_p2p.adapters.shared_folder.remembering import remember_folder
from roosync_p2p.adapters.sqlite.store import SqliteStore
from roosync_p2p.adapters.system import read_now
from roosync_p2p.adapters.websocket.joining import JoinConnection, connect_join
from roosync_p2p.clock import rfc3339
from roosync_p2p.core.rows import AddressRow
from roosync_p2p.errors import NetworkError, PeerFault, RoosyncError
from roosync_p2p.ids import MachineId
from roosync_p2p.node.folder_joining import join_by_folder
from roosync_p2p.node.inbound_check import Inbound, check_inbound
from roosync_p2p.trust.enrolment import Enrolment
from roosync_p2p.trust.invites import JoinCode, decode_join_code
from roosync_p2p.trust.joining import JOIN_NONCE_BYTES, JoinerSession

__all__ = ["join"]

Progress = Callable[[str], None]


class _Joining(NamedTuple):
    """What is to be done, the same at every address that is tried."""

    home: Home
    code: JoinCode
    pending: PendingIdentity
    progress: Progress


class _Joined(NamedTuple):
    identity: Identity
    address: str | None
    inbound: Inbound


# Refusals of the code itself: no other address will say otherwise.
_FINAL: Final = frozenset(
    {
        "invite_expired",
        "invite_other_machine",
        "invite_unknown",
        "invite_used",
        "machine_exists",
        "bad_proof",
    }
)


def join(
    home: Path, code: str, *, machine: str, at: str | None, folder: Path | None = None, progress: Progress
) -> dict[str, Any]:
    """Enrols this machine; blocks until it is done.

    Args:
        at: where the issuer is, instead of everywhere it may be.
        folder: the shared folder, tried when no address leads to the issuer, and used from then on.

    Raises:
        RoosyncError: the code is no good, the home has an identity, or nobody could be reached; what was begun goes
            on when it is called again.
    """
    decoded = decode_join_code(code)
    place = Home(home)
    create_home(place, os.environ)
    with HomeLock.acquire(place.lock_file, program="roosync join", started=rfc3339(read_now().wall_ms)):
        pending = create_request(home, MachineId(machine))
        joined = _enrolled_anyhow(_Joining(place, decoded, pending, progress), at, folder)
        if folder is not None:
            remember_folder(place, folder)
    return {
        "machine": joined.identity.machine,
        "fleet": joined.identity.fleet.hex(),
        "issuer": decoded.issuer,
        "address": joined.address,
        "home": str(home),
        "inbound": joined.inbound.document(),
    }


def _enrolled_anyhow(joining: _Joining, at: str | None, folder: Path | None) -> _Joined:
    """By an address, else through the folder."""
    try:
        return anyio.run(_enrol, joining, at)
    except NetworkError:
        if folder is None:
            raise
    try:
        enrolment = join_by_folder(folder, joining.code, joining.pending, joining.progress)
    except PeerFault as error:
        raise _explained(error) from error
    identity = install_enrolment(joining.home.path, enrolment, fleet=joining.code.fleet)
    return _Joined(identity, None, Inbound(outcome="by_folder"))


async def _enrol(joining: _Joining, at: str | None) -> _Joined:
    code = joining.code
    failures: list[str] = []
    tried: set[str] = set()
    for address in [at] if at is not None else code.contacts:
        tried.add(address)
        joined = await _tried(joining, address, failures)
        if joined is not None:
            return joined
    if at is None:
        joining.progress("looking for the issuer on the LAN")
        for node in await _issuers_nearby(code, failures):
            for address in node.addresses:
                if address not in tried:
                    tried.add(address)
                    joined = await _tried(joining, address, failures)
                    if joined is not None:
                        return joined
    raise NetworkError(
        f"the issuer {code.issuer} could not be reached: " + ("; ".join(failures) or "the code names no address"),
        code="issuer_unreachable",
        remedy=f"start `roosync up` on {code.issuer}, or give its address with --at HOST:PORT; then run the same "
        "command again",
        details={"tried": sorted(tried)},
    )


async def _issuers_nearby(code: JoinCode, failures: list[str]) -> list[NodeSeen]:
    def is_issuer(node: NodeSeen) -> bool:
        return node.fleet == code.fleet and node.machine == code.issuer

    try:
        return [node for node in await browse_fleets(limits.JOIN_BROWSE_S, enough=is_issuer) if is_issuer(node)]
    except OSError as error:
        failures.append(f"discovery does not work on this network: {error}")
        return []


async def _tried(joining: _Joining, address: str, failures: list[str]) -> _Joined | None:
    joining.progress(f"asking {joining.code.issuer} at {address}")
    try:
        return await _converse(joining, address)
    except (NetworkError, PeerFault) as error:
        if error.code in _FINAL:
            raise _explained(error) from error
        failures.append(f"{address}: {error.message}")
        return None


async def _converse(joining: _Joining, address: str) -> _Joined:
    connection = await connect_join(address)
    try:
        enrolment = await _enrolled(joining, connection)
        # On the disk before anything else is asked: from here on this machine is a member.
        identity = install_enrolment(joining.home.path, enrolment, fleet=joining.code.fleet)
        _remember(joining.home, joining.code.issuer, address)
        return _Joined(identity, address, await check_inbound(connection, joining.home, identity))
    finally:
        await connection.aclose()


async def _enrolled(joining: _Joining, connection: JoinConnection) -> Enrolment:
    pending = joining.pending
    nonce, now_ms = os.urandom(JOIN_NONCE_BYTES), read_now().wall_ms
    session = JoinerSession(joining.code, pending.machine, pending.key, nonce, time_ms=now_ms)
    try:
        with anyio.fail_after(limits.JOIN_TIMEOUT_S):
            hello = await connection.receive()
            await connection.send(session.on_hello(hello, peer_leaf_der=connection.peer_leaf_der))
            return session.on_answer(await connection.receive())
    except TimeoutError as error:
        raise NetworkError("it did not answer in time", code="join_silent") from error


def _explained(error: RoosyncError) -> RoosyncError:
    remedies = {"machine_exists": "choose another id with --machine, or retire that machine first"}
    remedy = error.remedy or remedies.get(error.code, "ask for a new code: roosync-admin invite")
    return type(error)(f"{error.message}; this machine has not joined", code=error.code, remedy=remedy)


def _remember(home: Home, issuer: MachineId, address: str) -> None:
    """Where the issuer answered is where the first link is tried."""
    store = SqliteStore.open(home.database)
    try:
        store.commit([AddressRow(machine=issuer, address=address, seen_ms=read_now().wall_ms)])
    finally:
        store.close()
