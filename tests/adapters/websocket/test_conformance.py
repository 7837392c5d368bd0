"""The transport over loopback does what every transport does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
import anyio.abc
import pytest

from roosync_p2p.adapters.websocket import WebsocketTransport
from roosync_p2p.core.ports import LinkId, TransportEvent
from tests.conformance.transport_suite import Harness, TransportSuite
from tests.helpers.certificates import TestFleet
from tests.helpers.sockets import closed_port, silent_listener


class WebsocketHarness(Harness):
    def __init__(self, fleet: TestFleet, other_fleet: TestFleet, tasks: anyio.abc.TaskGroup, silent: str) -> None:
        self._changed = anyio.Event()
        self._may_read = anyio.Event()
        self._may_read.set()
        self.tasks = tasks
        self.far_tasks = anyio.CancelScope()
        self.near_events, self.far_events, self.stranger_events = [], [], []
        near, far = fleet.member("near"), fleet.member("far")
        self.near_leaf, self.far_leaf = near.leaf_der, far.leaf_der
        self.near = self.near_transport = WebsocketTransport(near.identity, self.sink(self.near_events), tasks)
        self._far_identity = far.identity
        stranger = other_fleet.member("stranger", trusts=fleet)
        self.stranger = WebsocketTransport(stranger.identity, self.sink(self.stranger_events), tasks)
        self.refused_address = f"127.0.0.1:{closed_port()}"
        self.silent_address = silent
        self.unanswered_address = "255.255.255.255:1"  # no operating system sends a packet for it

    def sink(self, events: list[TransportEvent]) -> Callable[[TransportEvent], None]:
        def take(event: TransportEvent) -> None:
            events.append(event)
            self._changed.set()

        return take

    async def run_far(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """The far node in a task group of its own, so that it can be killed."""
        with self.far_tasks:
            async with anyio.create_task_group() as tasks:
                self.far = WebsocketTransport(
                    self._far_identity, self.sink(self.far_events), tasks, throttle=self.throttle
                )
                (self.far_address,) = await tasks.start(self.far.serve, "127.0.0.1", 0)
                task_status.started()

    async def throttle(self, _link: LinkId) -> None:
        await self._may_read.wait()

    async def until(self, done: Callable[[], bool]) -> None:
        with anyio.fail_after(10):
            while not done():
                self._changed = anyio.Event()
                await self._changed.wait()

    def stop_reading(self) -> None:
        self._may_read = anyio.Event()

    async def cut_abruptly(self) -> None:
        self.far_tasks.cancel()

    def frames_dropped(self) -> int:
        return self.near_transport.counters.frames_dropped


class TestWebsocketTransport(TransportSuite):
    @pytest.fixture
    async def harness(self, fleet: TestFleet, other_fleet: TestFleet) -> AsyncIterator[Harness]:
        with silent_listener() as silent:
            async with anyio.create_task_group() as tasks:
                harness = WebsocketHarness(fleet, other_fleet, tasks, silent)
                await tasks.start(harness.run_far)
                yield harness
                tasks.cancel_scope.cancel()
