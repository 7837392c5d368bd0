"""``roosync_wait``: returns as soon as something for the caller arrives (docs/protocol/mcp.md §2)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio

from roosync_p2p import limits
from roosync_p2p.api.events import Event
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import parse_machine_id
from roosync_p2p.mcp_server.answers import Answer
from roosync_p2p.mcp_server.caller import Caller
from roosync_p2p.mcp_server.relay import Listener
from roosync_p2p.mcp_server.rendering import fenced_message, messages_text
from roosync_p2p.mcp_server.schemas import WaitAsked

__all__ = ["Progress", "wait"]

Progress = Callable[[float, float, str], Awaitable[None]]
"""Tells the client how far a call is: so many of so many seconds."""

_ARRIVAL: Final = frozenset({"message", "gap"})


async def wait(caller: Caller, asked: WaitAsked, progress: Progress) -> Answer:
    """Waits for unread messages, or with ``only_new`` for what arrives from now on.

    Raises:
        NotRunningError: no node answers, at the beginning or at the end of the wait.
    """
    began_s = time.monotonic()
    found: list[dict[str, Any]] = []
    async with caller.relay.listening() as listener:  # first, so that what arrives while it looks is not missed
        known = {message["id"] for message in await _unread(caller, asked)} if asked.only_new else set()
        found = [] if asked.only_new else await _unread(caller, asked)
        if not found:
            with anyio.move_on_after(asked.timeout_s):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_tell, progress, began_s, asked.timeout_s)
                    found = await _arrived(caller, asked, listener, known)
                    tasks.cancel_scope.cancel()
        if not found and caller.relay.fault is not None:
            raise caller.relay.fault
    waited_s = round(time.monotonic() - began_s, 3)
    nothing = f"Nothing arrived in {waited_s:.0f} s. Call roosync_wait again to go on waiting."
    data = {"arrived": bool(found), "messages": [fenced_message(message) for message in found], "waited_s": waited_s}
    return Answer(text=messages_text(found, nothing=nothing), data=data)


async def _arrived(caller: Caller, asked: WaitAsked, listener: Listener, known: set[str]) -> list[dict[str, Any]]:
    while True:
        event = await listener.next()
        if event.type in _ARRIVAL and _may_concern(caller, asked, event):
            found = [message for message in await _unread(caller, asked) if message["id"] not in known]
            if found:
                return found
            beyond = await _beyond_the_page(caller, event, known)
            if beyond:
                return beyond


def _may_concern(caller: Caller, asked: WaitAsked, event: Event) -> bool:
    """Whether it is worth asking the node; what the event does not say, the node does."""
    said = event.data
    if event.type == "gap":
        return True
    return (
        str(said.get("workspace") or "") in caller.boxes
        and (asked.type is None or said.get("type") == asked.type)
        and (asked.priority is None or said.get("priority") == asked.priority)
        and (asked.thread_id is None or said.get("thread_id") == asked.thread_id)
        and (asked.sender is None or said.get("from") == _machine(asked.sender))
    )


async def _unread(caller: Caller, asked: WaitAsked) -> list[dict[str, Any]]:
    page = await caller.api.inbox(
        status="unread",
        workspaces=caller.boxes,
        limit=limits.INBOX_PAGE_MAX,
        sender=asked.sender,
        type=asked.type,
        thread_id=asked.thread_id,
        priority=asked.priority,
    )
    messages: list[dict[str, Any]] = page["messages"]
    return messages


async def _beyond_the_page(caller: Caller, event: Event, known: set[str]) -> list[dict[str, Any]]:
    """What the event names, where more lies unread than one page holds."""
    message_id = str(event.data.get("id") or "")
    if len(known) < limits.INBOX_PAGE_MAX or not message_id or message_id in known:
        return []
    message = await caller.api.message(message_id)
    return [message] if message["status"] == "unread" else []


async def _tell(progress: Progress, began_s: float, timeout_s: float) -> None:
    while True:
        await progress(time.monotonic() - began_s, timeout_s, "waiting for a message")
        await anyio.sleep(limits.MCP_PROGRESS_S)


def _machine(text: str) -> str:
    try:
        return parse_machine_id(text)
    except MalformedError:
        return text
