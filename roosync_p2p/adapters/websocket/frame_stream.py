"""Binary messages over websockets over TLS: the library's Sans-I/O layer on one :class:`SecureStream`.

Serves links and joining conversations alike (docs/protocol/links.md §2). Text frames and fragments are violations: a
message is one binary frame. Pings are answered; we send none, because the heartbeats of the core decide liveness.
"""

from __future__ import annotations

import collections
import enum
import logging
import ssl
from typing import Final

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol

from roosync_p2p import limits
from roosync_p2p.adapters.websocket.secure_stream import SecureStream, StreamLost
from roosync_p2p.adapters.websocket.tls import explain_tls_error

__all__ = ["CloseCode", "FrameStream", "StreamEnded", "Violation", "close_reason", "quiet_logger"]

CLOSE_REASON_BYTES_MAX: Final = 123  # RFC 6455 §5.5: a control frame holds 125, two of them the code

quiet_logger: Final = logging.getLogger("roosync_p2p.adapters.websocket.frames")
quiet_logger.setLevel(logging.WARNING)  # the library logs every stranger's attempt; we count and report them


class CloseCode(enum.IntEnum):
    """RFC 6455 §7.4, and 4000 on for our own."""

    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    TOO_BIG = 1009
    TOO_SLOW = 4000
    CLOSED_BY_CORE = 4001


class Violation(enum.Enum):
    """How the other side broke the protocol."""

    TEXT = "text frame"
    FRAGMENT = "fragmented message"
    OVERSIZE = "frame too large"
    MALFORMED = "malformed frame"


class StreamEnded(Exception):
    """Nothing more comes.

    Attributes:
        reason: the other side's words, or what happened to the connection.
        abrupt: there was no closing handshake.
        violation: why we ended it, if the other side broke the protocol.
    """

    def __init__(self, reason: str, *, abrupt: bool, violation: Violation | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.abrupt = abrupt
        self.violation = violation


class FrameStream:
    """An open websocket. One task receives; one sends, or closes.

    Args:
        tls: the session, handshake done.
        protocol: the library's protocol in state OPEN; what followed the opening handshake is still in it.
    """

    def __init__(self, tls: SecureStream, protocol: ClientProtocol | ServerProtocol) -> None:
        self._tls: Final = tls
        self._protocol: Final[Protocol] = protocol
        self._events: collections.deque[Frame] = collections.deque()
        self._collect()

    async def receive(self) -> bytes:
        """The next message.

        Raises:
            StreamEnded: the other side closed, broke the protocol, or is gone; what is sent afterwards is lost.
        """
        while True:
            while self._events:
                frame = self._events.popleft()
                if frame.opcode is Opcode.CLOSE:
                    raise await self._closed()
                if frame.opcode is Opcode.TEXT:
                    raise await self._violated(Violation.TEXT, CloseCode.UNSUPPORTED_DATA)
                if frame.opcode is Opcode.CONT or not frame.fin:
                    raise await self._violated(Violation.FRAGMENT, CloseCode.PROTOCOL_ERROR)
                if frame.opcode is Opcode.BINARY:
                    return bytes(frame.data)
            await self._read()

    async def send(self, messages: list[bytes]) -> None:
        """Sends messages in order; returns when the operating system has taken them. After a close: nothing is sent.

        Raises:
            StreamEnded: the connection is gone.
        """
        if self._protocol.state is not State.OPEN:
            return
        for message in messages:
            self._protocol.send_binary(message)
        try:
            await self._flush()
        except StreamLost as error:
            raise StreamEnded(str(error), abrupt=True) from error

    async def send_close(self, code: CloseCode, reason: str) -> None:
        """Begins the closing handshake; the receiving task sees its end.

        Raises:
            StreamEnded: the connection is gone.
        """
        if self._protocol.state is not State.OPEN:
            return
        self._protocol.send_close(code, close_reason(reason))
        try:
            await self._flush()
        except StreamLost as error:
            raise StreamEnded(str(error), abrupt=True) from error

    async def aclose(self) -> None:
        """Cuts the connection; safe at any time."""
        await self._tls.aclose()

    async def _read(self) -> None:
        error = self._protocol.parser_exc
        if error is not None:
            raise await self._failed(error)
        try:
            self._protocol.receive_data(await self._tls.receive())
            await self._flush()
        except StreamLost as lost:
            raise StreamEnded(str(lost), abrupt=True) from lost
        except ssl.SSLError as refused:
            raise StreamEnded(explain_tls_error(refused), abrupt=True) from refused
        self._collect()

    def _collect(self) -> None:
        self._events.extend(event for event in self._protocol.events_received() if isinstance(event, Frame))

    async def _flush(self) -> None:
        writes = self._protocol.data_to_send()
        data = b"".join(writes)  # the empty one marks the end of our direction, which _finish sends
        if data:
            await self._tls.send(data)

    async def _closed(self) -> StreamEnded:
        received = self._protocol.close_rcvd
        assert received is not None
        await self._finish()
        return StreamEnded(received.reason or f"closed with code {received.code}", abrupt=False)

    async def _violated(self, violation: Violation, code: CloseCode) -> StreamEnded:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, violation.value)
        await self._finish()
        return StreamEnded(violation.value, abrupt=False, violation=violation)

    async def _failed(self, error: Exception) -> StreamEnded:
        """The parser stopped; it has already written the close frame."""
        received = self._protocol.close_sent
        oversize = received is not None and received.code == CloseCode.TOO_BIG
        violation = Violation.OVERSIZE if oversize else Violation.MALFORMED
        await self._finish()
        return StreamEnded(f"{violation.value}: {error}", abrupt=False, violation=violation)

    async def _finish(self) -> None:
        try:
            await self._flush()
        except StreamLost:
            return
        await self._tls.finish(limits.LINK_LINGER_S)


def close_reason(reason: str) -> str:
    """The reason as it fits into a close frame, cut at a character."""
    return reason.encode()[:CLOSE_REASON_BYTES_MAX].decode(errors="ignore")
