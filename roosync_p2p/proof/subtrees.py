"""Roots of runs of leaves, which proofs are made of, from leaf hashes that somebody else keeps.

A complete subtree never changes once its leaves are there. Those of a certain size are remembered, so a second proof
reads some hundreds of leaves and not all of them again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from roosync_p2p import limits
from roosync_p2p.proof.compact import CompactTree
from roosync_p2p.proof.hashing import node_hash, split_of

__all__ = ["LeafReader", "Subtrees"]

LeafReader: TypeAlias = Callable[[int, int], Sequence[bytes]]
"""The hashes of the leaves from an index up to, and without, another. Asked only for leaves that are there."""


class Subtrees:
    """What proofs are made from.

    The caller keeps it for as long as leaves are only appended; when a log is replaced (another epoch on another
    base) it makes a new one.
    """

    def __init__(self, read: LeafReader) -> None:
        self._read = read
        self._complete: dict[tuple[int, int], bytes] = {}

    def root(self, start: int, stop: int) -> bytes:
        """The root over the leaves from ``start`` up to ``stop``, which are a subtree of an RFC 6962 tree."""
        count = stop - start
        assert count > 0, (start, stop)
        if count < limits.SUBTREE_REMEMBERED_LEAVES_MIN:
            return self._fold(start, stop)
        if count & (count - 1):
            return self._join(start, stop)
        root = self._complete.get((start, stop))
        if root is None:
            small = count == limits.SUBTREE_REMEMBERED_LEAVES_MIN
            root = self._fold(start, stop) if small else self._join(start, stop)
            self._complete[start, stop] = root
        return root

    def _join(self, start: int, stop: int) -> bytes:
        split = start + split_of(stop - start)
        return node_hash(self.root(start, split), self.root(split, stop))

    def _fold(self, start: int, stop: int) -> bytes:
        leaves = self._read(start, stop)
        assert len(leaves) == stop - start, f"{len(leaves)} leaves of [{start}, {stop})"
        tree = CompactTree()
        tree.extend(leaves)
        return tree.root()
