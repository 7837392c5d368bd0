"""``roosync send``, ``inbox``, ``read`` and ``reply``."""

from __future__ import annotations

import functools
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from roosync_p2p import limits
from roosync_p2p.api.durations import parse_duration_s, parse_moment
from roosync_p2p.api.naming import parse_type_argument
from roosync_p2p.api.speaker import caller_of_command
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.api.terminal import (
    EXIT_FAILED,
    EXIT_OK,
    FiniteRange,
    Invocation,
    common_options,
    read_text_argument,
    safe_block,
    safe_line,
)
from roosync_p2p.api.workspace import find_workspace
from roosync_p2p.cli.attachments import attachment_lines, hand_over_all, save_all
from roosync_p2p.cli.tables import table
from roosync_p2p.cli.texts import Texts, load_texts
from roosync_p2p.errors import MalformedError, NetworkError, UsageError
from roosync_p2p.ids import parse_address

__all__ = ["cited_line", "fence", "inbox", "read", "render_list", "render_message", "reply", "send"]

_PRIORITY = click.Choice(("LOW", "MEDIUM", "HIGH", "URGENT"), case_sensitive=False)
_FILE = click.Path(path_type=Path)
_ENDED_WELL = frozenset({"read", "acted", "declined"})
_ENDED_BADLY = frozenset({"expired", "bounced"})
_RECIPIENTS_SHOWN = 2  # in a line of a list


_WORKSPACE = click.option(
    "--workspace", metavar="W", help="The workspace. [default: ROOSYNC_WORKSPACE_ID, else the repository's name]"
)


