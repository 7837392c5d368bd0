"""Dialling: from an address to an open websocket, or to one of four outcomes (docs/protocol/links.md §3).

The outcome is evidence about the other machine, so it must not say more than was seen: *silent* needs TCP accepted and
not one byte within limits.TLS_SILENT_S. A handshake that progresses slowly is a bad network, and at its deadline
*unanswered*.
"""

from __future__ import annotations

import contextlib
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

__all__ = ["DialError", "Dialled", "dial", "host_of", "local_name", "probe", "remote_name"]


class DialError(Exception):
    """A dial that opened nothing."""

    def __init__(self, outcome: DialOutcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """An open websocket that we asked for; ``local`` and ``remote`` are ``host:port`` of its two ends."""

    stream: FrameStream
    peer_leaf: bytes
    remote: str
    local: str


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
    remote, local = remote_name(tcp), local_name(tcp)
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
        return Dialled(stream=opened, peer_leaf=leaf, remote=remote, local=local)
    except BaseException:
        await tls.aclose()
        raise


async def probe(address: str, context: ssl.SSLContext, *, leaf: bytes) -> None:
    """Sees whether the holder of a certificate can be reached at an address: TCP, TLS, and hangs up.

    Args:
        leaf: DER of the certificate that has to be shown there.

    Raises:
        DialError: it cannot; ``REJECTED`` also if somebody else answered.
    """
    tls = SecureStream(await _connect(address), context, server_side=False)
    try:
        with anyio.fail_after(limits.HANDSHAKE_TIMEOUT_S):
            await _greet(tls)
            with _explained():
                await tls.handshake()
        if tls.peer_leaf != leaf:
            raise DialError(DialOutcome.REJECTED, "somebody else answered there")
        await tls.finish(0)
    except TimeoutError as error:
        raise DialError(
            DialOutcome.UNANSWERED, f"the handshake did not end within {limits.HANDSHAKE_TIMEOUT_S:g} s"
        ) from error
    finally:
        await tls.aclose()


def remote_name(tcp: anyio.abc.ByteStream) -> str:
    """``host:port`` of the other end, with brackets for IPv6; mapped IPv4 is shown as IPv4."""
    return _name(tcp.extra(anyio.abc.SocketAttribute.remote_address, ("unknown", 0)))  # noqa: S610 - anyio, not SQL


def local_name(tcp: anyio.abc.ByteStream) -> str:
    """The same of our end; macOS does not know it any more once the connection was reset."""
    try:
        return _name(tcp.extra(anyio.abc.SocketAttribute.local_address, ("unknown", 0)))  # noqa: S610 - anyio, not SQL
    except OSError:
        return "unknown:0"


def host_of(name: str) -> str:
    """The host of such a name, without brackets; of a link-local address without its interface."""
    return name.rpartition(":")[0].removeprefix("[").removesuffix("]").partition("%")[0]


def _name(address: object) -> str:
    host, port = address[:2] if isinstance(address, tuple) else (address, 0)
    shown = str(host).removeprefix("::ffff:")
    return f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"


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
    with _explained():
        await tls.handshake()
        return await request(tls, path, address)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        raise DialError(DialOutcome.REJECTED, explain_tls_error(error)) from error
    except HandshakeFailed as error:
        raise DialError(DialOutcome.REJECTED, str(error)) from error
    except StreamLost as error:
        raise DialError(DialOutcome.REJECTED, f"hung up during the handshake: {error}") from error
