"""The local API as a task of the node: starts, says where it listens, ends within a bound.

uvicorn speaks HTTP. It is given open sockets, no signal handlers and no logging configuration, and waits on an event
instead of waking ten times a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio
import uvicorn
from anyio.abc import TaskStatus

from roosync_p2p import limits
from roosync_p2p.api.backend import Backend
from roosync_p2p.api.endpoint import Endpoint, remove_endpoint, write_endpoint
from roosync_p2p.api.listeners import open_tcp, open_unix
from roosync_p2p.api.routes import build_app
from roosync_p2p.api.web_config import web_config

__all__ = ["serve"]


async def serve(
    backend: Backend,
    home: Path,
    *,
    tcp: bool = sys.platform == "win32",
    keepalive_s: float = limits.API_KEEPALIVE_S,
    task_status: TaskStatus[Endpoint] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serves the API until cancelled; ``started`` gives the endpoint when requests are answered.

    Call it in a task group on the asyncio backend, holding the home's lock. Cancelling ends open streams and waits
    within ``limits.API_SHUTDOWN_S``; ``api.json`` and the socket are gone afterwards.

    Args:
        tcp: also listen on 127.0.0.1 (on Windows: only).
        keepalive_s: how often a stream at rest carries a comment.

    Raises:
        NetworkError: ``api_listen``: there is nowhere to listen.
    """
    token = secrets.token_urlsafe(32)
    closing = asyncio.Event()
    with _listening(home, tcp=tcp) as (sockets, socket_path):
        port = sockets[-1].getsockname()[1] if tcp else None
        endpoint = Endpoint(
            token=token,
            socket=None if socket_path is None else str(socket_path),
            host="127.0.0.1" if tcp else None,
            port=port,
            pid=os.getpid(),
        )
        app = build_app(backend, token=token, closing=closing, keepalive_s=keepalive_s)
        config = web_config(
            app, connections_max=limits.API_CONNECTIONS_MAX, grace_s=max(1, int(limits.API_SHUTDOWN_S) - 1)
        )
        server = _Server(config, closing)
        running = asyncio.create_task(server.serve(sockets=sockets), name="roosync-api")
        try:
            running.add_done_callback(lambda _: server.listening.set())  # it may also fail before it listens
            await server.listening.wait()
            write_endpoint(home, endpoint)
            task_status.started(endpoint)
            await asyncio.wait({running})
            running.result()
        finally:
            remove_endpoint(home, endpoint)
            closing.set()
            await _finish(running)


async def _finish(running: asyncio.Task[None]) -> None:
    """Waits for the server's own end, then insists."""
    with anyio.CancelScope(shield=True):
        await asyncio.wait({running}, timeout=limits.API_SHUTDOWN_S)
        running.cancel()
        await asyncio.wait({running}, timeout=1.0)


@contextlib.contextmanager
def _listening(home: Path, *, tcp: bool) -> Iterator[tuple[list[socket.socket], Path | None]]:
    sockets: list[socket.socket] = []
    path: Path | None = None
    try:
        if sys.platform != "win32":
            listener, path = open_unix(home, os.environ)
            sockets.append(listener)
        if tcp:
            sockets.append(open_tcp())
        yield sockets, path
    finally:
        for listener in sockets:
            listener.close()
        if path is not None:
            path.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """uvicorn's server without signal handlers, ended by an event."""

    def __init__(self, config: uvicorn.Config, closing: asyncio.Event) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._closing = closing

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The node has its own handlers."""
        yield

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Starts, then says so."""
        await super().startup(sockets=list(sockets or []))
        self.listening.set()

    async def main_loop(self) -> None:
        """Waits for the end; there is nothing to do every tenth of a second."""
        await self._closing.wait()
