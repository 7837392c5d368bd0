"""Commit time: stamps, what followers believe of them, and what everybody else takes it to be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.consensus.commit_time import (
    Floor,
    Held,
    acknowledges,
    fleet_ms,
    known_ms,
    median_ms,
    needs_second_clock,
    stamp_ms,
)

S = 1000
HOUR = 3600 * S
DAY = 24 * HOUR
NOW = 1_768_435_200_000

CLOCKS = st.integers(min_value=NOW - 3 * DAY, max_value=NOW + 3 * DAY)
HEARD = st.lists(CLOCKS, max_size=6)


def test_a_good_clock_is_stamped_as_it_is() -> None:
    assert stamp_ms(NOW, [NOW - 5 * S, NOW - 5 * S], NOW - DAY) == NOW


def test_a_clock_that_is_off_gives_way_to_the_median() -> None:
    assert stamp_ms(NOW + 5 * S + 1, [NOW, NOW], 0) == NOW
    assert stamp_ms(NOW - HOUR, [NOW, NOW + 2], 0) == NOW


def test_a_stamp_is_never_less_than_the_one_before() -> None:
    assert stamp_ms(NOW, [NOW, NOW], NOW + HOUR) == NOW + HOUR


def test_of_two_clocks_that_disagree_the_lower_one_counts() -> None:
    assert fleet_ms(NOW + DAY, [NOW]) == NOW
    assert fleet_ms(NOW, [NOW + DAY]) == NOW


@given(CLOCKS, HEARD)
def test_the_median_has_no_more_clocks_on_one_side_than_on_the_other(own: int, heard: list[int]) -> None:
    median = median_ms(own, heard)
    clocks = [own, *heard]
    assert median in clocks
    below, above = sum(1 for c in clocks if c < median), sum(1 for c in clocks if c > median)
    assert 2 * below <= len(clocks) - 1
    assert 2 * above <= len(clocks)


@given(st.integers(-4 * S, 4 * S), st.lists(st.integers(-S, S), min_size=2, max_size=6), CLOCKS, st.data())
def test_one_wrong_clock_among_three_or_more_moves_time_by_seconds_at_most(
    own: int, good: list[int], wrong: int, data: st.DataObject
) -> None:
    clocks = [NOW + own, *(NOW + off for off in good)]
    clocks[data.draw(st.integers(0, len(clocks) - 1))] = wrong
    assert abs(stamp_ms(clocks[0], clocks[1:], 0) - NOW) <= 10 * S


# --- alone ----------------------------------------------------------------------------------------------------------


def test_a_lone_clock_a_day_past_the_last_stamp_waits_for_a_second() -> None:
    assert not needs_second_clock(NOW, [], NOW - DAY)
    assert needs_second_clock(NOW, [], NOW - DAY - 1)
    assert not needs_second_clock(NOW, [NOW], NOW - 9 * DAY)


def test_a_fleet_begins_with_the_clock_of_its_founder() -> None:
    assert not needs_second_clock(NOW, [], 0)


# --- followers ------------------------------------------------------------------------------------------------------


def test_a_stamp_far_ahead_of_good_clocks_is_not_acknowledged() -> None:
    assert acknowledges(NOW + 10 * S, NOW, [NOW, NOW])
    assert not acknowledges(NOW + 10 * S + 1, NOW, [NOW, NOW])


def test_a_follower_whose_own_clock_is_off_has_nothing_to_say() -> None:
    assert acknowledges(NOW + DAY, NOW - HOUR, [NOW, NOW])


def test_an_old_stamp_is_acknowledged() -> None:
    assert acknowledges(NOW - DAY, NOW, [NOW, NOW])


@given(CLOCKS, st.lists(CLOCKS, min_size=1, max_size=6), st.integers(0, 6))
def test_what_a_leader_stamps_by_its_clocks_is_acknowledged_by_whoever_has_the_same_clocks(
    own: int, heard: list[int], at: int
) -> None:
    clocks = [own, *heard]
    stamp = stamp_ms(own, heard, 0)
    follower = clocks.pop(at % len(clocks))
    assert acknowledges(stamp, follower, clocks)


# --- everybody else -------------------------------------------------------------------------------------------------


def test_commit_time_goes_on_from_the_newest_stamp_by_the_monotonic_clock() -> None:
    held = Held(time_ms=NOW, since_ms=90 * S)
    assert known_ms(NOW - HOUR, [], held, NOW) == NOW + 90 * S
    assert known_ms(NOW + 92 * S, [NOW + 91 * S], held, NOW) == NOW + 90 * S


def test_without_a_stamp_the_clocks_count() -> None:
    assert known_ms(NOW + HOUR, [NOW, NOW], None, 0) == NOW
    assert known_ms(NOW, [], None, 0) == NOW


def test_it_is_never_before_what_was_applied() -> None:
    assert known_ms(NOW, [], None, NOW + DAY) == NOW + DAY
    assert known_ms(NOW, [], Held(time_ms=NOW - DAY, since_ms=0), NOW) == NOW


def test_a_stamp_that_came_hours_late_tells_nothing_of_now() -> None:
    late = Held(time_ms=NOW - 9 * HOUR, since_ms=2 * S)
    assert known_ms(NOW, [NOW], late, NOW - 9 * HOUR) == NOW
    assert known_ms(NOW, [], late, NOW - 9 * HOUR) == NOW - 9 * HOUR + 2 * S


# --- the root sets it back ------------------------------------------------------------------------------------------


def test_behind_a_reset_stamps_begin_at_the_time_that_the_root_named() -> None:
    floor = Floor(time_ms=NOW, before_ms=NOW + DAY, through=12)
    assert floor.under(10, NOW + DAY) == NOW  # the reset itself is the last item
    assert floor.under(12, NOW + DAY + S) == NOW  # proposed behind it, before anybody had applied it
    assert floor.under(12, NOW + S) == NOW + S  # stamped by whoever had applied it already
    assert floor.under(13, NOW + 2 * S) == NOW + 2 * S
    assert floor.under(900, NOW + 2 * DAY) == NOW + 2 * DAY  # the time came that was too early then
