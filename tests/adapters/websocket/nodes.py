"""Transports of a test with their events, and waiting for events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.abc

from roosync_p2p.adapters.websocket import WebsocketTransport
from roosync_p2p.core.ports import DialId, LinkId, LinkOpened, TransportEvent
from tests.helpers.certificates import Member

__all__ = ["Node"]

T = TypeVar("T")


class Node:
    """A transport that remembers its events."""

    def __init__(self, member: Member, tasks: anyio.abc.TaskGroup, **options: Any) -> None:
        self.events: list[TransportEvent] = []
        self._changed = anyio.Event()
        self._tasks = tasks
        self.member = member
        self.transport = WebsocketTransport(member.identity, self._take, tasks, **options)
        self.address = ""

    async def listen(self, host: str = "127.0.0.1") -> str:
        addresses = await self._tasks.start(self.transport.serve, host, 0)
        self.address = str(addresses[0])
        return self.address

    async def link_to(self, other: Node) -> tuple[LinkId, LinkId]:
        """A new link: its numbers here and there."""
        before = len(other.all(LinkOpened))
        self.transport.dial(DialId(1), other.address)
        await other.until(lambda: len(other.all(LinkOpened)) > before)
        await self.until(lambda: bool(self.all(LinkOpened)))
        return self.all(LinkOpened)[-1].link, other.all(LinkOpened)[-1].link

    async def next(self, kind: type[T], timeout_s: float = 8) -> T:
        """The first event of that kind."""
        await self.until(lambda: bool(self.all(kind)), timeout_s)
        return self.all(kind)[0]

    async def until(self, done: Callable[[], bool], timeout_s: float = 8) -> None:
        with anyio.fail_after(timeout_s):
            while not done():
                self._changed = anyio.Event()
                await self._changed.wait()

    def all(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    def _take(self, event: TransportEvent) -> None:
        self.events.append(event)
        self._changed.set()
