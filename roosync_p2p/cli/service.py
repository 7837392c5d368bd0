"""``roosync service``: the node runs at login, without a window, and is started again when it fails."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from roosync_p2p import limits
from roosync_p2p.api.home import default_home
from roosync_p2p.api.start_log import last_failed_start
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.api.terminal import Invocation, common_options, safe_block, safe_line
from roosync_p2p.cli.down import stop_node
from roosync_p2p.cli.log_lines import follow_log, last_lines, shown_line
from roosync_p2p.cli.texts import Texts, load_texts
from roosync_p2p.errors import InputFault, NotRunningError, RoosyncError

__all__ = ["service"]


@click.group()
def service() -> None:
    """Run the node at login, without a window; its state and its log.

    A systemd user unit, a launchd agent, or a task of Windows. It belongs to you and runs in your session, where your
    drives and your synchroniser are; it needs no rights of an administrator and opens no window. It takes what is in
    settings.toml: what you give `roosync up` as options belongs there.

    \b
    Examples:
      roosync service install
      roosync service status
      roosync service logs --follow
      roosync service remove
    """


@service.command()
@click.option("--no-start", is_flag=True, help="From the next login on, not now.")
@click.option("--dry-run", is_flag=True, help="Show what would be written and run, and change nothing.")
@common_options
def install(invocation: Invocation, no_start: bool, dry_run: bool) -> None:
    """Have the node run at every login, and start it now. Again: renew it, after Python or the home moved.

    \b
    Examples:
      roosync service install
      roosync service install --dry-run
    """
    home, texts = invocation.home, load_texts(invocation.home)
    _require_identity(home)
    manager = _manager(home)
    if dry_run:
        data, commands = manager.planned()
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
        planned = {"manager": manager.kind, "file": str(manager.file), "text": text, "commands": commands}
        if invocation.as_json:
            invocation.print_json(planned)
        else:
            runs = "\n".join(f"  {' '.join(command)}" for command in commands)
            invocation.print(texts.get("service.planned", file=manager.file, text=safe_block(text), commands=runs))
        return
    before = manager.state()
    elsewhere = _node_pid(home) is not None and not before.running
    start = not no_start and not elsewhere
    manager.install(start=start)
    if invocation.as_json:
        invocation.print_json({"installed": True, "manager": manager.kind, "file": str(manager.file), "started": start})
        return
    invocation.print(texts.get("service.installed", file=manager.file))
    if start:
        invocation.print(texts.get("service.started"))
    elif elsewhere:
        invocation.print(texts.get("service.runs_elsewhere"))
    else:
        invocation.print(texts.get("service.at_login"))


@service.command()
@common_options
def remove(invocation: Invocation) -> None:
    """Stop the node in good order, and do not run it at login any more. Its home stays as it is.

    \b
    Example:
      roosync service remove
    """
    home, texts = invocation.home, load_texts(invocation.home)
    manager = _manager(home)
    state = manager.state()
    stopped = state.installed and state.running is not False and _node_pid(home) is not None
    if stopped:
        stop_node(SyncClient(home))  # by the API: the system's own way is not gentle everywhere
    removed = manager.remove()
    if invocation.as_json:
        invocation.print_json({"removed": removed, "stopped": stopped})
    else:
        invocation.print(texts.get("service.removed" if removed else "service.none"))


@service.command()
@common_options
def status(invocation: Invocation) -> None:
    """Whether the service is installed, and whether its node runs.

    \b
    Example:
      roosync service status
    """
    home = invocation.home
    manager = _manager(home)
    state, pid = manager.state(), _node_pid(home)
    failed = None if pid is not None else last_failed_start(home)
    document: dict[str, Any] = {
        "manager": manager.kind,
        "file": str(manager.file),
        "installed": state.installed,
        "enabled": state.enabled,
        "running": state.running if state.running is not None else state.installed and pid is not None,
        "pid": state.pid,
        "node_pid": pid,
        "current": state.current,
        "last_failed_start": failed,
    }
    if invocation.as_json:
        invocation.print_json(document)
    else:
        invocation.print(_render(document, load_texts(home)))


@service.command()
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(1, limits.LOG_PAGE_MAX),
    default=limits.SERVICE_LOG_LINES,
    show_default=True,
    help="How many of the newest.",
)
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@common_options
def logs(invocation: Invocation, lines: int, follow: bool) -> None:
    """The newest lines of the node's log, and why its last start failed, if it did.

    With --json each line is one JSON document, as it stands in the file.

    \b
    Examples:
      roosync service logs
      roosync service logs -n 200 --follow
    """
    folder = invocation.home / "logs"

    def show(line: str) -> None:
        if invocation.as_json:
            invocation.print(line)
        else:
            invocation.print(safe_line(shown_line(line)))

    failed = last_failed_start(invocation.home)
    if failed is not None and not invocation.as_json and _node_pid(invocation.home) is None:
        invocation.progress(load_texts(invocation.home).get("service.failed", **failed))
    for line in last_lines(folder, lines):
        show(line)
    if follow:
        follow_log(folder, show)


def _manager(home: Path) -> Any:
    # Loaded only here: the group's help needs none of it.
    from roosync_p2p.adapters.service.definitions import Service, node_program, service_name  # noqa: PLC0415
    from roosync_p2p.adapters.service.managers import find_manager  # noqa: PLC0415

    return find_manager(
        Service(
            name=service_name(home, default_home({k: v for k, v in os.environ.items() if k != "ROOSYNC_HOME"})),
            program=node_program(sys.platform, Path(sys.executable).absolute(), home),
            home=home,
        ),
        os.environ,
    )


def _require_identity(home: Path) -> None:
    """A node without an identity would fail at every login, where nobody sees it.

    Raises:
        InputFault: it has none (``no_identity``).
    """
    if not (home / "identity" / "machine.key").is_file():
        raise InputFault(
            f"this machine has no identity yet in {home}; no service was installed",
            code="no_identity",
            remedy="found a fleet with `roosync-admin init`, or join one with `roosync join CODE`",
        )


def _node_pid(home: Path) -> int | None:
    """The process of the node that runs in that home; 0 if it runs and its number is not known here."""
    try:
        client = SyncClient(home)
        client.status()
        return client.endpoint().pid or 0
    except NotRunningError:
        return None
    except RoosyncError:
        return 0


def _render(document: dict[str, Any], texts: Texts) -> str:
    lines = [
        texts.get(
            "service.is_installed" if document["installed"] else "service.none",
            file=document["file"],
            manager=document["manager"],
        )
    ]
    if document["installed"] and not document["current"]:
        lines.append(texts.get("service.outdated"))
    lines.append(texts.get("service.node_runs" if document["node_pid"] is not None else "service.node_stopped"))
    if document["installed"] and document["node_pid"] is not None and document["running"] is False:
        lines.append(texts.get("service.runs_elsewhere"))
    if document["last_failed_start"] is not None:
        lines.append(safe_block(texts.get("service.failed", **document["last_failed_start"])))
    return "\n".join(lines)
