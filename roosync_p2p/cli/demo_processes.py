"""The processes of a demonstration: nodes of a fleet in one directory, on loopback only.

Every node is a process of its own, started with the very commands that a user would type. Rules: no variable of the
user's own node reaches them, their homes are inside the directory, and :meth:`DemoFleet.close` ends every one of them
whatever happened. What is shown with them is in ``demo``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from roosync_p2p import limits
from roosync_p2p.api.events import Event
from roosync_p2p.api.processes import process_alive
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.errors import EnvironmentFault, NetworkError, NotRunningError

__all__ = ["COMMAND_TIMEOUT_S", "DemoFleet", "DemoNode", "EventWatch", "Sighting", "clean_environment"]

COMMAND_TIMEOUT_S: Final = 30.0  # one command, on a computer that is busy with something else
_POLL_S: Final = 0.02  # how often a process is looked at while it starts
_LOG_TAIL_CHARS: Final = 600  # of a failed process, shown with the error

Command = Sequence[str]
_ROOSYNC: Final[Command] = ("-m", "roosync_p2p")
_ADMIN: Final[Command] = ("-m", "roosync_p2p.admin.main")


class Sighting(NamedTuple):
    """An event of one node, and when it was seen here (``time.monotonic``)."""

    at_s: float
    event: Event


class DemoNode:
    """One machine: its home, its log, its process while that runs.

    Args:
        home: its home; made by the command that enrols it.
        log: gets what the process prints.
        environ: the environment of its processes, see :func:`clean_environment`.
    """

    def __init__(self, machine: str, home: Path, log: Path, environ: Mapping[str, str]) -> None:
        self.machine: Final = machine
        self.home: Final = home
        self.log: Final = log
        self.client: Final = SyncClient(home, environ={})
        self._environ: Final = dict(environ)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where its links are accepted. The node runs."""
        own = next(row for row in self.client.machines()["machines"] if row["self"])
        return str(own["addresses"][0])

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs ``roosync`` or ``roosync-admin`` on this home to its end; the caller judges the exit code.

        Raises:
            EnvironmentFault: it did not end within ``COMMAND_TIMEOUT_S``.
        """
        module = _ADMIN if program == "roosync-admin" else _ROOSYNC
        command = [sys.executable, *module, "--home", str(self.home), *arguments]
        try:
            return subprocess.run(  # noqa: S603 - our own program, no shell
                command,
                check=False,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                stdin=subprocess.DEVNULL,
                env=self._environ,
                cwd=self.log.parent,
                timeout=COMMAND_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise EnvironmentFault(
                f"`{program} {arguments[0]}` for {self.machine} did not end within {COMMAND_TIMEOUT_S:g} s",
                code="not_in_time",
            ) from error

    def run_well(self, program: str, *arguments: str) -> dict[str, Any]:
        """The JSON document of a command that must succeed.

        Raises:
            EnvironmentFault: it did not, with what it said.
        """
        done = self.run(program, *arguments, "--json")
        if done.returncode != 0:
            raise EnvironmentFault(
                f"`{program} {arguments[0]}` for {self.machine} ended with {done.returncode}: {done.stderr.strip()}",
                code="command_failed",
            )
        document = json.loads(done.stdout)
        assert isinstance(document, dict)
        return document

    def start(self) -> None:
        """Starts the node in the background; :meth:`wait_ready` says when it is there."""
        assert self._process is None, f"{self.machine} runs already"
        self._ready_file.unlink(missing_ok=True)
        command = [sys.executable, *_ROOSYNC, "--home", str(self.home), "up", "--ready-file", str(self._ready_file)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environ,
                cwd=self.log.parent,
                **_OWN_GROUP,
            )

    def wait_ready(self, timeout_s: float) -> None:
        """Waits until links and API are open.

        Raises:
            EnvironmentFault: the process ended, or is not ready in time.
        """
        assert self._process is not None
        deadline = time.monotonic() + timeout_s
        while not self._ready_file.exists():
            code = self._process.poll()
            if code is not None or time.monotonic() > deadline:
                what = f"ended with {code}" if code is not None else f"is not ready after {timeout_s:g} s"
                raise EnvironmentFault(f"the node of {self.machine} {what}: {self._last_words()}", code="node_failed")
            time.sleep(_POLL_S)

    def kill(self) -> float:
        """Ends the process without any warning to it; the moment (``time.monotonic``)."""
        assert self._process is not None
        at_s = time.monotonic()
        self._process.kill()
        self._process.wait()
        self._process = None
        return at_s

    def ask_to_stop(self) -> None:
        """Asks for an orderly end, which :meth:`stop` waits for."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(NotRunningError, NetworkError):  # stop() ends what does not listen
                self.client.shutdown()

    def stop(self, timeout_s: float) -> None:
        """Waits for the end, and brings it about when it does not come."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def pid(self) -> int | None:
        """Its process, while it lives."""
        process = self._process
        return process.pid if process is not None and process_alive(process.pid) else None

    @property
    def _ready_file(self) -> Path:
        return self.log.with_suffix(".ready")

    def _last_words(self) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace").strip()
        return text[-_LOG_TAIL_CHARS:] or "it said nothing"


class EventWatch:
    """Collects the event stream of one node from a thread of its own; entering returns once it is subscribed."""

    def __init__(self, node: DemoNode) -> None:
        self._node: Final = node
        self._seen: list[Sighting] = []
        self._changed: Final = threading.Condition()
        self._subscribed: Final = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._collect, name=f"events of {self._node.machine}", daemon=True).start()
        if not self._subscribed.wait(limits.API_ANSWER_TIMEOUT_S):
            raise EnvironmentFault(f"{self._node.machine} gives no event stream", code="not_in_time")
        return self

    def __exit__(self, *_exception: object) -> None:
        """The thread ends with the node's stream."""

    def wait(self, wanted: Callable[[Event], bool], *, what: str, timeout_s: float) -> Sighting:
        """The first event that is wanted, among those seen and those to come.

        Raises:
            EnvironmentFault: it does not come in time; the message says ``what``.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for sighting in self._seen:
                    if wanted(sighting.event):
                        return sighting
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise EnvironmentFault(
                        f"{self._node.machine} did not see within {timeout_s:g} s: {what}", code="not_in_time"
                    )
                self._changed.wait(left_s)

    def _collect(self) -> None:
        try:
            with self._node.client.events() as events:
                self._subscribed.set()
                for event in events:
                    at_s = time.monotonic()
                    with self._changed:
                        self._seen.append(Sighting(at_s, event))
                        self._changed.notify_all()
        except (NotRunningError, NetworkError, OSError):
            return  # the node is gone; whoever waits for an event of it says so


class DemoFleet:
    """The nodes in one directory. Use as a context: at its end no process is left."""

    def __init__(self, folder: Path, machines: Sequence[str]) -> None:
        self.folder: Final = folder
        self.environ: Final = clean_environment(os.environ)
        self.nodes: Final = [self.make_node(machine, machine) for machine in machines]

    def make_node(self, machine: str, name: str) -> DemoNode:
        """A machine that keeps its things under ``name``. Only those in ``nodes`` are ended by :meth:`close`."""
        return DemoNode(machine, self.folder / name, self.folder / f"{name}.log", self.environ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every node: in good order, all at once; an interruption ends those that are left at once."""
        try:
            for node in self.nodes:
                node.ask_to_stop()
            deadline = time.monotonic() + limits.SHUTDOWN_S
            for node in self.nodes:
                node.stop(max(0.0, deadline - time.monotonic()))
        finally:
            for node in self.nodes:
                node.stop(0.0)


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what steers a user's own node: a demonstration must not find that."""
    return {name: value for name, value in environ.items() if not name.upper().startswith("ROOSYNC_")}


# Ctrl-C reaches every process of a terminal's group: these end when the demonstration says so, in its order.
if sys.platform == "win32":
    _OWN_GROUP: Final[dict[str, Any]] = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
else:
    _OWN_GROUP: Final[dict[str, Any]] = {"start_new_session": True}
