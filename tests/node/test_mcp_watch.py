"""The MCP server of a node is started again when it dies, and ends when the node ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home
from roosync_p2p.node.mcp_watch import McpWatch, server_command
from tests.helpers.fleet import until

DIES = "import sys; open(sys.argv[1], 'a').write('x'); sys.exit('the port is taken')"
LIVES = "import sys; open(sys.argv[1], 'a').write('x'); sys.stdin.read(); open(sys.argv[1], 'a').write('ended')"
DEAF = "import sys, time; open(sys.argv[1], 'a').write('x'); time.sleep(600)"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "node")
    found.logs.mkdir(parents=True)
    return found


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MCP_RESTART_FIRST_S", 0.001)
    monkeypatch.setattr(limits, "MCP_RESTART_MAX_S", 0.01)
    monkeypatch.setattr(limits, "MCP_END_S", 0.3)


def watch(home: Home, program: str, *, warned: list[str]) -> tuple[McpWatch, Path]:
    said = home.path / "said"
    said.touch()
    return McpWatch(home, warn=warned.append, command=[sys.executable, "-c", program, str(said)]), said


async def wait_for(done: Callable[[], bool], what: str) -> None:
    await anyio.to_thread.run_sync(lambda: until(done, 30, what=what))


def test_one_that_keeps_dying_is_started_again_and_told_of(home: Home, soon: None) -> None:
    warned: list[str] = []
    watched, said = watch(home, DIES, warned=warned)

    async def run() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watched.run)
            await wait_for(lambda: len(said.read_text()) > limits.MCP_FAILURES_SHOWN, "it is started again")
            tasks.cancel_scope.cancel()

    anyio.run(run)
    assert warned[0].startswith(f"the MCP server for agents has ended {limits.MCP_FAILURES_SHOWN} times in a row")
    assert "the port is taken" in warned[0]


def test_a_program_that_is_not_there_is_told_of_too(home: Home, soon: None) -> None:
    warned: list[str] = []
    watched = McpWatch(home, warn=warned.append, command=[str(home.path / "nothing")])

    async def run() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watched.run)
            await wait_for(lambda: bool(warned), "a warning")
            tasks.cancel_scope.cancel()

    anyio.run(run)


@pytest.mark.parametrize(("program", "left"), [(LIVES, "xended"), (DEAF, "x")])
def test_it_ends_with_the_node_gently_if_it_listens(home: Home, soon: None, program: str, left: str) -> None:
    watched, said = watch(home, program, warned=[])

    async def run() -> float:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watched.run)
            await wait_for(lambda: said.read_text() == "x", "it runs")
            began = time.monotonic()
            tasks.cancel_scope.cancel()
        return time.monotonic() - began

    assert anyio.run(run) < 10
    assert said.read_text() == left


def test_the_command_runs_the_server_of_this_home(home: Home) -> None:
    command: Sequence[str] = server_command(home.path)
    assert command[-3:] == ["mcp", "--http", "--with-parent"]
    assert str(home.path) in command
