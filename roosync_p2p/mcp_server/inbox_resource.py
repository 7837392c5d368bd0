"""The resource that is the inbox, and whoever wants to hear when it changes (docs/protocol/mcp.md §6)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio

from roosync_p2p import limits
from roosync_p2p.errors import RoosyncError
from roosync_p2p.mcp_server.caller import Caller
from roosync_p2p.mcp_server.fencing import NOTICE
from roosync_p2p.mcp_server.relay import Relay
from roosync_p2p.mcp_server.rendering import fenced_message

__all__ = ["INBOX", "Inbox", "read_inbox"]

INBOX: Final = "roosync://inbox"

_CHANGES: Final = frozenset({"message", "amended", "gap"})

Tell = Callable[[], Awaitable[None]]


async def read_inbox(caller: Caller) -> str:
    """The unread messages as a JSON document, each with its marks and without its body."""
    page = await caller.api.inbox(status="unread", workspaces=caller.boxes, limit=limits.INBOX_PAGE_MAX)
    document: dict[str, Any] = {
        "notice": NOTICE,
        "workspace": caller.workspace,
        "unread": page.get("unread", len(page["messages"])),
        "messages": [fenced_message(message) for message in page["messages"]],
        "next": page.get("next"),
    }
    return json.dumps(document, ensure_ascii=False, indent=1)


class Inbox:
    """Tells subscribers of changes; reads the event stream only while there are any."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._subscribers: dict[str, Tell] = {}
        self._changed = anyio.Event()

    def subscribe(self, connection: str, tell: Tell) -> None:
        """From now on; the same connection again is one subscription."""
        self._subscribers[connection] = tell
        self._wake()

    def unsubscribe(self, connection: str) -> None:
        """No more."""
        self._subscribers.pop(connection, None)
        self._wake()

    async def changed(self) -> None:
        """Something was marked or archived through this server: no event of the node says so."""
        for tell in list(self._subscribers.values()):
            await tell()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            changed = self._changed
            if not self._subscribers:
                await changed.wait()
                continue
            try:
                async with self._relay.listening() as listener:
                    while self._subscribers:
                        if (await listener.next()).type in _CHANGES:
                            await self.changed()
            except RoosyncError:  # no node at the moment
                await anyio.sleep(limits.MCP_RETRY_MAX_S)

    def _wake(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
