"""A window over counters: each passes once."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.gossip.replay import ReplayWindow


def test_a_counter_passes_once() -> None:
    window = ReplayWindow(4)
    assert window.first_time(1, 7)
    assert not window.first_time(1, 7)


def test_a_late_counter_within_the_window_passes() -> None:
    window = ReplayWindow(4)
    window.first_time(1, 7)
    assert window.first_time(1, 4)


def test_a_counter_behind_the_window_does_not_pass() -> None:
    window = ReplayWindow(4)
    window.first_time(1, 7)
    assert not window.first_time(1, 3)


def test_a_newer_start_begins_anew() -> None:
    window = ReplayWindow(4)
    window.first_time(1, 7)
    assert window.first_time(2, 0)


def test_an_earlier_start_never_passes_again() -> None:
    window = ReplayWindow(4)
    window.first_time(2, 0)
    assert not window.first_time(1, 99)


class _Naive:
    """Remembers everything."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._seen: set[tuple[int, int]] = set()

    def first_time(self, start: int, counter: int) -> bool:
        starts = [seen[0] for seen in self._seen]
        counters = [seen[1] for seen in self._seen if seen[0] == start]
        passes = (
            start >= max(starts, default=start)
            and (start, counter) not in self._seen
            and counter > max(counters, default=-1) - self._size
        )
        if passes:
            self._seen.add((start, counter))
        return passes


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), max_size=80))
def test_it_lets_through_what_the_naive_twin_lets_through(frames: list[tuple[int, int]]) -> None:
    window, naive = ReplayWindow(8), _Naive(8)
    assert [window.first_time(*frame) for frame in frames] == [naive.first_time(*frame) for frame in frames]


def test_it_remembers_no_more_than_twice_its_size() -> None:
    window = ReplayWindow(8)
    for counter in range(10_000):
        assert window.first_time(1, counter)
    assert sys.getsizeof(window._seen) <= sys.getsizeof(set(range(17)))
