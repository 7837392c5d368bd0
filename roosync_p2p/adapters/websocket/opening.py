"""The opening handshake of a websocket, both sides, over TLS that is up (docs/protocol/links.md §2).

Two paths. ``/link`` with subprotocol ``roosync.v1`` for who showed a certificate of the fleet; ``/join`` with
``roosync.join.v1`` for who showed none. Everything else is answered with an HTTP status and one line of reason, which
the dialling side repeats to its user.
"""

from __future__ import annotations

import http
import re
from collections.abc import Callable
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from roosync_p2p import limits
from roosync_p2p.adapters.websocket.frame_stream import FrameStream, quiet_logger
from roosync_p2p.adapters.websocket.secure_stream import SecureStream
from roosync_p2p.errors import MalformedError

__all__ = ["JOIN_PATH", "LINK_PATH", "HandshakeFailed", "Path", "accept", "request", "split_address"]

_ADDRESS: Final = re.compile(r"(?:wss://)?(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([\w.-]+)):([0-9]{1,5})/?", re.ASCII)
_REASON_CHARS_MAX: Final = 200


class HandshakeFailed(Exception):
    """The websocket did not open; the text says why."""


class Path:
    """One path of the server: its name, subprotocol and largest message."""

    def __init__(self, name: str, subprotocol: str, size_bytes_max: int) -> None:
        self.name: Final = name
        self.subprotocols: Final = (Subprotocol(subprotocol),)
        self.size_bytes_max: Final = size_bytes_max


LINK_PATH: Final = Path("/link", "roosync.v1", limits.FRAME_BYTES_MAX)
JOIN_PATH: Final = Path("/join", "roosync.join.v1", limits.JOIN_MESSAGE_BYTES_MAX)


def split_address(address: str) -> tuple[str, int]:
    """Host and port of ``host:port``, ``[v6]:port`` or ``wss://host:port``.

    Raises:
        MalformedError: it is none of these (``bad_address``).
    """
    match = _ADDRESS.fullmatch(address.strip())
    if match is None or not 0 < int(match[3]) < 65536:
        raise MalformedError(f"{address[:80]!r} is not host:port", code="bad_address")
    return match[1] or match[2], int(match[3])


async def accept(tls: SecureStream, path: Path, refuse: Callable[[str], str | None]) -> FrameStream:
    """Server side: answers the request that the client sends.

    Args:
        path: the only one that this client may ask for.
        refuse: given the path asked for, why not, or None.

    Raises:
        HandshakeFailed: refused; the client has been told.
        StreamLost: the client hung up.
        ssl.SSLError: the client refused us.
    """
    protocol = ServerProtocol(subprotocols=path.subprotocols, max_size=path.size_bytes_max, logger=quiet_logger)
    while not (events := protocol.events_received()) and protocol.handshake_exc is None:
        protocol.receive_data(await tls.receive())
    reason: str | None = None
    if events:
        asked = events[0]
        assert isinstance(asked, Request)
        reason = refuse(asked.path)
        response = protocol.accept(asked) if reason is None else protocol.reject(http.HTTPStatus.FORBIDDEN, reason)
        protocol.send_response(response)
    if answer := b"".join(protocol.data_to_send()):
        await tls.send(answer)
    if protocol.state is not State.OPEN:
        await tls.finish(limits.LINK_LINGER_S)
        raise HandshakeFailed(reason or str(protocol.handshake_exc))
    return FrameStream(tls, protocol)


async def request(tls: SecureStream, path: Path, address: str) -> FrameStream:
    """Client side: asks for a path and waits for the answer.

    Raises:
        HandshakeFailed: the server refused, in its words, or does not speak this protocol.
        StreamLost: the server hung up.
        ssl.SSLError: the server refused our certificate.
    """
    host, port = split_address(address)
    host_header = f"[{host.partition('%')[0]}]" if ":" in host else host
    uri = parse_uri(f"wss://{host_header}:{port}{path.name}")
    protocol = ClientProtocol(uri, subprotocols=path.subprotocols, max_size=path.size_bytes_max, logger=quiet_logger)
    protocol.send_request(protocol.connect())
    await tls.send(b"".join(protocol.data_to_send()))
    while protocol.state is State.CONNECTING:
        if protocol.handshake_exc is not None:
            raise HandshakeFailed(_refusal(protocol.handshake_exc))
        protocol.receive_data(await tls.receive())
    if protocol.subprotocol not in path.subprotocols:
        raise HandshakeFailed("it does not speak " + path.subprotocols[0])
    return FrameStream(tls, protocol)


def _refusal(error: Exception) -> str:
    """The server's words, bounded and printable: they come from a stranger and reach a terminal."""
    if not isinstance(error, InvalidStatus):
        return f"it does not speak this protocol: {error}"
    body = bytes(error.response.body)[: 4 * _REASON_CHARS_MAX].decode(errors="replace")
    words = "".join(char if char.isprintable() else " " for char in body)[:_REASON_CHARS_MAX].strip()
    return f"refused with status {error.response.status_code}: {words}"
