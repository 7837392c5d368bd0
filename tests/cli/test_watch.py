"""``roosync status --watch`` at a terminal: redrawn by time, and at once when something happens."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roosync_p2p.cli.status import redrawn
from tests.cli.test_commands import ENTRY, ENVIRONMENT
from tests.helpers.api_server import RunningApi, running_api

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX")

_REDRAW = b"\x1b[H"


class _Terminal:
    """A command whose standard output is a terminal."""

    def __init__(self, home: Path) -> None:
        self._ours, theirs = os.openpty()
        self.process = subprocess.Popen(
            [*ENTRY, "--home", str(home), "status", "--watch"],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
            env={**os.environ, **ENVIRONMENT},
        )
        os.close(theirs)
        self.shown = b""

    def until_drawn(self, times: int, within_s: float = 15.0) -> float:
        """Reads until it was drawn so many times; the moment."""
        deadline_s = time.monotonic() + within_s
        while self.shown.count(_REDRAW) < times:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"drawn {self.shown.count(_REDRAW)} times only: {self.shown!r}"
            if select.select([self._ours], [], [], left_s)[0]:
                self.shown += os.read(self._ours, 65_536)
        return time.monotonic()

    def close(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.communicate()
        os.close(self._ours)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with running_api(tmp_path / "home") as running:
        yield running


@pytest.fixture
def terminal(api: RunningApi) -> Iterator[_Terminal]:
    terminal = _Terminal(api.home)
    yield terminal
    terminal.close()


def test_it_is_drawn_again_every_second_though_nothing_happens(terminal: _Terminal) -> None:
    first_s = terminal.until_drawn(1)
    assert terminal.until_drawn(3) - first_s >= 1.5
    assert terminal.shown.count(b"\x1b[2J") == 1, "cleared once; later it is drawn over"


def test_a_change_is_drawn_without_waiting_for_the_second(api: RunningApi, terminal: _Terminal) -> None:
    terminal.until_drawn(1)
    for number in range(5):
        api.portal.call(api.backend.notify, "verdict", {"number": number})
    began_s = time.monotonic()
    assert terminal.until_drawn(6) - began_s < 4, "five changes, and no five seconds"


def test_it_ends_with_the_node(api: RunningApi, terminal: _Terminal) -> None:
    terminal.until_drawn(1)
    api.portal.call(api.backend.shutdown)
    _, err = terminal.process.communicate(timeout=20)
    assert (terminal.process.returncode, b"no node is running" in err) == (3, True)


def test_what_is_drawn_over_leaves_nothing_of_what_stood_there() -> None:
    assert redrawn("a\nb") == "\x1b[Ha\x1b[K\nb\x1b[J\x1b[3J"
