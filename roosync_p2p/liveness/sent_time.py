"""When a heartbeat was made, in this node's monotonic time (docs/protocol/liveness.md §4).

Three clocks speak of it. The signed wall time, corrected by the machine's clock offset, which is measured on its
direct heartbeats: transit only ever adds, so the smallest difference is the best. The counter, which advances by one
an interval and does not care about wall clocks, so a clock that is set does not age a machine. And a link: what came
over it was made after it opened. None can make a heartbeat younger than its way took: the relay's own age, and the
time since the first copy.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Iterable

from roosync_p2p import limits
from roosync_p2p.clock import Now
from roosync_p2p.liveness.heartbeat import Heartbeat, Version, precedence

__all__ = ["SentTimes", "median_offset_s"]


@dataclasses.dataclass(frozen=True, slots=True)
class _Last:
    version: Version
    boot: bytes
    interval_s: float
    sent_s: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Before:
    """What was known before the two clocks of this node jumped against each other."""

    difference_s: float
    last: _Last
    slept_s: float  # unless its clock was set instead
    unmoved_s: float | None = None  # when the first one came that speaks for a clock that was set


class SentTimes:
    """Estimates for one machine; ``sent`` times are seconds of this node's monotonic clock, never later than now."""

    def __init__(self) -> None:
        self._differences: collections.deque[float] = collections.deque(maxlen=limits.CLOCK_SAMPLES)
        self._sampled_s = -math.inf  # when the newest difference was measured
        self._boot = b""
        self._last: _Last | None = None
        self._before: _Before | None = None

    @property
    def offset_s(self) -> float | None:
        """This node's monotonic clock minus the machine's wall clock; None while no direct heartbeat measured it."""
        return min(self._differences, default=None)

    def measured(self, boot: bytes) -> bool:
        """Whether the clock of that start was compared with this node's."""
        return boot == self._boot and bool(self._differences)

    def forget(self, *, slept_s: float) -> None:
        """This node's monotonic clock may have stood still for so long: what was measured before is in doubt."""
        offset_s, last = self.offset_s, self._last
        self._before = None
        if offset_s is not None and last is not None and last.sent_s is not None and slept_s > 0:
            self._before = _Before(offset_s, last, slept_s)
        self._differences.clear()
        if last is not None:
            self._last = dataclasses.replace(last, sent_s=None)

    def direct(self, heartbeat: Heartbeat, *, age_s: float, link_up_s: float | None, now: Now) -> float:
        """When a heartbeat that came over a link to its machine was made. The caller passes each at most once."""
        if heartbeat.boot != self._boot:
            self._differences.clear()
            self._before = None
            self._boot = heartbeat.boot
        wall_s = heartbeat.wall_ms / 1000
        difference_s = now.monotonic_s - wall_s
        if self._before is not None:
            self._recall(self._before, heartbeat, difference_s, now)
        newest_s = now.monotonic_s - max(age_s, 0.0)
        counted_s = self._counted(heartbeat)
        if counted_s is not None and difference_s < min(self._differences, default=-math.inf) - limits.CLOCK_JUMP_S:
            # Its clock was set ahead. Whether the heartbeat is late as well, only its number can tell.
            sent_s = _latest([counted_s, link_up_s], newest_s=newest_s)
            assert sent_s is not None
            self._differences.clear()
            self._sample(sent_s - wall_s, heartbeat.interval_ms / 1000, now)
        else:
            self._sample(difference_s, heartbeat.interval_ms / 1000, now)
            late_s = difference_s - min(self._differences)
            sent_s = _latest([now.monotonic_s - late_s, counted_s, link_up_s], newest_s=newest_s)
            assert sent_s is not None
        self._keep(heartbeat, sent_s)
        return sent_s

    def _recall(self, before: _Before, heartbeat: Heartbeat, difference_s: float, now: Now) -> None:
        """Tells by the machine's clock whether this node slept or its clock was set, and takes up what it knew.

        Only if it slept can the machine have sent something meanwhile. A heartbeat from before, which waited in a
        socket during the sleep, looks like one made after a clock was set: the next one tells.
        """
        interval_s = heartbeat.interval_ms / 1000
        last = before.last
        assert last.sent_s is not None
        if difference_s >= before.difference_s - min(interval_s, before.slept_s) / 2:
            if before.unmoved_s is None:
                self._differences.append(before.difference_s)
                self._last = last if self._last is None or self._last.sent_s is None else self._last
                self._before = dataclasses.replace(before, unmoved_s=now.monotonic_s)
            elif now.monotonic_s > before.unmoved_s + interval_s / 2:
                self._before = None
            return
        self._before = None
        late_s = difference_s - (before.difference_s - before.slept_s)
        counted_s = last.sent_s - before.slept_s + (heartbeat.counter - last.version[1]) * interval_s
        apart_s = abs(now.monotonic_s - late_s - counted_s)
        if apart_s <= 1.5 * interval_s + before.slept_s / 100:  # else it slept as well, or its clock was set too
            self._differences.clear()
            self._differences.append(before.difference_s - before.slept_s)
            self._last = dataclasses.replace(last, sent_s=last.sent_s - before.slept_s)

    def _sample(self, difference_s: float, interval_s: float, now: Now) -> None:
        """What comes in one bunch, after a stall or a pause of this node, was late but for the last: one sample."""
        if self._differences and now.monotonic_s < self._sampled_s + interval_s / 2:
            self._differences[-1] = min(self._differences[-1], difference_s)
            return
        self._differences.append(difference_s)
        self._sampled_s = now.monotonic_s

    def relayed(
        self,
        heartbeat: Heartbeat,
        *,
        age_s: float,
        own_offset_s: float,
        now: Now,
        behind_s_max: float | None = None,
        proved_s: float | None = None,
    ) -> float | None:
        """When a relayed heartbeat was made; None when nothing vouches for its signed time.

        Args:
            heartbeat: it, signature checked.
            age_s: what the relay adds.
            own_offset_s: how far this node's wall clock is ahead of the fleet's.
            now: the time of receipt.
            behind_s_max: on a way that may be so late, a clock that nobody measured is believed as it is, if it is
                not ahead; elsewhere, where it was made just now, within the tolerance between clocks.
            proved_s: it was not made before, whatever clocks say.
        """
        candidates = [self._signed(heartbeat, own_offset_s, now, behind_s_max), self._counted(heartbeat), proved_s]
        sent_s = _latest(candidates, newest_s=now.monotonic_s - max(age_s, 0.0))
        last = self._last
        if (
            sent_s is not None
            and last is not None
            and last.sent_s is not None
            and precedence(heartbeat) <= last.version
        ):
            sent_s = min(sent_s, last.sent_s)  # a later copy is not younger than the first
        self._keep(heartbeat, sent_s)
        return sent_s

    def _signed(self, heartbeat: Heartbeat, own_offset_s: float, now: Now, behind_s_max: float | None) -> float | None:
        offset_s = self.offset_s
        if offset_s is not None and heartbeat.boot == self._boot:
            late_s = now.monotonic_s - heartbeat.wall_ms / 1000 - offset_s
            return now.monotonic_s - max(late_s, 0.0)
        # Nobody measured this clock here: believe it as far as clocks in general agree, corrected by what the
        # machine and this node know about their own.
        fleet_time_s = (heartbeat.wall_ms - (heartbeat.health.clock_offset_ms or 0)) / 1000
        behind_s = now.wall_ms / 1000 - own_offset_s - fleet_time_s
        if behind_s_max is not None:
            believed = -limits.CLOCK_TOLERANCE_S <= behind_s <= behind_s_max
            return now.monotonic_s - max(behind_s, 0.0) if believed else None
        believed = -limits.HEARTBEAT_FUTURE_S <= behind_s <= limits.CLOCK_TOLERANCE_S
        return now.monotonic_s if believed else None

    def _counted(self, heartbeat: Heartbeat) -> float | None:
        last = self._last
        if last is None or last.sent_s is None or last.boot != heartbeat.boot:
            return None
        interval_s = min(last.interval_s, heartbeat.interval_ms / 1000)
        return last.sent_s + (heartbeat.counter - last.version[1]) * interval_s

    def _keep(self, heartbeat: Heartbeat, sent_s: float | None) -> None:
        version = precedence(heartbeat)
        last = self._last
        if last is None or version > last.version or (version == last.version and last.sent_s is None):
            self._last = _Last(version, heartbeat.boot, heartbeat.interval_ms / 1000, sent_s)


def median_offset_s(offsets_s: Iterable[float], now: Now) -> float:
    """How far this node's wall clock is ahead of the fleet's: the median over the measured peers and itself.

    Between the two middle ones the smaller deviation counts, so that two nodes alone do not correct each other.
    """
    own_s = now.wall_ms / 1000 - now.monotonic_s
    ahead = sorted([0.0, *(own_s + offset_s for offset_s in offsets_s)])
    return min(ahead[(len(ahead) - 1) // 2], ahead[len(ahead) // 2], key=abs)


def _latest(candidates: Iterable[float | None], *, newest_s: float) -> float | None:
    latest = max((sent_s for sent_s in candidates if sent_s is not None), default=-math.inf)
    return None if latest == -math.inf else min(latest, newest_s)
