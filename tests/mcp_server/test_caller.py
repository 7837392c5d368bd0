"""A caller's session: opened once, kept, opened anew when the node has forgotten it, closed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from roosync_p2p.api.client import Client
from roosync_p2p.errors import InputFault
from roosync_p2p.mcp_server.answers import failure_of
from roosync_p2p.mcp_server.caller import Caller
from roosync_p2p.mcp_server.relay import Relay
from roosync_p2p.mcp_server.tools import call_tool
from tests.helpers.api_server import RunningApi, running_api


async def nothing() -> None:
    """No node is started."""


async def somebody() -> tuple[str | None, str]:
    """An introduction."""
    return "roosync", "agent 1"


async def silent(progress: float, total: float, message: str) -> None:
    """Nobody wants to know."""


def with_caller(home: Path, story: Callable[[Caller], Awaitable[None]]) -> None:
    async def run() -> None:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                api = Client(home, environ={})
                await story(Caller(api, Relay(api, tasks), lease_s=90, ensure_node=nothing))
                tasks.cancel_scope.cancel()

    anyio.run(run)


@pytest.fixture
def api(tmp_path: Path) -> Any:
    with running_api(tmp_path / "home") as api:
        yield api


def test_a_session_is_opened_once_and_closed_with_its_claims(api: RunningApi) -> None:
    async def story(caller: Caller) -> None:
        assert caller.boxes == [""]
        for _ in range(2):
            await caller.introduce(somebody)
        assert (caller.workspace, caller.boxes, caller.session) == ("roosync", ["", "roosync"], "of secret-0")
        await call_tool(caller, "roosync_claim", {"name": "x"}, silent)
        assert api.backend.claims.held["x"]["holder"]["session"] == "of secret-0"
        await caller.close()
        assert (api.backend.claims.held, api.backend.claims.secrets) == ({}, [])
        await caller.touch()  # what is closed stays so
        assert api.backend.claims.secrets == []

    with_caller(api.home, story)


def test_a_session_that_the_node_has_forgotten_is_opened_anew_by_use_and_by_touch(api: RunningApi) -> None:
    async def story(caller: Caller) -> None:
        await caller.introduce(somebody)
        api.backend.claims.secrets[0] = "forgotten"
        await call_tool(caller, "roosync_claim", {"name": "x"}, silent)
        assert caller.session == "of secret-1"
        await caller.touch()
        assert caller.session == "of secret-1", "a touch of one that lives changes nothing"
        api.backend.claims.secrets.remove("secret-1")
        await caller.touch()
        assert caller.session == f"of {api.backend.claims.secrets[-1]}"
        assert len(api.backend.ledger.entries) == 1, "touches write nothing into the log"

    with_caller(api.home, story)


def test_what_is_refused_for_another_reason_is_not_tried_again(api: RunningApi) -> None:
    async def story(caller: Caller) -> None:
        await caller.introduce(somebody)
        with pytest.raises(InputFault) as refused:
            await call_tool(caller, "roosync_claim", {"name": "x", "action": "release"}, silent)
        assert refused.value.code == "not_holder"
        assert "roosync_claim" in failure_of(refused.value).data["error"]["remedy"]
        assert api.backend.claims.secrets == ["secret-0"]

    with_caller(api.home, story)


def test_a_wait_that_is_there_already_ends_at_once_and_one_for_another_workspace_does_not(api: RunningApi) -> None:
    async def story(caller: Caller) -> None:
        await caller.introduce(somebody)
        await caller.api.send("myia-ai-01:elsewhere", "for others")
        quiet = await call_tool(caller, "roosync_wait", {"timeout_s": 0.05}, silent)
        assert quiet.data["arrived"] is False
        await caller.api.send("myia-ai-01:roosync", "for us")
        found = await call_tool(caller, "roosync_wait", {"timeout_s": 20}, silent)
        assert [row["subject"] for row in found.data["messages"]] == ["for us"]

    with_caller(api.home, story)
