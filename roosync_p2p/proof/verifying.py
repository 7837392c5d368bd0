"""Checking proofs (docs/protocol/proof.md §4, §5), by the algorithms of RFC 9162 §2.1.3.2 and §2.1.4.2.

Everything here comes from elsewhere: sizes, hashes and proofs are judged, not trusted. That a root itself is the log's
is not checked here: cosignatures say so.
"""

from __future__ import annotations

from collections.abc import Sequence

from roosync_p2p import limits
from roosync_p2p.errors import MalformedError, UntrustedError
from roosync_p2p.proof.hashing import EMPTY_ROOT, HASH_BYTES, node_hash

__all__ = ["verify_consistency", "verify_inclusion"]


def verify_inclusion(*, leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Returns if a leaf with this hash is at this index of the tree with this size and root.

    Raises:
        MalformedError: numbers that no tree has, a hash that is none, or a path of another length (``bad_proof``).
        UntrustedError: the path does not lead to the root (``unproven``).
    """
    _require(0 <= index < size <= limits.NUMBER_MAX, f"the leaf {index} of {size}, which no tree has")
    _require_hashes(leaf, root, *path)
    fn, sn, reached = index, size - 1, leaf
    for step in path:
        _require(sn > 0, "a path that is too long")
        if fn & 1 or fn == sn:
            reached = node_hash(step, reached)
            fn, sn = _up_to_odd(fn, sn)
        else:
            reached = node_hash(reached, step)
        fn, sn = fn >> 1, sn >> 1
    _require(sn == 0, "a path that is too short")
    _require_equal(reached, root, f"leaf {index} of the tree of {size}")


def verify_consistency(
    *, first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]
) -> None:
    """Returns if the tree of ``second`` leaves begins with the tree of ``first`` leaves. Every tree continues none.

    Raises:
        MalformedError: numbers that no trees have, a hash that is none, or a path of another length (``bad_proof``).
        UntrustedError: it does not (``unproven``).
    """
    _require(0 <= first <= second <= limits.NUMBER_MAX, f"the sizes {first} and {second}, which no trees have")
    _require_hashes(first_root, second_root, *path)
    what = f"that {second} leaves continue {first}"
    if first in (0, second):
        _require(not path, "a path where there is nothing to prove")
        _require_equal(first_root, EMPTY_ROOT if first == 0 else second_root, what)
        if second == 0:
            _require_equal(second_root, EMPTY_ROOT, what)
        return
    fn, sn, steps = _start(first, second, first_root, path)
    old = new = steps[0]
    for step in steps[1:]:
        _require(sn > 0, "a path that is too long")
        if fn & 1 or fn == sn:
            old, new = node_hash(step, old), node_hash(step, new)
            fn, sn = _up_to_odd(fn, sn)
        else:
            new = node_hash(new, step)
        fn, sn = fn >> 1, sn >> 1
    _require(sn == 0, "a path that is too short")
    _require_equal(old, first_root, what)
    _require_equal(new, second_root, what)


def _start(first: int, second: int, first_root: bytes, path: Sequence[bytes]) -> tuple[int, int, list[bytes]]:
    """Where the walk begins: at the last complete subtree of the first tree, which may be that whole tree."""
    _require(len(path) > 0, "a path that is too short")
    whole = first & (first - 1) == 0
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    return fn, sn, [first_root, *path] if whole else list(path)


def _up_to_odd(fn: int, sn: int) -> tuple[int, int]:
    """Leaves out the levels at which the node on the right edge has no sibling."""
    while fn and not fn & 1:
        fn, sn = fn >> 1, sn >> 1
    return fn, sn


def _require(fits: bool, otherwise: str) -> None:
    if not fits:
        raise MalformedError(f"the proof has {otherwise}", code="bad_proof")


def _require_hashes(*hashes: bytes) -> None:
    _require(all(len(one) == HASH_BYTES for one in hashes), "a hash that is not 32 bytes")


def _require_equal(reached: bytes, root: bytes, what: str) -> None:
    if reached != root:
        raise UntrustedError(f"the proof does not show {what}: it leads to another root", code="unproven")
