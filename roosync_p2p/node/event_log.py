"""The node's events, kept for streams that resume (docs/protocol/api.md §6)."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import anyio

from roosync_p2p import limits
from roosync_p2p.adapters.system import read_now
from roosync_p2p.clock import rfc3339

__all__ = ["EventLog", "NodeEvent"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeEvent:
    """Something that happened at the node; ``id`` counts up from 1 in each life of the node."""

    id: int
    type: str
    data: dict[str, Any]
    time: str


class EventLog:
    """The newest ``limits.EVENT_HISTORY_MAX`` events, and a way to wait for the next."""

    def __init__(self) -> None:
        self._events: collections.deque[NodeEvent] = collections.deque(maxlen=limits.EVENT_HISTORY_MAX)
        self._next = 1
        self._more = anyio.Event()

    def add(self, kind: str, data: dict[str, Any]) -> None:
        """Appends an event and wakes whoever waits."""
        self._events.append(NodeEvent(id=self._next, type=kind, data=data, time=rfc3339(read_now().wall_ms)))
        self._next += 1
        more, self._more = self._more, anyio.Event()
        more.set()

    @property
    def newest(self) -> int:
        """Id of the newest event; 0 before the first."""
        return self._next - 1

    async def beyond(self, event: int) -> None:
        """Returns as soon as there is an event above this id.

        Whoever waits for a change takes :attr:`newest` before looking, so nothing falls between look and wait.
        """
        while self.newest <= event:
            await self._more.wait()

    def stream(self, after: int | None) -> AsyncIterator[NodeEvent]:
        """Events above ``after``, then those to come; subscribed when this returns."""
        start = self._next if after is None else after + 1
        return self._stream(start, unknown=start > self._next)

    async def _stream(self, following: int, *, unknown: bool) -> AsyncIterator[NodeEvent]:
        """``unknown``: the reader names an event of another life of the node."""
        while True:
            kept = self._events[0].id if self._events else self._next
            if unknown or following < kept:  # missed for good; also by a reader that is slower than the history is long
                following, unknown = kept, False
                yield NodeEvent(id=following - 1, type="gap", data={}, time=rfc3339(read_now().wall_ms))
            for event in [event for event in self._events if event.id >= following]:
                following = event.id + 1
                yield event
            await self.beyond(following - 1)
