"""A file that a passphrase seals, written and read in pieces (docs/protocol/store.md §7).

    b"ROOSYNC-SEALED-1\\n" · salt (16) · log2 of scrypt's N (1) · nonce prefix (7) · pieces
    piece = AES-256-GCM(key, prefix · number (4, big endian) · last (1), SEALED_PIECE_BYTES of text; the header beside)

The last piece says that it is one, so nothing can be cut off, and each has its place, so nothing can be exchanged: the
STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015). What is read is not trusted before its piece is
verified, and not complete before the last one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from roosync_p2p import limits
from roosync_p2p.errors import InputFault, MalformedError

__all__ = ["open_sealed", "seal_file"]

_MAGIC: Final = b"ROOSYNC-SEALED-1\n"
_SALT: Final = 16
_PREFIX: Final = 7
_HEADER: Final = len(_MAGIC) + _SALT + 1 + _PREFIX
_TAG: Final = 16
_PIECES_MAX: Final = 2**32


def seal_file(source: BinaryIO, target: BinaryIO, passphrase: bytes) -> None:
    """Writes what ``source`` gives to ``target``, sealed. The caller makes it durable."""
    salt, prefix = os.urandom(_SALT), os.urandom(_PREFIX)
    header = _MAGIC + salt + bytes([limits.SEALED_SCRYPT_LOG_N]) + prefix
    cipher = AESGCM(_key(passphrase, salt, limits.SEALED_SCRYPT_LOG_N))
    target.write(header)
    piece, number = source.read(limits.SEALED_PIECE_BYTES), 0
    while True:
        following = source.read(limits.SEALED_PIECE_BYTES)
        target.write(cipher.encrypt(_nonce(prefix, number, last=not following), piece, header))
        if not following:
            return
        piece, number = following, number + 1
        assert number < _PIECES_MAX


def open_sealed(source: BinaryIO, passphrase: bytes) -> Iterator[bytes]:
    """The pieces of a sealed file, each verified. All of it is only good once the iterator has ended.

    Raises:
        MalformedError: not such a file, cut off, or altered (``bad_backup``).
        InputFault: the passphrase is another one (``wrong_passphrase``).
    """
    header = source.read(_HEADER)
    if len(header) != _HEADER or not header.startswith(_MAGIC):
        raise MalformedError("this is no file that roosync sealed", code="bad_backup")
    salt, log_n = header[len(_MAGIC) : -1 - _PREFIX], header[-1 - _PREFIX]
    if not 1 <= log_n <= limits.SEALED_SCRYPT_LOG_N_MAX:
        raise MalformedError("the file was sealed in a way that this program does not know", code="bad_backup")
    cipher = AESGCM(_key(passphrase, salt, log_n))
    whole = limits.SEALED_PIECE_BYTES + _TAG
    piece, number = source.read(whole), 0
    while True:
        following = source.read(whole)
        try:
            yield cipher.decrypt(_nonce(header[-_PREFIX:], number, last=not following), piece, header)
        except InvalidTag as error:
            if number == 0:
                raise InputFault(
                    "the passphrase is not the one that the file was sealed with, or the file is damaged",
                    code="wrong_passphrase",
                ) from error
            raise MalformedError("the file is damaged or was cut off", code="bad_backup") from error
        if not following:
            return
        piece, number = following, number + 1


def _key(passphrase: bytes, salt: bytes, log_n: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**log_n, r=8, p=1).derive(passphrase)


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([last])
