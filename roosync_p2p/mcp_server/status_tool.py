"""``roosync_status``: this machine, the others, and who the caller is."""

from __future__ import annotations

from typing import Any

from roosync_p2p.errors import InputFault
from roosync_p2p.mcp_server.answers import Answer
from roosync_p2p.mcp_server.caller import Caller
from roosync_p2p.mcp_server.rendering import machines_text
from roosync_p2p.mcp_server.schemas import StatusAsked

__all__ = ["status"]


async def status(caller: Caller, asked: StatusAsked) -> Answer:
    """As `roosync status`."""
    found = await caller.api.status()
    page = await caller.api.inbox(status="unread", workspaces=caller.boxes, limit=1)
    machines: list[dict[str, Any]] = found["machines"]
    if asked.machine is not None:
        machines = [row for row in machines if row["machine"] == asked.machine.strip().lower()]
        if not machines:
            raise InputFault(
                f"there is no machine {asked.machine[:60]!r} in this fleet",
                code="unknown_machine",
                remedy="call roosync_status without machine: it shows all",
            )
    if asked.state is not None:
        machines = [row for row in machines if row["state"] == asked.state]
    unread = int(page.get("unread", len(page["messages"])))
    you = {
        "machine": found["machine"],
        "workspace": caller.workspace,
        "client": caller.client,
        "session": caller.session,
    }
    data = {
        **{key: found[key] for key in ("machine", "state", "summary", "warnings", "last_sync", "version", "fleet")},
        "you": you,
        "unread": unread,
        "machines": machines,
        "commit": found.get("commit"),
        "folder": found.get("folder"),
    }
    return Answer(text=_text(data), data=data)


def _text(data: dict[str, Any]) -> str:
    summary, you = data["summary"], data["you"]
    workspace = f", workspace `{you['workspace']}`" if you["workspace"] else ", no workspace"
    lines = [
        f"**{data['state']}**: {summary['online']} of {summary['machines']} machines online.",
        f"Unread messages for you: {data['unread']}.",
        f"You are an agent on `{you['machine']}`{workspace}.",
        "",
        machines_text(data["machines"]),
    ]
    lines += [
        f"- warning `{warning['code']}`: {warning['message']} Remedy: {warning.get('remedy') or 'none'}"
        for warning in data["warnings"]
    ]
    return "\n".join(lines)
