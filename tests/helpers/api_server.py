"""The real API server over a fake backend, in a thread of its own, as a context manager."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import anyio
from anyio.abc import TaskStatus
from anyio.from_thread import BlockingPortal, start_blocking_portal

from roosync_p2p.api.endpoint import Endpoint
from roosync_p2p.api.server import serve
from tests.helpers.fake_backend import FakeBackend

__all__ = ["RunningApi", "running_api"]


class RunningApi:
    """A server with its backend; ``portal`` runs functions in its loop."""

    def __init__(self, home: Path, backend: FakeBackend, endpoint: Endpoint, portal: BlockingPortal) -> None:
        self.home = home
        self.backend = backend
        self.endpoint = endpoint
        self.portal = portal


@contextlib.contextmanager
def running_api(home: Path, *, tcp: bool = False, keepalive_s: float = 15.0) -> Iterator[RunningApi]:
    """Runs until the block ends or the backend is asked to shut down."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    started: Future[tuple[FakeBackend, Endpoint]] = Future()

    async def run() -> None:
        backend = FakeBackend()
        async with anyio.create_task_group() as group:
            endpoint = await group.start(_serve, backend, home, tcp, keepalive_s)
            started.set_result((backend, endpoint))
            await backend.stopping.wait()
            group.cancel_scope.cancel()

    with start_blocking_portal() as portal:
        running = portal.start_task_soon(run)
        backend, endpoint = started.result(timeout=10)
        try:
            yield RunningApi(home, backend, endpoint, portal)
        finally:
            portal.call(backend.stopping.set)
            running.result(timeout=10)


async def _serve(
    backend: FakeBackend, home: Path, tcp: bool, keepalive_s: float, *, task_status: TaskStatus[Endpoint]
) -> None:
    await serve(backend, home, tcp=tcp, keepalive_s=keepalive_s, task_status=task_status)
