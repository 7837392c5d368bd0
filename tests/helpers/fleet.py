"""Real nodes as processes of their own, each in a home below one short-lived directory, driven as users drive them.

    with Fleet.found("machine-a", "machine-b") as fleet:
        a, b = fleet.start_all()
        fleet.until_linked()
        a.run("send", "machine-b", "hello")
        with b.record() as events: ...

Homes lie under the system's temporary directory, because the path of a unix socket is short. Ports are of 127.0.0.1,
outside the range that the system hands out, so a node that returns finds its port free. Whatever was started is killed
when the fleet is left; what waits has a deadline, and says what it saw and what the nodes logged when it runs out.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home
from roosync_p2p.admin.enrolling import install_answer, issue_offline, make_request
from roosync_p2p.admin.founding import Wishes, found
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.errors import EnvironmentFault, NotRunningError
from roosync_p2p.trust.enrolment import enrolment_to_pem
from tests.helpers.forking import popen
from tests.helpers.recorder import Recorder

__all__ = ["ADMIN", "ROOSYNC", "Fleet", "Machine", "Recorder", "free_port", "until"]

ROOSYNC: Final = (sys.executable, "-m", "roosync_p2p.cli.main")
ADMIN: Final = (sys.executable, "-m", "roosync_p2p.admin.main")

READY_S: Final = 30.0  # a node is ready in well under a second; the machine may be busy
COMMAND_S: Final = 60.0
LAST_WORDS_S: Final = 2.0  # of a test that has failed
POLL_S: Final = 0.03  # at first; each look costs the node and the test some milliseconds, so what takes longer is
POLL_LONGEST_S: Final = 0.3  # looked at less and less often
_LOG_LINES_SHOWN: Final = 60
_PORTS: Final = range(20_000, 32_000)  # below what Linux, macOS and Windows hand out to clients

Wrap = Callable[[Sequence[str]], list[str]]


def free_port() -> int:
    """A port of this computer where nobody listens, which no outgoing connection will take meanwhile."""
    for port in random.sample(_PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port was found")


def until(done: Callable[[], bool], within_s: float, *, what: str, shown: Callable[[], object] = lambda: "") -> float:
    """Polls until ``done``; the seconds it took. Fails with ``what`` and with what ``shown`` returns."""
    began, pause_s = time.monotonic(), POLL_S
    while not done():
        if time.monotonic() - began > within_s:
            raise AssertionError(f"not within {within_s:g} s: {what}\n{shown()}")
        time.sleep(pause_s)
        pause_s = min(1.25 * pause_s, POLL_LONGEST_S)
    return time.monotonic() - began


class Machine:
    """One home, and at most one node in it.

    Args:
        listen: where its node accepts links.
        wrap: turns a command line into the one that runs it on this machine (a network namespace).
        environ: of every command.
    """

    def __init__(
        self,
        name: str,
        home: Path,
        *,
        listen: str,
        environ: Mapping[str, str],
        wrap: Wrap = list,
    ) -> None:
        self.name = name
        self.home = home
        self.listen = listen
        self.environ = dict(environ)
        self.client = SyncClient(home, environ={})
        self.output = home.parent / f"{home.name}.out"
        self._wrap = wrap
        self._node: subprocess.Popen[bytes] | None = None
        self._started = 0
        self._begun: list[subprocess.Popen[bytes]] = []

    # --- commands -------------------------------------------------------------------------------------------------

    def wrapped(self, command: Sequence[str]) -> list[str]:
        """A command line as it is run on this machine."""
        return self._wrap(command)

    def run(
        self,
        *args: str,
        tool: Sequence[str] = ROOSYNC,
        stdin: str | bytes = b"",
        code: int | None = 0,
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in this home to its end; fails unless it exits with ``code`` (None: any)."""
        process = self.begin(*args, tool=tool, environ=environ)
        text = stdin.encode() if isinstance(stdin, str) else stdin
        try:
            out, err = process.communicate(text, COMMAND_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        done = subprocess.CompletedProcess(args, process.returncode, out.decode(), err.decode())
        if code is not None:
            assert done.returncode == code, f"{self.name}: {args} exited with {done.returncode}\n{done}\n{self.log()}"
        return done

    def begin(
        self, *args: str, tool: Sequence[str] = ROOSYNC, environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts a command; what its caller did not wait for is killed with the machine."""
        process = popen(
            self._wrap([*tool, "--home", str(self.home), *args]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**self.environ, **(environ or {})},
            cwd=self.home.parent,
        )
        self._begun = [begun for begun in self._begun if begun.returncode is None]
        self._begun.append(process)
        return process

    def json(
        self,
        *args: str,
        tool: Sequence[str] = ROOSYNC,
        stdin: str | bytes = b"",
        code: int | None = 0,
        environ: Mapping[str, str] | None = None,
    ) -> Any:
        """The one document that a command prints with ``--json``; nothing else may be on standard output."""
        done = self.run("--json", *args, tool=tool, stdin=stdin, code=code, environ=environ)
        return json.loads(done.stdout)

    def refusal(
        self,
        *args: str,
        tool: Sequence[str] = ROOSYNC,
        stdin: str | bytes = b"",
        code: int | None = 1,
        environ: Mapping[str, str] | None = None,
    ) -> Any:
        """The error object of a command that fails, which is all that it prints."""
        done = self.run("--json", *args, tool=tool, stdin=stdin, code=code, environ=environ)
        assert done.stdout == "", f"{args} failed and printed {done.stdout!r}"
        return json.loads(done.stderr)["error"]

    def admin(self, *args: str, code: int = 0) -> str:
        """Standard output of ``roosync-admin``."""
        return self.run(*args, tool=ADMIN, code=code).stdout

    def settle_for(self, lines: str) -> None:
        """Adds settings, before the node starts; none of the sections may be there already."""
        with (self.home / "settings.toml").open("a", encoding="utf-8") as file:
            file.write(f"\n{lines}\n")

    # --- the node -------------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """Of the running node."""
        assert self._node is not None, f"{self.name} runs no node"
        return self._node.pid

    @property
    def running(self) -> bool:
        """Whether this test's node of the home lives."""
        return self._node is not None and self._node.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Of this test's node of the home; None while it lives, or before one was started."""
        return None if self._node is None else self._node.poll()

    def start(
        self, *options: str, listen: str | None = None, mdns: bool = False, environ: Mapping[str, str] | None = None
    ) -> float:
        """Starts the node and waits until it is ready; the seconds that took."""
        began = time.monotonic()
        self.begin_start(*options, listen=listen, mdns=mdns, environ=environ)
        self.until_up()
        return time.monotonic() - began

    def begin_start(
        self, *options: str, listen: str | None = None, mdns: bool = False, environ: Mapping[str, str] | None = None
    ) -> None:
        """Starts the node; :meth:`until_up` waits for it."""
        assert not self.running
        self._started += 1
        argv = [*ROOSYNC, "--home", str(self.home), "up", "--listen", listen or self.listen]
        argv += [*([] if mdns else ["--no-mdns"]), "--ready-file", str(self._ready_file()), *options]
        with self.output.open("ab") as output:
            self._node = popen(
                self._wrap(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**self.environ, **(environ or {})},
                cwd=self.home.parent,
            )

    def until_up(self) -> None:
        """Waits until the node says that it is ready: links and API are open."""
        node, ready = self._node, self._ready_file()
        assert node is not None
        until(lambda: ready.exists() or node.poll() is not None, READY_S, what=f"{self.name} is ready", shown=self.log)
        assert node.poll() is None, f"{self.name} ended with {node.returncode}:\n{self.log()}"

    def _ready_file(self) -> Path:
        return self.home.parent / f"{self.home.name}.ready{self._started}"

    def signal(self, number: signal.Signals) -> float:
        """Sends a signal to the node's process; the moment just before."""
        at_s = time.monotonic()
        os.kill(self.pid, number)
        return at_s

    def kill(self) -> float:
        """SIGKILL, and its process is gone; the moment just before."""
        at_s = self.signal(signal.SIGKILL)
        self.wait_end()
        return at_s

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait_end()

    def wait_end(self, within_s: float = READY_S) -> int:
        """The exit code of the node, once it has ended."""
        assert self._node is not None
        try:
            return self._node.wait(within_s)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{self.name} did not end within {within_s:g} s\n{self.log()}") from late

    def record(self) -> Recorder:
        """Records the node's events from now on."""
        return Recorder(self.client, self.name)

    # --- what it shows --------------------------------------------------------------------------------------------

    def states(self) -> dict[str, str]:
        """Each machine's state as this node sees it."""
        return {row["machine"]: row["state"] for row in self.client.machines()["machines"]}

    def row(self, machine: str) -> dict[str, Any]:
        """What this node says of a machine."""
        rows: list[dict[str, Any]] = self.client.machines()["machines"]
        return next(row for row in rows if row["machine"] == machine)

    def counters(self) -> dict[str, int]:
        """The node's counters."""
        found: dict[str, int] = self.client.status()["counters"]
        return found

    def warnings(self) -> dict[str, str]:
        """Code and words of what the node warns of."""
        return {warning["code"]: warning["message"] for warning in self.client.status()["warnings"]}

    def inbox(self, status: str = "all") -> list[dict[str, Any]]:
        """Every message in this machine's inboxes, page by page."""
        page = self.client.inbox(status=status, limit=200)
        found: list[dict[str, Any]] = list(page["messages"])
        while page["next"] is not None:
            page = self.client.inbox(status=status, limit=200, before=page["next"])
            found += page["messages"]
        return found

    def places(self) -> dict[tuple[str, int, str, int], str]:
        """The id of the entry at each place that this home holds: author, incarnation, chain, sequence."""
        columns = "author, incarnation, chain, sequence, hex(id)"
        rows = self.rows(f"SELECT {columns} FROM places JOIN chains ON chains.no = places.chain_no")
        return {(row[0], row[1], row[2], row[3]): row[4] for row in rows}

    def until_reached(self, *machines: str) -> None:
        """Waits until this node has dialled these itself, with success: only then a refusal proves something."""
        until(
            lambda: set(machines) <= {row[0] for row in self.rows("SELECT machine FROM addresses")},
            READY_S,
            what=f"{self.name} has reached {machines}",
            shown=self.log,
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query of this home's store gives."""
        with contextlib.closing(sqlite3.connect(f"{(self.home / 'node.db').as_uri()}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()

    def until_state(self, machine: str, *states: str, within_s: float = 50.0) -> float:
        """Waits until this node sees a machine in one of these states; the seconds that took."""
        return until(
            lambda: self.states().get(machine) in states,
            within_s,
            what=f"{self.name} sees {machine} {' or '.join(states)}",
            shown=lambda: f"{self.client.machines()}\n{self.log()}",
        )

    def until_ready(self, within_s: float = READY_S) -> None:
        """Waits until the node has ended its start-up check and may write."""
        until(
            lambda: self.client.status()["phase"] == "ready",
            within_s,
            what=f"{self.name} writes",
            shown=lambda: f"{self.client.status()}\n{self.log()}",
        )

    def log(self) -> str:
        """The end of what the node printed and logged."""
        parts = [f"--- {self.name}: {self.home}"]
        files = [self.output, *sorted((self.home / "logs").glob("*"))]
        for file in files:
            with contextlib.suppress(OSError):
                parts += file.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
        return "\n".join(parts)

    def close(self) -> None:
        """Kills the node, also a stopped one, and what still runs of commands."""
        for process in self._begun:
            if process.poll() is None:
                process.kill()
            process.communicate()
        self._begun.clear()
        if self.running:
            assert self._node is not None
            self._node.kill()
            self._node.wait(READY_S)


class Fleet:
    """Machines in one temporary directory; leaving it kills every node and removes the directory."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="rs"))
        self.machines: dict[str, Machine] = {}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ROOSYNC_")}
        self.environ = {**kept, "HOME": str(self.path), "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}

    @classmethod
    def found(cls, *names: str, wraps: Sequence[Wrap] = (), listens: Sequence[str] = ()) -> Self:
        """A fleet whose machines were all admitted by hand-carried requests; the first one founded it.

        The founder's address is known to nobody yet: nodes are started with it as a peer, see :meth:`start_all`.
        """
        fleet = cls()
        try:
            fleet._enrol(names, wraps, listens)
        except BaseException:
            fleet.close()
            raise
        return fleet

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._let_speak()
            print({name: machine.exit_code for name, machine in self.machines.items()})
            print(self.report())
        self.close()

    def _let_speak(self) -> None:
        """A node that is about to end says why, before it is killed with the others."""
        deadline = time.monotonic() + LAST_WORDS_S
        while time.monotonic() < deadline and all(machine.running for machine in self.machines.values()):
            time.sleep(POLL_S)

    def add(self, name: str, *, listen: str | None = None, wrap: Wrap = list, home: Path | None = None) -> Machine:
        """A machine without anything in its home."""
        machine = Machine(
            name,
            home or self.path / name,
            listen=listen or f"127.0.0.1:{free_port()}",
            environ=self.environ,
            wrap=wrap,
        )
        key = name if name not in self.machines else f"{name} in {machine.home.name}"
        self.machines[key] = machine
        return machine

    def copy(self, machine: Machine, name: str, *, listen: str | None = None) -> Machine:
        """A copy of a machine's home, as somebody makes who clones a disk."""
        home = self.path / name
        _copy_home(machine.home, home)
        return self.add(machine.name, home=home, listen=listen)

    def start_all(self, *names: str, options: Sequence[str] = ()) -> list[Machine]:
        """Starts these machines, or all, at once; the later ones are told of the earlier ones' addresses."""
        chosen = [self.machines[name] for name in names] if names else list(self.machines.values())
        peers: list[str] = []
        for machine in chosen:
            machine.begin_start(*peers, *options)
            peers += ["--peer", machine.listen]
        for machine in chosen:
            machine.until_up()
        return chosen

    def let_send(self) -> None:
        """Sessions may send as much as a test wants to. The nodes do not run yet."""
        for machine in self.machines.values():
            machine.settle_for(f"[mail]\nsends_a_minute = {limits.SENDS_A_MINUTE_MAX}")

    def running(self) -> list[Machine]:
        """The machines whose nodes live."""
        return [machine for machine in self.machines.values() if machine.running]

    def until_linked(self, within_s: float = 50.0) -> float:
        """Waits until all running machines see each other online, directly, and may write; the seconds that took."""
        wanted = {machine.name for machine in self.running()}

        def linked() -> bool:
            for machine in self.running():
                rows = machine.client.machines()["machines"]
                seen = {
                    row["machine"]
                    for row in rows
                    if row["state"] == "online" and (row["self"] or row["evidence"]["path"] == "direct")
                }
                if not wanted <= seen or machine.client.status()["phase"] != "ready":
                    return False
            return True

        return until(linked, within_s, what="all see each other online, directly", shown=self.report)

    def report(self) -> str:
        """What every node shows and logged."""
        parts: list[str] = []
        for machine in self.machines.values():
            if machine.running:
                with contextlib.suppress(EnvironmentFault, NotRunningError):
                    parts.append(f"{machine.name}: {machine.client.machines()}")
            parts.append(machine.log())
        return "\n".join(parts)

    def close(self) -> None:
        """Kills every node and removes the directory; safe to call again."""
        for machine in self.machines.values():
            machine.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def _enrol(self, names: Sequence[str], wraps: Sequence[Wrap], listens: Sequence[str]) -> None:
        for number, name in enumerate(names):
            self.add(
                name,
                wrap=wraps[number] if wraps else list,
                listen=listens[number] if listens else None,
            )
        founder, *others = self.machines.values()
        wall_s = int(time.time())
        wishes = Wishes(fleet_name="Écurie", machine=founder.name, listen=None)
        found(Home(founder.home), wishes, environ=self.environ, host_name="", passphrase=lambda: None, wall_s=wall_s)
        for machine in others:
            self.admit(machine)

    def admit(self, machine: Machine, *, ago_s: float = 0) -> None:
        """Admits one more machine by hand, so long ago; the founder's node does not run."""
        founder = next(iter(self.machines.values()))
        home = Home(machine.home)
        pending = make_request(home, machine.name, environ=self.environ, host_name="")
        enrolment = issue_offline(
            Home(founder.home), pending.request_path.read_bytes(), wall_s=int(time.time() - ago_s)
        )
        answer = enrolment_to_pem(enrolment)
        install_answer(home, answer, confirm=lambda enrolment: enrolment.fleet)


def _copy_home(source: Path, target: Path) -> None:
    """Everything but what belongs to a running process: sockets and the lock."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if name in ("node.lock", "api.json") or (Path(folder) / name).is_socket()}

    shutil.copytree(source, target, ignore=left_out)
