"""What the MCP server has to know of its home: its settings, and the token of its door for clients over HTTP.

The token is made once and stays: clients have it in their configuration (docs/protocol/mcp.md §5). That of ``api.json``
is new at every start of the node and is no use to them.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Final

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home, read_settings
from roosync_p2p.adapters.permissions import write_private
from roosync_p2p.core.settings import McpSettings, parse_toml
from roosync_p2p.errors import EnvironmentFault

__all__ = ["door_token", "door_url", "language_of", "mcp_settings"]

_FILE: Final = "mcp.json"
_TOKEN_BYTES: Final = 32


def mcp_settings(home: Path) -> McpSettings:
    """``[mcp]`` of a home; the defaults without a file.

    Raises:
        InputFault: ``bad_setting``.
    """
    return parse_toml(read_settings(Home(home))).mcp


def language_of(home: Path) -> str:
    """The language of texts at a terminal.

    Raises:
        InputFault: ``bad_setting``.
    """
    return parse_toml(read_settings(Home(home))).ui.language


def door_url(port: int) -> str:
    """Where clients on this computer find the server."""
    return f"http://127.0.0.1:{port}/mcp"


def door_token(home: Path) -> str:
    """The token of a home's MCP server over HTTP, made and kept owner-only when there is none.

    Raises:
        EnvironmentFault: ``bad_mcp_file``: the file is there and holds none; ``cannot_write``, ``no_home``.
    """
    path = home / _FILE
    found = _read(path)
    if found is not None:
        return found
    if not home.is_dir():
        raise EnvironmentFault(
            f"there is no home at {home}", code="no_home", remedy="found a fleet with `roosync-admin init`, or join one"
        )
    token = "rsm-" + secrets.token_urlsafe(_TOKEN_BYTES)
    write_private(path, json.dumps({"version": 1, "token": token}).encode())
    return _read(path) or token  # of two that began at once, the later file counts


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            token = json.loads(file.read(limits.MCP_DOOR_BYTES_MAX))["token"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unusable(path, str(error)) from error
    if not isinstance(token, str) or len(token) < _TOKEN_BYTES or not token.isascii() or not token.isprintable():
        raise _unusable(path, "it holds no token")
    return token


def _unusable(path: Path, why: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"{path} cannot be used: {why}",
        code="bad_mcp_file",
        remedy="remove it, start the server again, and run `roosync mcp --http --install` again for each client",
    )
