"""Messages: ``roosync_send``, ``roosync_read`` and ``roosync_manage``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, TypeVar

from roosync_p2p import limits
from roosync_p2p.api.durations import parse_duration_s, parse_moment
from roosync_p2p.api.methods import JsonObject
from roosync_p2p.errors import InputFault, RoosyncError, UsageError
from roosync_p2p.mcp_server.answers import Answer
from roosync_p2p.mcp_server.caller import Caller
from roosync_p2p.mcp_server.handing import hand_over_all
from roosync_p2p.mcp_server.rendering import fenced_message, message_text, messages_text, with_notice
from roosync_p2p.mcp_server.schemas import ManageAsked, ReadAsked, SendAsked

__all__ = ["manage", "moment", "needed", "read", "send"]

V = TypeVar("V")


# --- roosync_send -------------------------------------------------------------------------------------------------


async def send(caller: Caller, asked: SendAsked) -> Answer:
    """Sends, answers or amends."""
    if asked.action == "amend":
        return await _amend(caller, asked)
    tags, files = asked.tags or [], asked.attachments or []
    if asked.action == "reply":
        message_id = needed(asked.message_id, "message_id", "reply")
        body = needed(asked.body, "body", "reply")
        private = asked.private
        if private is None and files:  # they are handed over as what the answer is going to be
            private = bool((await caller.api.message(message_id)).get("sealed"))
        attachments = await hand_over_all(caller, files, private=bool(private))
        sent = await caller.spoken(
            lambda secret: caller.api.reply(
                message_id,
                body,
                type=asked.type or "answer",
                priority=asked.priority,
                tags=tags,
                workspace=caller.workspace,
                idempotency_key=asked.idempotency_key,
                secret=secret,
                attachments=attachments,
                private=private,
            )
        )
    else:
        to = asked.to.split(",") if isinstance(asked.to, str) else asked.to
        recipients = [part.strip() for part in needed(to, "to", "send")]
        subject = needed(asked.subject, "subject", "send")
        attachments = await hand_over_all(caller, files, private=bool(asked.private))
        sent = await caller.spoken(
            lambda secret: caller.api.send(
                recipients,
                subject,
                asked.body or "",
                type=asked.type or "text",
                priority=asked.priority or "MEDIUM",
                tags=tags,
                thread_id=asked.thread_id,
                workspace=caller.workspace,
                idempotency_key=asked.idempotency_key,
                expires_s=_span_s(asked.expires),
                ack_within_s=_span_s(asked.ack_within),
                escalate=asked.escalate,
                secret=secret,
                attachments=attachments,
                private=bool(asked.private),
            )
        )
    states = ", ".join(f"{who}: {state}" for who, state in sent["states"].items())
    text = f"Sent `{sent['id']}` in thread `{sent['thread_id']}`. It is signed and on this machine's disk. {states}"
    return Answer(text=text, data=sent)


async def _amend(caller: Caller, asked: SendAsked) -> Answer:
    message_id = needed(asked.message_id, "message_id", "amend")
    if asked.attachments or asked.private:
        raise UsageError(
            "amend changes the body alone; nothing was changed", code="bad_field", remedy="send another one"
        )
    body = needed(asked.new_content if asked.new_content is not None else asked.body, "new_content", "amend")
    message = await caller.spoken(
        lambda secret: caller.api.amend(message_id, body, reason=asked.reason or "", secret=secret)
    )
    return Answer(
        text=f"Amended `{message['id']}`. Readers see the new body, and the earlier one below it.",
        data={
            "id": message["id"],
            "thread_id": message["thread_id"],
            "states": message.get("states", {}),
            "amended": True,
        },
    )


# --- roosync_read -------------------------------------------------------------------------------------------------


async def read(caller: Caller, asked: ReadAsked) -> Answer:
    """Shows messages; only ``mark_as_read`` changes anything."""
    match asked.mode:
        case "inbox":
            return await _inbox(caller, asked)
        case "message":
            return await _message(caller, asked)
        case "thread":
            return await _thread(caller, asked)
        case "search":
            page = await caller.api.search(
                needed(asked.query, "query", "search"), limit=asked.limit, before=asked.before
            )
            return _page(page, nothing="nothing was found")


async def _inbox(caller: Caller, asked: ReadAsked) -> Answer:
    page = await caller.api.inbox(
        status=asked.status or "unread",
        workspaces=caller.boxes,
        limit=asked.limit,
        before=asked.before,
        sender=asked.sender,
        thread_id=asked.thread_id,
        priority=asked.priority,
        type=asked.type,
        tag=asked.tag,
        since=moment(asked.since),
        until=moment(asked.until),
    )
    return _page(page, nothing="no message")


async def _message(caller: Caller, asked: ReadAsked) -> Answer:
    message_id = needed(asked.message_id, "message_id", "message")
    if asked.mark_as_read:
        message = await _mark_read(caller, message_id)
    else:
        message = await caller.api.message(message_id)
    shown = fenced_message(message)
    return Answer(text=with_notice(message_text(message, body=shown.get("body"))), data={"messages": [shown]})


async def _thread(caller: Caller, asked: ReadAsked) -> Answer:
    thread = await caller.api.thread(needed(asked.thread_id or asked.message_id, "thread_id", "thread"))
    shown = [fenced_message(message) for message in thread["messages"]]
    parts = [
        message_text(message, body=row.get("body")) for message, row in zip(thread["messages"], shown, strict=True)
    ]
    head = f"{thread['count']} messages of {', '.join(thread['participants'])}; {thread['unread']} unread here"
    data = {
        "messages": shown,
        "thread_id": thread["thread_id"],
        "participants": thread["participants"],
        "unread": thread["unread"],
    }
    return Answer(text=with_notice("\n\n".join([head, *parts])), data=data)


def _page(page: dict[str, Any], *, nothing: str) -> Answer:
    text = messages_text(page["messages"], nothing=nothing, following=page.get("next"))
    data = {"messages": [fenced_message(message) for message in page["messages"]], "next": page.get("next")}
    if "unread" in page:
        data["unread"] = page["unread"]
    return Answer(text=text, data=data)


# --- roosync_manage -----------------------------------------------------------------------------------------------


async def manage(caller: Caller, asked: ManageAsked) -> Answer:
    """Marks, archives, keeps or answers messages, one or several."""
    if asked.action in ("bulk_mark_read", "bulk_archive"):
        return await _bulk(caller, asked)
    ids = asked.message_ids or [needed(asked.message_id, "message_id", asked.action)]
    done: list[str] = []
    try:
        for message_id in ids:
            done += [await _one(caller, asked, message_id)]
    except RoosyncError as error:
        if not done:
            raise
        raise _partly(error, done) from error
    return _managed(asked.action, done)


async def _one(caller: Caller, asked: ManageAsked, message_id: str) -> str:
    api, workspace = caller.api, caller.workspace
    match asked.action:
        case "mark_read":
            return str((await _mark_read(caller, message_id))["id"])
        case "take":
            taken = await caller.spoken(
                lambda secret: api.take(message_id, workspace=workspace, speaker={"secret": secret})
            )
            return str(taken["id"])
        case "archive":
            return (await _archive(caller, [message_id]))[0]
        case "keep" | "unkeep":
            return str((await api.keep(message_id, kept=asked.action == "keep"))["id"])
        case "ack" | "decline":
            decline = asked.action == "decline"
            answered = await caller.spoken(
                lambda secret: api.ack(
                    message_id, decline=decline, note=asked.note, workspace=workspace, speaker={"secret": secret}
                )
            )
            return str(answered["id"])
        case _:
            raise AssertionError(asked.action)


async def _mark_read(caller: Caller, message_id: str) -> JsonObject:
    return await caller.spoken(
        lambda secret: caller.api.read(message_id, workspace=caller.workspace, speaker={"secret": secret})
    )


async def _archive(caller: Caller, ids: Sequence[str]) -> list[str]:
    done = await caller.spoken(
        lambda secret: caller.api.archive(ids, workspace=caller.workspace, speaker={"secret": secret})
    )
    archived: list[str] = done["archived"]
    return archived


async def _bulk(caller: Caller, asked: ManageAsked) -> Answer:
    """By ids, or by filters over what is in the inbox; at most ``limits.MCP_BULK_MAX`` at once."""
    ids, more = (asked.message_ids, False) if asked.message_ids else await _matching(caller, asked)
    if not ids:
        return _managed(asked.action, [])
    if asked.action == "bulk_archive":
        return _managed(asked.action, await _archive(caller, ids), more=more)
    done: list[str] = []
    try:
        for message_id in ids:
            done += [str((await _mark_read(caller, message_id))["id"])]
    except RoosyncError as error:
        raise _partly(error, done) from error
    return _managed(asked.action, done, more=more)


async def _matching(caller: Caller, asked: ManageAsked) -> tuple[list[str], bool]:
    """Ids in the inbox that the filters find, and whether there are more of them.

    Raises:
        UsageError: no filter is named: everything at once is nobody's wish.
    """
    filters = (asked.sender, asked.priority, asked.type, asked.tag, asked.before_date, asked.subject_contains)
    if not any(filters):
        raise UsageError(
            f"{asked.action} takes message_ids, or at least one filter",
            code="bad_field",
            remedy="name message_ids, sender, priority, type, tag, before_date or subject_contains",
        )
    found: list[str] = []
    before: str | None = None
    while len(found) <= limits.MCP_BULK_MAX:
        page = await caller.api.inbox(
            status="unread" if asked.action == "bulk_mark_read" else "all",
            workspaces=caller.boxes,
            limit=limits.INBOX_PAGE_MAX,
            before=before,
            sender=asked.sender,
            priority=asked.priority,
            type=asked.type,
            tag=asked.tag,
            until=moment(asked.before_date),
        )
        found += [
            message["id"]
            for message in page["messages"]
            if message["status"] != "archived"
            and (asked.subject_contains or "").casefold() in message["subject"].casefold()
            and message["id"] not in found
        ]
        before = page.get("next")
        if before is None:
            break
    return found[: limits.MCP_BULK_MAX], len(found) > limits.MCP_BULK_MAX


def _managed(action: str, done: list[str], *, more: bool = False) -> Answer:
    shown = ", ".join(f"`{message_id}`" for message_id in done) or "no message"
    rest = " There are more: call again." if more else ""
    return Answer(text=f"{action}: {shown}.{rest}", data={"action": action, "done": done, "more": more})


def _partly(error: RoosyncError, done: list[str]) -> RoosyncError:
    """Some were done, then one failed: what the caller has to know beside the reason."""
    return InputFault(
        f"{error.message}; done before that: {', '.join(done) or 'none'}",
        code=error.code,
        remedy=error.remedy,
        details={**error.details, "done": done},
    )


# --- helpers ------------------------------------------------------------------------------------------------------


def needed(value: V | None, name: str, action: str) -> V:
    """A field that this action cannot do without.

    Raises:
        UsageError: ``bad_field``: it is not there.
    """
    if value is None or value in ("", []):
        raise UsageError(f"{action} takes {name}", code="bad_field", remedy=f"call it again with {name}")
    return value


def moment(text: str | None) -> str | None:
    """An RFC 3339 time of what an agent said."""
    return None if text is None else parse_moment(text, now_ms=time.time_ns() // 1_000_000)


def _span_s(text: str | None) -> int | None:
    return None if text is None else parse_duration_s(text, longest_s=limits.MESSAGE_LIFE_S_MAX)
