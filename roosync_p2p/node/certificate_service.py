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
from roosync_p2p.adapters.next_key import install_next, next_key
from roosync_p2p.adapters.system import read_now
from roosync_p2p.adapters.websocket.joining import JoinConnection, connect_join
from roosync_p2p.clock import rfc3339
from roosync_p2p.core.authorship import Phase
from roosync_p2p.core.commands import OfferCertificate, RenewCertificate, Rotate
from roosync_p2p.core.effects import InstallCertificate
from roosync_p2p.errors import EnvironmentFault, NetworkError, PeerFault, RoosyncError
from roosync_p2p.ids import MachineId
from roosync_p2p.node.performer import Performer
from roosync_p2p.trust.certificates import MachineCertificate
from roosync_p2p.trust.enrolment import Enrolment
from roosync_p2p.trust.late_renewal import RenewerSession

__all__ = ["CertificateService", "RenewAsked", "renew_at"]

_LOG: Final = logging.getLogger(__name__)
_LOOK_S: Final = 0.02  # how often the core is looked at while a person waits for it


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
        self._again: InstallCertificate | None = None  # what the disk did not take yet
        self._rotating = anyio.Lock()
        performer.install = self._install

    def _install(self, effect: InstallCertificate) -> None:
        install = install_next if effect.rotates else install_certificate
        try:
            self._identity = install(self._home, leaf=effect.leaf, issuer=effect.issuer)
            self._use(self._identity)
            self._again = None
        except EnvironmentFault as fault:  # the old one stays on the disk and in TLS until this works
            _LOG.error("the new certificate was not kept: %s", fault.message, extra={"code": fault.code})
            self._again = effect
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

    async def rotate(self) -> dict[str, Any]:
        """Another key for this machine, now; ``ordered``: whether the register has it already.

        Raises:
            InputFault: this machine must not write now, or an earlier rotation is not ordered yet.
            NetworkError: no issuer is linked (``no_issuer_answered``), or none answered in time.
            PeerFault: an issuer refused (``not_rotated``).
        """
        async with self._rotating:
            core = self._performer.core
            former = core.desk.identity.key.key_id
            key, renewed = next_key(self._home), self._renewed
            done = await self._performer.request(Rotate(key=key))
            if not done["asked"]:
                raise NetworkError(
                    "no issuer is linked, and the new key needs its certificate; nothing was changed",
                    code="no_issuer_answered",
                    remedy="start an issuer's node and try again; the key that was made is used then",
                )
            with anyio.move_on_after(limits.ROTATION_S):
                while core.desk.identity.key.key_id == former and not core.rotations.refusal:  # noqa: ASYNC110 - no event for it
                    await anyio.sleep(_LOOK_S)
                await renewed.wait()
            if core.desk.identity.key.key_id == former:
                raise NetworkError(
                    f"no issuer certified the new key: {core.rotations.refusal or 'none answered in time'}",
                    code="not_rotated",
                    remedy="the old key goes on; try again",
                )
            with anyio.move_on_after(limits.ROTATION_S):
                while not self._ordered():  # noqa: ASYNC110 - the same
                    await anyio.sleep(_LOOK_S)
            return {"key": key.key_id.hex(), "former": former.hex(), "ordered": self._ordered(), **self._shown()}

    def _ordered(self) -> bool:
        """Whether the register, as far as it is applied here, has the key that this machine signs with."""
        core = self._performer.core
        member = core.commit.seats.known.register.present(core.me)
        return member is not None and member.key == core.desk.identity.key.key_id

    def _shown(self) -> dict[str, Any]:
        return {"machine": self._own.machine, "not_after": rfc3339(self._own.not_after_s * 1000)}

    async def watch(self) -> None:
        """Renews whenever the certificate has run out, by the wall clock of this computer."""
        while True:
            await anyio.sleep(limits.LATE_RENEWAL_INTERVAL_S)
            core = self._performer.core
            core.desk.now = read_now()
            if self._again is not None:
                self._install(self._again)
            if not core.certificates.expired() or core.authorship.phase is Phase.REVOKED:
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
