"""Commit time at this node: the stamps that a leader gives, and what the others' clocks show."""

from __future__ import annotations

from collections.abc import Callable

from roosync_p2p.core.desk import Desk
from roosync_p2p.core.presence import Presence

__all__ = ["CommitClock"]


class CommitClock:
    """Stamps, and commit time as far as this node knows it."""

    def __init__(self, desk: Desk, presence: Presence, *, last_ms: Callable[[], int]) -> None:
        self._desk = desk
        self._presence = presence
        self._last_ms = last_ms

    def stamp_ms(self) -> int:
        return max(self._desk.now.wall_ms, self._last_ms())

    def now_ms(self) -> int:
        return max(self._desk.now.wall_ms, self._last_ms())

    def may_stamp(self) -> bool:
        return True

    def accept(self) -> None:
        pass
