"""The two hashes of the tree (docs/protocol/proof.md §1; RFC 6962 §2.1).

A leaf and an inner node are hashed with different first bytes, so that nobody can pass off one for the other.
"""

from __future__ import annotations

from typing import Final

from roosync_p2p.codec.digests import sha256

__all__ = ["EMPTY_ROOT", "HASH_BYTES", "leaf_hash", "node_hash", "split_of"]

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"")

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf that holds these bytes."""
    return sha256(_LEAF + data)


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the inner node above two hashes."""
    return sha256(_NODE + left + right)


def split_of(count: int) -> int:
    """How many of ``count`` leaves, two at least, are left of the top: the largest power of two below ``count``."""
    assert count > 1
    return 1 << ((count - 1).bit_length() - 1)
