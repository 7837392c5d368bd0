"""What all connections of one server process share: the node's client, the event stream, who is connected.

Over standard input there is one caller; over HTTP one for each client.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import anyio
import anyio.abc

from roosync_p2p import limits
from roosync_p2p.api.client import Client
from roosync_p2p.api.mcp_door import mcp_settings
from roosync_p2p.api.start_log import last_failed_start
from roosync_p2p.api.starting import start_node
from roosync_p2p.errors import NotRunningError
from roosync_p2p.mcp_server.caller import Caller
from roosync_p2p.mcp_server.relay import Relay

__all__ = ["Desk"]

_POLL_S = 0.1


class Desk:
    """Made with :meth:`opened`; closes every session that is left when it is left."""

    def __init__(self, home: Path, tasks: anyio.abc.TaskGroup, *, lease_s: float, said_workspace: str | None) -> None:
        self.home = home
        self.api = Client(home)
        self.tasks = tasks
        self.relay = Relay(self.api, tasks)
        self.said_workspace = said_workspace
        self._lease_s = lease_s
        self._callers: dict[str, Caller] = {}
        self._starting = anyio.Lock()
        self._when_left: list[Callable[[str], None]] = []

    def when_left(self, do: Callable[[str], None]) -> None:
        """Has something done when a connection is over or forgotten."""
        self._when_left.append(do)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, home: Path, *, lease_s: float, said_workspace: str | None) -> AsyncIterator[Self]:
        """A desk with its tasks."""
        async with anyio.create_task_group() as tasks:
            desk = cls(home, tasks, lease_s=lease_s, said_workspace=said_workspace)
            tasks.start_soon(desk._keep)
            try:
                yield desk
            finally:
                await desk.close()
                tasks.cancel_scope.cancel()

    def caller(self, connection: str, attached: Callable[[], bool] = lambda: True) -> Caller:
        """Who speaks on a connection; the same object for as long as it lasts."""
        found = self._callers.get(connection)
        if found is None:
            found = Caller(
                self.api, self.relay, lease_s=self._lease_s, ensure_node=self._ensure_node, attached=attached
            )
            self._callers[connection] = found
        return found

    async def leave(self, connection: str) -> None:
        """The connection is over, and its session with it."""
        caller = self._forget(connection)
        if caller is not None:
            await caller.close()

    def _forget(self, connection: str) -> Caller | None:
        for do in self._when_left:
            do(connection)
        return self._callers.pop(connection, None)

    async def close(self) -> None:
        """All of them are over."""
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as closing:
                for connection in list(self._callers):
                    closing.start_soon(self.leave, connection)

    async def _keep(self) -> None:
        """Touches the sessions of clients that are connected, and forgets clients that were not for long."""
        while True:
            await anyio.sleep(self._lease_s / limits.MCP_TOUCHES)
            for connection, caller in list(self._callers.items()):
                if caller.attached():
                    await caller.touch()
                elif time.monotonic() - caller.used_s > limits.MCP_IDLE_S:
                    self._forget(connection)

    async def _ensure_node(self) -> None:
        """Starts a missing node, if the settings say so.

        Raises:
            NotRunningError: none runs, and none is to be started, or it did not start.
        """
        try:
            self.api.endpoint()
        except NotRunningError as missing:
            async with self._starting:
                await self._start(missing)

    async def _start(self, missing: NotRunningError) -> None:
        if self._answers():
            return  # somebody else has just started it
        if not mcp_settings(self.home).start_node:
            raise missing
        node = await anyio.to_thread.run_sync(start_node, self.home)
        with anyio.move_on_after(limits.MCP_START_S):
            while not self._answers():
                if node.ended:
                    raise self._not_started(missing)
                await anyio.sleep(_POLL_S)
            return
        raise self._not_started(missing)

    def _answers(self) -> bool:
        try:
            self.api.endpoint()
        except NotRunningError:
            return False
        return True

    def _not_started(self, missing: NotRunningError) -> NotRunningError:
        said: dict[str, Any] = last_failed_start(self.home) or {}
        why = f": {said['message']}" if said else ""
        return NotRunningError(
            f"{missing.message}; it was started and did not come up{why}",
            remedy=said.get("remedy") or "see `roosync doctor`",
        )
