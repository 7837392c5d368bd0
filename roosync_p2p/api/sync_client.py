"""The blocking client: standard sockets, one connection a call, safe to share between threads.

Imported by every command, so nothing slow is imported here.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from roosync_p2p import limits
from roosync_p2p.api.calls import download_call, upload_call
from roosync_p2p.api.endpoint import Endpoint, find_endpoint, not_running
from roosync_p2p.api.events import Event, EventDecoder
from roosync_p2p.api.exchange import Call, Exchange, no_answer
from roosync_p2p.api.home import default_home
from roosync_p2p.api.methods import JsonObject, Methods
from roosync_p2p.api.silence import SILENT
from roosync_p2p.errors import NetworkError, RoosyncError, UsageError

__all__ = ["SyncClient"]

_READ_BYTES = 64 * 1024
_TIMEOUT_S_MIN = 0.001  # a socket with a timeout of 0 does not wait at all


class SyncClient(Methods[JsonObject]):
    """A blocking client of the node on this computer.

    The node is looked for at each call, so a client survives its restart.

    Args:
        home: the node's home; by default ``ROOSYNC_HOME``, else the platform's place for it.
        environ: where ``ROOSYNC_API`` and ``ROOSYNC_TOKEN_FILE`` are looked up.
        silent: called once in a call to which no byte came ``limits.API_SILENT_S`` after the wait that it asked for,
            with the seconds that it goes on to wait. By default what the running command says (:mod:`.silence`).
    """

    def __init__(
        self,
        home: Path | str | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        silent: Callable[[float], None] | None = None,
    ) -> None:
        self._silent = silent if silent is not None else SILENT.get()
        self._environ = os.environ if environ is None else environ
        self.home = Path(home) if home is not None else default_home(self._environ)

    def endpoint(self) -> Endpoint:
        """Where the node answers. Raises NotRunningError."""
        return find_endpoint(self.home, self._environ)

    @contextlib.contextmanager
    def events(self, after: int | None = None) -> Iterator[Iterator[Event]]:
        """Events as they happen, resuming after an id: ``with client.events() as events: for event in events: …``.

        On entry the node has subscribed: what happens from then on is seen. The iterator ends when the node stops.
        """
        with self._subscribed(after) as (exchange, connection, head):
            yield _iterate(exchange, connection, head)

    @contextlib.contextmanager
    def events_or_pauses(self, pause_s: float) -> Iterator[Iterator[Event | None]]:
        """The same, with a None whenever no event came for ``pause_s``: a moment to look at what only time changes."""
        with self._subscribed(None) as (exchange, connection, head):
            yield _iterate_with_pauses(exchange, connection, head, pause_s)

    @contextlib.contextmanager
    def _subscribed(self, after: int | None) -> Iterator[tuple[Exchange, socket.socket, bytes]]:
        exchange, connection = self._begin(
            Call(method="GET", path="/v1/events", last_event_id=after, wait_s=limits.API_KEEPALIVE_S)
        )
        with connection:
            head = b""
            while exchange.status is None:
                head += exchange.feed(_receive(connection))
            if exchange.status != 200:
                _read_answer(exchange, connection, head)
            yield exchange, connection, head

    def upload(
        self,
        file: BinaryIO,
        size: int,
        progress: Callable[[int], None] = lambda _done: None,
        *,
        private: bool = False,
    ) -> JsonObject:
        """Hands over ``size`` bytes that a message is going to bring along: ``{"sha256", "size"}``, for :meth:`send`.

        ``private``: for a sealed message; then these are of the file as it is encrypted.

        Raises:
            UsageError: ``too_large``; ``file_changed``: there are fewer bytes than were announced.
        """

        def pieces() -> Iterator[bytes]:
            done = 0
            while done < size:
                piece = file.read(min(_READ_BYTES, size - done))
                if not piece:
                    raise UsageError("the file became shorter while it was read; nothing was sent", code="file_changed")
                done += len(piece)
                yield piece
                progress(done)

        exchange, connection = self._begin(upload_call(size, private=private), pieces())
        with connection:
            return _read_answer(exchange, connection, b"")

    def download(
        self, message_id: str, number: int, target: BinaryIO, progress: Callable[[int], None] = lambda _done: None
    ) -> int:
        """Writes the bytes of an attachment of a message, by its number from 0; how many those were."""
        exchange, connection = self._begin(download_call(message_id, number))
        done = 0
        with connection:
            while not exchange.ended:
                body = exchange.feed(_receive(connection))
                if exchange.status != 200:
                    exchange.keep(body)
                    continue
                target.write(body)
                done += len(body)
                progress(done)
        if exchange.status != 200:
            exchange.answer()
        return done

    def _do(self, call: Call) -> JsonObject:
        exchange, connection = self._begin(call)
        with connection:
            return _read_answer(exchange, connection, b"")

    def _begin(self, call: Call, pieces: Iterator[bytes] = iter(())) -> tuple[Exchange, socket.socket]:  # noqa: B008 - empty
        endpoint = self.endpoint()
        exchange = Exchange(call, endpoint)
        connection = _connect(endpoint, self.home)
        try:
            connection.settimeout(limits.API_SILENT_S + call.wait_s)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it hung up
                connection.sendall(exchange.output)
                for piece in pieces:
                    connection.sendall(exchange.more(piece))
                if call.bytes_count is not None:
                    exchange.more(b"")
            self._until_answered(connection, limits.API_ANSWER_TIMEOUT_S - limits.API_SILENT_S)
            connection.settimeout(limits.API_ANSWER_TIMEOUT_S + call.wait_s)
        except OSError as error:
            connection.close()
            raise NetworkError(f"the node took no request: {error}", code="connection_lost") from error
        except RoosyncError:
            connection.close()
            raise
        return exchange, connection

    def _until_answered(self, connection: socket.socket, left_s: float) -> None:
        """Returns once there is something to read, and says so while that takes too long."""
        try:
            _peek(connection)
        except TimeoutError:
            if self._silent is not None:
                self._silent(left_s)
            connection.settimeout(left_s)
            try:
                _peek(connection)
            except TimeoutError as error:
                raise no_answer() from error


def _connect(endpoint: Endpoint, home: Path) -> socket.socket:
    try:
        if endpoint.socket is None:
            address = (endpoint.host or "", endpoint.port or 0)
            return socket.create_connection(address, timeout=limits.API_CONNECT_TIMEOUT_S)
        return _connect_unix(endpoint.socket)
    except OSError as error:
        raise not_running(home, f"nothing answers at {endpoint.describe()} ({error})") from error


if sys.platform == "win32":

    def _connect_unix(path: str) -> socket.socket:
        raise OSError(f"{path} is a unix socket, which is not used on Windows")

else:

    def _connect_unix(path: str) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(limits.API_CONNECT_TIMEOUT_S)
            connection.connect(path)
        except OSError:
            connection.close()
            raise
        return connection


def _read_answer(exchange: Exchange, connection: socket.socket, head: bytes) -> JsonObject:
    exchange.keep(head)
    while not exchange.ended:
        exchange.keep(exchange.feed(_receive(connection)))
    return exchange.answer()


def _iterate(exchange: Exchange, connection: socket.socket, head: bytes) -> Iterator[Event]:
    decoder = EventDecoder()
    yield from decoder.feed(head)
    while not exchange.ended:
        yield from decoder.feed(exchange.feed(_receive(connection)))


def _iterate_with_pauses(
    exchange: Exchange, connection: socket.socket, head: bytes, pause_s: float
) -> Iterator[Event | None]:
    """A timeout takes nothing from the stream, so no event is lost; comments do not put off a pause that is due."""
    decoder = EventDecoder()
    yield from decoder.feed(head)
    heard_s = time.monotonic()
    due_s = heard_s + pause_s
    while not exchange.ended:
        connection.settimeout(max(due_s - time.monotonic(), _TIMEOUT_S_MIN))
        try:
            data = _receive(connection)
        except NetworkError:
            if time.monotonic() - heard_s > limits.API_ANSWER_TIMEOUT_S + limits.API_KEEPALIVE_S:
                raise
            yield None
            due_s = time.monotonic() + pause_s
            continue
        heard_s = time.monotonic()
        for event in decoder.feed(exchange.feed(data)):
            yield event
            due_s = time.monotonic() + pause_s


def _peek(connection: socket.socket) -> None:
    """Waits for a byte, or the end, and takes nothing. What is wrong with the connection, reading it tells."""
    try:
        connection.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        raise
    except OSError:
        return


def _receive(connection: socket.socket) -> bytes:
    """Some bytes; none when the other side is gone.

    Raises:
        NetworkError: ``no_answer``: it has been silent for too long.
    """
    try:
        return connection.recv(_READ_BYTES)
    except TimeoutError as error:
        raise no_answer() from error
    except OSError:
        return b""
