"""A connection to a D-Bus daemon: calls, signals and file descriptors. The messages are jeepney's.

jeepney's own connections either receive no descriptors or want a thread; its protocol is without I/O, so it runs over
anyio's socket. One task uses a connection. Why this library: docs/decisions/power-notices.md.
"""

from __future__ import annotations

import collections
import itertools
from typing import Any, Final, Self

import anyio
import anyio.abc
import jeepney
from jeepney.auth import BEGIN, Authenticator
from jeepney.bus import get_bus
from jeepney.bus_messages import MatchRule, message_bus
from jeepney.wrappers import unwrap_msg

from roosync_p2p import limits

__all__ = ["Bus"]

_RECEIVED_BYTES: Final = 4_096
_FAULTS: Final = (
    OSError,
    EOFError,
    TimeoutError,
    RuntimeError,  # jeepney: an address of another transport
    ValueError,  # jeepney: a malformed address, message or authentication
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    jeepney.DBusErrorResponse,
)


class Bus:
    """A connection, to be used as a context.

    Args:
        address: ``SYSTEM``, or as in ``DBUS_SYSTEM_BUS_ADDRESS``.
    """

    faults: Final = _FAULTS
    """What every method may raise: the bus, or who is called on it, is not there or does not play along."""

    def __init__(self, address: str = "SYSTEM") -> None:
        self._address = address
        self._serials = itertools.count(1)
        self._parser = jeepney.Parser()
        self._signals: collections.deque[Any] = collections.deque()
        self._stream: anyio.abc.UNIXSocketStream | None = None

    async def __aenter__(self) -> Self:
        with anyio.fail_after(limits.POWER_CALL_S):
            self._stream = await anyio.connect_unix(get_bus(self._address))
            try:
                await self._authenticate(self._stream)
                await self.call(message_bus.Hello())
            except BaseException:
                await self._stream.aclose()
                raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._stream is not None:
            await self._stream.aclose()

    async def call(self, message: Any) -> tuple[Any, ...]:
        """The body of the answer. Signals that come meanwhile are kept for :meth:`signal`."""
        serial = next(self._serials)
        with anyio.fail_after(limits.POWER_CALL_S):
            await self._socket.send(message.serialise(serial))
            while True:
                came = await self._receive()
                if came.header.fields.get(jeepney.HeaderFields.reply_serial) == serial:
                    body: tuple[Any, ...] = unwrap_msg(came)
                    return body
                self._keep(came)

    async def subscribe(self, sender: str, path: str, interface: str, member: str) -> None:
        """Asks the daemon for these signals."""
        rule = MatchRule(type="signal", sender=sender, path=path, interface=interface, member=member)
        await self.call(message_bus.AddMatch(rule))

    async def signal(self) -> tuple[str, str, tuple[Any, ...]]:
        """The next signal: the unique name of its sender, its member, its body."""
        while not self._signals:
            self._keep(await self._receive())
        came = self._signals.popleft()
        fields = came.header.fields
        return fields[jeepney.HeaderFields.sender], fields[jeepney.HeaderFields.member], came.body

    @property
    def _socket(self) -> anyio.abc.UNIXSocketStream:
        assert self._stream is not None, "a bus is used as a context"
        return self._stream

    async def _authenticate(self, stream: anyio.abc.UNIXSocketStream) -> None:
        authenticator = Authenticator(enable_fds=True)
        for line in authenticator:
            await stream.send(line)
            authenticator.feed(await stream.receive(_RECEIVED_BYTES))
        await stream.send(BEGIN)

    async def _receive(self) -> Any:
        while (message := self._parser.get_next_message()) is None:
            # No more bytes than the message has: the descriptors that come along are then this message's.
            wanted = min(self._parser.bytes_desired(), limits.FRAME_BYTES_MAX)
            data, descriptors = await self._socket.receive_fds(wanted, 1)
            self._parser.add_data(data, [jeepney.fds.FileDescriptor(number) for number in descriptors])
        return message

    def _keep(self, message: Any) -> None:
        if message.header.message_type is jeepney.MessageType.signal:
            self._signals.append(message)
            while len(self._signals) > limits.POWER_SIGNALS_MAX:
                self._signals.popleft()
