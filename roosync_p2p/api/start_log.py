"""``logs/start.log``: why a start failed, for whom nobody watches: a service has no terminal."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

from roosync_p2p.clock import rfc3339
from roosync_p2p.errors import RoosyncError

__all__ = ["last_failed_start", "record_failed_start", "started"]


def record_failed_start(home: Path, error: RoosyncError) -> None:
    """Keeps why the start failed, in place of the one before. A home without ``logs`` is left alone."""
    line = {"time": rfc3339(time.time_ns() // 1_000_000), **error.diagnostics()}
    with contextlib.suppress(OSError):  # the error itself is raised; that it cannot be kept as well changes nothing
        _file(home).write_text(json.dumps(line, default=str, ensure_ascii=False) + "\n", encoding="utf-8")


def started(home: Path) -> None:
    """The node runs: what kept it from that is over."""
    with contextlib.suppress(OSError):
        _file(home).unlink(missing_ok=True)


def last_failed_start(home: Path) -> dict[str, str] | None:
    """``time``, ``code``, ``message`` and ``remedy`` of the last start, if it failed."""
    try:
        said = json.loads(_file(home).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(said, dict):
        return None
    return {name: str(said.get(name, "")) for name in ("time", "code", "message", "remedy")}


def _file(home: Path) -> Path:
    return home / "logs" / "start.log"
