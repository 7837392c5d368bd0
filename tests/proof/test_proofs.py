"""Proofs: made as RFC 6962 says, and believed for what they show and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.errors import PeerFault
from roosync_p2p.proof.proving import consistency_proof, inclusion_proof
from roosync_p2p.proof.subtrees import Subtrees
from roosync_p2p.proof.verifying import verify_consistency, verify_inclusion
from tests.helpers.trust import accepted_or_documented, refused_with
from tests.proof import naive

_SIZE = 70
_LEAVES = naive.leaves_of(2 * limits.SUBTREE_REMEMBERED_LEAVES_MIN + 100)
_ROOTS = [naive.root_of(_LEAVES[:size]) for size in range(_SIZE + 1)]

_hash = st.sampled_from([*_LEAVES[:4], *_ROOTS[:6]]) | st.binary(max_size=33)
_number = st.integers(-1, 9) | st.sampled_from([limits.NUMBER_MAX, limits.NUMBER_MAX + 1])


class _Reader:
    """Leaf hashes in memory, and how many were read."""

    def __init__(self) -> None:
        self.read = 0

    def __call__(self, start: int, stop: int) -> Sequence[bytes]:
        self.read += stop - start
        return _LEAVES[start:stop]


def _inclusion(index: int, size: int) -> dict[str, Any]:
    path = inclusion_proof(Subtrees(_Reader()), index, size)
    return {"leaf": _LEAVES[index], "index": index, "size": size, "path": path, "root": _ROOTS[size]}


def _consistency(first: int, second: int) -> dict[str, Any]:
    path = consistency_proof(Subtrees(_Reader()), first, second)
    roots = {"first_root": _ROOTS[first], "second_root": _ROOTS[second]}
    return {"first": first, "second": second, "path": path, **roots}


@pytest.mark.parametrize("size", range(1, _SIZE + 1))
def test_every_leaf_is_proven_in_every_tree(size: int) -> None:
    subtrees = Subtrees(_Reader())
    for index in range(size):
        path = inclusion_proof(subtrees, index, size)
        assert path == naive.inclusion(index, _LEAVES[:size])
        verify_inclusion(leaf=_LEAVES[index], index=index, size=size, path=path, root=_ROOTS[size])


@pytest.mark.parametrize("second", range(_SIZE + 1))
def test_every_tree_is_proven_to_continue_every_smaller_one(second: int) -> None:
    subtrees = Subtrees(_Reader())
    for first in range(second + 1):
        path = consistency_proof(subtrees, first, second)
        if first:
            assert path == naive.consistency(first, _LEAVES[:second])
        verify_consistency(first=first, first_root=_ROOTS[first], second=second, second_root=_ROOTS[second], path=path)


@pytest.mark.parametrize("size", [256, 257, 511, 512, 513, 600])
def test_remembered_subtrees_change_no_proof(size: int) -> None:
    subtrees = Subtrees(_Reader())
    for index in (0, 255, 256, size - 1, size // 2):
        if index < size:
            assert inclusion_proof(subtrees, index, size) == naive.inclusion(index, _LEAVES[:size])
            assert consistency_proof(subtrees, index + 1, size) == naive.consistency(index + 1, _LEAVES[:size])


def test_a_second_proof_reads_few_leaves() -> None:
    reader = _Reader()
    subtrees = Subtrees(reader)
    inclusion_proof(subtrees, 0, 512)
    inclusion_proof(subtrees, 300, 512)
    reader.read = 0
    inclusion_proof(subtrees, 3, 512)
    assert reader.read == limits.SUBTREE_REMEMBERED_LEAVES_MIN - 1


# --- what does not prove anything -------------------------------------------------------------------------------------


@given(st.integers(2, _SIZE), st.data())
def test_a_leaf_is_proven_only_where_it_is(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda one: one != index))
    with pytest.raises(PeerFault):
        verify_inclusion(**{**_inclusion(index, size), "index": other})


@given(st.integers(2, _SIZE), st.data())
def test_a_changed_bit_anywhere_proves_nothing(size: int, data: st.DataObject) -> None:
    proof = _inclusion(data.draw(st.integers(0, size - 1)), size)
    changed = _with_a_bit_changed(proof, data.draw(st.sampled_from(["leaf", "root", "path"])), data)
    refused_with("unproven", lambda: verify_inclusion(**changed))


@given(st.integers(2, _SIZE), st.data())
def test_a_changed_bit_breaks_a_continuation(second: int, data: st.DataObject) -> None:
    proof = _consistency(data.draw(st.integers(1, second - 1)), second)
    changed = _with_a_bit_changed(proof, data.draw(st.sampled_from(["first_root", "second_root", "path"])), data)
    refused_with("unproven", lambda: verify_consistency(**changed))


@given(st.integers(2, _SIZE), st.data())
def test_a_rewritten_past_is_no_continuation(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, second - 1))
    changed = data.draw(st.integers(0, first - 1))
    forged = [*_LEAVES[:changed], bytes(32), *_LEAVES[changed + 1 : second]]
    proof = {"second_root": naive.root_of(forged), "path": naive.consistency(first, forged)}
    refused_with("unproven", lambda: verify_consistency(**{**_consistency(first, second), **proof}))


@pytest.mark.parametrize("size", range(1, 18))
def test_a_path_of_another_length_is_malformed(size: int) -> None:
    for proof in (_inclusion(index, size) for index in range(size)):
        for wrong in (proof["path"][:-1], [*proof["path"], bytes(32)]):
            if wrong != proof["path"]:
                _malformed_inclusion({**proof, "path": wrong})


@pytest.mark.parametrize("second", range(2, 18))
def test_a_continuation_of_another_length_is_malformed(second: int) -> None:
    for proof in (_consistency(first, second) for first in range(1, second)):
        for wrong in (proof["path"][:-1], [*proof["path"], bytes(32)]):
            _malformed_consistency({**proof, "path": wrong})


@pytest.mark.parametrize(
    "changes",
    [
        {"index": 7},
        {"index": -1},
        {"size": 0},
        {"size": limits.NUMBER_MAX + 1},
        {"leaf": b""},
        {"root": bytes(33)},
        {"path": [b""] * 3},
    ],
    ids=str,
)
def test_a_malformed_proof_is_refused(changes: dict[str, Any]) -> None:
    _malformed_inclusion({**_inclusion(6, 7), **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"first": 8},
        {"first": -1},
        {"second": limits.NUMBER_MAX + 1},
        {"first_root": b""},
        {"second_root": bytes(33)},
        {"path": [b""] * 3},
    ],
    ids=str,
)
def test_a_malformed_continuation_is_refused(changes: dict[str, Any]) -> None:
    _malformed_consistency({**_consistency(6, 7), **changes})


def test_a_smaller_size_is_part_of_the_lie() -> None:
    """Over hashes an inner node looks like a leaf of a smaller tree; the size, which is signed, tells them apart."""
    path = _inclusion(0, 4)["path"][1:]
    proof = {"leaf": naive.root_of(_LEAVES[:2]), "index": 0, "path": path, "root": _ROOTS[4]}
    verify_inclusion(**proof, size=2)
    _malformed_inclusion({**proof, "size": 4})


def test_every_tree_continues_the_empty_one_and_itself() -> None:
    from_nothing, from_itself = _consistency(0, 7), _consistency(7, 7)
    verify_consistency(**from_nothing)
    verify_consistency(**from_itself)
    refused_with("unproven", lambda: verify_consistency(**{**from_nothing, "first_root": _ROOTS[1]}))
    refused_with("unproven", lambda: verify_consistency(**{**from_itself, "first_root": _ROOTS[6]}))
    refused_with("unproven", lambda: verify_consistency(**{**_consistency(0, 0), "second_root": _ROOTS[1]}))
    _malformed_consistency({**from_nothing, "path": [_ROOTS[7]]})
    _malformed_consistency({**from_itself, "path": [_ROOTS[7]]})


@given(_hash, _number, _number, st.lists(_hash, max_size=5), _hash)
def test_any_inclusion_proof_is_believed_or_refused(
    leaf: bytes, index: int, size: int, path: list[bytes], root: bytes
) -> None:
    accepted_or_documented(lambda: verify_inclusion(leaf=leaf, index=index, size=size, path=path, root=root))


@given(_number, _hash, _number, _hash, st.lists(_hash, max_size=5))
def test_any_continuation_is_believed_or_refused(
    first: int, first_root: bytes, second: int, second_root: bytes, path: list[bytes]
) -> None:
    accepted_or_documented(
        lambda: verify_consistency(
            first=first, first_root=first_root, second=second, second_root=second_root, path=path
        )
    )


def _malformed_inclusion(proof: dict[str, Any]) -> None:
    refused_with("bad_proof", lambda: verify_inclusion(**proof))


def _malformed_consistency(proof: dict[str, Any]) -> None:
    refused_with("bad_proof", lambda: verify_consistency(**proof))


def _with_a_bit_changed(proof: dict[str, Any], field: str, data: st.DataObject) -> dict[str, Any]:
    value = proof[field]
    if field != "path":
        return {**proof, field: _flipped(value, data)}
    at = data.draw(st.integers(0, len(value) - 1))
    return {**proof, field: [*value[:at], _flipped(value[at], data), *value[at + 1 :]]}


def _flipped(value: bytes, data: st.DataObject) -> bytes:
    at = data.draw(st.integers(0, 255))
    return (int.from_bytes(value, "big") ^ 1 << at).to_bytes(32, "big")
