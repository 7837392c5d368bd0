"""A window over counters: each is let through once (docs/protocol/gossip.md §5; RFC 4303 §3.4.3 in spirit)."""

from __future__ import annotations

__all__ = ["ReplayWindow"]


class ReplayWindow:
    """Counters of one source, of its newest start only.

    Args:
        size: how far behind the highest counter one may still arrive.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._start = -1
        self._highest = -1
        self._seen: set[int] = set()

    def first_time(self, start: int, counter: int) -> bool:
        """Whether this counter is new; it is not a second time, nor behind the window, nor of an earlier start."""
        if start < self._start:
            return False
        if start > self._start:
            self._start, self._highest, self._seen = start, -1, set()
        if counter <= self._highest - self._size or counter in self._seen:
            return False
        self._seen.add(counter)
        self._highest = max(self._highest, counter)
        if len(self._seen) > 2 * self._size:
            self._seen = {seen for seen in self._seen if seen > self._highest - self._size}
        return True
