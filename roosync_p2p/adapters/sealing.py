"""Sealing for machines and opening again: HPKE (RFC 9180) and AES-256-GCM of ``cryptography`` (messages.md §13).

HPKE is there from version 47 of ``cryptography`` on; some platforms get an older one. Whoever cannot open announces no
key, so nobody seals for it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.errors import StoreError, UntrustedError
from roosync_p2p.ids import MachineId
from roosync_p2p.mailbox.sealed import KEY_BYTES, SealedBox, SealedText, WrappedKey, decode_text

try:
    from cryptography.hazmat.primitives import hpke
except ImportError:  # before version 47
    _SUITE = None
else:
    _SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)

__all__ = ["BlobSealer", "can_seal", "open_pieces", "open_text", "seal_text"]

_ONCE: Final = bytes(12)  # each content key encrypts one text, so there is no second nonce
_BLOB_AAD: Final = b"roosync/blob/1"
_TAG: Final = 16


def can_seal() -> bool:
    """Whether this computer's ``cryptography`` has HPKE."""
    return _SUITE is not None


def seal_text(text: SealedText, *, keys: Mapping[MachineId, bytes], info: bytes) -> bytes:
    """An encoded box, which each of these machines can open; ``keys`` are their X25519 public keys.

    The caller has made sure that :func:`can_seal`.
    """
    assert _SUITE is not None
    content_key = os.urandom(KEY_BYTES)
    wrapped = [
        WrappedKey(
            machine=machine,
            public=keys[machine],
            wrapped=_SUITE.encrypt(content_key, X25519PublicKey.from_public_bytes(keys[machine]), info),
        )
        for machine in sorted(keys)
    ]
    return encode(SealedBox(keys=tuple(wrapped), text=AESGCM(content_key).encrypt(_ONCE, encode(text), info)))


def open_text(
    box: SealedBox, machine: MachineId, private: Callable[[bytes], X25519PrivateKey | None], *, info: bytes
) -> SealedText:
    """What is inside a box.

    Args:
        private: the private key of a public one, if it is here.

    Raises:
        UntrustedError: ``sealed_for_others``; ``seal_key_gone``; ``seal_broken``: it was made for another message.
        MalformedError: what is inside does not parse.
    """
    mine = next((wrapped for wrapped in box.keys if wrapped.machine == machine), None)
    if mine is None:
        raise UntrustedError("the message is sealed for other machines", code="sealed_for_others")
    key = private(mine.public)
    if key is None or _SUITE is None:
        raise UntrustedError("the key that it was sealed for is not here any more", code="seal_key_gone")
    try:
        content_key = _SUITE.decrypt(mine.wrapped, key, info)
        return decode_text(AESGCM(content_key).decrypt(_ONCE, box.text, info))
    except (InvalidTag, ValueError) as error:
        raise UntrustedError("what is sealed in it was not made for this message", code="seal_broken") from error


class BlobSealer:
    """Encrypts a blob with a key of its own, piece by piece: the STREAM construction, as for backups (store.md §7)."""

    def __init__(self) -> None:
        self.key: Final = os.urandom(KEY_BYTES)
        self._cipher = AESGCM(self.key)
        self._plain = hashlib.sha256()
        self._kept = bytearray()
        self._number = 0
        self.size = 0

    def add(self, data: bytes) -> bytes:
        """Takes more of the text; what can be written of it now."""
        self._plain.update(data)
        self.size += len(data)
        self._kept += data
        out = bytearray()
        while len(self._kept) > limits.SEALED_PIECE_BYTES:
            piece = bytes(self._kept[: limits.SEALED_PIECE_BYTES])
            del self._kept[: limits.SEALED_PIECE_BYTES]
            out += self._cipher.encrypt(_nonce(self._number, last=False), piece, _BLOB_AAD)
            self._number += 1
        return bytes(out)

    def end(self) -> bytes:
        """The rest of what is to be written."""
        return self._cipher.encrypt(_nonce(self._number, last=True), bytes(self._kept), _BLOB_AAD)

    @property
    def sha256(self) -> bytes:
        """Of the text so far."""
        return self._plain.digest()


def open_pieces(pieces: Iterator[bytes], key: bytes) -> Iterator[bytes]:
    """The text of an encrypted blob, each piece verified; complete only when the iterator has ended.

    Raises:
        StoreError: ``blob_damaged``: it is not what was sealed with this key, or ends too early.
    """
    cipher, kept, number = AESGCM(key), bytearray(), 0
    whole = limits.SEALED_PIECE_BYTES + _TAG
    try:
        for piece in pieces:
            kept += piece
            while len(kept) > whole:
                yield cipher.decrypt(_nonce(number, last=False), bytes(kept[:whole]), _BLOB_AAD)
                del kept[:whole]
                number += 1
        yield cipher.decrypt(_nonce(number, last=True), bytes(kept), _BLOB_AAD)
    except InvalidTag as error:
        raise StoreError(
            "the attachment is not what was sealed for this machine; it is not given out", code="blob_damaged"
        ) from error


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
