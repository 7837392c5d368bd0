"""One open link: a reader, a writer with a bounded queue, and one end (docs/protocol/links.md §4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from roosync_p2p import limits
from roosync_p2p.adapters.websocket.counters import TransportCounters
from roosync_p2p.adapters.websocket.frame_stream import CloseCode, FrameStream, StreamEnded, Violation, close_reason
from roosync_p2p.core.ports import EventSink, FrameArrived, LinkClosed, LinkId
from roosync_p2p.core.send_queue import Push, SendQueue

__all__ = ["Link", "Throttle"]

Throttle = Callable[[LinkId], Awaitable[None]]  # awaited after each frame: how the node slows one noisy peer


class Link:
    """A link from its websocket to its LinkClosed.

    Args:
        link: its number.
        stream: the open websocket; owned from now on.
        sink: gets FrameArrived in order, then one LinkClosed.
        counters: shared by the transport.
        throttle: see :data:`Throttle`.
    """

    def __init__(
        self,
        link: LinkId,
        stream: FrameStream,
        *,
        sink: EventSink,
        counters: TransportCounters,
        throttle: Throttle | None,
    ) -> None:
        self._link: Final = link
        self._stream: Final = stream
        self._sink: Final = sink
        self._counters: Final = counters
        self._throttle: Final = throttle
        self._queue: Final = SendQueue()
        self._wake = anyio.Event()
        self._scope: Final = anyio.CancelScope()
        self._closing: tuple[CloseCode, str] | None = None

    def send(self, frame: bytes, *, droppable: bool) -> None:
        """Queues a frame; ignored once the link is closing."""
        if self._closing is not None:
            return
        dropped_before = self._queue.dropped
        push = self._queue.push(frame, droppable=droppable)
        self._counters.frames_dropped += self._queue.dropped - dropped_before
        if push is Push.OVERFLOW:
            self._counters.links_too_slow += 1
            self._queue.clear()
            self._begin_close(CloseCode.TOO_SLOW, "too slow")
        elif push is Push.QUEUED:
            self._wake.set()

    def close(self, reason: str) -> None:
        """Sends what is queued, then the reason; after limits.LINK_CLOSE_TIMEOUT_S the connection is cut."""
        if self._closing is None:
            self._begin_close(CloseCode.CLOSED_BY_CORE, reason)

    async def run(self) -> None:
        """Serves the link until it ends; LinkClosed is given to the sink last, unless this is cancelled."""
        ended: StreamEnded | None = None
        try:
            with self._scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._write)
                    ended = await self._read()
                    tasks.cancel_scope.cancel()
        finally:
            await self._stream.aclose()
            self._counters.links_closed += 1
        self._sink(self._farewell(ended))

    def _begin_close(self, code: CloseCode, reason: str) -> None:
        self._closing = (code, close_reason(reason))
        self._wake.set()
        self._scope.deadline = min(self._scope.deadline, anyio.current_time() + limits.LINK_CLOSE_TIMEOUT_S)

    async def _read(self) -> StreamEnded:
        while True:
            try:
                frame = await self._stream.receive()
            except StreamEnded as ended:
                self._count_violation(ended.violation)
                return ended
            if self._closing is not None:
                continue  # what still comes after our close is nobody's
            self._counters.frames_in += 1
            self._counters.bytes_in += len(frame)
            self._sink(FrameArrived(link=self._link, data=frame))
            if self._throttle is not None:
                await self._throttle(self._link)

    async def _write(self) -> None:
        """Ends when the connection does, which the reader sees and reports."""
        try:
            while True:
                await self._wake.wait()
                self._wake = anyio.Event()
                while batch := self._queue.pop_batch():
                    await self._stream.send(batch)
                    self._counters.frames_out += len(batch)
                    self._counters.bytes_out += sum(map(len, batch))
                if self._closing is not None:
                    return await self._stream.send_close(*self._closing)
        except StreamEnded:
            # The reader may wait for a silent peer for long: a link that cannot be written has ended for both.
            self._scope.deadline = min(self._scope.deadline, anyio.current_time() + limits.LINK_LINGER_S)

    def _farewell(self, ended: StreamEnded | None) -> LinkClosed:
        if self._closing is not None:
            return LinkClosed(link=self._link, reason=self._closing[1], abrupt=ended is None or ended.abrupt)
        if ended is None:
            return LinkClosed(link=self._link, reason="the connection broke while sending", abrupt=True)
        return LinkClosed(link=self._link, reason=ended.reason, abrupt=ended.abrupt)

    def _count_violation(self, violation: Violation | None) -> None:
        if violation is None:
            return
        self._counters.protocol_violations += 1
        self._counters.frames_text += violation is Violation.TEXT
        self._counters.frames_oversize += violation is Violation.OVERSIZE
