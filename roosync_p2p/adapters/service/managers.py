"""Who starts the node at login, asked by its own commands: ``systemctl --user``, ``launchctl``, ``schtasks``.

Each is a class that decides which commands to run and reads what they answer; who runs them is given, so that all three
are tested on any system. Nothing here reads what is translated: Task Scheduler's tables are, its exit codes are not.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from roosync_p2p import limits
from roosync_p2p.adapters.permissions import explained, write_private
from roosync_p2p.adapters.service.definitions import Service, launchd_agent, scheduled_task, systemd_unit
from roosync_p2p.errors import EnvironmentFault

__all__ = ["Launchd", "Manager", "Ran", "State", "Systemd", "TaskScheduler", "find_manager", "run_command"]

_BOOTOUT_TRIES: Final = 20  # launchd unloads an agent a moment after it said so
_BOOTOUT_WAIT_S: Final = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it printed on both streams."""

    code: int
    output: str


Run = Callable[[Sequence[str]], Ran]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the system says of the service.

    Attributes:
        installed: whether it knows it.
        enabled: whether it starts at login; None where that was not said.
        running: whether it runs now; None where that was not said.
        pid: of the node; None if it does not run or that was not said.
        current: whether it would be written now as it is: not after Python or the home moved.
    """

    installed: bool
    enabled: bool | None = None
    running: bool | None = None
    pid: int | None = None
    current: bool = True


class Manager(Protocol):
    """One system's way to start a program at login."""

    kind: str
    file: Path

    def planned(self) -> tuple[bytes, list[list[str]]]:
        """What an installation would write to ``file``, and the commands that it would run."""

    def install(self, *, start: bool) -> None:
        """Writes the definition and makes it known; again is the same. ``start``: also now, not only at login.

        Raises:
            EnvironmentFault: the system refused (``service_refused``), or is not there (``no_service_manager``).
        """

    def remove(self) -> bool:
        """Stops the service and forgets it; whether there was one.

        Raises:
            EnvironmentFault: the system refused (``service_refused``).
        """

    def state(self) -> State:
        """What the system says of it now."""


class Systemd:
    """A user unit of systemd."""

    kind = "systemd"

    def __init__(self, service: Service, environ: Mapping[str, str], run: Run) -> None:
        config = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".config")
        self._unit = f"{service.name}.service"
        self.file = Path(config) / "systemd" / "user" / self._unit
        self._text = systemd_unit(service).encode()
        self._run = run

    def planned(self) -> tuple[bytes, list[list[str]]]:
        return self._text, [_systemctl("daemon-reload"), _systemctl("enable", "--now", self._unit)]

    def install(self, *, start: bool) -> None:
        fresh = not self.file.exists()
        _write(self.file, self._text)
        try:
            _must(self._run, _systemctl("daemon-reload"), why=_NO_USER_MANAGER)
            _must(self._run, _systemctl("enable", self._unit))
            if start:
                _must(self._run, _systemctl("restart", self._unit))
        except EnvironmentFault:
            if fresh:  # nothing half done: what the system did not take is not there
                self._run(_systemctl("disable", self._unit))
                self.file.unlink(missing_ok=True)
            raise

    def remove(self) -> bool:
        there = self.file.exists()
        if there:
            _must(self._run, _systemctl("disable", "--now", self._unit))
            self.file.unlink(missing_ok=True)
            _must(self._run, _systemctl("daemon-reload"))
        return there

    def state(self) -> State:
        asked = self._run(_systemctl("show", self._unit, "--property=LoadState,ActiveState,UnitFileState,MainPID"))
        said = dict(line.split("=", 1) for line in asked.output.splitlines() if "=" in line)
        if asked.code != 0:
            return State(installed=self.file.exists(), current=_holds(self.file, self._text))
        pid = said.get("MainPID", "0")
        return State(
            installed=said.get("LoadState") == "loaded",
            enabled=said.get("UnitFileState") == "enabled",
            running=said.get("ActiveState") in ("active", "activating", "reloading"),
            pid=int(pid) if pid.isdigit() and pid != "0" else None,
            current=_holds(self.file, self._text),
        )