@click.command()
@click.argument("to")
@click.argument("subject")
@click.argument("body", default="")
@click.option("--priority", metavar="LOW|MEDIUM|HIGH|URGENT", type=_PRIORITY, default="MEDIUM", show_default=True)
@click.option("--type", "kind", default="text", show_default=True, metavar="T", help="Such as task, question, status.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="A tag (repeatable).")
@click.option("--thread", metavar="ID", help="Put it into this thread.")
@click.option("--expires", metavar="TIME", help="Nobody need read it later than this from now: 2h, 1d.")
@click.option("--ack-within", metavar="TIME", help="You hear if somebody has not acted on or declined it by then: 30m.")
@click.option("--escalate", metavar="ADDRESS", help="And this address hears it too, once.")
@_WORKSPACE
@click.option("--idempotency-key", metavar="KEY", help="The same key sends the same message once.")
@click.option("--attach", "files", multiple=True, metavar="F", type=_FILE, help="A file to send along (repeatable).")
@click.option(
    "--private", is_flag=True, help="Seal it: only the recipients' machines can read subject, body, tags, files."
)
@click.option("--wait", is_flag=True, help="Return when every recipient has read it.")
@common_options
def send(
    invocation: Invocation,
    to: str,
    subject: str,
    body: str,
    priority: str,
    kind: str,
    tags: tuple[str, ...],
    thread: str | None,
    expires: str | None,
    ack_within: str | None,
    escalate: str | None,
    workspace: str | None,
    idempotency_key: str | None,
    files: tuple[Path, ...],
    private: bool,
    wait: bool,
) -> int:
    """Send a message; prints its id when it is safe on this machine's disk.

    TO is machine, machine:workspace, all:workspace, all, or several of them with commas. BODY - is standard input.

    \b
    Examples:
      roosync send myia-po-2023 "Tests are red" "main fails since 3f2a1c" --priority HIGH
      git diff | roosync send all:roosync "Please review" - --type question --wait
      roosync send myia-po-2023 "Deploy 1.4" --type task --ack-within 30m --escalate myia-ai-01
      roosync send myia-po-2023 "The log" --attach build.log
    """
    if escalate is not None and ack_within is None:
        raise UsageError("--escalate tells somebody that nobody answered in time: it takes --ack-within")
    client = SyncClient(invocation.home)
    text = read_text_argument(body, what="the body")
    post = functools.partial(
        client.send,
        _recipients(to),
        subject,
        text,
        type=parse_type_argument(kind),
        priority=priority.upper(),
        tags=tags,
        thread_id=thread,
        workspace=_own_workspace(workspace),
        idempotency_key=idempotency_key,
        expires_s=_span_s(expires),
        ack_within_s=_span_s(ack_within),
        escalate=None if escalate is None else _recipients(escalate)[0],
        secret=os.environ.get("ROOSYNC_SESSION") or None,
        speaker=caller_of_command(),
        attachments=hand_over_all(invocation, client, files, private=private),
        private=private,
    )
    if wait:
        return _send_and_wait(invocation, client, post)
    _print_sent(invocation, post())
    return EXIT_OK


@click.command()
@click.option("--status", type=click.Choice(["unread", "read", "archived", "all"]), default="unread", show_default=True)
@_WORKSPACE
@click.option("--from", "sender", metavar="MACHINE", help="Only what this machine sent.")
@click.option("--priority", metavar="LOW|MEDIUM|HIGH|URGENT", type=_PRIORITY, help="Only of this priority.")
@click.option("--type", "kind", metavar="T", help="Only of this type.")
@click.option("--tag", metavar="T", help="Only with this tag.")
@click.option("--thread", metavar="ID", help="Only of this thread.")
@click.option("--since", metavar="TIME", help="Only what was sent then or later: 2026-01-15, an RFC 3339 time, 2d ago.")
@click.option("--until", metavar="TIME", help="Only what was sent before.")
@click.option("--limit", type=click.IntRange(1, limits.INBOX_PAGE_MAX), default=50, show_default=True)
@click.option("--before", metavar="NEXT", help="Continue a page: its `next`.")
@click.option(
    "--wait",
    "wait_s",
    type=FiniteRange(0, limits.API_WAIT_S_MAX),
    default=0.0,
    metavar="SECONDS",
    help="If nothing is there, wait this long for a message.",
)
@common_options
def inbox(
    invocation: Invocation,
    status: str,
    workspace: str | None,
    sender: str | None,
    priority: str | None,
    kind: str | None,
    tag: str | None,
    thread: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    before: str | None,
    wait_s: float,
) -> None:
    """This machine's messages and this workspace's.

    HIGH and URGENT come first, then the newest arrival.

    \b
    Examples:
      roosync inbox
      roosync inbox --wait 600 --json
      roosync inbox --status all --workspace roosync
      roosync inbox --type task --from myia-ai-01 --since 2d
    """
    now_ms = time.time_ns() // 1_000_000
    own = _own_workspace(workspace)
    page = SyncClient(invocation.home).inbox(
        status=status,
        workspaces=["", own] if own else [""],
        limit=limit,
        before=before,
        sender=sender,
        thread_id=thread,
        priority=priority.upper() if priority else None,
        type=None if kind is None else parse_type_argument(kind),
        tag=tag,
        since=None if since is None else parse_moment(since, now_ms=now_ms),
        until=None if until is None else parse_moment(until, now_ms=now_ms),
        wait_s=wait_s,
    )
    if invocation.as_json:
        invocation.print_json(page)
        return
    texts = load_texts(invocation.home)
    invocation.print(render_list(page, texts) if page["messages"] else texts.get("inbox.empty"))


@click.command()
@click.argument("message_id", metavar="ID")
@_WORKSPACE
@click.option("--save", metavar="DIR", type=_FILE, help="Write its attachments there; no file is replaced.")
@click.option(
    "--wait",
    "wait_s",
    type=FiniteRange(0, limits.API_WAIT_S_MAX),
    default=0.0,
    metavar="SECONDS",
    help="With --save: wait this long for attachments that are on their way.",
)
@common_options
def read(invocation: Invocation, message_id: str, workspace: str | None, save: Path | None, wait_s: float) -> int:
    """Show a message and mark it as read.

    \b
    Examples:
      roosync read msg-20260115T091530-a1b2c3
      roosync read msg-20260115T091530-a1b2c3 --save . --wait 60
    """
    client = SyncClient(invocation.home)
    message = client.read(message_id, workspace=_own_workspace(workspace), speaker=caller_of_command())
    code = EXIT_OK
    saved: list[dict[str, Any]] = []
    if save is not None:
        code, saved = save_all(invocation, client, message, save, wait_s)
        message = client.message(message_id)
    if invocation.as_json:
        invocation.print_json({**message, "saved": saved} if save is not None else message)
        return code
    texts = load_texts(invocation.home)
    invocation.print(render_message(message, texts))
    for row in saved:
        invocation.print(safe_line(texts.get("attachment.saved", path=row["path"])))
    total = len(message["attachments"])
    if save is not None and not total:
        invocation.print(texts.get("attachment.none"))
    if code != EXIT_OK:
        invocation.print(texts.get("attachment.missing", count=total - len(saved), total=total))
    return code


@click.command()
@click.argument("message_id", metavar="ID")
@click.argument("body")
@click.option("--type", "kind", default="answer", show_default=True, metavar="T", help="Such as answer, status.")
@click.option("--priority", metavar="LOW|MEDIUM|HIGH|URGENT", type=_PRIORITY, help="[default: the message's]")
@click.option("--tag", "tags", multiple=True, metavar="T", help="A tag (repeatable).")
@_WORKSPACE
@click.option("--idempotency-key", metavar="KEY", help="The same key sends the same reply once.")
@click.option("--private/--not-private", "private", default=None, help="Seal it. [default: as the message is]")
@common_options
def reply(
    invocation: Invocation,
    message_id: str,
    body: str,
    kind: str,
    priority: str | None,
    tags: tuple[str, ...],
    workspace: str | None,
    idempotency_key: str | None,
    private: bool | None,
) -> None:
    """Reply to a message, in its thread. BODY - is standard input.

    \b
    Example:
      roosync reply msg-20260115T091530-a1b2c3 "Fixed in 9d0c11"
    """
    sent = SyncClient(invocation.home).reply(
        message_id,
        read_text_argument(body, what="the body"),
        type=parse_type_argument(kind),
        priority=priority.upper() if priority else None,
        tags=tags,
        workspace=_own_workspace(workspace),
        idempotency_key=idempotency_key,
        secret=os.environ.get("ROOSYNC_SESSION") or None,
        speaker=caller_of_command(),
        private=private,
    )
    _print_sent(invocation, sent)


# --- for people --------------------------------------------------------------------------------------------------


def render_message(message: dict[str, Any], texts: Texts) -> str:
    """Head, who signed it, and the body in a fence that nothing in the body can close."""
    head = {
        "message.from": message["from"],
        "message.to": ", ".join(message["to"]),
        "message.subject": message["subject"],
        "message.time": message["time"],
        "message.thread": message["thread_id"],
        "message.expires": message.get("expires"),
        "message.ack_by": message.get("ack_by"),
        "message.states": ", ".join(f"{who} {state}" for who, state in message.get("states", {}).items()),
    }
    width = max(len(texts.get(key)) for key in head)
    lines = [f"{texts.get(key):<{width}}  {safe_line(str(value))}" for key, value in head.items() if value]
    body = message.get("body")
    shown = texts.get("message.no_body") if body is None else fence(safe_block(body))
    shown = "" if message.get("seal_problem") else shown
    return "\n".join(
        [
            *lines,
            *attachment_lines(message, texts),
            *_answers(message, texts),
            _signer(message, texts),
            *_seal(message, texts),
            "",
            shown,
        ]
        + _history(message, texts)
        + [safe_line(cited_line(commit, texts)) for commit in message.get("commits", ())]
    )


def cited_line(commit: dict[str, Any], texts: Texts) -> str:
    """A commit that a text cites, with its outcome."""
    outcome = commit["outcome"]
    word = texts.get("cited.accepted") if outcome["accepted"] else texts.get("cited.refused", reason=outcome["reason"])
    return f"#{commit['number']}: {commit['kind']} {commit['author'] or ''}, {word}"


def _answers(message: dict[str, Any], texts: Texts) -> list[str]:
    """What recipients wrote when they acted on it or declined it."""
    return [
        safe_line(
            texts.get(
                "message.answered",
                who=receipt["machine"] + (f":{receipt['workspace']}" if receipt["workspace"] else ""),
                state=receipt["state"],
                note=receipt["note"],
            )
        )
        for receipt in message.get("receipts", ())
        if receipt["note"]
    ]


def _history(message: dict[str, Any], texts: Texts) -> list[str]:
    """The bodies that an amended message had before, and who has read which."""
    versions = message.get("history") or []
    if not versions:
        return []
    lines = ["", texts.get("message.amended", time=versions[-1]["time"], reason=versions[-1]["reason"])]
    for number, version in enumerate(versions):
        readers = ", ".join(version["read_by"]) or texts.get("message.nobody")
        lines.append(safe_line(texts.get("message.version", number=number + 1, time=version["time"], readers=readers)))
        if number < len(versions) - 1:
            body = version["body"]
            lines.append(texts.get("message.no_body") if body is None else fence(safe_block(body)))
    return [lines[0], safe_line(lines[1]), *lines[2:]]


def fence(body: str) -> str:
    """The body between two lines of back quotes, more of them than stand together anywhere inside."""
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}\n{body}{'' if body.endswith(chr(10)) or not body else chr(10)}{mark}"


