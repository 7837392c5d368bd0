"""The listening socket and the greeting of whoever knocks (docs/protocol/links.md §1, §2, §5).

A guest is a stranger until TLS has verified its certificate: it has limits.HANDSHAKE_TIMEOUT_S, one of
limits.INBOUND_HANDSHAKES_MAX places, and is told in words why it does not get in.
"""

from __future__ import annotations

import dataclasses
import errno
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from typing import Final

import anyio
import anyio.abc
import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.adapters.system import find_holder_command, port_holder
from roosync_p2p.adapters.websocket.admission import GreetingSlots
from roosync_p2p.adapters.websocket.counters import TransportCounters
from roosync_p2p.adapters.websocket.dialer import remote_name
from roosync_p2p.adapters.websocket.frame_stream import FrameStream
from roosync_p2p.adapters.websocket.opening import JOIN_PATH, LINK_PATH, HandshakeFailed, accept
from roosync_p2p.adapters.websocket.secure_stream import SecureStream, StreamLost
from roosync_p2p.adapters.websocket.socket_options import set_link_options
from roosync_p2p.adapters.websocket.tls import TlsContexts, explain_tls_error
from roosync_p2p.errors import NetworkError

__all__ = ["Door", "Guest", "Refused", "accept_forever", "bind", "bound_addresses"]

_BACKLOG: Final = 512
_ACCEPT_PAUSE_S: Final = 0.1  # after an error such as too many open files


class Refused(Exception):
    """A guest did not get in; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Who got in: a member with a certificate of the fleet, or a joiner without any (``peer_leaf`` is None)."""

    stream: FrameStream
    peer_leaf: bytes | None
    local_leaf: bytes
    remote: str


class Door:
    """Greets guests, a bounded number at once.

    Args:
        refuse_link: why there is no place for one more link, or None.
        refuse_join: the same for the joining path, given the remote host.
    """

    def __init__(
        self,
        counters: TransportCounters,
        *,
        refuse_link: Callable[[], str | None],
        refuse_join: Callable[[str], str | None],
    ) -> None:
        self._counters: Final = counters
        self._refuse_link: Final = refuse_link
        self._refuse_join: Final = refuse_join
        self._slots: Final = GreetingSlots()
        self._scopes: dict[int, anyio.CancelScope] = {}
        self._next_guest = 0

    async def greet(self, tcp: anyio.abc.SocketStream, contexts: TlsContexts, remote: str) -> Guest:
        """From TCP to an open websocket.

        Raises:
            Refused: the connection is closed.
        """
        self._next_guest += 1
        guest, scope = self._next_guest, anyio.CancelScope()
        self._scopes[guest] = scope
        evicted = self._slots.admit(guest, _host(remote))
        if evicted is not None:
            self._scopes[evicted].cancel()
            self._counters.handshakes_evicted += 1
        tls = SecureStream(tcp, contexts.server, server_side=True)
        admitted: Guest | None = None
        try:
            with scope, anyio.move_on_after(limits.HANDSHAKE_TIMEOUT_S):
                admitted = await self._shake_hands(tls, contexts, remote)
        finally:
            self._slots.release(guest)
            del self._scopes[guest]
            if admitted is None:
                await tls.aclose()
        if admitted is not None:
            return admitted
        if scope.cancelled_caught:
            raise Refused("too many handshakes at once, most of them from this host")
        raise Refused(f"the handshake did not end within {limits.HANDSHAKE_TIMEOUT_S:g} s")

    async def _shake_hands(self, tls: SecureStream, contexts: TlsContexts, remote: str) -> Guest:
        try:
            await tls.handshake()
            leaf = tls.peer_leaf
            stream = await accept(
                tls,
                JOIN_PATH if leaf is None else LINK_PATH,
                self._refuse_stranger(remote) if leaf is None else self._refuse_member,
            )
        except ssl.SSLError as error:
            await tls.finish(limits.LINK_LINGER_S)
            raise Refused(explain_tls_error(error)) from error
        except HandshakeFailed as error:
            raise Refused(str(error)) from error
        except StreamLost as error:
            raise Refused(f"hung up during the handshake: {error}") from error
        return Guest(stream=stream, peer_leaf=leaf, local_leaf=contexts.leaf_der, remote=remote)

    def _refuse_member(self, path: str) -> str | None:
        if path != LINK_PATH.name:
            return "whoever shows a certificate gets the path /link only"
        return self._refuse_link()

    def _refuse_stranger(self, remote: str) -> Callable[[str], str | None]:
        def refuse(path: str) -> str | None:
            if path != JOIN_PATH.name:
                return "a link needs a machine certificate of this fleet, and none was shown"
            return self._refuse_join(_host(remote))

        return refuse


