"""The leaf of a commit: fixed by what was ordered, and not by who holds which copy of it."""

from __future__ import annotations

import msgspec
import pytest

from roosync_p2p import limits
from roosync_p2p.codec.canonical import unpack
from roosync_p2p.ids import CommitNumber, Epoch, FleetId
from roosync_p2p.proof.hashing import leaf_hash, node_hash, split_of
from roosync_p2p.proof.leaves import commit_leaf
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import parse_envelope, seal
from tests.helpers.trust import key_from

_NUMBER, _TIME_MS, _EPOCH = CommitNumber(7), 1_768_467_330_000, Epoch(1)


def test_a_leaf_holds_number_time_epoch_and_what_was_signed() -> None:
    leaf = commit_leaf(_NUMBER, _TIME_MS, _EPOCH, b"signed")
    assert unpack(leaf) == [7, _TIME_MS, 1, b"signed"]


def test_each_part_changes_the_leaf() -> None:
    leaves = [
        commit_leaf(_NUMBER, _TIME_MS, _EPOCH, b"signed"),
        commit_leaf(CommitNumber(8), _TIME_MS, _EPOCH, b"signed"),
        commit_leaf(_NUMBER, _TIME_MS + 1, _EPOCH, b"signed"),
        commit_leaf(_NUMBER, _TIME_MS, Epoch(2), b"signed"),
        commit_leaf(_NUMBER, _TIME_MS, _EPOCH, b"signed!"),
    ]
    assert len({leaf_hash(leaf) for leaf in leaves}) == len(leaves)


def test_two_signatures_of_one_header_make_one_leaf() -> None:
    envelope = seal(
        key_from("author"), context=contexts.ENTRY, fleet=FleetId(bytes(32)), author="machine-a", payload=b"header"
    )
    one = parse_envelope(envelope, size_max=limits.ENTRY_HEADER_BYTES_MAX)
    other = msgspec.structs.replace(one, signature=bytes(64))  # its author may sign the same bytes as often as it likes
    leaves = {commit_leaf(_NUMBER, _TIME_MS, _EPOCH, made.signed_bytes()) for made in (one, other)}
    assert len(leaves) == 1


def test_a_leaf_and_a_node_over_the_same_bytes_differ() -> None:
    assert leaf_hash(bytes(64)) != node_hash(bytes(32), bytes(32))


@pytest.mark.parametrize(("count", "left"), [(2, 1), (3, 2), (4, 2), (5, 4), (8, 4), (9, 8), (2**40 + 1, 2**40)])
def test_the_left_of_the_top_is_the_largest_power_of_two_below(count: int, left: int) -> None:
    assert split_of(count) == left
