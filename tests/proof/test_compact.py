"""The tree without its leaves: the same root as the whole one, after every leaf and over its dump."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack
from roosync_p2p.proof.compact import CompactTree
from roosync_p2p.proof.hashing import EMPTY_ROOT
from tests.helpers.trust import accepted_or_documented, refused_with
from tests.proof.naive import leaves_of, root_of


def _tree(count: int) -> CompactTree:
    tree = CompactTree()
    tree.extend(leaves_of(count))
    return tree


def test_after_every_leaf_the_root_is_that_of_the_whole_tree() -> None:
    tree, leaves = CompactTree(), leaves_of(130)
    for size in range(131):
        assert tree.size == size
        assert tree.root() == root_of(leaves[:size])
        if size < 130:
            tree.append(leaves[size])


def test_an_empty_tree_has_the_root_of_rfc_6962() -> None:
    assert CompactTree().root() == EMPTY_ROOT == root_of([])


@given(st.integers(0, 300), st.integers(0, 40))
def test_a_loaded_tree_goes_on_like_the_one_that_was_dumped(size: int, more: int) -> None:
    loaded = CompactTree.load(_tree(size).dump())
    loaded.extend(leaves_of(size + more)[size:])
    assert (loaded.size, loaded.root(), loaded.dump()) == (
        size + more,
        root_of(leaves_of(size + more)),
        _tree(size + more).dump(),
    )


def test_a_copy_grows_on_its_own() -> None:
    tree = _tree(5)
    copy = tree.copy()
    copy.append(bytes(32))
    assert (tree.size, tree.root()) == (5, root_of(leaves_of(5)))
    assert copy.size == 6


@pytest.mark.parametrize(
    "value",
    [
        [],
        [0],
        [1, []],
        [0, [bytes(32)]],
        [3, [bytes(32)]],
        [-1, [bytes(32)]],
        [1, [bytes(31)]],
        [1, ["x" * 32]],
        [True, [bytes(32)]],
        [limits.NUMBER_MAX + 1, [bytes(32)]],
        {"size": 0},
    ],
    ids=str,
)
def test_what_is_no_edge_is_refused(value: object) -> None:
    refused_with("bad_edge", lambda: CompactTree.load(pack(value)))


def test_the_largest_tree_there_can_be_is_loaded() -> None:
    dump = pack([limits.NUMBER_MAX, [bytes(32)] * 63])
    assert CompactTree.load(dump).size == limits.NUMBER_MAX


@given(st.binary(max_size=80))
def test_any_bytes_are_an_edge_or_refused(data: bytes) -> None:
    accepted_or_documented(lambda: CompactTree.load(data))
