"""``roosync status`` and ``roosync machines``: who is there, and how this node is."""

from __future__ import annotations

import collections
import sys
from typing import Any, NoReturn

import click

from roosync_p2p.api.endpoint import not_running
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.api.terminal import Invocation, common_options, safe_line
from roosync_p2p.cli.tables import table
from roosync_p2p.cli.texts import Texts, load_texts

__all__ = [
    "commit_line",
    "folder_line",
    "machines",
    "redrawn",
    "render_machines",
    "render_status",
    "status",
    "top_line",
]

_CLEAR = "\x1b[H\x1b[2J\x1b[3J"  # cursor home, clear screen and scrollback
_HOME, _END_OF_LINE, _BELOW, _SCROLLBACK = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[3J"  # ECMA-48: cursor home, and erasing
_NAMES_SHOWN, _NAME_CHARS = 3, 16  # agents named in a line of the table
_REFRESH_S = 1.0  # ages are shown in tenths below ten seconds, and a heartbeat comes every second


@click.command()
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C: at every change, on a terminal every second.")
@common_options
def status(invocation: Invocation, watch: bool) -> None:
    """One line on top, then machines, then what needs attention.

    With --watch and --json: one document a line, at every change.

    \b
    Examples:
      roosync status
      roosync status --watch
    """
    client = SyncClient(invocation.home)
    if watch:
        _watch(invocation, client)
    else:
        _show(invocation, client.status())


@click.command()
@common_options
def machines(invocation: Invocation) -> None:
    """The machines of the fleet, with the evidence for their state.

    \b
    Example:
      roosync machines --json
    """
    document = SyncClient(invocation.home).machines()
    if invocation.as_json:
        invocation.print_json(document)
    else:
        invocation.print(render_machines(document["machines"], load_texts(invocation.home)))


def render_status(document: dict[str, Any], texts: Texts) -> str:
    """The status for a person."""
    parts = [top_line(document, texts), "", render_machines(document.get("machines", []), texts)]
    if document.get("commit"):
        parts += ["", commit_line(document["commit"], document["summary"].get("decisions_pending"), texts)]
    if document.get("folder"):
        parts += ["", folder_line(document["folder"], texts)]
    for warning in document.get("warnings", []):
        if warning.get("code") == "machine_stalled":
            continue  # said below the table, in the reader's language
        parts += ["", texts.get("warning", message=safe_line(str(warning.get("message", ""))))]
        if warning.get("remedy"):
            parts.append("  " + texts.get("remedy", remedy=safe_line(str(warning["remedy"]))))
    for one in document.get("reminders", []):  # behind what is wrong, and not counted on the first line
        message, remedy = texts.reminder(str(one.get("code")), str(one.get("message", "")), str(one.get("remedy", "")))
        parts += ["", texts.get("reminder", message=safe_line(message))]
        parts.append("  " + texts.get("remedy", remedy=safe_line(remedy)))
    return "\n".join(parts)


def top_line(document: dict[str, Any], texts: Texts) -> str:
    """Synced, behind, diverged, conflict or alone; who is there; when; how many warnings."""
    summary = document.get("summary", {})
    last_sync = document.get("last_sync")
    parts = [
        texts.word("state", str(document.get("state"))),
        texts.get("top.machines", online=summary.get("online", "?"), machines=summary.get("machines", "?")),
        texts.get("top.last_sync", time=last_sync) if last_sync else texts.get("top.never"),
    ]
    if document.get("warnings"):
        parts.append(texts.get("top.warnings", count=len(document["warnings"])))
    return safe_line(f"{document.get('machine')}: " + " · ".join(parts))


def commit_line(commit: dict[str, Any], waiting: int | None, texts: Texts) -> str:
    """How far the order is, who leads, and how many decisions wait."""
    leader = commit.get("leader") or texts.get("voters.nobody")
    line = texts.get("commit.line", leader=leader, size=commit.get("size"), voters=", ".join(commit.get("voters", ())))
    return safe_line(line + (" · " + texts.get("commit.waiting", count=waiting) if waiting else ""))


def folder_line(folder: dict[str, Any], texts: Texts) -> str:
    """Where the shared folder is, how it is, how late."""
    state = texts.word("folder_state", str(folder.get("state")))
    line = texts.get("folder.line", state=state, path=folder.get("path"))
    lag_s = folder.get("lag_s")
    return safe_line(line if lag_s is None else f"{line} · {texts.get('folder.lag', seconds=f'{lag_s:.0f}')}")


def render_machines(rows: list[dict[str, Any]], texts: Texts) -> str:
    """The table of machines."""
    columns = [
        texts.get(f"column.{name}") for name in ("machine", "state", "evidence", "sessions", "commits", "version")
    ]
    cells = [
        [
            str(row["machine"]),
            texts.word("machine", str(row["state"])),
            _evidence(row, texts),
            _sessions(row.get("sessions") or []),
            "" if row.get("commit_size") is None else str(row["commit_size"]),
            str(row.get("version") or ""),
        ]
        for row in rows
    ]
    return "\n".join([table(columns, cells), *(line for row in rows for line in _stalled(row, texts))])


def _sessions(sessions: list[dict[str, Any]]) -> str:
    """How many, and who: ``3: claude in roosync ×2, roo``."""
    if not sessions:
        return ""
    names = collections.Counter(
        " ".join(filter(None, (str(one["client"] or one["session"])[:_NAME_CHARS], _in(one)))) for one in sessions
    )
    shown = [f"{name} ×{count}" if count > 1 else name for name, count in names.most_common(_NAMES_SHOWN)]
    return f"{len(sessions)}: " + ", ".join([*shown, *(["…"] if len(names) > _NAMES_SHOWN else [])])


def _in(session: dict[str, Any]) -> str:
    workspace = str(session.get("workspace") or "")
    return f"({workspace[:_NAME_CHARS]})" if workspace else ""


def _stalled(row: dict[str, Any], texts: Texts) -> list[str]:
    """What is wrong with a machine whose heartbeats go on and which does nothing else, and what helps."""
    reason = str(row.get("reason"))
    if reason not in ("disk_stalled", "loop_lagging"):
        return []
    said = texts.get("warning", message=texts.get(f"stalled.{reason}", machine=row["machine"]))
    return ["", safe_line(said), "  " + texts.get("remedy", remedy=texts.get(f"stalled.{reason}.remedy"))]


def _evidence(row: dict[str, Any], texts: Texts) -> str:
    if row.get("self"):
        return texts.get("evidence.self")
    evidence = row.get("evidence") or {}
    path, age_s = str(evidence.get("path", "none")), evidence.get("age_s")
    if path not in ("direct", "relayed", "folder"):
        return texts.word("evidence", path)
    age = "?" if age_s is None else f"{age_s:.1f}" if age_s < 10 else f"{age_s:.0f}"
    return texts.get(f"evidence.{path}", age=age, via=evidence.get("via") or "?")


def _show(invocation: Invocation, document: dict[str, Any]) -> None:
    if invocation.as_json:
        invocation.print_json(document)
    else:
        invocation.print(render_status(document, load_texts(invocation.home)))


def _watch(invocation: Invocation, client: SyncClient) -> NoReturn:
    """Subscribed before the first status is asked for, so no change is missed between the two."""
    texts = load_texts(invocation.home)
    if invocation.as_json or not sys.stdout.isatty():
        with client.events() as events:
            _print_again(invocation, client, texts)
            for _event in events:
                _print_again(invocation, client, texts)
    else:
        with client.events_or_pauses(_REFRESH_S) as moments:
            invocation.print(_CLEAR + render_status(client.status(), texts))
            for _moment in moments:
                invocation.print(redrawn(render_status(client.status(), texts)))
    raise not_running(invocation.home, "it has stopped")


def _print_again(invocation: Invocation, client: SyncClient, texts: Texts) -> None:
    document = client.status()
    if invocation.as_json:
        invocation.print_json_line(document)
    else:
        invocation.print(render_status(document, texts) + "\n")


def redrawn(text: str) -> str:
    """Text over what stood there before, without clearing it first: that would flicker every second."""
    lines = text.replace("\n", _END_OF_LINE + "\n")
    return _HOME + lines + _BELOW + _SCROLLBACK
