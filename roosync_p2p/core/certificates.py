"""This machine's certificate: renewed by itself over its links, and renewed for others (docs/protocol/trust.md §8).

When to renew is a matter of the wall clock, looked at whenever anything happens: a timer would stand still while the
computer sleeps. The key stays, so nothing that was signed is touched; later links show the new certificate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from roosync_p2p import limits
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import InstallCertificate
from roosync_p2p.core.links import Links
from roosync_p2p.core.wire import LeafAnswer, LeafRequest
from roosync_p2p.errors import InputFault, PeerFault, UntrustedError
from roosync_p2p.ids import KeyId, MachineId
from roosync_p2p.ledger.register import Register
from roosync_p2p.trust.certificates import (
    MachineCertificate,
    certificate_request,
    machine_certificate,
    parse_machine_certificate,
    parse_request,
    verify_issuer_certificate,
    verify_machine_chain,
)
from roosync_p2p.trust.enrolment import Enrolment
from roosync_p2p.trust.keys import SigningKey

__all__ = ["Certificates", "renew_from_s"]


def renew_from_s(certificate: MachineCertificate) -> int:
    """From when on a certificate is renewed: two thirds of its life are over. Unix seconds."""
    life_s = certificate.not_after_s - certificate.not_before_s
    return certificate.not_before_s + life_s * limits.CERTIFICATE_RENEW_NUMERATOR // 3


class Certificates:
    """Asks for this machine's next certificate, and gives others theirs if this machine is an issuer.

    Args:
        register: as far as it is applied here.
        doubtful: why this machine's clock dates no certificate; empty if it may. Asked with the clock of whoever wants
            one, Unix milliseconds, where that is known.
        renewed: called when this machine has another certificate.
    """

    def __init__(
        self,
        desk: Desk,
        links: Links,
        *,
        register: Callable[[], Register],
        doubtful: Callable[[int | None], str],
        renewed: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._links = links
        self._register = register
        self._doubtful = doubtful
        self._renewed = renewed
        self._own = parse_machine_certificate(desk.identity.leaf)
        self._signer: tuple[bytes, KeyId | None] = (b"", None)  # who signed it: the certificate, and its key id
        self._ask_at = 0.0
        self.refusal = ""

    @property
    def own(self) -> MachineCertificate:
        """This machine's certificate."""
        if self._own.der != self._desk.identity.leaf:  # it has another key since
            self._own = parse_machine_certificate(self._desk.identity.leaf)
        return self._own

    def due(self) -> bool:
        """Whether it is time for the next one, or the issuer key that signed this one was given up.

        Who comes later would not know this machine by such a certificate (docs/protocol/trust.md §5).
        """
        return self._desk.now.wall_ms // 1000 >= renew_from_s(self.own) or self._signer_gone()

    def _signer_gone(self) -> bool:
        given_up = self._desk.directory.given_up
        if not given_up:
            return False
        issuer = self._desk.identity.issuer
        if self._signer[0] != issuer:
            root = self._desk.directory.root
            self._signer = (issuer, verify_issuer_certificate(issuer, root=root).public.key_id)
        return self._signer[1] in given_up

    def expired(self) -> bool:
        """Whether links cannot be opened with it any more."""
        return self._desk.now.wall_ms // 1000 > self.own.not_after_s

    def next_deadline(self) -> float | None:
        """When to look again (monotonic seconds), counted from what the wall clock shows now."""
        now = self._desk.now
        left_s = renew_from_s(self.own) - now.wall_ms / 1000
        return max(self._ask_at, now.monotonic_s + left_s) if left_s < limits.CERTIFICATE_LOOK_S else None

    def tick(self) -> None:
        """Asks the issuers, if it is time."""
        if self.due() and self._ask_at <= self._desk.now.monotonic_s:
            self.ask()

    def ask(self) -> list[MachineId]:
        """Asks every linked issuer for the next certificate, now; who was asked. An issuer gives itself its own."""
        self._ask_at = self._desk.now.monotonic_s + limits.CERTIFICATE_ASK_S
        request = self.request_for(self._desk.identity.key)
        own = self._desk.identity.issuer_key
        if own is not None and own.key_id not in self._desk.directory.given_up:
            self.refusal = self._doubtful(None)
            if self.refusal:
                return []
            self._install(self.issued(request))
            return [self._desk.me]
        asked = self.ask_issuers(request)
        if not asked:
            self._ask_at = self._desk.now.monotonic_s + limits.CERTIFICATE_NOBODY_S
        return asked

    def request_for(self, key: SigningKey) -> bytes:
        """The request for a certificate of this machine with that key, DER."""
        return certificate_request(key, self._desk.me)

    def ask_issuers(self, request: bytes, *, rotates: bool = False) -> list[MachineId]:
        """Asks every linked issuer whose key stands; who was asked."""
        directory = self._desk.directory
        standing = {i.machine for i in directory.issuers.values() if i.key_id not in directory.given_up}
        asked = sorted(m for m in standing if m in directory.members and self._links.primary(m) is not None)
        for machine in asked:
            self._links.send(machine, LeafRequest(request=request, rotates=rotates))
        return asked

    # --- as an issuer ---------------------------------------------------------------------------------------------

    def requested(self, peer: MachineId, frame: LeafRequest) -> None:
        """A linked machine asks for its next certificate; it gets that, or the reason."""
        try:
            if parse_request(frame.request).machine != peer:
                raise UntrustedError(f"{peer} asks in the name of another machine", code="wrong_source")
            enrolment = self.issued(frame.request, rotates=frame.rotates)
        except PeerFault as fault:
            self._desk.fault(fault)
            self._links.send(peer, LeafAnswer(refusal=f"{fault.code}: {fault.message}"[:200]))
            return
        self._desk.notify("certificate_issued" if frame.rotates else "certificate_renewed", {"machine": peer})
        self._links.send(peer, LeafAnswer(leaf=enrolment.leaf, issuer=enrolment.issuer))

    def issued(self, request_der: bytes, *, clock_ms: int | None = None, rotates: bool = False) -> Enrolment:
        """The next certificate for the key that a machine has; one that was just given is given again.

        Args:
            clock_ms: what the clock of that machine shows, Unix milliseconds, where no heartbeat says it.
            rotates: for the key that it is going to have. Nobody takes that key before the old one says so.

        Raises:
            PeerFault: no issuer (``not_an_issuer``), no request, for another key than the pinned one
                (``wrong_key``), for one that was used before (``key_revoked``), of somebody who is no member any more
                (``not_a_member``), or this machine's clock is not one to date a certificate by (``clock_doubtful``).
        """
        identity = self._desk.identity
        if identity.issuer_key is None:
            raise UntrustedError(f"{self._desk.me} is no issuer", code="not_an_issuer")
        request = parse_request(request_der)
        pinned = self._desk.directory.members.get(request.machine)
        if pinned is None or self._register().ended(request.machine):
            raise UntrustedError(f"{request.machine} is no member of the fleet", code="not_a_member")
        if rotates:
            self._require_fresh(request.public.key_id)
        elif pinned.public != request.public:
            raise UntrustedError(f"{request.machine} has another key", code="wrong_key")
        self.require_clock(clock_ms)
        now_s = self._desk.now.wall_ms // 1000
        own_issuer = identity.own_issuer or identity.issuer
        fresh_s = pinned.certificate.not_before_s + limits.CERTIFICATE_BACKDATE_S + limits.CERTIFICATE_AGAIN_S
        if not rotates and pinned.issuer == own_issuer and now_s < fresh_s:
            return Enrolment.checked(leaf=pinned.leaf, issuer=pinned.issuer, root=identity.root)
        leaf = machine_certificate(
            identity.issuer_key,
            own_issuer,
            request.public,
            machine=request.machine,
            fleet=identity.fleet,
            serial=1 + int.from_bytes(self._desk.entropy.bytes(16), "big"),
            now_s=now_s,
        )
        if not rotates:
            self._desk.learn(leaf, own_issuer)
        return Enrolment.checked(leaf=leaf, issuer=own_issuer, root=identity.root)

    def require_clock(self, clock_ms: int | None) -> None:
        """Lets nothing be dated by a clock that is doubtful.

        Args:
            clock_ms: what the clock of the machine that asks shows, where that is known.

        Raises:
            PeerFault: ``clock_doubtful``.
        """
        doubt = self._doubtful(clock_ms)
        if doubt:
            raise UntrustedError(
                f"no certificate was issued: {doubt}",
                code="clock_doubtful",
                remedy="set the clocks of both machines, or run `roosync clock accept` on the issuer; then ask again",
            )

    def _require_fresh(self, key_id: KeyId) -> None:
        """A key is one machine's, for one purpose, once."""
        directory = self._desk.directory
        used = {member.key_id for member in directory.members.values()} | directory.given_up | directory.issuers.keys()
        if key_id in used or key_id == directory.root.public.key_id:
            raise UntrustedError("a machine's next key is one that nobody had before", code="key_revoked")

    # --- the answer -----------------------------------------------------------------------------------------------

    def answered(self, frame: LeafAnswer) -> None:
        """An issuer answered.

        Raises:
            PeerFault: what came is no certificate for this machine and key.
        """
        if not frame.leaf:
            self.refusal = frame.refusal[:200]
            return
        self._install(Enrolment.checked(leaf=frame.leaf, issuer=frame.issuer, root=self._desk.identity.root))

    def offered(self, leaf: bytes, issuer: bytes) -> None:
        """A certificate was got by another way.

        Raises:
            InputFault: it is none for this machine and key.
        """
        try:
            self._install(Enrolment.checked(leaf=leaf, issuer=issuer, root=self._desk.identity.root))
        except PeerFault as fault:
            raise InputFault(fault.message, code=fault.code, remedy=fault.remedy) from fault

    def _install(self, enrolment: Enrolment) -> None:
        identity = self._desk.identity
        enrolment.require_key(identity.key.public)
        if enrolment.machine != self._desk.me:
            raise UntrustedError(f"the certificate is for {enrolment.machine}", code="wrong_machine")
        certificate = verify_machine_chain(enrolment.leaf, enrolment.issuer, root=self._desk.directory.root)
        self._desk.learn(enrolment.leaf, enrolment.issuer)
        if certificate.age_order < self.own.age_order:
            return
        self._own = certificate
        self.refusal = ""
        self._desk.identity = dataclasses.replace(identity, leaf=enrolment.leaf, issuer=enrolment.issuer)
        self._desk.emit(InstallCertificate(leaf=enrolment.leaf, issuer=enrolment.issuer))
        self._desk.notify("certificate", {"not_after_s": certificate.not_after_s})
        self._renewed()
