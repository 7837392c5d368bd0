"""The joiner's open door, for the moment in which the issuer dials back (docs/protocol/trust.md §4).

Nobody is served here: whoever comes may see this machine's certificate, and is shown out. The dialling half is
``JoinConnection.dial_back``.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Final

import anyio
import anyio.abc

from roosync_p2p import limits
from roosync_p2p.adapters.websocket.counters import TransportCounters
from roosync_p2p.adapters.websocket.listener import accept_forever, bind
from roosync_p2p.adapters.websocket.secure_stream import SecureStream, StreamLost
from roosync_p2p.adapters.websocket.tls import TlsIdentity, load_contexts

__all__ = ["open_to_dial_back"]


@contextlib.asynccontextmanager
async def open_to_dial_back(host: str, port: int, identity: TlsIdentity) -> AsyncIterator[None]:
    """Listens while it is entered. What is raised inside comes out in an exception group.

    Raises:
        NetworkError: it cannot listen there, as for a node.
        EnvironmentFault: the identity cannot be used.
    """
    context = load_contexts(identity).server
    listeners = await bind(host, port)
    try:
        async with anyio.create_task_group() as tasks:
            door = _Door(context, tasks)
            for listener in listeners:
                tasks.start_soon(accept_forever, listener, TransportCounters(), door.take)
            yield
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            for listener in listeners:
                await listener.aclose()


class _Door:
    """Completes TLS with a bounded number of guests at once; one more is not greeted."""

    def __init__(self, context: ssl.SSLContext, tasks: anyio.abc.TaskGroup) -> None:
        self._context: Final = context
        self._tasks: Final = tasks
        self._guests = 0

    def take(self, tcp: anyio.abc.SocketStream, _remote: str) -> None:
        self._tasks.start_soon(self._greet if self._guests < limits.INBOUND_HANDSHAKES_MAX else _turn_away, tcp)

    async def _greet(self, tcp: anyio.abc.SocketStream) -> None:
        self._guests += 1
        tls = SecureStream(tcp, self._context, server_side=True)
        try:
            with (
                anyio.move_on_after(limits.HANDSHAKE_TIMEOUT_S),
                contextlib.suppress(ssl.SSLError, StreamLost),
            ):
                await tls.handshake()
                # The guest hangs up first: on Windows a port with connections of its own left over is not free at once.
                await tls.receive()
        finally:
            self._guests -= 1
            await tls.aclose()


async def _turn_away(tcp: anyio.abc.SocketStream) -> None:
    await tcp.aclose()
