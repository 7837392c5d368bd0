"""A scheduler of virtual time: runs calls in the order of their times, and waits for nothing."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

__all__ = ["VirtualTime"]


class VirtualTime:
    """What a :class:`~roosync_p2p.core.memory_transport.MemoryNetwork` takes as its schedule."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def schedule(self, delay_s: float, call: Callable[[], None]) -> None:
        """Runs ``call`` after so many seconds, after everything that was scheduled for the same time before."""
        heapq.heappush(self._calls, (self.now_s + delay_s, next(self._order), call))

    def run_for(self, seconds: float) -> None:
        """Lets so much time pass."""
        end_s = self.now_s + seconds
        while self._calls and self._calls[0][0] <= end_s:
            self._step()
        self.now_s = end_s

    def run_until(self, done: Callable[[], bool], *, within_s: float = 60.0) -> None:
        """Lets time pass until ``done``; fails if it is not within so many seconds."""
        end_s = self.now_s + within_s
        while not done():
            assert self._calls, "nothing more happens"
            assert self._calls[0][0] <= end_s, f"not within {within_s:g} virtual seconds"
            self._step()

    def _step(self) -> None:
        self.now_s, _order, call = heapq.heappop(self._calls)
        call()
