"""Files that messages bring along, at the command line: handed over, shown, saved."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from roosync_p2p import limits
from roosync_p2p.api.saving import hand_over, save_attachment
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.api.terminal import EXIT_FAILED, EXIT_OK, Invocation, safe_line
from roosync_p2p.cli.texts import Texts, load_texts
from roosync_p2p.errors import InputFault, UsageError

__all__ = ["attachment_lines", "attachment_text", "hand_over_all", "save_all"]

_LOOK_S = 0.25  # while an attachment is waited for
_TELL_S = 1.0  # between two lines of progress


def hand_over_all(
    invocation: Invocation, client: SyncClient, paths: Sequence[Path], *, private: bool
) -> list[dict[str, Any]]:
    """Gives files to the node, for a message; ``private``: for a sealed one.

    Raises:
        RoosyncError: one of them cannot be handed over; nothing was sent.
    """
    if len(paths) > limits.ATTACHMENTS_MAX:
        raise UsageError(
            f"a message has at most {limits.ATTACHMENTS_MAX} attachments; nothing was sent", code="too_many"
        )
    texts = load_texts(invocation.home) if paths else Texts("en")
    return [
        hand_over(client, path, _progress(invocation, texts, path.name, _size(path)), private=private) for path in paths
    ]


def attachment_lines(message: dict[str, Any], texts: Texts) -> list[str]:
    """A line for each attachment."""
    return [safe_line(attachment_text(row, texts)) for row in message.get("attachments", ())]


def attachment_text(row: dict[str, Any], texts: Texts) -> str:
    """Name, size, hash, and where it is."""
    reason = texts.word("attachment_reason", row["reason"])
    state = texts.get(f"attachment.{row['state']}", percent=_percent(row["bytes"], row["size"]), reason=reason)
    return texts.get(
        "attachment.line",
        number=row["number"],
        name=row["name"],
        size=row["size"],
        sha256=row["sha256"],
        state=state,
    )


def save_all(
    invocation: Invocation, client: SyncClient, message: dict[str, Any], directory: Path, wait_s: float
) -> tuple[int, list[dict[str, Any]]]:
    """Writes every attachment that is here, or comes within ``wait_s``; the exit code, and what was saved where.

    Raises:
        RoosyncError: one of them cannot be written.
    """
    texts = load_texts(invocation.home)
    if not directory.is_dir():
        raise InputFault(
            f"{directory} is no directory", code="no_such_directory", remedy="make it, or name another one"
        )
    rows = _awaited(invocation, client, message, wait_s, texts)
    saved = []
    for row in rows:
        if row["state"] == "here":
            progress = _progress(invocation, texts, row["name"], row["size"])
            path = save_attachment(client, message["id"], row["number"], row["name"], directory, progress)
            saved.append({"number": row["number"], "name": row["name"], "path": str(path)})
    return (EXIT_OK if len(saved) == len(rows) else EXIT_FAILED), saved


def _awaited(
    invocation: Invocation, client: SyncClient, message: dict[str, Any], wait_s: float, texts: Texts
) -> list[dict[str, Any]]:
    """The attachments, once all are here or it took too long."""
    began = time.monotonic()
    rows: list[dict[str, Any]] = message["attachments"]
    told_s = began
    while any(row["state"] != "here" for row in rows) and time.monotonic() - began < wait_s:
        if time.monotonic() - told_s >= _TELL_S and sys.stderr.isatty():
            told_s = time.monotonic()
            for row in rows:
                if row["state"] != "here":
                    invocation.progress(attachment_text(row, texts))
        time.sleep(_LOOK_S)
        rows = client.message(message["id"])["attachments"]
    return rows


def _progress(invocation: Invocation, texts: Texts, name: str, size: int) -> Callable[[int], None]:
    """Tells at a terminal how far a file is, once a second."""
    told_s = time.monotonic()

    def progress(done: int) -> None:
        nonlocal told_s
        if sys.stderr.isatty() and time.monotonic() - told_s >= _TELL_S:
            told_s = time.monotonic()
            invocation.progress(texts.get("attachment.progress", name=name, percent=_percent(done, size)))

    return progress


def _percent(done: int, size: int) -> int:
    return 100 if size == 0 else min(100 * done // size, 100)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # handing it over tells
        return 0