class Launchd:
    """A user agent of launchd, in the domain of the user's graphical session."""

    kind = "launchd"

    def __init__(self, service: Service, environ: Mapping[str, str], run: Run, *, uid: int) -> None:
        self._label = f"org.roosync.{service.name}"
        self._domain = f"gui/{uid}"
        self.file = Path(environ.get("HOME", "~")).expanduser() / "Library" / "LaunchAgents" / f"{self._label}.plist"
        self._text = launchd_agent(service)
        self._run = run

    def planned(self) -> tuple[bytes, list[list[str]]]:
        return self._text, [self._enable(), self._bootstrap()]

    def install(self, *, start: bool) -> None:
        fresh = not self.file.exists()
        self._unload()
        _write(self.file, self._text)
        if not start:
            return  # launchd reads the folder at login
        try:
            _must(self._run, self._enable())
            _must(self._run, self._bootstrap())
        except EnvironmentFault:
            if fresh:
                self.file.unlink(missing_ok=True)
            raise

    def remove(self) -> bool:
        there = self.file.exists()
        self._unload()
        self.file.unlink(missing_ok=True)
        return there

    def state(self) -> State:
        asked = self._run(["launchctl", "print", f"{self._domain}/{self._label}"])
        said: dict[str, str] = {}
        for line in asked.output.splitlines():
            name, _, value = line.partition("=")
            said.setdefault(name.strip(), value.strip())
        pid = said.get("pid", "")
        return State(
            installed=self.file.exists(),
            enabled=self.file.exists(),
            running=asked.code == 0 and said.get("state") == "running",
            pid=int(pid) if pid.isdigit() else None,
            current=_holds(self.file, self._text),
        )

    def _enable(self) -> list[str]:
        return ["launchctl", "enable", f"{self._domain}/{self._label}"]

    def _bootstrap(self) -> list[str]:
        return ["launchctl", "bootstrap", self._domain, str(self.file)]

    def _unload(self) -> None:
        """Ends it, if it is loaded, and waits until it is gone: it cannot be loaded again before."""
        target = f"{self._domain}/{self._label}"
        if self._run(["launchctl", "print", target]).code != 0:
            return
        _must(self._run, ["launchctl", "bootout", target])
        for _ in range(_BOOTOUT_TRIES):
            if self._run(["launchctl", "print", target]).code != 0:
                return
            time.sleep(_BOOTOUT_WAIT_S)
        raise EnvironmentFault(f"launchd still runs {self._label} after it was told to stop", code="service_refused")


class TaskScheduler:
    """A task of Windows that starts when the user logs in."""

    kind = "Task Scheduler"

    def __init__(self, service: Service, environ: Mapping[str, str], run: Run) -> None:
        user = environ.get("USERNAME", "")
        domain = environ.get("USERDOMAIN", "") or environ.get("COMPUTERNAME", "")
        self._task = f"RooSync\\{service.name}"
        # Task Scheduler keeps its own copy; this one is for people, and to see whether anything changed.
        self.file = Path(service.home) / "service.xml"
        self._text = scheduled_task(service, user=f"{domain}\\{user}" if domain else user)
        self._run = run

    def planned(self) -> tuple[bytes, list[list[str]]]:
        return self._text, [self._create(), ["schtasks", "/Run", "/TN", self._task]]

    def install(self, *, start: bool) -> None:
        _write(self.file, self._text)
        _must(self._run, self._create())
        if start:
            _must(self._run, ["schtasks", "/Run", "/TN", self._task])

    def remove(self) -> bool:
        there = self.state().installed
        if there:
            # /End is a hard kill: the caller has told the node to stop before.
            self._run(["schtasks", "/End", "/TN", self._task])
            _must(self._run, ["schtasks", "/Delete", "/TN", self._task, "/F"])
        self.file.unlink(missing_ok=True)
        return there

    def state(self) -> State:
        asked = self._run(["schtasks", "/Query", "/TN", self._task])
        return State(installed=asked.code == 0, current=_holds(self.file, self._text))

    def _create(self) -> list[str]:
        return ["schtasks", "/Create", "/TN", self._task, "/XML", str(self.file), "/F"]


def find_manager(service: Service, environ: Mapping[str, str], *, run: Run | None = None) -> Manager:
    """The one of this system.

    Raises:
        EnvironmentFault: none that is known here (``no_service_manager``).
    """
    run = run_command if run is None else run
    if sys.platform == "win32":
        return TaskScheduler(service, environ, run)
    if sys.platform == "darwin":
        return Launchd(service, environ, run, uid=os.getuid())
    if sys.platform.startswith("linux"):
        return Systemd(service, environ, run)
    raise EnvironmentFault(
        f"services of {sys.platform} are not known here; nothing was changed",
        code="no_service_manager",
        remedy="have `roosync up` run at login in the way that your system offers",
    )


def run_command(command: Sequence[str]) -> Ran:
    """Runs a command of the system, without a window, and without waiting for ever.

    Raises:
        EnvironmentFault: there is no such program (``no_service_manager``), or it does not end (``service_refused``).
    """
    try:
        done = subprocess.run(  # noqa: S603 - commands of this module, as lists
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limits.SERVICE_COMMAND_S,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except FileNotFoundError as error:
        raise EnvironmentFault(
            f"there is no {command[0]} on this computer; nothing was changed",
            code="no_service_manager",
            remedy="have `roosync up` run at login in the way that your system offers",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFault(
            f"{' '.join(command)} did not end within {limits.SERVICE_COMMAND_S:g} s", code="service_refused"
        ) from error
    return Ran(done.returncode, done.stdout.decode(errors="replace"))


_NO_USER_MANAGER: Final = (
    "a user's services need a session of that user: log in at the computer or by ssh, not by `su` or `sudo`;"
    " without any login: `loginctl enable-linger`"
)


def _must(run: Run, command: Sequence[str], *, why: str = "") -> None:
    done = run(command)
    if done.code != 0:
        said = done.output.strip() or f"exit code {done.code}"
        raise EnvironmentFault(
            f"`{' '.join(command)}` failed: {said}",
            code="service_refused",
            remedy=why or "see what the system says above",
            details={"command": list(command), "exit_code": done.code},
        )


def _systemctl(*arguments: str) -> list[str]:
    return ["systemctl", "--user", *arguments]


def _write(file: Path, data: bytes) -> None:
    with explained(file.parent, "create"):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_private(file, data)


def _holds(file: Path, data: bytes) -> bool:
    try:
        return file.read_bytes() == data
    except OSError:
        return False
