"""Dialling: from an address to an open websocket, or to one of four outcomes (docs/protocol/links.md §3).

The outcome is evidence about the other machine, so it must not say more than was seen: *silent* needs TCP accepted and
not one byte within limits.TLS_SILENT_S. A handshake that progresses slowly is a bad network, and at its deadline
*unanswered*.
"""

from __future__ import annotations

import dataclasses
import ssl
import sys
from collections.abc import Iterator

import anyio
import anyio.abc

from roosync_p2p import limits
from roosync_p2p.adapters.websocket.frame_stream import FrameStream
from roosync_p2p.adapters.websocket.opening import HandshakeFailed, Path, request, split_address
from roosync_p2p.adapters.websocket.secure_stream import SecureStream, StreamLost
from roosync_p2p.adapters.websocket.socket_options import connect_timeout_s, set_link_options
from roosync_p2p.adapters.websocket.tls import explain_tls_error
from roosync_p2p.core.ports import DialOutcome
from roosync_p2p.errors import MalformedError

__all__ = ["DialError", "Dialled", "dial", "remote_name"]


class DialError(Exception):
    """A dial that opened nothing."""

    def __init__(self, outcome: DialOutcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """An open websocket that we asked for."""

    stream: FrameStream
    peer_leaf: bytes
    remote: str


async def dial(
    address: str, context: ssl.SSLContext, path: Path, *, timeout_s: float = limits.HANDSHAKE_TIMEOUT_S
) -> Dialled:
    """Connects, shakes hands, asks for the path.

    Args:
        timeout_s: for TLS and websocket together, after TCP.

    Raises:
        DialError: with the outcome; nothing stays open.
    """
    tcp = await _connect(address)
    remote = remote_name(tcp)
    tls = SecureStream(tcp, context, server_side=False)
    opened: FrameStream | None = None
    try:
        with anyio.move_on_after(timeout_s):
            await _greet(tls)
            opened = await _shake_hands(tls, path, address)
        if opened is None:
            raise DialError(DialOutcome.UNANSWERED, f"the handshake did not end within {timeout_s:g} s")
        leaf = tls.peer_leaf
        assert leaf is not None, "TLS servers always show a certificate"
        return Dialled(stream=opened, peer_leaf=leaf, remote=remote)
    except BaseException:
        await tls.aclose()
        raise


def remote_name(tcp: anyio.abc.ByteStream) -> str:
    """``host:port`` of the other end, with brackets for IPv6; mapped IPv4 is shown as IPv4."""
    address = tcp.extra(anyio.abc.SocketAttribute.remote_address, ("unknown", 0))  # noqa: S610 - anyio, not SQL
    host, port = str(address[0]).removeprefix("::ffff:"), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _connect(address: str) -> anyio.abc.SocketStream:
    try:
        host, port = split_address(address)
    except MalformedError as error:
        raise DialError(DialOutcome.UNANSWERED, error.message) from error
    timeout_s = connect_timeout_s(sys.platform)
    tcp: anyio.abc.SocketStream | None = None
    try:
        with anyio.move_on_after(timeout_s):
            tcp = await anyio.connect_tcp(host, port)
    except OSError as error:
        raise _connect_error(error) from error
    if tcp is None:
        raise DialError(DialOutcome.UNANSWERED, f"no answer within {timeout_s:g} s")
    set_link_options(tcp.extra(anyio.abc.SocketAttribute.raw_socket), sys.platform)  # noqa: S610 - anyio, not SQL
    return tcp


def _connect_error(error: OSError) -> DialError:
    causes = list(_causes(error))
    if all(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return DialError(DialOutcome.REFUSED, "nobody listens there")
    words = "; ".join(sorted({cause.strerror or str(cause) for cause in causes})).lower()
    return DialError(DialOutcome.UNANSWERED, words)


def _causes(error: BaseException) -> Iterator[OSError]:
    """The errors of the single attempts: anyio groups them beneath one that says that all failed."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _causes(inner)
    elif error.__cause__ is not None:
        yield from _causes(error.__cause__)
    elif isinstance(error, OSError):
        yield error


async def _greet(tls: SecureStream) -> None:
    try:
        with anyio.fail_after(limits.TLS_SILENT_S):
            await tls.greet()
    except TimeoutError as error:
        raise DialError(
            DialOutcome.SILENT, f"accepts connections and said nothing for {limits.TLS_SILENT_S:g} s"
        ) from error
    except StreamLost as error:
        raise DialError(DialOutcome.REJECTED, f"hung up at the first word: {error}") from error


async def _shake_hands(tls: SecureStream, path: Path, address: str) -> FrameStream:
    try:
        await tls.handshake()
        return await request(tls, path, address)
    except ssl.SSLError as error:
        raise DialError(DialOutcome.REJECTED, explain_tls_error(error)) from error
    except HandshakeFailed as error:
        raise DialError(DialOutcome.REJECTED, str(error)) from error
    except StreamLost as error:
        raise DialError(DialOutcome.REJECTED, f"hung up during the handshake: {error}") from error
