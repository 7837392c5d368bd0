"""One event stream for everybody in the process who waits, over the real API and a fake backend."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from roosync_p2p import limits
from roosync_p2p.api.client import Client
from roosync_p2p.api.events import Event
from roosync_p2p.errors import NotRunningError
from roosync_p2p.mcp_server.relay import Listener, Relay
from tests.helpers.api_server import RunningApi, running_api
from tests.helpers.fleet import until


def with_relay(home: Path, story: Callable[[Relay], Awaitable[None]]) -> None:
    """Runs a story in a loop of its own; it has half a minute."""

    async def run() -> None:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                await story(Relay(Client(home, environ={}), tasks))
                tasks.cancel_scope.cancel()

    anyio.run(run)


def happens(api: RunningApi, kind: str) -> None:
    """An event at the node."""
    api.portal.call(api.backend.notify, kind, {"id": kind})


def test_listeners_share_one_stream_that_is_open_only_while_there_are_any(tmp_path: Path) -> None:
    with running_api(tmp_path / "home") as api:

        async def story(relay: Relay) -> None:
            async with relay.listening() as one, relay.listening() as two:
                happens(api, "first")
                assert [(await one.next()).type, (await two.next()).type] == ["first", "first"]
            async with relay.listening() as three:  # anew: it hears nothing of before
                happens(api, "second")
                assert (await three.next()).type == "second"

        with_relay(tmp_path / "home", story)


def test_without_a_node_nobody_listens(tmp_path: Path) -> None:
    async def story(relay: Relay) -> None:
        for _ in range(2):
            with pytest.raises(NotRunningError):
                async with relay.listening():
                    raise AssertionError("nobody is there")

    with_relay(tmp_path / "home", story)


def test_a_node_that_ends_is_waited_for_and_heard_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MCP_RETRY_MAX_S", 0.05)

    async def wait_for(relay: Relay, *, fault: bool) -> None:
        await anyio.to_thread.run_sync(lambda: until(lambda: (relay.fault is not None) is fault, 20, what="it notices"))

    async def story(relay: Relay) -> None:
        async with contextlib.AsyncExitStack() as stack:
            with running_api(tmp_path / "home") as api:
                listener = await stack.enter_async_context(relay.listening())
                happens(api, "first")
                assert (await listener.next()).type == "first"
            await wait_for(relay, fault=True)
            with running_api(tmp_path / "home") as api:
                await wait_for(relay, fault=False)
                happens(api, "second")
                assert [(await listener.next()).type, (await listener.next()).type] == ["gap", "second"]

    with_relay(tmp_path / "home", story)


def test_a_listener_that_is_too_slow_finds_a_gap() -> None:
    async def story() -> None:
        listener = Listener()
        for number in range(limits.MCP_EVENTS_KEPT + 1):
            listener.hear(Event(id=number, type="message", data={}, time=""))
        began = time.monotonic()
        assert (await listener.next()).type == "gap"
        with anyio.move_on_after(0.05):
            await listener.next()
            raise AssertionError("nothing else is kept")
        assert time.monotonic() - began < 10

    anyio.run(story)
