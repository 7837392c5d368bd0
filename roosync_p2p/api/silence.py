"""What a person at a terminal is told while their own node does not answer. Quick to import.

A node that is suspended, or starved, still accepts connections. Its commands would wait without a word.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from pathlib import Path
from typing import Final

from roosync_p2p.errors import RoosyncError

__all__ = ["SILENT", "Silent", "silence_text"]

Silent = Callable[[float], None]

SILENT: Final[contextvars.ContextVar[Silent | None]] = contextvars.ContextVar("SILENT", default=None)

_TEXTS: Final = {
    "en": "the node does not answer yet (suspended, or busy?); waiting up to {left_s:.0f} s more",
    "fr": "le nœud ne répond pas encore (suspendu, ou occupé ?) ; attente de {left_s:.0f} s au plus",
}


def silence_text(home: Path, left_s: float) -> str:
    """The line for that, in the language of the home; ``left_s`` more seconds are waited."""
    return _TEXTS[_language(home)].format(left_s=left_s)


def _language(home: Path) -> str:
    from roosync_p2p.adapters.home import Home, read_settings  # noqa: PLC0415 - needed by whoever waits anyhow
    from roosync_p2p.core.settings import parse_toml  # noqa: PLC0415 - as above

    try:
        return parse_toml(read_settings(Home(home))).ui.language
    except RoosyncError:  # settings that are no good are told by other commands
        return "en"
