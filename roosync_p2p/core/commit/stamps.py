"""A follower does not acknowledge a stamp from the future (docs/protocol/autopilot.md §5).

What is committed is taken with any stamp. What is not, and is stamped further ahead than this node believes, is as if
it had not come; and until that leader has something better, or it is committed after all, its heartbeats do not count
either. So whoever stamps nonsense loses the majority and the lead, and its item goes with it.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from roosync_p2p.consensus.items import LogItem, Noop
from roosync_p2p.consensus.messages import Append
from roosync_p2p.ids import LogIndex, MachineId, Term

__all__ = ["Stamps"]


class Stamps:
    """Which part of what a leader sends may be acknowledged. ``believes`` judges a stamp, Unix milliseconds."""

    def __init__(self, believes: Callable[[int], bool]) -> None:
        self._believes = believes
        self._disbelieved: tuple[MachineId, Term] | None = None

    def believable(self, leader: MachineId, append: Append, commit: LogIndex) -> Append | None:
        """The message without what comes from the future; None if nothing of it counts. ``commit``: this node's own."""
        settled = max(commit, append.commit)
        count = next((at for at, item in enumerate(append.items) if self._is_ahead(item, settled)), None)
        if count is None and append.items:
            self._disbelieved = None
        elif count is not None:
            self._disbelieved = (leader, append.term)
        if count or append.commit > commit:
            return append if count is None else msgspec.structs.replace(append, items=append.items[:count])
        return None if self._disbelieved == (leader, append.term) else append

    def _is_ahead(self, item: LogItem, settled: LogIndex) -> bool:
        if item.index <= settled or isinstance(item.payload, Noop):
            return False
        return not self._believes(item.payload.time_ms)
