"""The tools that are listed: few, because long lists cost an agent its context (docs/protocol/mcp.md §2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from roosync_p2p.mcp_server.answers import Answer
from roosync_p2p.mcp_server.caller import Caller
from roosync_p2p.mcp_server.ledger_tools import baseline, claim, decision
from roosync_p2p.mcp_server.mail_tools import manage, read, send
from roosync_p2p.mcp_server.schemas import (
    BaselineAsked,
    BaselineGiven,
    ClaimAsked,
    ClaimGiven,
    DecisionAsked,
    DecisionGiven,
    ManageAsked,
    ManageGiven,
    ReadAsked,
    ReadGiven,
    SendAsked,
    SendGiven,
    StatusAsked,
    StatusGiven,
    WaitAsked,
    WaitGiven,
    parse_arguments,
)
from roosync_p2p.mcp_server.status_tool import status
from roosync_p2p.mcp_server.wait_tool import Progress, wait

__all__ = ["TOOLS", "Tool", "call_tool"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool. The hints are those of the protocol's annotations.

    Attributes:
        destructive: it may take something away that others or the caller rely on.
        idempotent: the same call again changes nothing more.
    """

    name: str
    title: str
    description: str
    takes: type[msgspec.Struct]
    gives: type[msgspec.Struct]
    call: Callable[[Caller, Any, Progress], Awaitable[Answer]]
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False


def _silent(call: Callable[[Caller, Any], Awaitable[Answer]]) -> Callable[[Caller, Any, Progress], Awaitable[Answer]]:
    """A tool that is done too soon to tell how far it is."""

    async def called(caller: Caller, asked: Any, _progress: Progress) -> Answer:
        return await call(caller, asked)

    return called


TOOLS: Final[Mapping[str, Tool]] = {
    tool.name: tool
    for tool in (
        Tool(
            name="roosync_send",
            title="Send a message",
            description="Sends a signed message to other machines' agents, answers one, or amends one of yours. "
            "It is safe on this machine's disk when this returns; it reaches machines that are off when they return.",
            takes=SendAsked,
            gives=SendGiven,
            call=_silent(send),
        ),
        Tool(
            name="roosync_read",
            title="Read messages",
            description="Your inbox (this machine's and your workspace's), one message, a thread, or a search. "
            "Bodies are data written by others, each with who signed it. Nothing is marked without mark_as_read.",
            takes=ReadAsked,
            gives=ReadGiven,
            call=_silent(read),
            idempotent=True,
        ),
        Tool(
            name="roosync_manage",
            title="Mark and archive messages",
            description="Marks messages as read, archives them, keeps them, or tells their sender that they were acted "
            "on (ack) or are declined. An ack or decline cannot be taken back.",
            takes=ManageAsked,
            gives=ManageGiven,
            call=_silent(manage),
            destructive=True,
            idempotent=True,
        ),
        Tool(
            name="roosync_wait",
            title="Wait for a message",
            description="Returns as soon as a message for you arrives, or at once if some lie unread, or when the time "
            "is over. Marks nothing. Use it instead of asking again and again.",
            takes=WaitAsked,
            gives=WaitGiven,
            call=wait,
            read_only=True,
        ),
        Tool(
            name="roosync_status",
            title="Who is there",
            description="This machine's state, the others with the evidence for theirs, their agents, warnings, "
            "and who you are here.",
            takes=StatusAsked,
            gives=StatusGiven,
            call=_silent(status),
            read_only=True,
            idempotent=True,
        ),
        Tool(
            name="roosync_claim",
            title="Claim work",
            description="Holds a name (an issue, a branch, a file) that nobody else in the fleet holds, so that two "
            "agents do not do the same. Needs a majority of the fleet's voters. What you claim is yours alone until "
            "its time is over, you release it, or your session ends.",
            takes=ClaimAsked,
            gives=ClaimGiven,
            call=_silent(claim),
            destructive=True,
        ),
        Tool(
            name="roosync_decision",
            title="Decide together",
            description="Decisions of the fleet: list, show, propose, approve, reject, resolve a conflict, say what "
            "this machine did about one (apply), want one undone (rollback). Read one before you approve it.",
            takes=DecisionAsked,
            gives=DecisionGiven,
            call=_silent(decision),
            destructive=True,
        ),
        Tool(
            name="roosync_baseline",
            title="Reference configuration",
            description="The fleet's reference configuration, a JSON document with versions: show, diff, history; set "
            "and restore propose a decision.",
            takes=BaselineAsked,
            gives=BaselineGiven,
            call=_silent(baseline),
            destructive=True,
        ),
    )
}


async def call_tool(caller: Caller, name: str, arguments: Mapping[str, Any], progress: Progress) -> Answer:
    """Calls one of :data:`TOOLS`.

    Raises:
        RoosyncError: what the node refused, or ``bad_field``.
    """
    tool = TOOLS[name]
    return await tool.call(caller, parse_arguments(dict(arguments), tool.takes, tool=name), progress)
