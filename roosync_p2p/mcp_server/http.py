"""``roosync mcp --http``: one process for all clients of this computer, on loopback (docs/protocol/mcp.md §5).

Every request passes the guard of the local API first: Host, Origin, token. Then the SDK serves it. Here is what the SDK
does not know: which client is still there, and that a session belongs to a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.from_thread
import uvicorn
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.types import UNSUPPORTED_PROTOCOL_VERSION
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roosync_p2p import limits
from roosync_p2p.api.guard import Guard
from roosync_p2p.api.mcp_door import door_token, door_url
from roosync_p2p.api.web_config import web_config
from roosync_p2p.errors import EnvironmentFault
from roosync_p2p.mcp_server.desk import Desk
from roosync_p2p.mcp_server.present import Present
from roosync_p2p.mcp_server.server import HTTP_CONNECTION_HEADER, RoosyncServer

__all__ = ["run_http"]

_LOG: Final = logging.getLogger(__name__)
_VERSION_HEADER: Final = "mcp-protocol-version"
_PATH: Final = "/mcp"


def run_http(home: Path, *, port: int, lease_s: float, with_parent: bool, say: Callable[[str], None]) -> int:
    """Serves until it is told to end, or with ``with_parent`` until its standard input ends; the exit code.

    Raises:
        EnvironmentFault: ``port_taken``, ``no_home``.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    token = door_token(home)
    with _listening(port) as listener:
        anyio.run(_serve, home, token, listener, lease_s, with_parent, say)
    return 0


async def _serve(
    home: Path, token: str, listener: socket.socket, lease_s: float, with_parent: bool, say: Callable[[str], None]
) -> None:
    async with Desk.opened(home, lease_s=lease_s, said_workspace=None) as desk:
        present = Present()
        server = RoosyncServer(desk, over_http=True, attached=present.is_attached)
        desk.when_left(server.inbox.unsubscribe)
        desk.when_left(present.forget)
        desk.tasks.start_soon(server.inbox.run)
        manager = StreamableHTTPSessionManager(
            app=server.sdk,
            session_idle_timeout=limits.MCP_IDLE_S,
            max_request_body_size=2 * limits.API_BODY_BYTES_MAX,
            max_sessions=limits.SESSIONS_MAX,
        )
        door = _Door(manager.handle_request, present, leave=desk.leave)
        app = Guard(door, token=token, remedy="run `roosync mcp --http --install` again for this client")
        web_server = _Server(web_config(app, connections_max=2 * limits.SESSIONS_MAX, grace_s=1))
        if with_parent:
            threading.Thread(target=_end_with_input, args=(web_server,), name="parent", daemon=True).start()
        async with manager.run():
            say(f"MCP server at {door_url(listener.getsockname()[1])}")
            await web_server.serve(sockets=[listener])


class _Door:
    """Before the SDK: one path, and protocols with a handshake; after it: what a DELETE means for the session."""

    def __init__(self, app: ASGIApp, present: Present, *, leave: Callable[[str], Awaitable[None]]) -> None:
        self._app = app
        self._present = present
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        headers = Headers(scope=scope)
        if scope["path"].rstrip("/") != _PATH:
            await Response(status_code=404)(scope, receive, send)
            return
        version = headers.get(_VERSION_HEADER)
        if version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS:
            await _without_handshake(version, scope, receive, send)
            return
        connection = headers.get(HTTP_CONNECTION_HEADER)
        if connection is None:
            await self._app(scope, receive, send)
            return
        with self._present.request(connection, listens=scope["method"] == "GET"):
            status = await _status_of(self._app, scope, receive, send)
        if status == 404 or (scope["method"] == "DELETE" and status is not None and status < 300):
            await self._leave(connection)


async def _without_handshake(version: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Requests that stand alone belong to no connection, so no session could end with it.

    The error names what is spoken here; clients that know both ways then shake hands.
    """
    request_id: Any = None
    with contextlib.suppress(ValueError, AttributeError):
        request_id = json.loads(await _body(receive)).get("id")
    error = {
        "code": UNSUPPORTED_PROTOCOL_VERSION,
        "message": "this server keeps a session for each connection: begin with the initialize handshake",
        "data": {"supported": list(HANDSHAKE_PROTOCOL_VERSIONS), "requested": version[:40]},
    }
    body = json.dumps({"jsonrpc": "2.0", "id": request_id, "error": error})
    await Response(body, status_code=400, media_type="application/json")(scope, receive, send)


async def _body(receive: Receive) -> bytes:
    body = b""
    while len(body) <= limits.API_BODY_BYTES_MAX:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body


async def _status_of(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> int | None:
    status: int | None = None

    async def watched(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        await send(message)

    await app(scope, receive, watched)
    return status


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """A listener on loopback alone.

    Raises:
        EnvironmentFault: ``port_taken``.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it would let a second program take the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(limits.API_CONNECTIONS_MAX)
        except OSError as error:
            raise EnvironmentFault(
                f"the MCP server cannot listen at 127.0.0.1:{port}: {error.strerror or error}",
                code="port_taken",
                remedy="choose another with `[mcp] port` in settings.toml, and install it again for each client",
                details={"port": port},
            ) from error
        listener.setblocking(False)
        yield listener
    finally:
        listener.close()


class _Server(uvicorn.Server):
    """uvicorn's server, ended by an event.

    By itself it looks ten times a second whether it should end, and raises a signal again before sessions are closed.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()

    def end(self) -> None:
        """From any thread, and from a signal's handler."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended
            self._loop.call_soon_threadsafe(self._ending.set)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end it in good order."""
        before = {number: signal.signal(number, lambda *_: self.end()) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def main_loop(self) -> None:
        """There is nothing to do meanwhile."""
        await self._ending.wait()


def _end_with_input(server: _Server) -> None:
    """The node holds the other end of standard input: however it ends, that is closed, and so nobody is left behind."""
    stream = getattr(sys.stdin, "buffer", None)
    while stream is not None and stream.read(1):
        pass
    server.end()
