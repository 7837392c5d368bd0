"""What connections share: each its caller, touched while its client is there, forgotten when it is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from roosync_p2p import limits
from roosync_p2p.api.start_log import record_failed_start
from roosync_p2p.api.starting import StartedNode
from roosync_p2p.errors import EnvironmentFault, NotRunningError
from roosync_p2p.mcp_server.desk import Desk
from tests.helpers.api_server import RunningApi, running_api
from tests.helpers.fleet import until


async def somebody() -> tuple[str | None, str]:
    """An introduction."""
    return None, "agent 1"


def with_desk(home: Path, story: Callable[[Desk], Awaitable[None]], *, lease_s: float = 90) -> None:
    async def run() -> None:
        with anyio.fail_after(30):
            async with Desk.opened(home, lease_s=lease_s, said_workspace=None) as desk:
                await story(desk)

    anyio.run(run)


async def wait_for(done: Callable[[], bool], what: str) -> None:
    await anyio.to_thread.run_sync(lambda: until(done, 20, what=what))


def test_every_connection_has_its_session_and_all_end_with_the_desk(tmp_path: Path) -> None:
    with running_api(tmp_path / "home") as api:

        async def story(desk: Desk) -> None:
            left: list[str] = []
            desk.when_left(left.append)
            for name in ("one", "two", "three"):
                await desk.caller(name).introduce(somebody)
                assert desk.caller(name) is desk.caller(name)
            assert len(api.backend.claims.secrets) == 3
            await desk.leave("two")
            await desk.leave("nobody")
            assert left == ["two", "nobody"]
            assert api.backend.claims.secrets == ["secret-0", "secret-2"]

        with_desk(tmp_path / "home", story)
        assert api.backend.claims.secrets == []


def test_who_is_there_is_touched_and_who_was_away_for_long_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MCP_IDLE_S", 0.0)

    def forget(api: RunningApi) -> None:
        api.backend.claims.secrets.clear()

    with running_api(tmp_path / "home") as api:

        async def story(desk: Desk) -> None:
            left: list[str] = []
            desk.when_left(left.append)
            here, away = desk.caller("here"), desk.caller("away", lambda: False)
            for caller in (here, away):
                await caller.introduce(somebody)
            forget(api)
            await wait_for(lambda: len(api.backend.claims.secrets) == 1, "only who is there gets a session again")
            await wait_for(lambda: left == ["away"], "who is away is forgotten")
            assert desk.caller("here") is here
            assert desk.caller("away") is not away

        with_desk(tmp_path / "home", story, lease_s=1)


def test_without_a_node_and_without_being_told_to_start_one_nothing_is_started(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        caller = desk.caller("one")
        await caller.introduce(somebody)
        with pytest.raises(NotRunningError):
            await caller.ready()

    with_desk(tmp_path / "home", story)


def test_a_node_that_does_not_come_up_is_told_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / "logs").mkdir(parents=True)
    (home / "settings.toml").write_text("[mcp]\nstart_node = true\n")

    def start(_home: Path) -> StartedNode:
        record_failed_start(home, EnvironmentFault("this machine has no identity", remedy="roosync-admin init"))
        with subprocess.Popen([sys.executable, "-c", ""]) as process:
            process.wait(30)
        return StartedNode(process)

    monkeypatch.setattr("roosync_p2p.mcp_server.desk.start_node", start)

    async def story(desk: Desk) -> None:
        with pytest.raises(NotRunningError) as refused:
            await desk.caller("one").ready()
        assert "this machine has no identity" in refused.value.message
        assert refused.value.remedy == "roosync-admin init"

    with_desk(home, story)
