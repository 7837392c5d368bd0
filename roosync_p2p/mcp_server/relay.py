"""One event stream of the node for everybody in this process who waits; open only while somebody does.

A stream that breaks is opened again. What may have been missed shows as an event ``gap``: whoever hears one looks at
everything anew. It does not resume by the id of an event, because a node that was started again counts anew.
"""

from __future__ import annotations

import collections
import contextlib
from collections.abc import AsyncIterator

import anyio
import anyio.abc

from roosync_p2p import limits
from roosync_p2p.api.client import Client
from roosync_p2p.api.events import Event
from roosync_p2p.errors import NotRunningError, RoosyncError

__all__ = ["Listener", "Relay"]


class Listener:
    """What one of them hears."""

    def __init__(self) -> None:
        self._events: collections.deque[Event] = collections.deque(maxlen=limits.MCP_EVENTS_KEPT)
        self._more = anyio.Event()

    async def next(self) -> Event:
        """The next event; of a listener that is too slow, the oldest are lost and a ``gap`` stands for them."""
        while not self._events:
            await self._more.wait()
        return self._events.popleft()

    def hear(self, event: Event) -> None:
        """Takes an event; never waits."""
        if len(self._events) == limits.MCP_EVENTS_KEPT:
            self._events.clear()
            event = Event(id=event.id, type="gap", data={}, time=event.time)
        self._events.append(event)
        more, self._more = self._more, anyio.Event()
        more.set()


class Relay:
    """The stream.

    Args:
        tasks: lives as long as the server; the stream is read in it.
    """

    def __init__(self, api: Client, tasks: anyio.abc.TaskGroup) -> None:
        self._api = api
        self._tasks = tasks
        self._listeners: set[Listener] = set()
        self._reading: anyio.CancelScope | None = None
        self._starting = anyio.Lock()
        self.fault: RoosyncError | None = None  # why there is no stream at the moment

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        """A listener that hears everything that happens from now on.

        Raises:
            NotRunningError: no node answers.
        """
        listener = Listener()
        async with self._starting:
            self._listeners.add(listener)
            try:
                if self._reading is None:
                    self._reading = await self._tasks.start(self._read)
            except BaseException:
                self._listeners.discard(listener)
                raise
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners and self._reading is not None:
                self._reading.cancel()
                self._reading = None

    async def _read(self, *, task_status: anyio.abc.TaskStatus[anyio.CancelScope]) -> None:
        """Raises what the first attempt raises; later ones are repeated."""
        pause_s = limits.MCP_RETRY_FIRST_S
        told = False
        with anyio.CancelScope() as scope:
            while True:
                try:
                    async with self._api.events() as events:
                        if told:
                            self._tell(Event(id=0, type="gap", data={}, time=""))
                        else:
                            task_status.started(scope)
                        told, pause_s, self.fault = True, limits.MCP_RETRY_FIRST_S, None
                        async for event in events:
                            self._tell(event)
                    self.fault = NotRunningError("the node stopped", remedy="start it with `roosync up`")
                except RoosyncError as fault:
                    if not told:
                        raise
                    self.fault = fault
                await anyio.sleep(pause_s)
                pause_s = min(2 * pause_s, limits.MCP_RETRY_MAX_S)

    def _tell(self, event: Event) -> None:
        for listener in list(self._listeners):
            listener.hear(event)
