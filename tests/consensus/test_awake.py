"""How much each machine is awake, learnt from what its heartbeats say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.consensus.awake import AwakeBook
from roosync_p2p.ids import MachineId

A, B = MachineId("a"), MachineId("b")
HOUR_S = 3600
DAY_S = 24 * HOUR_S
ZERO_S = 490_000 * HOUR_S  # a full hour
WEEK_S = 7 * DAY_S


def tell(
    book: AwakeBook, at_s: float, *, since_s: float, machine: MachineId = A, leaving: bool = False, off_s: float = 0.0
) -> None:
    """A heartbeat made now, by a machine that has been awake since then and whose clock is off by that."""
    book.heard(
        machine,
        since_ms=round((ZERO_S + since_s + off_s) * 1000),
        wall_ms=round((ZERO_S + at_s + off_s) * 1000),
        leaving=leaving,
        now_ms=round((ZERO_S + at_s) * 1000),
    )


def awake_s(book: AwakeBook, at_s: float, machine: MachineId = A) -> float:
    return book.awake_s(machine, round((ZERO_S + at_s) * 1000))


def test_every_heartbeat_adds_the_time_since_the_one_before() -> None:
    book = AwakeBook()
    for at_s in range(601):
        tell(book, at_s, since_s=0)
    assert awake_s(book, 601) == 600


def test_what_was_missed_counts_because_the_next_heartbeat_tells_since_when_it_is_awake() -> None:
    book = AwakeBook()
    tell(book, 0, since_s=0)
    tell(book, 5 * HOUR_S, since_s=0)
    assert awake_s(book, 5 * HOUR_S) == 5 * HOUR_S


def test_a_machine_that_was_awake_before_it_was_met_is_believed() -> None:
    book = AwakeBook()
    tell(book, 3 * HOUR_S, since_s=0)
    assert awake_s(book, 3 * HOUR_S) == 3 * HOUR_S


def test_one_that_does_not_say_since_when_it_is_awake_gets_no_credit() -> None:
    book = AwakeBook()
    book.heard(A, since_ms=0, wall_ms=ZERO_S * 1000, leaving=False, now_ms=ZERO_S * 1000)
    assert awake_s(book, 0) == 0


def test_sleep_does_not_count() -> None:
    book = AwakeBook()
    tell(book, 0, since_s=0)
    tell(book, 1200, since_s=0)
    tell(book, 12_600, since_s=12_540)
    assert awake_s(book, 12_600) == 1200 + 60


def test_a_clock_that_is_wrong_does_not_change_what_it_says_of_spans() -> None:
    book = AwakeBook()
    tell(book, 0, since_s=0, off_s=-5 * DAY_S)
    tell(book, HOUR_S, since_s=0, off_s=-5 * DAY_S)
    assert awake_s(book, HOUR_S) == HOUR_S


def test_only_the_last_seven_days_count() -> None:
    book = AwakeBook()
    tell(book, DAY_S, since_s=0)
    assert awake_s(book, DAY_S) == DAY_S
    assert awake_s(book, WEEK_S) >= DAY_S - HOUR_S
    assert awake_s(book, WEEK_S + DAY_S / 2) == DAY_S / 2 - HOUR_S
    assert awake_s(book, 3 * WEEK_S) == 0
    tell(book, 5 * WEEK_S, since_s=4 * WEEK_S - DAY_S)
    assert WEEK_S - HOUR_S <= awake_s(book, 5 * WEEK_S) <= WEEK_S


def test_a_clock_that_is_set_makes_no_machine_more_awake_than_time_has_passed() -> None:
    book = AwakeBook()
    for at_s in (0, HOUR_S, HOUR_S // 2, 2 * HOUR_S, 0, 3 * HOUR_S, 100 * WEEK_S, HOUR_S):
        tell(book, at_s, since_s=min(at_s, 0))
        assert awake_s(book, at_s) <= WEEK_S


# --- silence --------------------------------------------------------------------------------------------------------


def test_who_slept_without_a_word_waits_twice_its_last_awake_time() -> None:
    book = AwakeBook()
    tell(book, 0, since_s=0)
    tell(book, 1200, since_s=0)
    assert book.waits_s(A) == 0
    tell(book, 12_600, since_s=12_600)
    assert book.waits_s(A) == 2400


def test_it_is_known_for_how_long_it_was_away() -> None:
    book = AwakeBook()
    tell(book, 1200, since_s=0)
    assert book.absent_s(A) == 0
    tell(book, 12_700, since_s=12_600)
    assert book.absent_s(A) == 12_600 - 1200
    tell(book, 12_800, since_s=12_600, leaving=True)
    tell(book, 20_000, since_s=20_000)
    assert book.absent_s(A) == 0


def test_it_waits_a_day_at_most() -> None:
    book = AwakeBook()
    tell(book, 20 * HOUR_S, since_s=0)
    tell(book, 30 * HOUR_S, since_s=30 * HOUR_S)
    assert book.waits_s(A) == DAY_S


def test_a_link_that_comes_and_goes_is_no_sleep() -> None:
    book = AwakeBook()
    tell(book, 0, since_s=0)
    tell(book, 9 * HOUR_S, since_s=0)
    assert book.waits_s(A) == 0


def test_a_short_visit_does_not_shorten_a_wait_that_was_not_served() -> None:
    book = AwakeBook()
    tell(book, HOUR_S, since_s=0)
    tell(book, 2 * HOUR_S + 60, since_s=2 * HOUR_S)
    tell(book, 3 * HOUR_S, since_s=3 * HOUR_S)
    assert book.waits_s(A) == 2 * HOUR_S
    tell(book, 6 * HOUR_S, since_s=3 * HOUR_S)  # served
    tell(book, 7 * HOUR_S, since_s=7 * HOUR_S)
    assert book.waits_s(A) == 6 * HOUR_S


def test_who_says_goodbye_does_not_wait() -> None:
    book = AwakeBook()
    tell(book, HOUR_S, since_s=0)
    tell(book, 2 * HOUR_S, since_s=2 * HOUR_S)
    tell(book, 2 * HOUR_S + 60, since_s=2 * HOUR_S, leaving=True)
    tell(book, 3 * HOUR_S, since_s=3 * HOUR_S)
    assert book.waits_s(A) == 0


def test_a_goodbye_that_was_taken_back_is_none() -> None:
    book = AwakeBook()
    tell(book, HOUR_S, since_s=0, leaving=True)
    tell(book, HOUR_S + 60, since_s=0)
    tell(book, 3 * HOUR_S, since_s=3 * HOUR_S)
    assert book.waits_s(A) == 2 * (HOUR_S + 60)


# --- keeping --------------------------------------------------------------------------------------------------------


def test_the_book_survives_the_disk() -> None:
    book = AwakeBook()
    tell(book, 1000, since_s=0)
    tell(book, 5000, since_s=5000)
    tell(book, 5000, since_s=0, machine=B, leaving=True)
    again = AwakeBook(book.dump())
    assert again.dump() == book.dump()
    for machine in (A, B):
        assert again.waits_s(machine) == book.waits_s(machine)
        assert awake_s(again, 5000, machine) == awake_s(book, 5000, machine) > 0
    tell(again, 6000, since_s=5000)
    assert awake_s(again, 6000) == 2 * 990
    assert again.waits_s(A) == 2000


def test_a_book_of_the_largest_fleet_is_small() -> None:
    book = AwakeBook()
    for number in range(500):
        tell(book, DAY_S, since_s=0, machine=MachineId(f"machine-with-a-rather-long-name-{number:03}"))
    assert len(book.dump()) < 100_000
    assert awake_s(book, DAY_S, MachineId("machine-with-a-rather-long-name-400")) == 0


def test_machines_that_are_gone_are_forgotten() -> None:
    book = AwakeBook()
    tell(book, 1000, since_s=0)
    tell(book, 1000, since_s=0, machine=B)
    book.keep_only([B])
    assert awake_s(book, 1000) == 0
    assert awake_s(book, 1000, B) > 0


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 400)), min_size=1, max_size=30))
def test_what_is_counted_is_what_was_awake_but_for_a_unit_each_time(periods: list[tuple[int, int]]) -> None:
    """Awake for so many minutes, asleep for so many, as long as it is within a week."""
    book = AwakeBook()
    at_s = total_s = 0
    for awake_min, asleep_min in periods:
        if at_s > WEEK_S - DAY_S:
            break
        since_s = at_s
        at_s += awake_min * 60
        total_s += awake_min * 60
        tell(book, at_s, since_s=since_s)
        at_s += asleep_min * 60
    assert total_s - 15 * len(periods) <= awake_s(book, at_s) <= total_s + 15 * len(periods)
