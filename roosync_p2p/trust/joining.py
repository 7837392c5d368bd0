"""The joining protocol, both sides, without I/O (docs/protocol/trust.md §4).

    issuer                                               joiner
    hello: leaf, issuer, root, nonce        ──────────▶  root's hash is the fleet? leaf is this TLS session's?
    id known? proof right? then the rules   ◀──────────  request: invite id, nonce, certificate request, proof
    answer: certificate or refusal, bound   ──────────▶  bound to my request? for my key, from this root?

The joiner says nothing before it has recognised the issuer, and the issuer says nothing about an invite before it has
seen a proof of its secret. The secret itself never travels. A session is one exchange: its nonces are used once.
"""

from __future__ import annotations

import dataclasses
import hmac
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec import records
from roosync_p2p.codec.digests import sha256
from roosync_p2p.errors import (
    ConflictError,
    InputFault,
    MalformedError,
    PeerFault,
    RoosyncError,
    SignatureFault,
    StaleError,
    UntrustedError,
)
from roosync_p2p.ids import KeyId, MachineId
from roosync_p2p.trust.certificates import Request, certificate_request, parse_request
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.enrolment import Enrolment
from roosync_p2p.trust.envelopes import pae
from roosync_p2p.trust.invites import INVITE_ID_BYTES, Invite, JoinCode
from roosync_p2p.trust.keys import SigningKey

__all__ = ["JOIN_NONCE_BYTES", "IssuerSession", "JoinRequest", "JoinerSession", "read_hello"]

JOIN_NONCE_BYTES: Final = 32
_MAC_BYTES: Final = 32
# Distinct labels, so that a proof sent back is no answer.
_PROOF_LABEL: Final = b"roosync/join/proof/1"
_ANSWER_LABEL: Final = b"roosync/join/answer/1"

_Nonce = Annotated[bytes, msgspec.Meta(min_length=JOIN_NONCE_BYTES, max_length=JOIN_NONCE_BYTES)]
_Mac = Annotated[bytes, msgspec.Meta(min_length=_MAC_BYTES, max_length=_MAC_BYTES)]
_InviteId = Annotated[bytes, msgspec.Meta(min_length=INVITE_ID_BYTES, max_length=INVITE_ID_BYTES)]


class _Hello(records.Record, frozen=True, kw_only=True, tag_field="kind", tag="join.hello"):
    leaf: bytes
    issuer: bytes
    root: bytes
    nonce: _Nonce


class _Request(records.Record, frozen=True, kw_only=True, tag_field="kind", tag="join.request"):
    invite: _InviteId
    nonce: _Nonce
    request: bytes
    proof: _Mac
    time_ms: Annotated[int, msgspec.Meta(ge=0, le=limits.WALL_MS_MAX)] = 0  # what the joiner's clock shows; 0: not said


class _Answer(records.Record, frozen=True, kw_only=True, tag_field="kind", tag="join.answer"):
    """``mac`` is empty when the issuer knows no secret for the invite that was named."""

    body: bytes
    mac: bytes = b""


class _AnswerBody(records.Record, frozen=True, kw_only=True):
    """Either the certificates, or a refusal's code and message."""

    leaf: bytes = b""
    issuer: bytes = b""
    code: str = ""
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JoinRequest:
    """A request that was proven and is allowed; the issuer may now issue.

    Attributes:
        request: machine id and key.
        invite: as it was found.
        repeated: the very same request was answered before: give the certificates in ``invite`` again.
        clock_ms: what the joiner's clock shows; None if it did not say.
    """

    request: Request
    invite: Invite
    repeated: bool
    clock_ms: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Transcript:
    """What both sides bind proof and answer to."""

    invite: bytes
    leaf_hash: bytes
    issuer_nonce: bytes
    joiner_nonce: bytes
    request: bytes

    def mac(self, secret: bytes, label: bytes, body: bytes = b"") -> bytes:
        pieces = (label, self.invite, self.leaf_hash, self.issuer_nonce, self.joiner_nonce, self.request, body)
        return hmac.digest(secret, pae(pieces), "sha256")


