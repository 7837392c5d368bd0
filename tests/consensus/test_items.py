"""What a log item is made of, and what is refused as one."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack
from roosync_p2p.consensus.items import (
    LogItem,
    Noop,
    Payload,
    Seat,
    VoterChange,
    Voters,
    changes_voters,
    encode_item,
    make_item,
    parse_item,
)
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import Epoch, LogIndex, MachineId, Term
from tests.consensus.cluster import batch, seat

INDEX = LogIndex(7)
VOTERS = Voters(time_ms=5, replaces=LogIndex(3), voters=(seat("aa1"), seat("bb1")), envelope=b"sealed")


@pytest.mark.parametrize("payload", [Noop(), batch("x", "y", time_ms=9), VOTERS])
def test_an_item_comes_back_from_its_bytes(payload: Payload) -> None:
    item = make_item(INDEX, Term(4), payload)
    parsed = parse_item(INDEX, item.data)
    assert parsed == item
    assert parsed.payload == payload
    assert LogItem(INDEX, Term(4), item.data).payload == payload


@pytest.mark.parametrize(("payload", "changes"), [(Noop(), False), (batch("x"), False), (VOTERS, True)])
def test_a_voter_change_is_told_by_its_first_bytes(payload: Payload, changes: bool) -> None:
    assert changes_voters(encode_item(Term(2**40), payload)) is changes


def test_the_same_bytes_at_another_place_are_another_item() -> None:
    data = encode_item(Term(1), Noop())
    assert LogItem(LogIndex(1), Term(1), data) != LogItem(LogIndex(2), Term(1), data)


def test_what_the_envelope_of_a_voter_change_is_over_names_its_only_place() -> None:
    change = VoterChange.of(VOTERS, epoch=Epoch(2), term=Term(4), index=INDEX)
    assert (change.epoch, change.term, change.index, change.replaces) == (2, 4, 7, 3)
    assert (change.time_ms, change.voters) == (VOTERS.time_ms, VOTERS.voters)


def seats(*names: str) -> list[list[object]]:
    """Seats as they are in bytes."""
    return [[name, bytes(16)] for name in names]


ENTRY = bytes(32)
MALFORMED: list[tuple[str, object]] = [
    ("no list", {"kind": 0}),
    ("no term", [0]),
    ("a term below zero", [0, -1]),
    ("a term that is a truth", [0, True]),
    ("a kind that is a truth", [False, 1]),
    ("an unknown kind", [3, 1]),
    ("a batch without entries", [1, 1, 0, []]),
    ("a batch of too many", [1, 1, 0, [ENTRY] * (limits.BATCH_ENTRIES_MAX + 1)]),
    ("a short entry id", [1, 1, 0, [bytes(31)]]),
    ("a time after year 9999", [1, 1, limits.WALL_MS_MAX + 1, [ENTRY]]),
    ("no voters", [2, 1, 0, 0, [], b""]),
    ("too many voters", [2, 1, 0, 0, seats(*[f"m{n:02}" for n in range(limits.VOTERS_MAX + 1)]), b""]),
    ("voters not in order", [2, 1, 0, 0, seats("bb1", "aa1"), b""]),
    ("one machine with two stores", [2, 1, 0, 0, [["aa1", bytes(16)], ["aa1", b"x" * 16]], b""]),
    ("a voter in capitals", [2, 1, 0, 0, seats("AA1"), b""]),
    ("a short store id", [2, 1, 0, 0, [["aa1", bytes(15)]], b""]),
    ("an envelope that is too long", [2, 1, 0, 0, seats("aa1"), bytes(limits.VOTER_ENVELOPE_BYTES_MAX + 1)]),
]


@pytest.mark.parametrize(("what", "value"), MALFORMED, ids=[what for what, _ in MALFORMED])
def test_what_is_no_item_is_refused(what: str, value: object) -> None:
    with pytest.raises(MalformedError):
        parse_item(INDEX, pack(value))


def test_bytes_that_are_not_canonical_are_refused() -> None:
    with pytest.raises(MalformedError):
        parse_item(INDEX, b"\x92\x00\xcc\x01")  # term 1 in two bytes


def test_the_largest_batch_fits_the_bound_of_an_item() -> None:
    largest = encode_item(Term(limits.NUMBER_MAX), batch(*["x"] * limits.BATCH_ENTRIES_MAX, time_ms=limits.WALL_MS_MAX))
    assert parse_item(INDEX, largest).term == limits.NUMBER_MAX


def test_the_largest_voter_change_fits_the_bound_of_an_item() -> None:
    longest = tuple(Seat(MachineId(f"m{n:049}"), seat("aa1").store) for n in range(limits.VOTERS_MAX))
    envelope = bytes(limits.VOTER_ENVELOPE_BYTES_MAX)
    change = Voters(time_ms=limits.WALL_MS_MAX, replaces=INDEX, voters=longest, envelope=envelope)
    assert parse_item(INDEX, encode_item(Term(1), change)).payload == change
