"""``roosync mcp --install``: the server goes into an agent's configuration, after a copy of the file, and out again."""

from __future__ import annotations

import contextlib
import difflib
import os
import secrets
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from roosync_p2p import limits
from roosync_p2p.api.home import default_home
from roosync_p2p.api.mcp_door import door_token, door_url, mcp_settings
from roosync_p2p.api.terminal import Invocation, safe_block
from roosync_p2p.clock import rfc3339
from roosync_p2p.errors import EnvironmentFault, InputFault, UsageError
from roosync_p2p.mcp_server.client_files import SERVERS, candidates, merged, over_http, over_stdio, project_file
from roosync_p2p.mcp_server.json_edit import parse_object, with_member, without_member
from roosync_p2p.mcp_server.texts import text

__all__ = ["change_clients"]

_BOM: Final = "\ufeff"
_HIDDEN: Final = "(token)"


class _Change(NamedTuple):
    """One file: what is in it, None if it is not there, and what is to be in it."""

    path: Path
    before: bytes | None
    after: bytes


def change_clients(
    invocation: Invocation,
    client: str,
    *,
    remove: bool,
    http: bool,
    port: int | None,
    workspace: str | None,
    project: bool,
    dry_run: bool,
) -> None:
    """Changes every configuration of a client that there is, or shows what would change.

    Raises:
        InputFault: ``no_client``: there is none; ``bad_json``: a file does not parse. Then nothing was changed.
        UsageError: a token does not belong into a project's file.
        EnvironmentFault: a file cannot be read or written.
    """
    if project and http and not remove:
        raise UsageError(
            "a project's file is shared, and the server over HTTP takes this computer's token",
            remedy="leave out --project, or --http",
        )
    home = invocation.home
    token = door_token(home) if http and not remove else ""
    files = [_project_file(client)] if project else _found(client)
    # all are computed before one is written: a file that does not parse leaves the others as they are
    changes = [
        _removed(path)
        if remove
        else _installed(path, _entry(home, client, path, token=token, port=port, workspace=workspace, shared=project))
        for path in files
    ]
    rows = [_carried_out(home, change, token=token, dry_run=dry_run, remove=remove) for change in changes]
    if invocation.as_json:
        invocation.print_json({"client": client, "dry_run": dry_run, "files": [row for row, _ in rows]})
        return
    for _, said in rows:
        invocation.print(said)
    if not remove and http and not mcp_settings(home).http:
        invocation.print(text(home, "http.off", settings=home / "settings.toml"))
    if not dry_run and any(row["changed"] for row, _ in rows):
        invocation.print(text(home, "restart"))


# --- which files, and what goes into them -------------------------------------------------------------------------


def _project_file(client: str) -> Path:
    return Path(project_file(client, Path.cwd()))


def _found(client: str) -> list[Path]:
    """The files that exist: an extension that was removed leaves its directories behind."""
    places = [Path(place) for place in candidates(client, platform=sys.platform, home=_user_home(), environ=os.environ)]
    found = [place for place in places if place.is_file()]
    if not found:
        shown = "\n".join(f"    {place}" for place in places[:6])
        raise InputFault(
            f"no configuration of {client} was found; looked for, among others:\n{shown}",
            code="no_client",
            remedy="start the agent once, so that it makes it; or use --project for this directory alone",
            details={"looked_for": [str(place) for place in places]},
        )
    return found


def _user_home() -> str:
    return str(Path.home())


def _entry(
    home: Path, client: str, path: Path, *, token: str, port: int | None, workspace: str | None, shared: bool
) -> dict[str, Any]:
    if token:
        url = door_url(mcp_settings(home).port if port is None else port)
        return over_http(client, path, url, token)
    said = [] if workspace is None else ["--workspace", workspace]
    if shared:  # other machines read it, too: no path of this one
        return over_stdio(client, ["roosync-mcp", *said])
    place = [] if home == default_home({}) else ["--home", str(home)]
    return over_stdio(client, [sys.executable, "-P", "-m", "roosync_p2p", *place, "mcp", *said])


