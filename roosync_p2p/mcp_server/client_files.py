"""Where agents keep their configuration, and how a server is written into it. Nothing here touches the disk.

Claude Code: ``~/.claude.json`` for a user, ``.mcp.json`` for a project. Roo: ``mcp_settings.json`` in the storage of
its extension, of each editor that it runs in; ``.roo/mcp.json`` for a project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Final

__all__ = ["SERVERS", "candidates", "merged", "over_http", "over_stdio", "project_file"]

SERVERS: Final = ("mcpServers", "roosync")  # the path of our part in each of these files

_EDITORS: Final = ("Code", "Code - Insiders", "VSCodium", "Cursor", "Windsurf")
_ROO: Final = ("rooveterinaryinc.roo-cline", "zoocodeorganization.zoo-code")
_CLINE: Final = "saoudrizwan.claude-dev"  # spells the kind of an HTTP server otherwise
_REMOTE: Final = (".vscode-server", ".vscode-server-insiders", ".cursor-server", ".windsurf-server")
_CALL_S: Final = 300  # Roo's time for one call: a wait of some minutes fits


def candidates(client: str, *, platform: str, home: str, environ: Mapping[str, str]) -> list[PurePath]:
    """Every place where a user's configuration of an agent may be; those that exist are meant.

    Args:
        client: ``claude`` or ``roo``.
        platform: ``sys.platform``.
        home: the user's home directory.
        environ: may hold ``APPDATA``, ``XDG_CONFIG_HOME``, ``CLAUDE_CONFIG_DIR``.
    """
    flavour = PureWindowsPath if platform == "win32" else PurePosixPath
    user = flavour(home)
    if client == "claude":
        chosen = environ.get("CLAUDE_CONFIG_DIR", "").strip()
        return [flavour(chosen) / ".claude.json"] if chosen else [user / ".claude.json"]
    if platform == "win32":
        bases = [flavour(environ.get("APPDATA", "").strip() or user / "AppData" / "Roaming")]
    elif platform == "darwin":
        bases = [user / "Library" / "Application Support"]
    else:
        bases = [flavour(environ.get("XDG_CONFIG_HOME", "").strip() or user / ".config")]
    folders = [base / editor / "User" for base in bases for editor in _EDITORS]
    if platform not in ("win32", "darwin"):
        folders += [user / server / "data" / "User" for server in _REMOTE]
    places = [(extension, "mcp_settings.json") for extension in (*_ROO, _CLINE)] + [(_CLINE, "cline_mcp_settings.json")]
    return [
        folder / "globalStorage" / extension / "settings" / file for folder in folders for extension, file in places
    ]


def project_file(client: str, folder: PurePath) -> PurePath:
    """The configuration of a project in that folder."""
    return folder / ".mcp.json" if client == "claude" else folder / ".roo" / "mcp.json"


def over_stdio(client: str, command: Sequence[str]) -> dict[str, Any]:
    """The entry of a server that the agent starts itself."""
    program, *arguments = command
    entry: dict[str, Any] = {"command": program, "args": arguments}
    return {"type": "stdio", **entry} if client == "claude" else {**entry, **_of_roo()}


def over_http(client: str, file: PurePath, url: str, token: str) -> dict[str, Any]:
    """The entry of the server that all agents of a computer share."""
    entry: dict[str, Any] = {"url": url, "headers": {"Authorization": f"Bearer {token}"}}
    if client == "claude":
        return {"type": "http", **entry}
    kind = "streamableHttp" if _CLINE in file.parts else "streamable-http"
    return {"type": kind, **entry, **_of_roo()}


def merged(old: Any, new: Mapping[str, Any]) -> dict[str, Any]:
    """Our entry over one that is there: what the user added stays, what another kind of server had goes."""
    if not isinstance(old, dict):
        return dict(new)
    replaced = {"type", "command", "args", "url", "headers"}
    kept = {key: value for key, value in old.items() if key in new or key not in replaced}
    headers = {**_dict(old.get("headers")), **_dict(new.get("headers"))}
    own = {key: value for key, value in new.items() if key in replaced or key not in old}
    return {**kept, **own, **({"headers": headers} if headers and "headers" in new else {})}


def _of_roo() -> dict[str, Any]:
    return {"disabled": False, "alwaysAllow": [], "timeout": _CALL_S}


def _dict(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
