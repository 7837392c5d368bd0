"""Commands against a node that is suspended: a person is told at a terminal, a script is not."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from typing import Final

import pytest

from roosync_p2p import limits
from tests.helpers.fleet import ROOSYNC, Fleet, Machine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGSTOP and pseudo-terminals")

PATIENCE: Final = 10


def _first_line(machine: Machine, *args: str, within_s: float) -> tuple[str, float]:
    """The first line that a command writes to its standard error, a pseudo-terminal; nothing if none comes in time."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*ROOSYNC, "--home", str(machine.home), *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=machine.environ,
    )
    os.close(theirs)
    began, text = time.monotonic(), b""
    try:
        while b"\n" not in text and (left_s := began + within_s - time.monotonic()) > 0:
            if select.select([ours], [], [], left_s)[0]:
                text += os.read(ours, 4096)
        return text.decode().strip(), time.monotonic() - began
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_a_person_is_told_after_two_seconds_and_a_script_is_not() -> None:
    with Fleet.found("alice") as fleet:
        (alice,) = fleet.start_all()
        alice.signal(signal.SIGSTOP)
        try:
            line, took_s = _first_line(alice, "status", within_s=PATIENCE * limits.API_SILENT_S)
            assert "the node does not answer yet" in line
            assert f"up to {limits.API_ANSWER_TIMEOUT_S - limits.API_SILENT_S:.0f} s more" in line
            assert took_s >= limits.API_SILENT_S
            assert _first_line(alice, "status", "--json", within_s=2 * limits.API_SILENT_S)[0] == ""
            piped = alice.begin("status")
            with pytest.raises(subprocess.TimeoutExpired):
                piped.communicate(timeout=limits.API_SILENT_S)
            piped.kill()
            assert piped.communicate()[1] == b""
        finally:
            alice.signal(signal.SIGCONT)
        assert alice.json("status")["machine"] == "alice"
