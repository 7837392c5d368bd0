"""The renewal of a certificate that has run out, over the joining path (docs/protocol/trust.md §8).

    issuer                                               machine whose certificate ran out
    join.hello: leaf, issuer, root, nonce   ──────────▶  of my fleet? leaf is this TLS session's?
    key pinned, not given up, a member?     ◀──────────  join.renew: an envelope, signed with the key
    join.renewed: certificates or refusal   ──────────▶  for my key, under my root?

The machine shows no certificate in TLS, because nobody would take it. What it signs names this very TLS session, so
nobody in the middle can use it elsewhere.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec import records
from roosync_p2p.codec.digests import sha256
from roosync_p2p.errors import PeerFault, RoosyncError, SignatureFault, UntrustedError
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.trust import contexts
from roosync_p2p.trust.certificates import certificate_request, parse_request
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.enrolment import Enrolment
from roosync_p2p.trust.envelopes import seal, verify
from roosync_p2p.trust.joining import read_hello
from roosync_p2p.trust.keys import SigningKey

__all__ = ["RenewerSession", "asks_renewal", "read_renewal", "refuse_renewal", "renewed"]

_Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class _Renew(records.Record, frozen=True, kw_only=True, tag_field="kind", tag="join.renew"):
    envelope: bytes


class _Renewed(records.Record, frozen=True, kw_only=True, tag_field="kind", tag="join.renewed"):
    """Either the certificates, or a refusal's code and message."""

    leaf: bytes = b""
    issuer: bytes = b""
    code: str = ""
    message: str = ""


class _Asked(records.Record, frozen=True, kw_only=True):
    """What the machine's key signs: its request, in this TLS session."""

    tls_leaf: _Digest  # SHA-256 of the issuer's certificate in the session
    nonce: _Digest  # the issuer's
    request: bytes
    time_ms: Annotated[int, msgspec.Meta(ge=0, le=limits.WALL_MS_MAX)] = 0  # what its clock shows; 0: not said


class RenewerSession:
    """The side of the machine whose certificate ran out.

    Args:
        fleet: its fleet, from its own root certificate.
        time_ms: what its clock shows, Unix milliseconds: the issuer's may be the wrong one.
    """

    def __init__(self, *, machine: MachineId, key: SigningKey, fleet: FleetId, time_ms: int) -> None:
        self._machine = machine
        self._key = key
        self._fleet = fleet
        self._time_ms = time_ms
        self._root = b""

    def on_hello(self, data: bytes, *, peer_leaf_der: bytes) -> bytes:
        """What to send, once the issuer is recognised.

        Args:
            peer_leaf_der: the certificate that the peer of this TLS session has proven to hold.

        Raises:
            MalformedError: not a hello.
            SignatureFault: another fleet (``wrong_fleet``), or its chain does not hold.
            UntrustedError: not the peer of this session (``wrong_tls_peer``).
        """
        chain, nonce = read_hello(data, peer_leaf_der=peer_leaf_der)
        if chain.fleet != self._fleet:
            raise SignatureFault("the one that answered belongs to another fleet", code="wrong_fleet")
        self._root = chain.root
        asked = _Asked(
            tls_leaf=sha256(peer_leaf_der),
            nonce=nonce,
            request=certificate_request(self._key, self._machine),
            time_ms=self._time_ms,
        )
        envelope = seal(
            self._key,
            context=contexts.RENEWAL,
            fleet=self._fleet,
            author=self._machine,
            payload=records.encode(asked),
        )
        return records.encode(_Renew(envelope=envelope))

    def on_answer(self, data: bytes) -> Enrolment:
        """This machine's new certificate and chain, verified.

        Raises:
            PeerFault: a refusal, with its code; or not a certificate for this key and machine.
        """
        answer = records.decode(data, _Renewed, size_max=limits.JOIN_MESSAGE_BYTES_MAX)
        if answer.code:
            raise PeerFault(answer.message[:500] or "the issuer refused", code=answer.code[:64])
        enrolment = Enrolment.checked(leaf=answer.leaf, issuer=answer.issuer, root=self._root)
        enrolment.require_key(self._key.public)
        if enrolment.machine != self._machine:
            raise UntrustedError(f"the certificate is for {enrolment.machine}", code="wrong_machine")
        return enrolment


def asks_renewal(data: bytes) -> bool:
    """Whether a message of a stranger is of this exchange, and not of a join."""
    try:
        records.decode(data, _Renew, size_max=limits.JOIN_MESSAGE_BYTES_MAX)
    except PeerFault:
        return False
    return True


def read_renewal(data: bytes, *, tls_leaf: bytes, nonce: bytes, directory: Directory) -> tuple[bytes, int | None]:
    """The certificate request of a machine that has proven to hold its pinned key, and what its clock shows.

    What it may have, the caller judges.

    Args:
        tls_leaf: DER of the certificate that was shown in this TLS session.
        nonce: that of the hello.

    Raises:
        PeerFault: no such message; signed with a key that is not the machine's now; for another session
            (``wrong_session``), or for another machine or key than the signer's (``wrong_source``).
    """
    message = records.decode(data, _Renew, size_max=limits.JOIN_MESSAGE_BYTES_MAX)
    verified = verify(
        message.envelope, context=contexts.RENEWAL, directory=directory, size_max=limits.JOIN_MESSAGE_BYTES_MAX
    )
    asked = records.decode(verified.payload, _Asked)
    if (asked.tls_leaf, asked.nonce) != (sha256(tls_leaf), nonce):
        raise SignatureFault("the request was signed for another session", code="wrong_session")
    request = parse_request(asked.request)
    if (request.machine, request.public.key_id) != (verified.author, verified.key_id):
        raise UntrustedError("the request is for another machine or key than its signer's", code="wrong_source")
    return asked.request, asked.time_ms or None


def renewed(enrolment: Enrolment) -> bytes:
    """The answer with a certificate."""
    return records.encode(_Renewed(leaf=enrolment.leaf, issuer=enrolment.issuer))


def refuse_renewal(error: RoosyncError) -> bytes:
    """The answer with a refusal."""
    return records.encode(_Renewed(code=error.code[:64], message=error.message[:500]))
