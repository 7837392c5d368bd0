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

    async def changed(self) -> None:
        """Returns after the next event."""
        await self._more.wait()

    def stream(self, after: int | None) -> AsyncIterator[NodeEvent]:
        """Events above ``after``, then those to come; subscribed when this returns."""
        start = self._next if after is None else after + 1
        gap = after is not None and (start > self._next or (self._events and start < self._events[0].id))
        return self._stream(self._events[0].id if gap and self._events else min(start, self._next), gap=bool(gap))

    async def _stream(self, following: int, *, gap: bool) -> AsyncIterator[NodeEvent]:
        if gap:
            yield NodeEvent(id=following - 1, type="gap", data={}, time=rfc3339(read_now().wall_ms))
        while True:
            more = self._more
            for event in [event for event in self._events if event.id >= following]:
                following = event.id + 1
                yield event
            if following >= self._next:
                await more.wait()
