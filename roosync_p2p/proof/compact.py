"""A tree that only grows, without its leaves (docs/protocol/proof.md §3).

Of a tree of any size only the roots of the complete subtrees along its right edge matter for what is appended: as many
as the size has bits set. Appending costs two hashes on average, the root at most one for each bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.errors import MalformedError
from roosync_p2p.proof.hashing import EMPTY_ROOT, HASH_BYTES, node_hash

__all__ = ["CompactTree"]


class CompactTree:
    """The right edge of a tree.

    Args:
        size: how many leaves it has.
        edge: the roots of its complete subtrees, the largest first.
    """

    __slots__ = ("_edge", "_size")

    def __init__(self, *, size: int = 0, edge: Iterable[bytes] = ()) -> None:
        self._size = size
        self._edge = list(edge)

    @classmethod
    def load(cls, data: bytes) -> Self:
        """The tree that :meth:`dump` wrote. That it belongs to certain leaves is not checked: the root would show it.

        Raises:
            MalformedError: these bytes are not a dumped tree (``bad_edge``, or as for any canonical bytes).
        """
        match unpack(data, size_max=limits.TREE_EDGE_BYTES_MAX):
            case [bool(), list()]:
                pass  # a boolean is an integer to Python
            case [int(size), list(edge)] if 0 <= size <= limits.NUMBER_MAX:
                hashes = [item for item in edge if isinstance(item, bytes) and len(item) == HASH_BYTES]
                if len(hashes) == len(edge) == size.bit_count():
                    return cls(size=size, edge=hashes)
        raise MalformedError("these bytes are not the edge of a tree", code="bad_edge")

    @property
    def size(self) -> int:
        """How many leaves it has."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Adds a leaf by its hash."""
        assert len(leaf) == HASH_BYTES, len(leaf)
        carried, size, edge = leaf, self._size, self._edge
        while size & 1:  # like adding one to a binary number, with a hash for each carry
            carried = node_hash(edge.pop(), carried)
            size >>= 1
        edge.append(carried)
        self._size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Adds leaves by their hashes, in order."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """The root hash of what it has now; :data:`~roosync_p2p.proof.hashing.EMPTY_ROOT` without leaves."""
        if not self._edge:
            return EMPTY_ROOT
        *others, root = self._edge
        for left in reversed(others):
            root = node_hash(left, root)
        return root

    def copy(self) -> Self:
        """One that grows on its own."""
        return type(self)(size=self._size, edge=self._edge)

    def dump(self) -> bytes:
        """All there is to it, in canonical bytes."""
        return pack([self._size, self._edge])