def _installed(path: Path, entry: dict[str, Any]) -> _Change:
    before = _read(path)
    content, mark = _decoded(path, before)
    with _naming(path):
        document = parse_object(content)
        servers = document.get(SERVERS[0])
        old = servers.get(SERVERS[1]) if isinstance(servers, dict) else None
        new = merged(old, entry)
        after = content if old == new else with_member(content, SERVERS, new)
    return _Change(path, before, (mark + after).encode())


def _removed(path: Path) -> _Change:
    before = _read(path)
    content, mark = _decoded(path, before)
    with _naming(path):
        after = without_member(content, SERVERS)
    return _Change(path, before, (before or b"") if after == content else (mark + after).encode())


# --- the disk -----------------------------------------------------------------------------------------------------


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            data = file.read(limits.MCP_CONFIG_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, "read", error) from error
    if len(data) > limits.MCP_CONFIG_BYTES_MAX:
        raise InputFault(f"{path} is too large; nothing was changed", code="bad_json")
    return data


def _decoded(path: Path, data: bytes | None) -> tuple[str, str]:
    """The text and its byte order mark; an empty or missing file is an empty object."""
    try:
        content = (data or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputFault(
            f"{path} is not UTF-8; nothing was changed", code="bad_json", remedy="save it as UTF-8 first"
        ) from error
    mark = _BOM if content.startswith(_BOM) else ""
    content = content.removeprefix(_BOM)
    return (content if content.strip() else "{}\n"), mark


@contextlib.contextmanager
def _naming(path: Path) -> Any:
    """What is wrong with a file is said with its name."""
    try:
        yield
    except InputFault as fault:
        raise InputFault(
            f"{path}: {fault.message}; nothing was changed", code=fault.code, remedy=fault.remedy
        ) from fault


def _carried_out(home: Path, change: _Change, *, token: str, dry_run: bool, remove: bool) -> tuple[dict[str, Any], str]:
    """What scripts and people are told of one file."""
    path = change.path
    row: dict[str, Any] = {"file": str(path), "changed": change.after != (change.before or b""), "backup": None}
    if not row["changed"]:
        return row, text(home, "removed.none" if remove else "installed.same", file=path)
    if dry_run:
        row["diff"] = _difference(change, token)
        return row, text(home, "would", file=path, diff=safe_block(row["diff"]))
    backup = _write(change)
    row["backup"] = None if backup is None else str(backup)
    if backup is None:
        return row, text(home, "installed.new", file=path)
    return row, text(home, "removed" if remove else "installed", file=path, backup=backup)


def _difference(change: _Change, token: str) -> str:
    before, after = ((data or b"").decode("utf-8", "replace").splitlines() for data in (change.before, change.after))
    lines = difflib.unified_diff(before, after, str(change.path), str(change.path), lineterm="")
    shown = "\n".join(lines)
    return shown.replace(token, _HIDDEN) if token else shown


def _write(change: _Change) -> Path | None:
    """The copy of what was there, then the new file in one step, with the same mode; gives the copy's place."""
    path = change.path.resolve()  # a link to a file among somebody's dotfiles stays one
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        backup = None
        mode = 0o644  # only a project's file is made, and that holds no token
        if change.before is not None:
            moment = rfc3339(time.time_ns() // 1_000_000).replace(":", "").replace("-", "").partition(".")[0]
            backup = path.with_name(f"{path.name}.before-roosync-{moment}-{secrets.token_hex(2)}")
            shutil.copy2(path, backup)
            mode = path.stat().st_mode & 0o777
            if backup.read_bytes() != change.before:
                raise InputFault(
                    f"{path} was changed by somebody else meanwhile; nothing was changed",
                    code="changed_meanwhile",
                    remedy="close the agent, and run the command again",
                )
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123 - its mode
                file.write(change.after)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise _unusable(path, "write", error) from error
    return backup


def _unusable(path: Path, doing: str, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        f"cannot {doing} {path}: {error.strerror or error}; it is as it was",
        code=f"cannot_{doing}",
        remedy="close programs that hold it, and look at its permissions",
    )
