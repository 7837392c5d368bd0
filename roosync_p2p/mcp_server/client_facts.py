"""What a client said of itself, read: the name of its program, and the folders that it works in."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from roosync_p2p import limits
from roosync_p2p.api.workspace import find_workspace
from roosync_p2p.errors import UsageError

__all__ = ["client_name", "path_of_uri", "workspace_of"]

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
_DRIVE: Final = re.compile(r"/[A-Za-z]:")


def client_name(name: str, version: str) -> str:
    """What a session says its program is called."""
    return _CONTROL.sub(" ", f"{name} {version}").strip()[: limits.MCP_CLIENT_CHARS_MAX]


def workspace_of(folders: list[Path]) -> str | None:
    """The repository of the first of these folders that lies in one."""
    for folder in folders:
        with contextlib.suppress(OSError, UsageError):
            found = find_workspace(None, {}, folder)
            if found is not None:
                return found
    return None


def path_of_uri(uri: str, *, windows: bool) -> str | None:
    """The path of a ``file:`` URI on a system; None for what is no file of this computer."""
    parts = urlsplit(uri)
    if parts.scheme != "file":
        return None
    path = unquote(parts.path)
    if not windows:
        return path if parts.netloc in ("", "localhost") else None
    if parts.netloc not in ("", "localhost"):
        return "\\\\" + parts.netloc + path.replace("/", "\\")
    return (path[1:] if _DRIVE.match(path) else path).replace("/", "\\")