def _seal(message: dict[str, Any], texts: Texts) -> list[str]:
    """That it was sealed, or why it cannot be read here."""
    if not message.get("sealed"):
        return []
    problem = message.get("seal_problem")
    return [texts.get("sealed") if not problem else safe_line(texts.word("seal_problem", problem))]


def _signer(message: dict[str, Any], texts: Texts) -> str:
    if message.get("verified") and message.get("signer"):
        return texts.get("signed", signer=safe_line(str(message["signer"])))
    return texts.get("unsigned")


def render_list(page: dict[str, Any], texts: Texts) -> str:
    """A page of messages as a table."""
    names = ("id", "from", "to", "subject", "priority", "type", "status", "time")
    columns = [*(texts.get(f"column.{name}") for name in names), texts.get("column.signed")]
    rows = [
        [
            *(_addressed(message["to"]) if name == "to" else str(message[name]) for name in names),
            texts.get("signed.short" if message["verified"] else "unsigned.short"),
        ]
        for message in page["messages"]
    ]
    more = "\n" + safe_line(texts.get("inbox.more", next=page["next"])) if page.get("next") else ""
    return table(columns, rows) + more


def _addressed(to: list[str]) -> str:
    """To whom, as its sender wrote it: a workspace of this machine, of all, or others besides."""
    return ", ".join([*to[:_RECIPIENTS_SHOWN], *(["…"] if len(to) > _RECIPIENTS_SHOWN else [])])


