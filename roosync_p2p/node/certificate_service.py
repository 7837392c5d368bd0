"""This machine's certificate on the disk and in TLS, and its renewal after it ran out (docs/protocol/trust.md §8).

The core renews over links while there are any. A certificate that has run out opens none: then the issuers are asked on
the joining path, at every address that is known of them, for as long as it takes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import anyio

from roosync_p2p import limits
from roosync_p2p.adapters.keystore import Identity, install_certificate
from roosync_p2p.adapters.system import read_now
from roosync_p2p.adapters.websocket.joining import JoinConnection, connect_join
from roosync_p2p.clock import rfc3339
from roosync_p2p.core.commands import OfferCertificate, RenewCertificate
from roosync_p2p.core.effects import InstallCertificate
from roosync_p2p.errors import EnvironmentFault, NetworkError, PeerFault, RoosyncError
from roosync_p2p.ids import MachineId
from roosync_p2p.node.performer import Performer
from roosync_p2p.trust.certificates import MachineCertificate
from roosync_p2p.trust.enrolment import Enrolment
from roosync_p2p.trust.late_renewal import RenewerSession

__all__ = ["CertificateService", "RenewAsked", "renew_at"]

_LOG: Final = logging.getLogger(__name__)


class RenewAsked(Protocol):
    """``at``: ask an issuer at this address, on the joining path; None: over links, else wherever issuers may be."""

    @property
    def at(self) -> str | None: ...


class CertificateService:
    """Keeps what the core renewed, and renews late.

    Args:
        use: called with the identity as it is on the disk now: TLS reads it again, joiners are shown it.
    """

    def __init__(self, performer: Performer, home: Path, key_of: Identity, *, use: Callable[[Identity], None]) -> None:
        self._performer = performer
        self._home = home
        self._identity = key_of
        self._use = use
        self._renewed = anyio.Event()
        performer.install = self._install

    def _install(self, effect: InstallCertificate) -> None:
        try:
            self._identity = install_certificate(self._home, leaf=effect.leaf, issuer=effect.issuer)
            self._use(self._identity)
        except EnvironmentFault as fault:  # the old one stays in use; the core asks again after a restart
            _LOG.error("the new certificate was not kept: %s", fault.message, extra={"code": fault.code})
        self._renewed.set()
        self._renewed = anyio.Event()

    @property
    def _own(self) -> MachineCertificate:
        return self._performer.core.certificates.own

    async def renew(self, asked: RenewAsked) -> dict[str, Any]:
        """The next certificate, now.

        Raises:
            NetworkError: no issuer answered (``no_issuer_answered``).
            RoosyncError: it refused.
        """
        before, renewed, core = self._own, self._renewed, self._performer.core
        own_doubt = []
        if asked.at is None and (core.desk.identity.issuer_key is not None or not core.certificates.expired()):
            done = await self._performer.request(RenewCertificate())
            with anyio.move_on_after(limits.LATE_RENEWAL_S if done["asked"] else 0):
                if self._own is before:
                    await renewed.wait()
            refusal = core.certificates.refusal
            if refusal and done["asked"]:
                raise PeerFault(f"the issuer refused: {refusal}", code="not_renewed")
            if done["asked"]:
                return self._shown()
            own_doubt = [refusal] if refusal else []  # an issuer that does not give itself one asks another
        if self._own is before:
            await self._renew_late(None if asked.at is None else [asked.at], failures=own_doubt)
        return self._shown()

    def _shown(self) -> dict[str, Any]:
        return {"machine": self._own.machine, "not_after": rfc3339(self._own.not_after_s * 1000)}

    async def watch(self) -> None:
        """Renews whenever the certificate has run out, by the wall clock of this computer."""
        while True:
            await anyio.sleep(limits.LATE_RENEWAL_INTERVAL_S)
            core = self._performer.core
            core.desk.now = read_now()
            if not core.certificates.expired() or core.revocations.own() is not None:
                continue
            try:
                await self._renew_late(None, failures=[])
            except RoosyncError as error:
                _LOG.warning("the certificate has run out and is not renewed: %s", error.message)

    async def _renew_late(self, addresses: list[str] | None, *, failures: list[str]) -> None:
        for address in self._addresses() if addresses is None else addresses:
            try:
                enrolment = await renew_at(address, self._identity)
            except (NetworkError, PeerFault) as error:
                failures.append(f"{address}: {error.message}")
                continue
            await self._performer.request(OfferCertificate(leaf=enrolment.leaf, issuer=enrolment.issuer))
            return
        raise NetworkError(
            "no issuer renewed the certificate: " + ("; ".join(failures) or "no address of one is known"),
            code="no_issuer_answered",
            remedy="start an issuer's node, or name its address: roosync-admin renew --at HOST:PORT",
        )

    def _addresses(self) -> list[str]:
        core = self._performer.core
        issuers = sorted({issuer.machine for issuer in core.directory.issuers.values()} - {core.me})
        known = [address for machine in issuers for address in core.dialling.addresses(MachineId(machine))]
        return list(dict.fromkeys([*known, *core.dialling.static()]))


async def renew_at(address: str, identity: Identity) -> Enrolment:
    """The next certificate, from the issuer at an address, on the joining path.

    Raises:
        NetworkError: nobody answers there, or not in time.
        PeerFault: it is no issuer of this fleet, or it refuses.
    """
    connection = await connect_join(address)
    try:
        with anyio.fail_after(limits.JOIN_TIMEOUT_S):
            return await _conversed(connection, identity)
    except TimeoutError as error:
        raise NetworkError("it did not answer in time", code="join_silent") from error
    finally:
        await connection.aclose()


async def _conversed(connection: JoinConnection, identity: Identity) -> Enrolment:
    session = RenewerSession(
        machine=identity.machine, key=identity.key, fleet=identity.fleet, time_ms=read_now().wall_ms
    )
    hello = await connection.receive()
    await connection.send(session.on_hello(hello, peer_leaf_der=connection.peer_leaf_der))
    return session.on_answer(await connection.receive())
