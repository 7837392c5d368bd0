"""Making proofs: that a leaf is in a tree, and that a tree continues another (docs/protocol/proof.md §4, §5).

The algorithms of RFC 6962 §2.1.1 and §2.1.2 from the top down, with the recursion turned into a loop: at each node the
side that the walk does not go to gives its root, and the last of them comes first in the proof.
"""

from __future__ import annotations

from roosync_p2p.proof.hashing import split_of
from roosync_p2p.proof.subtrees import Subtrees

__all__ = ["consistency_proof", "inclusion_proof"]


def inclusion_proof(leaves: Subtrees, index: int, size: int) -> list[bytes]:
    """The audit path of a leaf in the tree of the first ``size`` leaves, the lowest hash first.

    Args:
        leaves: at least ``size`` of them.
        index: of the leaf, from 0.
    """
    assert 0 <= index < size, (index, size)
    path = []
    start, stop = 0, size
    while stop - start > 1:
        split = start + split_of(stop - start)
        if index < split:
            path.append(leaves.root(split, stop))
            stop = split
        else:
            path.append(leaves.root(start, split))
            start = split
    path.reverse()
    return path


def consistency_proof(leaves: Subtrees, first: int, second: int) -> list[bytes]:
    """That the tree of the first ``first`` leaves is the beginning of the tree of the first ``second`` ones.

    It is empty where there is nothing to prove: for the empty tree, and for equal sizes.

    Args:
        leaves: at least ``second`` of them.
    """
    assert 0 <= first <= second, (first, second)
    if first in (0, second):
        return []
    path = []
    start, stop = 0, second
    while first != stop:
        split = start + split_of(stop - start)
        if first <= split:
            path.append(leaves.root(split, stop))
            stop = split
        else:
            path.append(leaves.root(start, split))
            start = split
    if start > 0:  # otherwise this subtree is the whole first tree, whose root the verifier has
        path.append(leaves.root(start, stop))
    path.reverse()
    return path
