"""The node as a service of a real systemd user manager, which runs for the test alone (Linux, root)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.helpers.fleet import Fleet, Machine, until

_SYSTEMD: Final = Path("/lib/systemd/systemd")
# A mount namespace of its own, because the manager wants to see that systemd runs the computer.
_ALONE: Final = ("unshare", "--mount", "--propagation", "private")
_SCRIPT: Final = f"mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec {_SYSTEMD} --user"


def _missing() -> str:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "needs root on Linux"
    if not _SYSTEMD.exists() or shutil.which("systemctl") is None or shutil.which("unshare") is None:
        return "there is no systemd"
    if subprocess.run([*_ALONE, "true"], capture_output=True, check=False).returncode:
        return "there are no namespaces for mounts"
    return ""


pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(_missing()), reason=_missing())]


@pytest.fixture
def alice() -> Iterator[Machine]:
    inside: list[str] = []  # how a command gets to where the manager is
    with Fleet.found("alice", wraps=[lambda command: [*inside, *command]]) as fleet:
        machine = fleet.machines["alice"]
        runtime = fleet.path / "run"
        runtime.mkdir(mode=0o700)
        machine.environ |= {"XDG_RUNTIME_DIR": str(runtime), "XDG_CONFIG_HOME": str(fleet.path / "config é")}
        (machine.home / "settings.toml").write_text(f'[node]\nlisten = "{machine.listen}"\n[discovery]\nmdns = false\n')
        output = (fleet.path / "systemd.log").open("ab")
        manager = subprocess.Popen(
            [*_ALONE, "sh", "-c", _SCRIPT],
            env={**machine.environ, "SYSTEMD_LOG_TARGET": "console"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        inside += ["nsenter", f"--mount=/proc/{manager.pid}/ns/mnt", "--"]
        try:
            until(
                lambda: _systemctl(machine, "is-system-running").startswith("running"),
                30,
                what="systemd runs",
                shown=lambda: Path(output.name).read_text(),
            )
            yield machine
        finally:
            _systemctl(machine, "exit")
            try:
                manager.wait(30)
            except subprocess.TimeoutExpired:
                manager.kill()
                manager.wait()
            output.close()
            pid = _pid(machine)
            if pid is not None and (Path("/proc") / str(pid)).exists():
                os.kill(pid, signal.SIGKILL)


def _systemctl(machine: Machine, *arguments: str) -> str:
    command = machine.wrapped(["systemctl", "--user", *arguments])
    return subprocess.run(command, env=machine.environ, capture_output=True, text=True, check=False).stdout


def _pid(machine: Machine) -> int | None:
    try:
        pid = json.loads((machine.home / "api.json").read_text())["pid"]
    except (OSError, ValueError):
        return None
    return int(pid)


def _status(machine: Machine) -> dict[str, Any]:
    status: dict[str, Any] = machine.json("service", "status")
    return status


def _until_ready(machine: Machine, *, after: int | None = None) -> None:
    """The node runs, as another process than ``after``, and writes."""
    until(lambda: _pid(machine) not in (None, after), 150, what="a node runs", shown=machine.log)
    machine.until_ready()


def test_a_service_runs_the_node_brings_it_back_and_goes_away_again(alice: Machine) -> None:
    assert "no service" in alice.run("service", "status").stdout
    planned = alice.json("service", "install", "--dry-run")
    assert not Path(planned["file"]).exists()
    installed = alice.json("service", "install")
    assert Path(installed["file"]).read_text() == planned["text"]
    assert installed["started"]
    _until_ready(alice)
    status = _status(alice)
    assert (status["installed"], status["enabled"], status["running"], status["current"]) == (True, True, True, True)
    assert status["pid"] == status["node_pid"] == _pid(alice)
    assert "the node runs" in alice.run("service", "status").stdout

    # killed: it comes back by itself
    os.kill(status["pid"], signal.SIGKILL)
    _until_ready(alice, after=status["pid"])

    # told to stop: it stays down, and the service is there for the next login
    alice.run("down")
    stopped = _status(alice)
    assert (stopped["installed"], stopped["running"], stopped["node_pid"]) == (True, False, None)
    # what keeps it from starting is known where nobody sees its output
    (alice.home / "settings.toml").write_text("[node]\nlitsen = 1\n")
    _systemctl(alice, "start", Path(installed["file"]).name)
    until(lambda: _status(alice)["last_failed_start"] is not None, 50, what="it says why", shown=alice.log)
    assert "litsen" in _status(alice)["last_failed_start"]["message"]
    assert "litsen" in alice.run("service", "status").stdout
    assert "litsen" in alice.run("service", "logs").stderr
    (alice.home / "settings.toml").write_text(f'[node]\nlisten = "{alice.listen}"\n[discovery]\nmdns = false\n')
    _until_ready(alice)
    assert _status(alice)["last_failed_start"] is None
    assert "ready: alice" in alice.run("service", "logs", "-n", "500").stdout

    alice.run("service", "remove")
    assert not Path(installed["file"]).exists()
    assert _status(alice)["node_pid"] is None
    assert "no service" in alice.run("service", "remove").stdout


def test_a_node_that_runs_already_is_left_alone(alice: Machine) -> None:
    alice.start()
    assert "roosync down" in alice.run("service", "install").stdout
    assert alice.running
    assert _status(alice)["running"] is False
    alice.run("service", "remove")
    assert alice.running
    assert alice.stop() == 0


def test_without_an_identity_or_a_manager_nothing_is_installed(alice: Machine) -> None:
    empty = alice.home.parent / "empty"
    refused = alice.run("service", "install", "--home", str(empty), code=1)
    assert "roosync join" in refused.stderr
    nowhere = {"XDG_RUNTIME_DIR": str(empty)}
    refused = alice.run("service", "install", environ=nowhere, code=1)
    assert "enable-linger" in refused.stderr
    assert not list((alice.home.parent / "config é").rglob("*.service"))
