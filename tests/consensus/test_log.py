"""The log in memory: places, terms, hints, and the voters that follow from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.consensus.items import LogItem, Noop, Voters, make_item
from roosync_p2p.consensus.log import Configuration, Log
from roosync_p2p.ids import LogIndex, Term
from tests.consensus.cluster import batch, seat

A, B, C = seat("aa1"), seat("bb1"), seat("cc1")
ZERO = LogIndex(0)


def log_of(*terms: int) -> Log:
    """A log with items of these terms."""
    log = Log((), handed_out=ZERO)
    for index, term in enumerate(terms, 1):
        log.append(make_item(LogIndex(index), Term(term), Noop()))
    return log


def voters(index: int, term: int, replaces: int, *seats: object) -> LogItem:
    """A voter change."""
    payload = Voters(time_ms=0, replaces=LogIndex(replaces), voters=tuple(seats))  # type: ignore[arg-type]
    return make_item(LogIndex(index), Term(term), payload)


def rows(log: Log) -> list[tuple[LogIndex, Term, bytes]]:
    """What the store would have of it."""
    items = [log.item(LogIndex(index)) for index in range(1, log.last_index + 1)]
    return [(item.index, item.term, item.data) for item in items]


TERMS = st.lists(st.integers(min_value=1, max_value=6), max_size=12).map(sorted)


@given(TERMS, st.integers(min_value=0, max_value=15), st.integers(min_value=0, max_value=7))
def test_the_last_place_of_a_term_is_what_walking_back_finds(terms: list[int], index: int, term: int) -> None:
    log = log_of(*terms)
    walk = min(index, len(terms))
    while walk > 0 and terms[walk - 1] > term:
        walk -= 1
    assert log.last_of_term(LogIndex(index), Term(term)) == walk


@given(TERMS, TERMS)
def test_of_two_logs_one_is_at_least_as_up_to_date(mine: list[int], yours: list[int]) -> None:
    a, b = log_of(*mine), log_of(*yours)
    takes = b.up_to_date(a.last_index, a.last_term)
    assert takes is ((a.last_term, a.last_index) >= (b.last_term, b.last_index))
    assert takes or a.up_to_date(b.last_index, b.last_term)


def test_before_the_first_item_every_log_matches() -> None:
    assert log_of().matches(ZERO, Term(0))
    assert log_of(3).matches(ZERO, Term(0))
    assert not log_of(3).matches(LogIndex(2), Term(3))
    assert not log_of(3).matches(LogIndex(1), Term(2))


def test_the_voters_are_those_of_the_last_change_in_the_log_committed_or_not() -> None:
    log = log_of(1)
    assert log.configuration == Configuration(ZERO, ())
    log.append(voters(2, 1, 0, A))
    log.append(voters(3, 1, 2, A, B))
    assert log.configuration == Configuration(LogIndex(3), (A, B))


def test_a_cut_log_brings_the_older_voters_back() -> None:
    log = log_of()
    log.append(voters(1, 1, 0, A))
    log.append(make_item(LogIndex(2), Term(1), Noop()))
    log.append(voters(3, 1, 1, A, B))
    log.append(voters(4, 1, 3, A, B, C))
    log.cut(LogIndex(3))
    assert log.configuration == Configuration(LogIndex(1), (A,))
    assert log.last_index == 2


def test_a_change_that_replaces_another_configuration_is_void() -> None:
    log = log_of()
    log.append(voters(1, 1, 0, A))
    log.append(voters(2, 1, 1, A, B))
    log.append(voters(3, 2, 1, A, C))
    assert log.configuration == Configuration(LogIndex(2), (A, B))
    log.cut(LogIndex(2))
    log.append(voters(2, 3, 1, A, C))
    assert log.configuration == Configuration(LogIndex(2), (A, C))


def test_a_loaded_log_is_the_one_that_was_stored() -> None:
    log = log_of(1, 1)
    log.append(voters(3, 2, 0, A))
    log.append(make_item(LogIndex(4), Term(2), batch("x")))
    loaded = Log(rows(log), handed_out=LogIndex(2))
    assert rows(loaded) == rows(log)
    assert loaded.configuration == log.configuration
    assert not loaded.damaged


@pytest.mark.parametrize("defect", ["gap", "falling term", "empty", "no voters"])
def test_a_stored_log_is_taken_up_to_its_first_defect(defect: str) -> None:
    log = log_of(1, 2, 2, 3)
    found = rows(log)
    if defect == "gap":
        del found[2]
    if defect == "falling term":
        found[2] = (LogIndex(3), Term(1), found[2][2])
    if defect == "empty":
        found[2] = (LogIndex(3), Term(2), b"")
    if defect == "no voters":
        found[2] = (LogIndex(3), Term(2), b"\x92\x02\x02")
    loaded = Log(found, handed_out=LogIndex(1))
    assert loaded.damaged
    assert loaded.last_index == 2


def test_items_are_taken_up_to_a_size_and_one_at_least() -> None:
    log = log_of(*[1] * 10)
    size = len(log.item(LogIndex(1)).data)
    first = LogIndex(3)
    assert len(log.items(first, count_max=4, bytes_max=1000)) == 4
    assert len(log.items(first, count_max=100, bytes_max=3 * size)) == 3
    assert len(log.items(first, count_max=100, bytes_max=1)) == 1
    assert len(log.items(first, count_max=100, bytes_max=1000)) == 8
    assert log.items(LogIndex(11), count_max=1, bytes_max=1) == ()


def test_what_is_committed_is_handed_out_once_in_order_and_in_pieces() -> None:
    log = log_of(*[1] * 5)
    assert [item.index for item in log.hand_out(LogIndex(4), count_max=3)] == [1, 2, 3]
    assert [item.index for item in log.hand_out(LogIndex(4), count_max=3)] == [4]
    assert log.hand_out(LogIndex(4), count_max=3) == []
    assert log.hand_out(LogIndex(2), count_max=3) == []
    assert log.handed_out == 4


def test_what_was_handed_out_is_never_cut() -> None:
    log = log_of(1, 1)
    log.hand_out(LogIndex(1), count_max=1)
    with pytest.raises(AssertionError):
        log.cut(LogIndex(1))
