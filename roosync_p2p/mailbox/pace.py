"""How fast one session may send (docs/protocol/messages.md §11). Pure; the caller says who and when."""

from __future__ import annotations

import collections
from typing import Final

from roosync_p2p import limits

__all__ = ["SendingPace"]

_WINDOW_S: Final = 60.0


class SendingPace:
    """At most ``per_minute`` within any minute, for each sender.

    Args:
        senders_max: senders remembered; the one idle for longest is forgotten first, and starts anew.
    """

    def __init__(self, per_minute: int, *, senders_max: int = limits.RATE_LIMIT_KEYS_MAX) -> None:
        self.per_minute: Final = per_minute
        self._senders_max: Final = senders_max
        self._sent: collections.OrderedDict[str, collections.deque[float]] = collections.OrderedDict()

    def take(self, sender: str, now_s: float) -> float:
        """Counts one more for a sender if it is allowed; in how many seconds it will be, 0 if it was counted."""
        times = self._sent.setdefault(sender, collections.deque())
        self._sent.move_to_end(sender)
        while len(self._sent) > self._senders_max:
            self._sent.popitem(last=False)
        while times and times[0] <= now_s - _WINDOW_S:
            times.popleft()
        if len(times) >= self.per_minute:
            return times[0] + _WINDOW_S - now_s
        times.append(now_s)
        return 0.0

    def give_back(self, sender: str) -> None:
        """What was counted last for a sender was not sent."""
        times = self._sent.get(sender)
        if times:
            times.pop()
