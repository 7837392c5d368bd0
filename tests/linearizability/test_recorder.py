"""What clients did is on disk as they did it, whatever becomes of them."""

from __future__ import annotations

import concurrent.futures
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import anyio
import pytest

from tests.house.floors import ROOT
from tests.linearizability.checker import check
from tests.linearizability.claims import Acquire, Claims, Granted
from tests.linearizability.recorder import Recorder, read_history
from tests.linearizability.register import Accepted, Get, Register, Set, Value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.jsonl"


def _ticking() -> Iterator[float]:
    return (float(tick) for tick in count())


def test_answers_void_ones_and_unknown_ones_are_told_apart(path: Path) -> None:
    with Recorder(path, clock=_ticking().__next__) as recorder:
        with recorder.operation("a", "claim", Acquire(session="a", ttl_s=30)) as call:
            call.answered(Granted(token=7))
        with recorder.operation("a", "claim", Acquire(session="a", ttl_s=30)) as call:
            call.void()
        with recorder.operation("b", "claim", Acquire(session="b", ttl_s=30)):
            pass
    first, second = read_history([path], Claims())
    assert (first.process, first.key, first.answer) == ("a", "claim", Granted(token=7))
    assert (first.call_s, first.return_s) == (0.0, 1.0)
    assert (second.request, second.answer, second.return_s) == (Acquire(session="b", ttl_s=30), None, math.inf)


def test_an_exception_passes_and_leaves_the_answer_unknown(path: Path) -> None:
    with Recorder(path) as recorder, pytest.raises(TimeoutError), recorder.operation("a", "k", Get()):
        raise TimeoutError
    (operation,) = read_history([path], Register())
    assert operation.answer is None


def test_an_operation_returns_once(path: Path) -> None:
    with Recorder(path) as recorder, recorder.operation("a", "k", Get()) as call:
        call.void()
        with pytest.raises(AssertionError):
            call.answered(Value(version=0, value=""))


def test_an_answer_after_the_end_does_not_count(path: Path) -> None:
    recorder = Recorder(path)
    with recorder.operation("a", "k", Get()) as call:
        recorder.close()
        call.answered(Value(version=0, value=""))
    assert read_history([path], Register())[0].answer is None


def test_nothing_is_asked_after_the_end(path: Path) -> None:
    recorder = Recorder(path)
    recorder.close()
    with pytest.raises(ValueError, match="closed"), recorder.operation("a", "k", Get()):
        pytest.fail("the request would be sent")


def test_a_file_is_never_continued(path: Path) -> None:
    Recorder(path).close()
    with pytest.raises(FileExistsError):
        Recorder(path)


def test_threads_share_a_recorder(path: Path) -> None:
    with Recorder(path) as recorder, concurrent.futures.ThreadPoolExecutor(8) as pool:

        def reads(process: str) -> None:
            for _ in range(50):
                with recorder.operation(process, "k", Get()) as call:
                    call.answered(Value(version=0, value=""))

        list(pool.map(reads, [f"c{number}" for number in range(8)]))
    history = read_history([path], Register())
    assert len(history) == 400
    assert check(history, Register()).linearizable


def test_tasks_share_a_recorder(path: Path) -> None:
    written: list[str] = []

    async def client(recorder: Recorder, value: str) -> None:
        with recorder.operation(value, "k", Set(value=value)) as call:
            await anyio.lowlevel.checkpoint()
            written.append(value)
            version = len(written)
            await anyio.lowlevel.checkpoint()
            call.answered(Accepted(version=version))

    async def load() -> None:
        with Recorder(path) as recorder:
            async with anyio.create_task_group() as tasks:
                for number in range(20):
                    tasks.start_soon(client, recorder, f"v{number}")

    anyio.run(load)
    history = read_history([path], Register())
    assert len(history) == 20
    assert check(history, Register()).linearizable


def test_histories_of_several_programs_are_put_together(tmp_path: Path) -> None:
    clock = _ticking().__next__
    paths = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    with Recorder(paths[0], clock=clock) as one, Recorder(paths[1], clock=clock) as two:
        with one.operation("a", "k", Set(value="x")) as call:
            call.answered(Accepted(version=1))
        with two.operation("b", "k", Get()) as call:
            call.answered(Value(version=0, value=""))
    assert check(read_history(paths, Register()), Register()).linearizable is False


_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.linearizability.recorder import Recorder
from tests.linearizability.register import Get, Set, Accepted
with Recorder(Path(sys.argv[1])) as recorder:
    with recorder.operation("a", "k", Set(value="x")) as call:
        call.answered(Accepted(version=1))
    with recorder.operation("a", "k", Set(value="y")):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_load_that_is_killed_leaves_what_it_had_asked(path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=False, timeout=60, env=environ, cwd=ROOT)
    first, second = read_history([path], Register())
    assert (first.answer, second.answer) == (Accepted(version=1), None)
    assert second.request == Set(value="y")


def test_a_line_that_was_cut_off_is_left_out(path: Path) -> None:
    with Recorder(path) as recorder, recorder.operation("a", "k", Get()) as call:
        call.answered(Value(version=0, value=""))
    path.write_bytes(path.read_bytes()[:-3])
    (operation,) = read_history([path], Register())
    assert operation.answer is None
