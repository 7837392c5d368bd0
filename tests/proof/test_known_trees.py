"""The tree that Certificate Transparency's own tests use: eight leaves, their roots and paths, known everywhere.

From github.com/google/certificate-transparency, cpp/merkletree/merkle_tree_test.cc.
"""

from __future__ import annotations

import pytest

from roosync_p2p.proof.compact import CompactTree
from roosync_p2p.proof.hashing import leaf_hash
from roosync_p2p.proof.proving import consistency_proof, inclusion_proof
from roosync_p2p.proof.subtrees import Subtrees
from tests.proof.naive import root_of

_LEAVES = [
    leaf_hash(bytes.fromhex(data))
    for data in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
_LEAF_2 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
_LEAVES_3_4 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
_LEAVES_5_8 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"


def _subtrees() -> Subtrees:
    return Subtrees(lambda start, stop: _LEAVES[start:stop])


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots(size: int) -> None:
    tree = CompactTree()
    tree.extend(_LEAVES[:size])
    assert tree.root().hex() == _ROOTS[size - 1]


def test_the_path_of_the_first_leaf() -> None:
    assert [step.hex() for step in inclusion_proof(_subtrees(), 0, 8)] == [_LEAF_2, _LEAVES_3_4, _LEAVES_5_8]


def test_the_continuation_of_the_first_leaf() -> None:
    assert [step.hex() for step in consistency_proof(_subtrees(), 1, 8)] == [_LEAF_2, _LEAVES_3_4, _LEAVES_5_8]


def test_the_continuation_of_six_leaves() -> None:
    shown = [step.hex() for step in consistency_proof(_subtrees(), 6, 8)]
    assert shown == [root_of(_LEAVES[part]).hex() for part in (slice(4, 6), slice(6, 8), slice(0, 4))]