def _print_sent(invocation: Invocation, sent: dict[str, Any]) -> None:
    if invocation.as_json:
        invocation.print_json(sent)
    else:
        invocation.print(safe_line(sent["id"]))


def _send_and_wait(invocation: Invocation, client: SyncClient, post: Callable[[], dict[str, Any]]) -> int:
    """Sends, and returns when the state of every recipient is final."""
    with client.events() as events:  # subscribed first, so a receipt that comes at once is not missed
        sent = post()
        if not invocation.as_json:
            _print_sent(invocation, sent)
        states = _final_states(client, sent["id"])
        while states is None and next(events, None) is not None:
            states = _final_states(client, sent["id"])
    if states is None:
        raise NetworkError(
            f"the node stopped while {sent['id']} was waited for; the message is safe", code="connection_lost"
        )
    if invocation.as_json:
        invocation.print_json({**sent, "states": states})
    else:
        invocation.print("\n".join(safe_line(f"{recipient} {state}") for recipient, state in states.items()))
    return EXIT_FAILED if _ENDED_BADLY & set(states.values()) else EXIT_OK


# --- helpers -----------------------------------------------------------------------------------------------------


def _own_workspace(option: str | None) -> str | None:
    return find_workspace(option, os.environ, Path.cwd())


def _span_s(text: str | None) -> int | None:
    return None if text is None else parse_duration_s(text, longest_s=limits.MESSAGE_LIFE_S_MAX)


def _recipients(to: str) -> list[str]:
    """The addresses in TO, each checked before anything is sent.

    Raises:
        UsageError: one of them is no address.
    """
    try:
        return [str(parse_address(part)) for part in to.split(",")]
    except MalformedError as error:
        raise UsageError(
            error.message,
            code="bad_address",
            remedy="an address is machine, machine:workspace, all:workspace or all",
        ) from error


def _final_states(client: SyncClient, message_id: str) -> dict[str, str] | None:
    """The states of a message once none of them can still become read, else None."""
    states: dict[str, str] = client.message(message_id)["states"]
    return states if set(states.values()) <= _ENDED_WELL | _ENDED_BADLY else None
