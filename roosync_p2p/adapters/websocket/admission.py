"""Who may knock, how often and how many at once (docs/protocol/links.md §1, §5). Pure.

A flood of strangers must not keep members out. So a full house of unfinished handshakes makes room by showing out the
oldest guest of the host that sent the most: an honest handshake lasts some ten milliseconds and is rarely that one.
"""

from __future__ import annotations

import collections
from typing import Final

from roosync_p2p import limits
from roosync_p2p.clock import Now

__all__ = ["GreetingSlots", "RateLimiter"]


class GreetingSlots:
    """The handshakes in progress, bounded.

    Args:
        slots_max: how many at once.
    """

    def __init__(self, slots_max: int = limits.INBOUND_HANDSHAKES_MAX) -> None:
        self._slots_max: Final = slots_max
        self._hosts: dict[int, str] = {}  # guest to host, oldest first

    def __len__(self) -> int:
        return len(self._hosts)

    def admit(self, guest: int, host: str) -> int | None:
        """Takes a guest in; the guest that has to leave for it, which the caller ends at once."""
        evicted = self._crowding_guest() if len(self._hosts) >= self._slots_max else None
        if evicted is not None:
            del self._hosts[evicted]
        self._hosts[guest] = host
        return evicted

    def release(self, guest: int) -> None:
        """The guest's handshake ended, one way or another; safe to call again."""
        self._hosts.pop(guest, None)

    def _crowding_guest(self) -> int:
        crowd = collections.Counter(self._hosts.values())
        worst = max(crowd.values())
        return next(guest for guest, host in self._hosts.items() if crowd[host] == worst)


class RateLimiter:
    """A token bucket for each key: ``per_minute`` at once, refilled evenly over a minute.

    Args:
        per_minute: allowed in a minute, and in one burst.
        keys_max: keys remembered; the one idle for longest is forgotten first, and starts anew.
    """

    def __init__(self, per_minute: int, *, keys_max: int = limits.RATE_LIMIT_KEYS_MAX) -> None:
        self._per_minute: Final = per_minute
        self._keys_max: Final = keys_max
        self._buckets: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()

    def allow(self, key: str, now: Now) -> bool:
        """Whether one more is allowed for the key; if so it is counted."""
        tokens, since = self._buckets.pop(key, (float(self._per_minute), now.monotonic_s))
        elapsed_s = max(0.0, now.monotonic_s - since)
        tokens = min(float(self._per_minute), tokens + elapsed_s * self._per_minute / 60)
        allowed = tokens >= 1
        self._buckets[key] = (tokens - 1 if allowed else tokens, now.monotonic_s)
        while len(self._buckets) > self._keys_max:
            self._buckets.popitem(last=False)
        return allowed
