"""``roosync ack``, ``thread``, ``search``, ``amend``, ``archive`` and ``keep``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from roosync_p2p import limits
from roosync_p2p.api.durations import parse_duration_s
from roosync_p2p.api.speaker import caller_of_command
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.api.terminal import Invocation, common_options, read_text_argument, safe_block, safe_line
from roosync_p2p.api.workspace import find_workspace
from roosync_p2p.cli.messages import cited_line, fence, render_list, render_message
from roosync_p2p.cli.texts import Texts, load_texts

__all__ = ["ack", "amend", "archive", "keep", "render_thread", "search", "take", "thread"]

_WORKSPACE = click.option(
    "--workspace", metavar="W", help="The workspace. [default: ROOSYNC_WORKSPACE_ID, else the repository's name]"
)


@click.command()
@click.argument("message_id", metavar="ID")
@click.option("--decline", is_flag=True, help="Nobody here will do what it asks for.")
@click.option("--note", default="", metavar="N", help="A line for its sender.")
@_WORKSPACE
@common_options
def ack(invocation: Invocation, message_id: str, decline: bool, note: str, workspace: str | None) -> None:
    """Say that a message was acted on, or decline it.

    Its sender is told. Of the two the first that is said stays; saying it again changes nothing.

    \b
    Examples:
      roosync ack msg-20260115T091530-a1b2c3 --note "in 9d0c11"
      roosync ack msg-20260115T091530-a1b2c3 --decline --note "not before Monday"
    """
    message = SyncClient(invocation.home).ack(
        message_id, decline=decline, note=note, workspace=_own_workspace(workspace), speaker=caller_of_command()
    )
    _print_message(invocation, message)


@click.command()
@click.argument("message_id", metavar="ID")
@click.option("--lease", default="30m", show_default=True, metavar="TIME", help="Free again if not read within this.")
@_WORKSPACE
@common_options
def take(invocation: Invocation, message_id: str, lease: str, workspace: str | None) -> None:
    """Work on a message, so that no other agent does.

    Until it is read, nobody else is woken for it, and no other session can take, answer or archive it. It is free
    again when the lease or the session (ROOSYNC_SESSION, else the program that called this) is over.

    \b
    Example:
      roosync take msg-20260115T091530-a1b2c3 && roosync read msg-20260115T091530-a1b2c3
    """
    taken = SyncClient(invocation.home).take(
        message_id,
        lease_s=parse_duration_s(lease, longest_s=int(limits.TAKE_LEASE_S_MAX)),
        workspace=_own_workspace(workspace),
        speaker=caller_of_command(),
    )
    if invocation.as_json:
        invocation.print_json(taken)
    else:
        invocation.print(load_texts(invocation.home).get("message.taken", id=taken["id"], until=taken["until"]))


@click.command()
@click.argument("thread_id", metavar="ID")
@common_options
def thread(invocation: Invocation, thread_id: str) -> None:
    """Show a thread as a tree, with who read what.

    ID is the thread's, or that of any message in it. Nothing is marked as read.

    \b
    Example:
      roosync thread thread-20260115-config-sync
    """
    found = SyncClient(invocation.home).thread(thread_id)
    if invocation.as_json:
        invocation.print_json(found)
    else:
        invocation.print(render_thread(found, load_texts(invocation.home)))


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, limits.INBOX_PAGE_MAX), default=50, show_default=True)
@click.option("--before", metavar="NEXT", help="Continue a page: its `next`.")
@common_options
def search(invocation: Invocation, words: tuple[str, ...], limit: int, before: str | None) -> None:
    """Find messages by words in subject, body or tags.

    A message is found that has all of them. Accents and capitals do not matter; a * at the end of a word stands for any
    ending. Messages from and to this machine are looked at, the newest arrival first.

    \b
    Examples:
      roosync search reunion lundi
      roosync search "config-sync" deplo*
    """
    page = SyncClient(invocation.home).search(" ".join(words), limit=limit, before=before)
    if invocation.as_json:
        invocation.print_json(page)
        return
    texts = load_texts(invocation.home)
    invocation.print(render_list(page, texts) if page["messages"] else texts.get("search.nothing"))


@click.command()
@click.argument("message_id", metavar="ID")
@click.argument("body")
@click.option("--reason", default="", metavar="R", help="A line about why.")
@common_options
def amend(invocation: Invocation, message_id: str, body: str, reason: str) -> None:
    """Give a message that you sent another body.

    BODY - is standard input. Readers see the new body, and the old ones below it with who had read them. Only the
    machine that sent it can amend it, and only the session if it was sent in one.

    \b
    Example:
      roosync amend msg-20260115T091530-a1b2c3 "Deploy 1.4.1, not 1.4" --reason "1.4 is broken"
    """
    message = SyncClient(invocation.home).amend(
        message_id,
        read_text_argument(body, what="the body"),
        reason=reason,
        secret=os.environ.get("ROOSYNC_SESSION") or None,
        speaker=caller_of_command(),
    )
    _print_message(invocation, message)


@click.command()
@click.argument("message_ids", metavar="ID...", nargs=-1, required=True)
@_WORKSPACE
@common_options
def archive(invocation: Invocation, message_ids: tuple[str, ...], workspace: str | None) -> None:
    """Put messages aside.

    They leave the inbox of the machine and of the workspace; `inbox --status archived` lists them. Nobody is told.

    \b
    Example:
      roosync archive msg-20260115T091530-a1b2c3 msg-20260115T101530-d4e5f6
    """
    done = SyncClient(invocation.home).archive(
        message_ids, workspace=_own_workspace(workspace), speaker=caller_of_command()
    )
    if invocation.as_json:
        invocation.print_json(done)
    else:
        invocation.print(load_texts(invocation.home).get("message.archived", count=len(done["archived"])))


@click.command()
@click.argument("message_id", metavar="ID")
@click.option("--no-longer", is_flag=True, help="Undo it.")
@common_options
def keep(invocation: Invocation, message_id: str, no_longer: bool) -> None:
    """Keep a message for good, whatever its age.

    On this machine: it is neither archived by its age, nor does its body go.

    \b
    Example:
      roosync keep msg-20260115T091530-a1b2c3
    """
    done = SyncClient(invocation.home).keep(message_id, kept=not no_longer)
    if invocation.as_json:
        invocation.print_json(done)
    else:
        texts = load_texts(invocation.home)
        invocation.print(texts.get("message.kept" if done["kept"] else "message.not_kept"))


# --- for people --------------------------------------------------------------------------------------------------


def render_thread(found: dict[str, Any], texts: Texts) -> str:
    """A head, then every message below what it answers, and the commits that are cited anywhere."""
    head = texts.counted(
        "thread.head",
        found["count"],
        id=found["thread_id"],
        participants=", ".join(found["participants"]),
        time=found["last_activity"],
        unread=found["unread"],
    )
    lines = [safe_line(head)]
    for message in found["messages"]:
        indent = "  " * message["depth"]
        vouched = "" if message["verified"] else f" {texts.get('unsigned')}"
        title = f"{message['id']}  {message['from']}  {message['time']}  {message['subject']}{vouched}"
        readers = ", ".join(message["read_by"]) or texts.get("message.nobody")
        states = ", ".join(f"{who} {state}" for who, state in message["states"].items())
        body = texts.get("message.no_body") if message["body"] is None else fence(safe_block(message["body"]))
        told = [safe_line(title), safe_line(f"{texts.get('thread.read_by', readers=readers)}; {states}"), body]
        lines.append("")
        lines += [indent + line for part in told for line in part.split("\n")]
    if found["commits"]:
        lines += ["", *(safe_line(cited_line(commit, texts)) for commit in found["commits"])]
    return "\n".join(lines)


def _print_message(invocation: Invocation, message: dict[str, Any]) -> None:
    if invocation.as_json:
        invocation.print_json(message)
    else:
        invocation.print(render_message(message, load_texts(invocation.home)))


def _own_workspace(option: str | None) -> str | None:
    return find_workspace(option, os.environ, Path.cwd())
