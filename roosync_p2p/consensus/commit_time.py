"""Commit time: what a leader stamps, what a follower believes, and what everybody else takes it to be now.

Pure arithmetic over clocks in Unix milliseconds (docs/protocol/autopilot.md §5). A stamp that is too low costs a delay;
one that is too high can be taken back only by the root. So where two clocks disagree and no third one settles it, the
lower one counts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

from roosync_p2p import limits

__all__ = [
    "Floor",
    "Held",
    "acknowledges",
    "fleet_ms",
    "known_ms",
    "median_ms",
    "median_of",
    "needs_second_clock",
    "stamp_ms",
]

_OFF_MS: Final = round(limits.CLOCK_OFF_S * 1000)
_AHEAD_MS: Final = round(limits.STAMP_AHEAD_S * 1000)
_LONE_MS: Final = round(limits.LONE_CLOCK_S * 1000)


def median_ms(own_ms: int, heard_ms: Iterable[int]) -> int:
    """The median of this clock and those heard in the last minute, the lower one of two in the middle."""
    return median_of([own_ms, *heard_ms])


def median_of(clocks_ms: Sequence[int]) -> int:
    """The median of some clocks, at least one; the lower one of two in the middle."""
    return sorted(clocks_ms)[(len(clocks_ms) - 1) // 2]


def fleet_ms(own_ms: int, heard_ms: Sequence[int]) -> int:
    """This machine's clock, or the median where it is more than 5 s off that (which is an alarm)."""
    median = median_ms(own_ms, heard_ms)
    return own_ms if abs(own_ms - median) <= _OFF_MS else median


def stamp_ms(own_ms: int, heard_ms: Sequence[int], floor_ms: int) -> int:
    """What a leader stamps: the fleet's time, never less than the stamp before."""
    return max(fleet_ms(own_ms, heard_ms), floor_ms)


def needs_second_clock(own_ms: int, heard_ms: Sequence[int], last_ms: int) -> bool:
    """Whether a leader must not stamp: it is alone with a clock more than a day past the last stamp.

    ``last_ms``: 0 when nothing was ever stamped; a fleet begins with its founder's clock.
    """
    return not heard_ms and last_ms > 0 and own_ms - last_ms > _LONE_MS


def acknowledges(time_ms: int, own_ms: int, heard_ms: Sequence[int]) -> bool:
    """Whether a follower may acknowledge an item that is not known to be committed, by its stamp.

    A follower whose own clock is off has nothing to hold against the leader's.
    """
    agrees = abs(own_ms - median_ms(own_ms, heard_ms)) <= _OFF_MS
    return not agrees or time_ms <= own_ms + _AHEAD_MS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The newest stamp that a node holds, and for how long by its monotonic clock."""

    time_ms: int
    since_ms: int


def known_ms(own_ms: int, heard_ms: Sequence[int], held: Held | None, last_ms: int) -> int:
    """Commit time as a node that does not lead knows it.

    Args:
        own_ms: its wall clock.
        heard_ms: the clocks heard in the last minute.
        held: the newest stamp since this node started or slept; None without one.
        last_ms: the newest stamp ever applied.
    """
    by_clocks = fleet_ms(own_ms, heard_ms)
    if held is None:
        return max(by_clocks, last_ms)
    by_stamp = held.time_ms + held.since_ms
    # A stamp that came long after it was made, while this node caught up, tells nothing of now.
    stale = bool(heard_ms) and by_clocks - by_stamp > _OFF_MS
    return max(by_clocks if stale else by_stamp, last_ms)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A reset of commit time by the root, which allows stamps below earlier ones.

    Attributes:
        time_ms: what the root set it to.
        before_ms: the stamp of the item that carries the reset.
        through: the last item of the log when the reset was applied: up to there stamps may be from before it.
    """

    time_ms: int
    before_ms: int
    through: int

    def under(self, index: int, time_ms: int) -> int:
        """The least that may be stamped behind the newest stamped item of the log, at that index with that stamp."""
        from_before = index <= self.through and time_ms >= self.before_ms
        return self.time_ms if from_before else time_ms
