"""``roosync doctor``: what is wrong, and what helps. Works without a node, and asks it when there is one.

Here are the checks that need no node: home, permissions, settings, identity, whether a node answers. What only the
running node can know, it checks itself; while none runs, what would keep it from starting is looked for instead.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.api.terminal import EXIT_FAILED, EXIT_OK, Invocation, common_options, safe_line
from roosync_p2p.cli.settings import read_settings
from roosync_p2p.cli.texts import Texts, load_texts
from roosync_p2p.errors import NotRunningError, RoosyncError

__all__ = ["check_home", "doctor"]

_Check = dict[str, Any]
_IDENTITY = ("machine.key", "machine.pem", "root.pem")


@click.command()
@common_options
def doctor(invocation: Invocation) -> int:
    """Check the home, the settings and the node; every finding comes with its remedy.

    \b
    Example:
      roosync doctor
    """
    checks = [*check_home(invocation.home), *_node_checks(invocation.home)]
    bad = [check for check in checks if not check["ok"] and check["severity"] == "error"]
    if invocation.as_json:
        invocation.print_json({"checks": checks})
    else:
        invocation.print(_render(checks, load_texts(invocation.home)))
    return EXIT_FAILED if bad else EXIT_OK


def check_home(home: Path) -> Iterator[_Check]:
    """The checks that need no node."""
    if home.exists() and not home.is_dir():
        yield _finding("home", f"{home} is a file; the home is a directory", "name another home with --home")
        return
    if not home.is_dir():
        yield _finding(
            "home",
            f"there is no home at {home}",
            "found a fleet with `roosync-admin init`, or join one with `roosync join CODE`",
        )
        return
    yield _fine("home", f"the home is {home}")
    yield _permissions(home)
    yield _identity(home)
    yield _attempt("settings", "settings.toml is in order", lambda: read_settings(home))


def _permissions(home: Path) -> _Check:
    """On Windows the home inherits the access list of the user's own application data."""
    private = [home / "identity" / "machine.key", home / "api.json", home / "root" / "root.key"]
    if sys.platform != "win32":
        if home.stat().st_mode & 0o022:
            return _finding("permissions", f"others can put their own files into {home}", f"chmod 700 '{home}'")
        for path in private:
            if path.exists() and path.stat().st_mode & 0o077:
                return _finding("permissions", f"{path} can be read by others", f"chmod 600 '{path}'")
    return _fine("permissions", "private files are readable by their owner only")


def _identity(home: Path) -> _Check:
    missing = [name for name in _IDENTITY if not (home / "identity" / name).is_file()]
    if not missing:
        return _fine("identity", "this machine has an identity")
    none = "found a fleet with `roosync-admin init`, or join one with `roosync join CODE`"
    return _finding(
        "identity",
        f"this machine has no complete identity: {', '.join(missing)} missing in {home / 'identity'}",
        none if len(missing) == len(_IDENTITY) else "bring the files back from a backup",
    )


def _node_checks(home: Path) -> list[_Check]:
    try:
        document = SyncClient(home).doctor()
    except NotRunningError as error:
        return [_finding("node", error.message, error.remedy, severity="warning"), *_stopped(home)]
    except RoosyncError as error:
        return [_finding("node", error.message, error.remedy)]
    return [_fine("node", "the node answers"), *document.get("checks", [])]


def _stopped(home: Path) -> list[_Check]:
    if not home.is_dir():
        return []
    from roosync_p2p.node.stopped import check_stopped  # noqa: PLC0415 - half a second, and rarely needed

    return list(check_stopped(home))


def _attempt(check: str, fine: str, work: Callable[[], object]) -> _Check:
    try:
        work()
    except RoosyncError as error:
        return _finding(check, error.message, error.remedy)
    return _fine(check, fine)


def _fine(check: str, message: str) -> _Check:
    return {"id": check, "ok": True, "severity": "error", "message": message, "remedy": ""}


def _finding(check: str, message: str, remedy: str, *, severity: str = "error") -> _Check:
    return {"id": check, "ok": False, "severity": severity, "message": message, "remedy": remedy}


def _render(checks: list[_Check], texts: Texts) -> str:
    lines: list[str] = []
    counts = {"ok": 0, "warn": 0, "bad": 0}
    for check in checks:
        verdict = "ok" if check["ok"] else "bad" if check["severity"] == "error" else "warn"
        counts[verdict] += 1
        word = texts.get(f"doctor.{verdict}")
        message, remedy = texts.reminder(str(check["id"]), str(check["message"]), str(check.get("remedy") or ""))
        lines.append(f"{word:<7} {safe_line(str(check['id']))}: {safe_line(message)}")
        if not check["ok"] and remedy:
            lines.append(f"{'':<7} {texts.get('remedy', remedy=safe_line(remedy))}")
    return "\n".join([*lines, "", texts.get("doctor.summary", **counts)])