async def bind(host: str, port: int) -> list[anyio.abc.SocketListener]:
    """Listens; ``0.0.0.0``, ``::`` and the empty host mean every address of both families.

    Raises:
        NetworkError: ``port_taken`` with who holds it, ``port_forbidden``, ``address_not_local``,
            ``bad_listen_address``.
    """
    everywhere = host in ("", "0.0.0.0", "::")  # noqa: S104 - what the user's setting means
    try:
        try:
            multi = await anyio.create_tcp_listener(
                local_host=None if everywhere else host, local_port=port, backlog=_BACKLOG
            )
        except OSError as error:
            if not everywhere or error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
            multi = await anyio.create_tcp_listener(local_host="0.0.0.0", local_port=port, backlog=_BACKLOG)  # noqa: S104
    except OSError as error:
        raise await _bind_error(error, host, port) from error
    return [listener for listener in multi.listeners if isinstance(listener, anyio.abc.SocketListener)]


def bound_addresses(listeners: Sequence[anyio.abc.SocketListener]) -> tuple[str, ...]:
    """``host:port`` of each listener, as bound: with the port that a 0 became."""
    return tuple(_local_name(listener) for listener in listeners)


async def accept_forever(
    listener: anyio.abc.SocketListener,
    counters: TransportCounters,
    take: Callable[[anyio.abc.SocketStream, str], None],
) -> None:
    """Gives every connection to ``take`` with the name of its other end; goes on after errors."""
    while True:
        try:
            tcp = await listener.accept()
        except OSError:
            # A connection that was reset while it waited, or no descriptor is left: the next may do better.
            counters.accept_errors += 1
            await anyio.sleep(_ACCEPT_PAUSE_S)
            continue
        try:
            remote = remote_name(tcp)
            set_link_options(tcp.extra(anyio.abc.SocketAttribute.raw_socket), sys.platform)  # noqa: S610 - anyio, not SQL
        except OSError:
            counters.accept_errors += 1
            await tcp.aclose()
            continue
        take(tcp, remote)


def _local_name(listener: anyio.abc.SocketListener) -> str:
    address = listener.extra(anyio.abc.SocketAttribute.local_address)  # noqa: S610 - anyio, not SQL
    host, port = str(address[0]), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _host(remote: str) -> str:
    return remote.rpartition(":")[0]


async def _bind_error(error: OSError, host: str, port: int) -> NetworkError:
    where = f"{host or '*'}:{port}"
    if isinstance(error, socket.gaierror):
        return NetworkError(f"{host!r} is not an address of this computer", code="bad_listen_address")
    if error.errno == errno.EADDRNOTAVAIL:
        return NetworkError(f"no interface of this computer has the address {host}", code="address_not_local")
    # Windows says "access denied" for a port that another program uses exclusively, as we do ourselves.
    if error.errno != errno.EADDRINUSE and not (sys.platform == "win32" and error.errno == errno.EACCES):
        return NetworkError(f"cannot listen on {where}: {error.strerror or error}", code="port_forbidden")
    holder = await anyio.to_thread.run_sync(port_holder, port)
    return NetworkError(
        f"port {port} is taken by {holder or 'another program'}; this node does not listen",
        code="port_taken",
        remedy=f"end that program or choose another port with --listen; find it with: "
        f"{find_holder_command(sys.platform, port)}",
        details={"address": where, "pid": holder.pid if holder else None},
    )
