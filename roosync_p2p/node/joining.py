"""``join``: enrols this machine with a code (docs/protocol/trust.md §4).

The key is made and kept before anybody is asked, so a join that was interrupted goes on with the same key, and an
answer that was lost is given again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anyio

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home, create_home
from roosync_p2p.adapters.home_lock import HomeLock
from roosync_p2p.adapters.keystore import PendingIdentity, create_request, install_enrolment
from roosync_p2p.adapters.mdns import NodeSeen, browse_fleets
from roosync_p2p.adapters.sqlite.store import SqliteStore
from roosync_p2p.adapters.system import read_now
from roosync_p2p.adapters.websocket.joining import connect_join
from roosync_p2p.clock import rfc3339
from roosync_p2p.core.rows import AddressRow
from roosync_p2p.errors import NetworkError, PeerFault, RoosyncError
from roosync_p2p.ids import MachineId
from roosync_p2p.trust.enrolment import Enrolment
from roosync_p2p.trust.invites import JoinCode, decode_join_code
from roosync_p2p.trust.joining import JOIN_NONCE_BYTES, JoinerSession

__all__ = ["join"]

Progress = Callable[[str], None]

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


def join(home: Path, code: str, *, machine: str, at: str | None, progress: Progress) -> dict[str, Any]:
    """Enrols this machine; blocks until it is done.

    Raises:
        RoosyncError: the code is no good, the home has an identity, or nobody could be reached; what was begun goes
            on when it is called again.
    """
    decoded = decode_join_code(code)
    place = Home(home)
    create_home(place, os.environ)
    with HomeLock.acquire(place.lock_file, program="roosync join", started=rfc3339(read_now().wall_ms)):
        pending = create_request(home, MachineId(machine))
        enrolment, address = anyio.run(_enrol, decoded, pending, at, progress)
        install_enrolment(home, enrolment, fleet=decoded.fleet)
        _remember(place, decoded.issuer, address)
    return {
        "machine": enrolment.machine,
        "fleet": enrolment.fleet.hex(),
        "issuer": decoded.issuer,
        "address": address,
        "home": str(home),
    }


async def _enrol(code: JoinCode, pending: PendingIdentity, at: str | None, progress: Progress) -> tuple[Enrolment, str]:
    failures: list[str] = []
    tried: set[str] = set()
    for address in [at] if at is not None else code.contacts:
        tried.add(address)
        found = await _tried(code, pending, address, failures, progress)
        if found is not None:
            return found, address
    if at is None:
        progress("looking for the issuer on the LAN")
        for node in await _issuers_nearby(code, failures):
            for address in node.addresses:
                if address not in tried:
                    tried.add(address)
                    found = await _tried(code, pending, address, failures, progress)
                    if found is not None:
                        return found, address
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


async def _tried(
    code: JoinCode, pending: PendingIdentity, address: str, failures: list[str], progress: Progress
) -> Enrolment | None:
    progress(f"asking {code.issuer} at {address}")
    try:
        return await _converse(code, pending, address)
    except (NetworkError, PeerFault) as error:
        if error.code in _FINAL:
            raise _explained(error) from error
        failures.append(f"{address}: {error.message}")
        return None


async def _converse(code: JoinCode, pending: PendingIdentity, address: str) -> Enrolment:
    session = JoinerSession(code, pending.machine, pending.key, os.urandom(JOIN_NONCE_BYTES))
    connection = await connect_join(address)
    try:
        with anyio.fail_after(limits.JOIN_TIMEOUT_S):
            hello = await connection.receive()
            await connection.send(session.on_hello(hello, peer_leaf_der=connection.peer_leaf_der))
            return session.on_answer(await connection.receive())
    except TimeoutError as error:
        raise NetworkError("it did not answer in time", code="join_silent") from error
    finally:
        await connection.aclose()


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
