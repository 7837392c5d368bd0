"""One node a home: refused with the holder's name, and never stale."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.home_lock import Holder, HomeLock, read_holder
from roosync_p2p.errors import EnvironmentFault

ROOT = Path(__file__).parents[2]
STARTED = "2026-01-15T09:15:30.000Z"


@pytest.fixture
def lock_file(tmp_path: Path) -> Path:
    return Home(tmp_path).lock_file


def acquire(lock_file: Path) -> HomeLock:
    return HomeLock.acquire(lock_file, program="roosync up", started=STARTED)


@contextlib.contextmanager
def holding(lock_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.adapters.holding_child", str(lock_file)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == b"held"
        try:
            yield child
        finally:
            child.kill()


def test_a_second_process_is_refused_with_the_pid_and_program_of_the_first(lock_file: Path) -> None:
    with holding(lock_file) as child:
        with pytest.raises(EnvironmentFault) as caught:
            acquire(lock_file)
        assert caught.value.code == "home_in_use"
        assert caught.value.details["pid"] == child.pid
        assert str(child.pid) in caught.value.message
        assert "roosync up" in caught.value.message
        assert "roosync down" in caught.value.remedy


def test_a_killed_holder_holds_nothing(lock_file: Path) -> None:
    with holding(lock_file) as child:
        child.kill()
        child.wait(timeout=10)
        with acquire(lock_file):
            assert read_holder(lock_file) == Holder(pid=os.getpid(), program="roosync up", started=STARTED)


def test_an_orderly_end_lets_the_next_in(lock_file: Path) -> None:
    with holding(lock_file) as child:
        child.communicate(timeout=10)
        assert child.returncode == 0
        acquire(lock_file).release()


def test_the_holder_can_be_asked_for_while_it_holds(lock_file: Path) -> None:
    with holding(lock_file) as child:
        assert read_holder(lock_file) == Holder(pid=child.pid, program="roosync up", started=STARTED)


def test_a_second_lock_in_the_same_process_is_refused_as_well(lock_file: Path) -> None:
    with acquire(lock_file), pytest.raises(EnvironmentFault, match=str(os.getpid())):
        acquire(lock_file)


def test_a_note_without_a_lock_means_nothing(lock_file: Path) -> None:
    lock_file.write_text('{"pid": 1, "program": "roosync up", "started": "x"}')
    assert read_holder(lock_file) is None
    acquire(lock_file).release()


def test_nobody_holds_what_is_not_there(lock_file: Path) -> None:
    assert read_holder(lock_file) is None
    assert not lock_file.exists()


def test_a_lock_whose_note_is_not_written_yet_is_refused_without_a_name(lock_file: Path) -> None:
    with acquire(lock_file):
        lock_file.write_bytes(b"")
        with pytest.raises(EnvironmentFault, match="another process runs on the home"):
            acquire(lock_file)
        assert read_holder(lock_file) is None


def test_releasing_twice_is_harmless(lock_file: Path) -> None:
    lock = acquire(lock_file)
    lock.release()
    lock.release()
    with acquire(lock_file):
        pass


def test_a_home_that_is_not_there_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        acquire(tmp_path / "missing" / "node.lock")
    assert caught.value.code == "cannot_lock"
