"""One agent that is connected: its workspace, its session at the node, and how it asks (docs/protocol/mcp.md §4).

The session is opened with the connection, kept by use and by touches while the connection is open, and closed with it.
Of a client that is killed, nobody touches it any more: it is over at the end of its lease.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import anyio

from roosync_p2p import limits
from roosync_p2p.api.client import Client
from roosync_p2p.api.methods import JsonObject
from roosync_p2p.errors import InputFault, RoosyncError
from roosync_p2p.mcp_server.relay import Relay

__all__ = ["Caller", "Introduction"]

T = TypeVar("T")

Introduction = Callable[[], Awaitable[tuple[str | None, str]]]
"""Asks a client who it is: its workspace, and what its program is called."""


class Caller:
    """One connection.

    Args:
        api: of the node.
        ensure_node: starts a missing node, if that is wanted.
        attached: whether the client is still connected, as far as the transport knows.
    """

    def __init__(
        self,
        api: Client,
        relay: Relay,
        *,
        lease_s: float,
        ensure_node: Callable[[], Awaitable[None]],
        attached: Callable[[], bool] = lambda: True,
    ) -> None:
        self.api = api
        self.relay = relay
        self.workspace: str | None = None
        self.client = ""
        self.session: str | None = None
        self.attached = attached
        self.used_s = time.monotonic()
        self._lease_s = lease_s
        self._ensure_node = ensure_node
        self._secret: str | None = None
        self._known = False
        self._closed = False
        self._opening = anyio.Lock()

    @property
    def boxes(self) -> list[str]:
        """The inboxes that it looks into: the machine's own and its workspace's."""
        return ["", self.workspace] if self.workspace else [""]

    async def introduce(self, introduction: Introduction) -> None:
        """Asks the client who it is, once, and opens its session if a node runs."""
        async with self._opening:
            if not self._known:
                self.workspace, self.client = await introduction()
                self._known = True
            with contextlib.suppress(RoosyncError):  # the first call that needs it tells why
                await self._open()

    async def ready(self) -> None:
        """A node answers from here on, started if that is wanted.

        Raises:
            NotRunningError: none does.
        """
        self.used_s = time.monotonic()
        await self._ensure_node()
        if self._secret is None and self._known:  # there was no node when it connected
            with contextlib.suppress(RoosyncError):
                await self.secret()

    async def secret(self) -> str:
        """The session's."""
        async with self._opening:
            return await self._open()

    async def spoken(self, ask: Callable[[str], Awaitable[T]]) -> T:
        """What ``ask`` gives with the session's secret; with that of a new session if the old one is over."""
        try:
            return await ask(await self.secret())
        except InputFault as fault:
            if fault.code != "unknown_session":
                raise
        self._secret = None
        return await ask(await self.secret())

    async def touch(self) -> None:
        """Keeps the session; or opens one when there is none, as after a restart of a node that forgot it."""
        async with self._opening:
            if self._closed or not self._known:
                return
            with contextlib.suppress(RoosyncError):  # no node at the moment: the next touch tries again
                if self._secret is not None and not await self._use(self._secret):
                    self._secret = None
                await self._open()

    async def close(self) -> None:
        """The session ends, and what it holds is given back."""
        async with self._opening:
            self._closed = True
            secret, self._secret = self._secret, None
            if secret is None:
                return
            with anyio.move_on_after(limits.MCP_CLOSE_S), contextlib.suppress(RoosyncError):
                await self.api.close_session(secret, ordering={"timeout_s": limits.MCP_CLOSE_S})

    @contextlib.asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Around one request."""
        self.used_s = time.monotonic()
        try:
            yield
        finally:
            self.used_s = time.monotonic()

    async def _open(self) -> str:
        if self._secret is None:
            opened: JsonObject = await self.api.open_session(
                workspace=self.workspace, client=self.client, lease_s=self._lease_s
            )
            self._secret, self.session = str(opened["secret"]), str(opened["session"])
        return self._secret

    async def _use(self, secret: str) -> bool:
        """Whether the session lives; its lease begins anew."""
        try:
            await self.api.renew_session(secret)
        except InputFault as fault:
            return fault.code != "unknown_session"
        return True
