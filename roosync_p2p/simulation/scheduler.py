"""Virtual time: calls in the order of their moments, and of scheduling where moments are equal."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

__all__ = ["Scheduler"]


class Scheduler:
    """An event queue. Nothing happens between events, so an hour costs what happens in it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.steps = 0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0

    def schedule(self, delay_s: float, call: Callable[[], None]) -> None:
        """Runs ``call`` after that many virtual seconds.

        Later is later also where the sum rounds to now: a timer that is due just after it would come back for ever.
        """
        self._order += 1
        soonest_s = math.nextafter(self.now_s, math.inf) if delay_s > 0.0 else self.now_s
        heapq.heappush(self._queue, (max(self.now_s + delay_s, soonest_s), self._order, call))

    def run_until(self, at_s: float) -> None:
        """Runs everything up to that moment."""
        while self._queue and self._queue[0][0] <= at_s:
            self.now_s, _, call = heapq.heappop(self._queue)
            self.steps += 1
            call()
        self.now_s = max(self.now_s, at_s)
