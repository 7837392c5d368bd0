"""The envelope of every file in the shared folder: whole, or not yet, or wrong (docs/protocol/folder.md §3).

    roosync-folder-1\\n   17 bytes
    SHA-256 of the body   32 bytes
    length of the body     8 bytes, big-endian
    body

A synchroniser shows files before they are whole: empty, cut off, or at their full length with holes in them. The
length tells the first two at once. A wrong hash may still become right; who reads it decides how long to wait.
"""

from __future__ import annotations

import hmac
from typing import Final

from roosync_p2p.codec.digests import sha256
from roosync_p2p.errors import MalformedError, StaleError

__all__ = ["HEADER_BYTES", "unwrap", "wrap"]

_MAGIC: Final = b"roosync-folder-1\n"
_HASH: Final = 32
_LENGTH: Final = 8
HEADER_BYTES: Final = len(_MAGIC) + _HASH + _LENGTH


def wrap(body: bytes) -> bytes:
    """The bytes of a file that holds this body."""
    return _MAGIC + sha256(body) + len(body).to_bytes(_LENGTH, "big") + body


def unwrap(data: bytes, *, size_max: int) -> bytes:
    """The body of a file.

    Args:
        size_max: of the body, in bytes.

    Raises:
        StaleError: ``partial``: it is not whole yet, or not any more.
        MalformedError: it says that it is larger than allowed (``oversized``), or what is there is no such file
            (``bad_file``); a synchroniser that fills a file out of order shows that too, for a while.
    """
    if not data.startswith(_MAGIC[: len(data)]):
        raise MalformedError("it does not begin as files of the folder do", code="bad_file")
    if len(data) < HEADER_BYTES:
        raise StaleError(f"{len(data)} bytes are less than a header", code="partial")
    digest = data[len(_MAGIC) : len(_MAGIC) + _HASH]
    length = int.from_bytes(data[len(_MAGIC) + _HASH : HEADER_BYTES], "big")
    if length > size_max:
        raise MalformedError(f"a body of {length} bytes where {size_max} are allowed", code="oversized")
    body = data[HEADER_BYTES:]
    if len(body) < length:
        raise StaleError(f"{len(body)} of {length} bytes are there", code="partial")
    if len(body) > length or not hmac.compare_digest(sha256(body), digest):
        raise MalformedError("the content is not that of its hash", code="bad_file")
    return body
