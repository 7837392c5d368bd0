"""A forked program is one that was started: its own streams, environment, directory, exit code and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.forking import ForkedPopen, popen

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks with prctl of Linux")

ROOSYNC = (sys.executable, "-m", "roosync_p2p.cli.main")


def begin(tmp_path: Path, *args: str, **env: str) -> subprocess.Popen[bytes]:
    return popen(
        [*ROOSYNC, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **env},
        cwd=tmp_path,
    )


def test_it_prints_on_its_own_streams_and_ends_with_its_own_code(tmp_path: Path) -> None:
    process = begin(tmp_path, "--home", str(tmp_path / "nowhere"), "status")
    assert isinstance(process, ForkedPopen)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (3, b"")
    assert b"no node is running" in err


def test_it_has_its_own_environment_and_directory(tmp_path: Path) -> None:
    process = begin(tmp_path, "--json", "status", ROOSYNC_HOME="a-home")
    _, err = process.communicate(timeout=60)
    assert b"a-home" in err


def test_it_is_a_child_that_is_killed_and_waited_for(tmp_path: Path) -> None:
    process = begin(tmp_path, "--home", str(tmp_path), "send", "somebody", "subject", "-")
    assert f"PPid:\t{os.getpid()}" in Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    for stream in (process.stdin, process.stdout, process.stderr):
        assert stream is not None
        stream.close()


def test_what_an_interpreter_reads_when_it_starts_takes_a_new_one(tmp_path: Path) -> None:
    process = begin(tmp_path, "--version", PYTHONIOENCODING="latin-1")
    assert not isinstance(process, ForkedPopen)
    out, _ = process.communicate(timeout=60)
    assert out.startswith(b"roosync")
