"""RFC 6962 §2.1 as it is written: recursive, over lists of leaf hashes. The twin that the package is compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

__all__ = ["consistency", "inclusion", "leaves_of", "root_of"]


def leaves_of(count: int, word: str = "leaf") -> list[bytes]:
    """Hashes of ``count`` leaves that all differ."""
    return [hashlib.sha256(b"\x00" + f"{word} {number}".encode()).digest() for number in range(count)]


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH(D[n]), over hashes of the leaves."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = _largest_power_below(len(leaves))
    return hashlib.sha256(b"\x01" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


def inclusion(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    k = _largest_power_below(len(leaves))
    if m < k:
        return [*inclusion(m, leaves[:k]), root_of(leaves[k:])]
    return [*inclusion(m - k, leaves[k:]), root_of(leaves[:k])]


def consistency(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n])."""
    return _subproof(m, leaves, whole=True)


def _subproof(m: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [root_of(leaves)]
    k = _largest_power_below(len(leaves))
    if m <= k:
        return [*_subproof(m, leaves[:k], whole=whole), root_of(leaves[k:])]
    return [*_subproof(m - k, leaves[k:], whole=False), root_of(leaves[:k])]


def _largest_power_below(count: int) -> int:
    k = 1
    while 2 * k < count:
        k *= 2
    return k