class JoinerSession:
    """The side of the machine that joins.

    Args:
        code: as it was handed over.
        machine: the id that this machine asks for.
        key: this machine's key; the caller has it on disk, so that a retry asks with the same.
        nonce: 32 fresh random bytes.
        time_ms: what this machine's clock shows, Unix milliseconds: the issuer's may be the wrong one.

    Raises:
        InputFault: the code is for another machine id (``invite_other_machine``).
    """

    def __init__(self, code: JoinCode, machine: MachineId, key: SigningKey, nonce: bytes, *, time_ms: int) -> None:
        assert len(nonce) == JOIN_NONCE_BYTES
        if code.machine not in (None, machine):
            raise InputFault(
                f"the join code is for {code.machine}, not for {machine}",
                code="invite_other_machine",
                remedy=f"join as {code.machine}, or ask for a code for {machine}",
                details={"machine": code.machine},
            )
        self._code = code
        self._machine = machine
        self._key = key
        self._nonce = nonce
        self._time_ms = time_ms
        self._root = b""
        self._transcript: _Transcript | None = None

    def on_hello(self, data: bytes, *, peer_leaf_der: bytes) -> bytes:
        """The request to send, once the issuer is recognised.

        Args:
            peer_leaf_der: the certificate that the peer of this TLS session has proven to hold.

        Raises:
            MalformedError: not a hello.
            SignatureFault: of another fleet than the code's (``wrong_fleet``), or its chain does not hold.
            UntrustedError: not the peer of this session (``wrong_tls_peer``), or not the machine that made the code
                (``wrong_issuer``).
        """
        assert self._transcript is None, "one hello a session"
        chain, nonce = read_hello(data, peer_leaf_der=peer_leaf_der)
        if chain.fleet != self._code.fleet:
            raise SignatureFault(
                "the one that answered belongs to another fleet than the join code",
                code="wrong_fleet",
                details={"fleet": chain.fleet.hex(), "expected": self._code.fleet.hex()},
            )
        if chain.machine != self._code.issuer:
            raise UntrustedError(
                f"the one that answered is {chain.machine}, the join code is from {self._code.issuer}",
                code="wrong_issuer",
            )
        self._root = chain.root
        self._transcript = _Transcript(
            invite=self._code.invite,
            leaf_hash=sha256(chain.leaf),
            issuer_nonce=nonce,
            joiner_nonce=self._nonce,
            request=certificate_request(self._key, self._machine),
        )
        return records.encode(
            _Request(
                invite=self._code.invite,
                nonce=self._nonce,
                request=self._transcript.request,
                proof=self._transcript.mac(self._code.secret, _PROOF_LABEL),
                time_ms=self._time_ms,
            )
        )

    def on_hello_file(self, data: bytes) -> bytes:
        """The same where no connection stands, because the messages travel as files.

        Nobody has proven to hold the issuer's key then. Whoever answers proves to know the secret of the code, which
        only the issuer does: :meth:`on_answer` believes nothing else.

        Raises:
            As :meth:`on_hello`.
        """
        hello = records.decode(data, _Hello, size_max=limits.JOIN_MESSAGE_BYTES_MAX)
        return self.on_hello(data, peer_leaf_der=hello.leaf)

    def on_answer(self, data: bytes) -> Enrolment:
        """This machine's certificate and chain, verified.

        Raises:
            MalformedError: not an answer.
            SignatureFault: not bound to this exchange (``bad_proof``), or the chain does not hold.
            UntrustedError: a certificate for another key or machine id (``wrong_key``, ``wrong_machine``).
            PeerFault: the issuer refused, with its code and message (of the classes that :class:`IssuerSession`
                raises). ``details["bound"]`` says whether the refusal proves that the issuer sent it.
        """
        assert self._transcript is not None, "the hello comes first"
        answer = records.decode(data, _Answer, size_max=limits.JOIN_MESSAGE_BYTES_MAX)
        body = records.decode(answer.body, _AnswerBody, size_max=limits.JOIN_MESSAGE_BYTES_MAX)
        expected = self._transcript.mac(self._code.secret, _ANSWER_LABEL, answer.body)
        bound = hmac.compare_digest(answer.mac, expected)
        if body.code:
            raise _refusal(body, bound=bound)
        if not bound:
            raise SignatureFault("the answer is not bound to this request", code="bad_proof")
        enrolment = Enrolment.checked(leaf=body.leaf, issuer=body.issuer, root=self._root)
        enrolment.require_key(self._key.public)
        if enrolment.machine != self._machine:
            raise UntrustedError(f"the certificate is for {enrolment.machine}", code="wrong_machine")
        return enrolment


def read_hello(data: bytes, *, peer_leaf_der: bytes) -> tuple[Enrolment, bytes]:
    """Who answers on the joining path, and its nonce. Whether that is the right fleet, the caller compares.

    Args:
        peer_leaf_der: the certificate that the peer of this TLS session has proven to hold.

    Raises:
        MalformedError: not a hello.
        SignatureFault: its chain does not hold.
        UntrustedError: not the peer of this session (``wrong_tls_peer``).
    """
    hello = records.decode(data, _Hello, size_max=limits.JOIN_MESSAGE_BYTES_MAX)
    chain = Enrolment.checked(leaf=hello.leaf, issuer=hello.issuer, root=hello.root)
    if hello.leaf != peer_leaf_der:
        raise UntrustedError("the hello shows another certificate than the connection", code="wrong_tls_peer")
    return chain, hello.nonce


