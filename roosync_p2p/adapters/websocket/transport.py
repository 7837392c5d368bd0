"""The transport of a running node: the Transport port over websockets, TLS and TCP.

This module only connects its neighbours: listener.py lets in, dialer.py goes out, link.py serves what is open. Every
event reaches the sink from the task of its link or handshake; the sink must not block and must not raise.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

import anyio
import anyio.abc

from roosync_p2p import limits
from roosync_p2p.adapters.system import read_now
from roosync_p2p.adapters.websocket.admission import RateLimiter
from roosync_p2p.adapters.websocket.counters import TransportCounters
from roosync_p2p.adapters.websocket.dialer import DialError, dial
from roosync_p2p.adapters.websocket.frame_stream import FrameStream
from roosync_p2p.adapters.websocket.joining import JoinConnection, JoinHandler
from roosync_p2p.adapters.websocket.link import Link, Throttle
from roosync_p2p.adapters.websocket.listener import Door, Guest, Refused, accept_forever, bind, bound_addresses
from roosync_p2p.adapters.websocket.opening import LINK_PATH
from roosync_p2p.adapters.websocket.tls import TlsIdentity, load_contexts
from roosync_p2p.clock import Now
from roosync_p2p.core.ports import DialFailed, DialId, EventSink, HandshakeRefused, LinkId, LinkOpened
from roosync_p2p.errors import RoosyncError

__all__ = ["WebsocketTransport"]


class WebsocketTransport:
    """Implements :class:`~roosync_p2p.core.ports.Transport`. All methods are for the task group's event loop only.

    Args:
        identity: read now, and again at :meth:`update_identity`.
        sink: gets every event, in order for each link.
        task_group: where links and dials live; the caller's, and its cancellation cuts them all.
        handle_join: serves one joining conversation within ``limits.JOIN_CONVERSATION_S``; may raise RoosyncError,
            which is reported as HandshakeRefused. Without it the joining path does not exist.
        join_open: whether the joining path is open at this moment: an invite or a late renewal is outstanding.
        throttle: awaited after each frame of a link.
        now: the clock for rate limits.

    Raises:
        EnvironmentFault: the identity cannot be used.
    """

    def __init__(
        self,
        identity: TlsIdentity,
        sink: EventSink,
        task_group: anyio.abc.TaskGroup,
        *,
        handle_join: JoinHandler | None = None,
        join_open: Callable[[], bool] = lambda: False,
        throttle: Throttle | None = None,
        now: Callable[[], Now] = read_now,
    ) -> None:
        self.counters: Final = TransportCounters()
        self._contexts = load_contexts(identity)
        self._sink: Final = sink
        self._tasks: Final = task_group
        self._handle_join: Final = handle_join
        self._join_open: Final = join_open
        self._throttle: Final = throttle
        self._now: Final = now
        self._links: dict[LinkId, Link] = {}
        self._link_ids: Final = itertools.count(1)
        self._idle = anyio.Event()  # set when the last link is gone
        self._inbound_links = 0
        self._joiners = 0
        self._door: Final = Door(self.counters, refuse_link=self._refuse_link, refuse_join=self._refuse_join)
        self._join_attempts: Final = RateLimiter(limits.JOIN_ATTEMPTS_PER_MINUTE_MAX)
        self._refusals_shown: Final = RateLimiter(limits.REFUSALS_SHOWN_PER_MINUTE_MAX)

    async def serve(
        self,
        host: str,
        port: int,
        *,
        task_status: anyio.abc.TaskStatus[tuple[str, ...]] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Listens until cancelled; started with the addresses that are bound.

        Raises:
            NetworkError: it cannot listen there; the port's holder is named if it can be found (``port_taken``).
        """
        listeners = await bind(host, port)
        try:
            async with anyio.create_task_group() as accepting:
                for listener in listeners:
                    accepting.start_soon(accept_forever, listener, self.counters, self._take)
                task_status.started(bound_addresses(listeners))
        finally:
            with anyio.CancelScope(shield=True):
                for listener in listeners:
                    await listener.aclose()

    def dial(self, dial: DialId, address: str) -> None:
        """Tries ``host:port``; ends in LinkOpened with this dial, or DialFailed."""
        self._tasks.start_soon(self._dial, dial, address)

    def send(self, link: LinkId, frame: bytes, *, droppable: bool) -> None:
        """Queues a frame of at most ``limits.FRAME_BYTES_MAX``; see links.md §4."""
        assert len(frame) <= limits.FRAME_BYTES_MAX, "the core builds no larger frames"
        if link in self._links:
            self._links[link].send(frame, droppable=droppable)

    def close(self, link: LinkId, reason: str) -> None:
        """Sends what is queued, then the reason; LinkClosed follows within ``limits.LINK_CLOSE_TIMEOUT_S``."""
        if link in self._links:
            self._links[link].close(reason)

    async def close_all(self, reason: str) -> None:
        """Closes every link and waits for their ends, bounded; for a shutdown in good order."""
        if not self._links:
            return
        self._idle = anyio.Event()
        for link in self._links.values():
            link.close(reason)
        with anyio.move_on_after(2 * limits.LINK_CLOSE_TIMEOUT_S):
            await self._idle.wait()

    def update_identity(self, identity: TlsIdentity) -> None:
        """Later handshakes show and verify with this; open links stay as they are.

        Raises:
            EnvironmentFault: the identity cannot be used; the old one stays.
        """
        self._contexts = load_contexts(identity)

    async def _dial(self, dial_id: DialId, address: str) -> None:
        try:
            dialled = await dial(address, self._contexts.client, LINK_PATH)
        except DialError as error:
            self._sink(DialFailed(dial=dial_id, outcome=error.outcome, detail=error.detail))
            return
        await self._run_link(dialled.stream, dialled.peer_leaf, dialled.remote, dial_id)

    async def _run_link(self, stream: FrameStream, peer_leaf: bytes, remote: str, dial_id: DialId | None) -> None:
        number = LinkId(next(self._link_ids))
        link = Link(number, stream, sink=self._sink, counters=self.counters, throttle=self._throttle)
        self._links[number] = link
        self._inbound_links += dial_id is None
        self.counters.links_opened += 1
        try:
            self._sink(LinkOpened(link=number, dial=dial_id, peer_leaf=peer_leaf, remote=remote))
            await link.run()
        finally:
            del self._links[number]
            self._inbound_links -= dial_id is None
            if not self._links:
                self._idle.set()

    def _take(self, tcp: anyio.abc.SocketStream, remote: str) -> None:
        self._tasks.start_soon(self._receive_guest, tcp, remote)

    async def _receive_guest(self, tcp: anyio.abc.SocketStream, remote: str) -> None:
        try:
            guest = await self._door.greet(tcp, self._contexts, remote)
        except Refused as refused:
            self.counters.handshakes_refused += 1
            self._report_refusal(remote, str(refused))
            return
        if guest.peer_leaf is None:
            await self._serve_joiner(guest)
        else:
            await self._run_link(guest.stream, guest.peer_leaf, remote, None)

    async def _serve_joiner(self, guest: Guest) -> None:
        assert self._handle_join is not None, "the joining path is refused without a handler"
        connection = JoinConnection(
            guest.stream,
            remote=guest.remote,
            local_leaf_der=guest.local_leaf,
            peer_leaf_der=b"",
            member_context=self._contexts.client,
        )
        self._joiners += 1
        try:
            with anyio.move_on_after(limits.JOIN_CONVERSATION_S):
                await self._handle_join(connection)
                await connection.aclose()
        except RoosyncError as error:
            self._report_refusal(guest.remote, f"the joining conversation failed: {error.message}")
        finally:
            self._joiners -= 1
            await guest.stream.aclose()

    def _report_refusal(self, remote: str, reason: str) -> None:
        """Tells of one refusal, unless its host has had many told: a flood must not become a flood of events."""
        if self._refusals_shown.allow(remote.rpartition(":")[0], self._now()):
            self._sink(HandshakeRefused(remote=remote, reason=reason))

    def _refuse_link(self) -> str | None:
        full = self._inbound_links + self._joiners >= limits.INBOUND_LINKS_MAX
        return "this node has as many links as it serves" if full else None

    def _refuse_join(self, host: str) -> str | None:
        reason: str | None = None
        if self._handle_join is None or not self._join_open():
            reason = "no invite is outstanding here"
        elif self._joiners >= limits.JOIN_CONNECTIONS_MAX:
            reason = "too many machines are joining at once; try again in a minute"
        elif not self._join_attempts.allow(host, self._now()):
            reason = f"more than {limits.JOIN_ATTEMPTS_PER_MINUTE_MAX} attempts in a minute; wait a minute"
        self.counters.joins_refused += reason is not None
        return reason
