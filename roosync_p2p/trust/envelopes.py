"""Envelopes: everything we sign but for TLS and certificates (docs/protocol/trust.md §2).

    signature = Ed25519(key, PAE(context, fleet id, author, key id, payload))

:func:`verify` judges who signed which bytes for which purpose in which fleet. It does not look into the payload: its
decoder does, after the signature, and checks there that the bytes are canonical. It does not judge authority either:
what an author may say is decided by the core, again and each time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from roosync_p2p.codec import records
from roosync_p2p.codec.digests import sha256
from roosync_p2p.errors import SignatureFault
from roosync_p2p.ids import FleetId, KeyId
from roosync_p2p.trust.contexts import CONTEXTS, LASTING
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.keys import SIGNATURE_BYTES, SigningKey

__all__ = ["Envelope", "Verified", "pae", "parse_envelope", "seal", "verify"]

# Begins no TLS 1.3 CertificateVerify content (64 times 0x20, RFC 8446 §4.4.3), no DER certificate or request (0x30)
# and no signed note (UTF-8, where 0xff does not occur): the machine key signs all of these.
_PAE_FIRST: Final = b"\xff"
_LENGTH_BYTES: Final = 8

_Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
_Signature = Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_NAMES: Final = {"author": "a", "context": "c", "fleet": "f", "key": "k", "payload": "p", "signature": "s"}


class Envelope(records.Record, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=_NAMES):
    """A parsed and not yet verified envelope.

    Unknown fields are refused, other than in payloads: they would not be covered by the signature, and anybody could
    make many envelopes out of one.
    """

    author: _Name
    context: _Name
    fleet: _Digest
    key: _Digest
    payload: bytes
    signature: _Signature

    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        pieces = (self.context.encode(), self.fleet, self.author.encode(), self.key, self.payload)
        return pae(pieces)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Bytes whose signature was checked, with what that proves.

    Attributes:
        author: a machine id, ``root``, or ``issuer:<machine id>``.
        context: the purpose it was signed for.
        payload: the signed bytes, not yet decoded.
        key_id: by which key.
        directory_version: by which version of the directory; authority may have changed since.
        digest: SHA-256 of what was signed; of an entry it is the entry id.
        raw: the envelope as it arrived, which is what is kept and passed on.
    """

    author: str
    context: str
    payload: bytes
    key_id: KeyId
    directory_version: int
    digest: bytes
    raw: bytes


def pae(pieces: Sequence[bytes]) -> bytes:
    """Pre-authentication encoding: ``0xff``, the count, all lengths (64 bits, big endian), then the pieces.

    Lengths first make it injective: no two sequences of pieces have the same encoding.
    """
    lengths = b"".join(len(piece).to_bytes(_LENGTH_BYTES, "big") for piece in pieces)
    return b"".join((_PAE_FIRST, len(pieces).to_bytes(_LENGTH_BYTES, "big"), lengths, *pieces))


def seal(key: SigningKey, *, context: str, fleet: FleetId, author: str, payload: bytes) -> bytes:
    """The canonical bytes of a signed envelope.

    The caller passes a context of :mod:`~roosync_p2p.trust.contexts` and canonical payload bytes, and says as author
    what the key stands for: its machine, ``root``, or ``issuer:<machine>``.
    """
    assert context in CONTEXTS, context
    unsigned = Envelope(
        author=author, context=context, fleet=fleet, key=key.key_id, payload=payload, signature=bytes(SIGNATURE_BYTES)
    )
    return records.encode(msgspec.structs.replace(unsigned, signature=key.sign(unsigned.signed_bytes())))


def parse_envelope(data: bytes, *, size_max: int) -> Envelope:
    """The envelope in canonical bytes, with nothing verified.

    Raises:
        MalformedError: larger than ``size_max`` (``oversized``), not canonical (``not_canonical``), or a field is
            missing, unknown, or of a wrong type or length (``bad_field``).
    """
    return records.decode(data, Envelope, size_max=size_max)


def verify(data: bytes, *, context: str, directory: Directory, size_max: int) -> Verified:
    """Who signed these bytes, for the given purpose, in the directory's fleet.

    A pure function: nodes run it in worker threads, the simulation inline.

    Raises:
        MalformedError: as :func:`parse_envelope`.
        SignatureFault: signed for another purpose (``wrong_context``), in another fleet (``wrong_fleet``), or the
            signature does not fit (``bad_signature``).
        UntrustedError: nobody by that name is known (``unknown_author``), or not with that key (``unknown_key``).
    """
    envelope = parse_envelope(data, size_max=size_max)
    if envelope.context != context:
        raise SignatureFault(f"signed for {envelope.context!r}, used as {context!r}", code="wrong_context")
    if envelope.fleet != directory.fleet:
        raise SignatureFault(
            f"of the fleet {envelope.fleet.hex()[:16]}…, not of this one",
            code="wrong_fleet",
            details={"fleet": envelope.fleet.hex(), "expected": directory.fleet.hex()},
        )
    key = directory.key_of(envelope.author, KeyId(envelope.key), lasting=context in LASTING)
    signed = envelope.signed_bytes()
    key.verify(envelope.signature, signed)
    return Verified(
        author=envelope.author,
        context=context,
        payload=envelope.payload,
        key_id=key.key_id,
        directory_version=directory.version,
        digest=sha256(signed),
        raw=data,
    )