class IssuerSession:
    """The side of the issuer, for one connection of a stranger.

    Issuing happens outside, because it draws a serial number and is persisted: :meth:`on_request` says that it may,
    :meth:`answer` or :meth:`refuse` says what came of it.

    Args:
        leaf, issuer, root: the chain that this node presents in TLS, DER.
        nonce: 32 fresh random bytes.
    """

    def __init__(self, *, leaf: bytes, issuer: bytes, root: bytes, nonce: bytes) -> None:
        assert len(nonce) == JOIN_NONCE_BYTES
        self._hello = _Hello(leaf=leaf, issuer=issuer, root=root, nonce=nonce)
        self._asked = False
        self._transcript: _Transcript | None = None
        self._secret = b""

    def hello(self) -> bytes:
        """The first message of the exchange."""
        return records.encode(self._hello)

    def on_request(
        self, data: bytes, *, invites: Mapping[bytes, Invite], directory: Directory, now_s: int
    ) -> JoinRequest:
        """The request, if it is proven and allowed. On an error the caller sends :meth:`refuse` and hangs up.

        Args:
            invites: by invite id, the used ones included.
            directory: whose machine ids have live keys.
            now_s: Unix seconds.

        Raises:
            MalformedError: not a request, or the second one (``out_of_order``).
            UntrustedError: ``invite_unknown``, ``invite_other_machine``.
            SignatureFault: ``bad_proof``; or the certificate request is not self-signed.
            StaleError: ``invite_used``, ``invite_expired``.
            ConflictError: ``machine_exists``: the id has a live key, and it is another.
        """
        if self._asked:
            raise MalformedError("a joining session takes one request", code="out_of_order")
        self._asked = True
        message = records.decode(data, _Request, size_max=limits.JOIN_MESSAGE_BYTES_MAX)
        invite = invites.get(message.invite)
        if invite is None:
            raise UntrustedError("no invite by this name is known here", code="invite_unknown")
        self._require_proof(message, invite)
        request = parse_request(message.request)
        repeated = _is_repeated(invite, request)
        if not repeated:
            _require_allowed(invite, request, directory, now_s)
        return JoinRequest(request=request, invite=invite, repeated=repeated, clock_ms=message.time_ms or None)

    def answer(self, leaf: bytes, issuer: bytes) -> bytes:
        """The answer with a certificate. The caller has persisted the use of the invite before.

        Args:
            leaf: the new machine's certificate.
            issuer: the certificate of the key that signed it.
        """
        assert self._transcript is not None, "only after a request was accepted"
        return self._bound(_AnswerBody(leaf=leaf, issuer=issuer))

    def refuse(self, error: RoosyncError) -> bytes:
        """The answer with a refusal; bound to the request once its proof was right."""
        return self._bound(_AnswerBody(code=error.code[:64], message=error.message[:500]))

    def _require_proof(self, message: _Request, invite: Invite) -> None:
        transcript = _Transcript(
            invite=message.invite,
            leaf_hash=sha256(self._hello.leaf),
            issuer_nonce=self._hello.nonce,
            joiner_nonce=message.nonce,
            request=message.request,
        )
        if not hmac.compare_digest(message.proof, transcript.mac(invite.secret, _PROOF_LABEL)):
            raise SignatureFault("the request does not prove that it knows the join code", code="bad_proof")
        self._transcript = transcript
        self._secret = invite.secret

    def _bound(self, body: _AnswerBody) -> bytes:
        packed = records.encode(body)
        mac = b"" if self._transcript is None else self._transcript.mac(self._secret, _ANSWER_LABEL, packed)
        return records.encode(_Answer(body=packed, mac=mac))


# What a refusal is for the joiner; a code that is not here is of a newer issuer.
_REFUSALS: Final[Mapping[str, type[PeerFault]]] = {
    "bad_proof": SignatureFault,
    "bad_signature": SignatureFault,
    "invite_expired": StaleError,
    "invite_other_machine": UntrustedError,
    "invite_unknown": UntrustedError,
    "invite_used": StaleError,
    "machine_exists": ConflictError,
}


def _is_repeated(invite: Invite, request: Request) -> bool:
    """Whether the answer to this very request was lost: same invite, same key, same machine id.

    Neither expiry nor the live key counts then: the certificate exists, and only the holder of its key has use for it.
    """
    return invite.used_by == request.public.key_id and invite.used_as == request.machine


def _require_allowed(invite: Invite, request: Request, directory: Directory, now_s: int) -> None:
    if invite.used_by is not None:
        raise StaleError("the join code was used already", code="invite_used", remedy="ask for a new code")
    if now_s > invite.expires_s:
        raise StaleError("the join code has expired", code="invite_expired", remedy="ask for a new code")
    if invite.machine not in (None, request.machine):
        raise UntrustedError(f"the join code is for {invite.machine}", code="invite_other_machine")
    _require_free(request.machine, request.public.key_id, directory)


def _require_free(machine: MachineId, key_id: KeyId, directory: Directory) -> None:
    member = directory.members.get(machine)
    if member is not None and member.key_id != key_id:
        raise ConflictError(
            f"{machine} is a member already, with another key",
            code="machine_exists",
            remedy="choose another machine id, or retire that machine first",
            details={"machine": machine},
        )


def _refusal(body: _AnswerBody, *, bound: bool) -> PeerFault:
    kind = _REFUSALS.get(body.code, PeerFault)
    message = body.message[:500] or "the issuer refused"
    return kind(message, code=body.code[:64], details={"bound": bound})
