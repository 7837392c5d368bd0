"""Timers of many machines in one heap: setting one is cheap, and only those that are due are looked at."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from roosync_p2p.liveness.track import Track

__all__ = ["Agenda"]


class Agenda:
    """Each track's ``due_s`` is its one valid timer; what else is in the heap is stale and skipped.

    A timer is only ever moved forward. One that fires too early costs one look and is set again, which is cheaper
    than moving it back with each heartbeat.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Track]] = []
        self._pushes = 0  # ties are broken in the order of setting, so that a run repeats

    def set(self, track: Track, due_s: float | None) -> None:
        """The track wants a look at that moment at the latest."""
        if due_s is None or (track.due_s is not None and track.due_s <= due_s):
            return
        track.due_s = due_s
        self._pushes += 1
        heapq.heappush(self._heap, (due_s, self._pushes, track))

    def drop(self, track: Track) -> None:
        """The track is gone."""
        track.due_s = None

    def next_due(self) -> float | None:
        """The moment of the first valid timer."""
        while self._heap and self._heap[0][2].due_s != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, at_s: float) -> Iterator[Track]:
        """Takes out the tracks whose timers have come, in their order."""
        while (due_s := self.next_due()) is not None and due_s <= at_s:
            track = heapq.heappop(self._heap)[2]
            track.due_s = None
            yield track
