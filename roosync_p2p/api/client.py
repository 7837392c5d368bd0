"""The async client: anyio streams, one connection a call; cancelling a call closes its connection."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import ByteStream

from roosync_p2p import limits
from roosync_p2p.api.calls import download_call, upload_call
from roosync_p2p.api.endpoint import Endpoint, find_endpoint, not_running
from roosync_p2p.api.events import Event, EventDecoder
from roosync_p2p.api.exchange import Call, Exchange, no_answer
from roosync_p2p.api.home import default_home
from roosync_p2p.api.methods import JsonObject, Methods

__all__ = ["Client"]

_PIECE_BYTES = 64 * 1024


class Client(Methods[Coroutine[Any, Any, JsonObject]]):
    """An async client of the node on this computer: ``await client.status()``.

    The node is looked for at each call, so a client survives its restart.

    Args:
        home: the node's home; by default ``ROOSYNC_HOME``, else the platform's place for it.
        environ: where ``ROOSYNC_API`` and ``ROOSYNC_TOKEN_FILE`` are looked up.
    """

    def __init__(self, home: Path | str | None = None, *, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self.home = Path(home) if home is not None else default_home(self._environ)

    def endpoint(self) -> Endpoint:
        """Where the node answers. Raises NotRunningError."""
        return find_endpoint(self.home, self._environ)

    @contextlib.asynccontextmanager
    async def events(self, after: int | None = None) -> AsyncIterator[AsyncIterator[Event]]:
        """Events as they happen, resuming after an id.

        ``async with client.events() as events: async for event in events: …``. On entry the node has subscribed:
        what happens from then on is seen. The iterator ends when the node stops.
        """
        call = Call(method="GET", path="/v1/events", last_event_id=after, wait_s=limits.API_KEEPALIVE_S)
        exchange, stream = await self._begin(call)
        async with stream:
            head = b""
            while exchange.status is None:
                head += exchange.feed(await _receive(stream, call))
            if exchange.status != 200:
                await _read_answer(exchange, stream, call, head)
            async with contextlib.aclosing(_iterate(exchange, stream, call, head)) as events:
                yield events

    async def upload(self, data: bytes, *, private: bool = False) -> JsonObject:
        """Hands over what a message is going to bring along: ``{"sha256", "size"}``, for :meth:`send`.

        ``private``: for a sealed message; then these are of the bytes as they are encrypted.
        """
        exchange, stream = await self._begin(upload_call(len(data), private=private))
        async with stream:
            with contextlib.suppress(anyio.BrokenResourceError):  # it may have refused before it hung up
                for at in range(0, len(data), _PIECE_BYTES):
                    await stream.send(exchange.more(data[at : at + _PIECE_BYTES]))
            exchange.more(b"")
            return await _read_answer(exchange, stream, upload_call(len(data), private=private), b"")

    async def download(self, message_id: str, number: int) -> bytes:
        """The bytes of an attachment of a message, by its number from 0."""
        call = download_call(message_id, number)
        exchange, stream = await self._begin(call)
        data = bytearray()
        async with stream:
            while not exchange.ended:
                data += exchange.feed(await _receive(stream, call))
        if exchange.status != 200:
            exchange.keep(bytes(data))
            exchange.answer()
        return bytes(data)

    async def _do(self, call: Call) -> JsonObject:
        exchange, stream = await self._begin(call)
        async with stream:
            return await _read_answer(exchange, stream, call, b"")

    async def _begin(self, call: Call) -> tuple[Exchange, ByteStream]:
        endpoint = self.endpoint()
        exchange = Exchange(call, endpoint)
        stream = await _connect(endpoint, self.home)
        try:
            with contextlib.suppress(anyio.BrokenResourceError):  # it may have answered before it hung up
                await stream.send(exchange.output)
        except BaseException:
            await anyio.aclose_forcefully(stream)
            raise
        return exchange, stream


async def _connect(endpoint: Endpoint, home: Path) -> ByteStream:
    try:
        with anyio.fail_after(limits.API_CONNECT_TIMEOUT_S):
            if endpoint.socket is None:
                return await anyio.connect_tcp(endpoint.host or "", endpoint.port or 0)
            return await _connect_unix(endpoint.socket)
    except (OSError, TimeoutError) as error:
        raise not_running(home, f"nothing answers at {endpoint.describe()} ({error})") from error


if sys.platform == "win32":

    async def _connect_unix(path: str) -> ByteStream:
        raise OSError(f"{path} is a unix socket, which is not used on Windows")

else:

    async def _connect_unix(path: str) -> ByteStream:
        return await anyio.connect_unix(path)


async def _read_answer(exchange: Exchange, stream: ByteStream, call: Call, head: bytes) -> JsonObject:
    exchange.keep(head)
    while not exchange.ended:
        exchange.keep(exchange.feed(await _receive(stream, call)))
    return exchange.answer()


async def _iterate(exchange: Exchange, stream: ByteStream, call: Call, head: bytes) -> AsyncGenerator[Event, None]:
    decoder = EventDecoder()
    for event in decoder.feed(head):
        yield event
    while not exchange.ended:
        for event in decoder.feed(exchange.feed(await _receive(stream, call))):
            yield event


async def _receive(stream: ByteStream, call: Call) -> bytes:
    """Some bytes; none when the other side is gone.

    Raises:
        NetworkError: ``no_answer``: it has been silent for too long.
    """
    try:
        with anyio.fail_after(limits.API_ANSWER_TIMEOUT_S + call.wait_s):
            return await stream.receive()
    except TimeoutError as error:
        raise no_answer() from error
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return b""
