"""Logs: rotating JSON lines in the home, owner-only; never bodies, codes or keys."""

from __future__ import annotations

import json
import logging
import logging.handlers
from pathlib import Path
from typing import Final

from roosync_p2p.clock import rfc3339

__all__ = ["open_log"]

LOG_BYTES_MAX: Final = 5 * 1024 * 1024
LOG_FILES_KEPT: Final = 3


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": rfc3339(round(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        code = getattr(record, "code", None)
        if code is not None:
            line["code"] = code
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def open_log(folder: Path, level: str) -> logging.Handler:
    """Sends the package's log, and warnings of the libraries, to ``node.jsonl`` in that folder."""
    handler = logging.handlers.RotatingFileHandler(
        folder / "node.jsonl", maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES_KEPT, encoding="utf-8", delay=True
    )
    handler.setFormatter(_JsonLines())
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    root.addHandler(handler)
    logging.getLogger("roosync_p2p").setLevel(level.upper())
    return handler
