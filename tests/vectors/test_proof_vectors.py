"""The frozen tree is still what this program makes, and its proofs are still believed."""

from __future__ import annotations

from roosync_p2p.proof.compact import CompactTree
from roosync_p2p.proof.verifying import verify_consistency, verify_inclusion
from tests.vectors.record_entries import load
from tests.vectors.record_proof import proof


def test_what_is_made_has_not_changed() -> None:
    assert proof() == load("proof")


def test_the_frozen_proofs_verify() -> None:
    vector = load("proof")
    hashes = [bytes.fromhex(commit["hash"]) for commit in vector["commits"]]
    roots = [bytes.fromhex(root) for root in vector["roots"]]
    size = len(hashes)
    for index, path in enumerate(vector["inclusion"]):
        steps = [bytes.fromhex(step) for step in path]
        verify_inclusion(leaf=hashes[index], index=index, size=size, path=steps, root=roots[-1])
    for first, path in enumerate(vector["consistency"][1:], start=1):
        steps = [bytes.fromhex(step) for step in path]
        verify_consistency(first=first, first_root=roots[first - 1], second=size, second_root=roots[-1], path=steps)


def test_the_frozen_edge_is_loaded() -> None:
    vector = load("proof")
    tree = CompactTree.load(bytes.fromhex(vector["edge"]))
    assert (tree.size, tree.root().hex()) == (len(vector["commits"]), vector["roots"][-1])
