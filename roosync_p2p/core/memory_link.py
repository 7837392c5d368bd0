"""One end of a link in memory: it sends like TCP, with a window and stalls, and has an end of its own."""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from roosync_p2p import limits
from roosync_p2p.core.memory_faults import NodeState
from roosync_p2p.core.ports import FrameArrived, LinkClosed, LinkId
from roosync_p2p.core.send_queue import Push, SendQueue

if TYPE_CHECKING:
    from roosync_p2p.core.memory_transport import MemoryNetwork, MemoryTransport

__all__ = ["Endpoint", "retransmission_pauses_s"]

_WINDOW_BYTES: Final = 256 * 1024  # in flight or unread at the other end, as socket buffers allow
_RETRANSMIT_FIRST_S: Final = 0.2  # Linux's smallest timeout; doubled for each further loss of the same frame
_RETRANSMIT_MAX_S: Final = 3.2
_OVERTAKEN_BY: Final = 4  # a reordered frame takes so many times longer than those that overtake it


def retransmission_pauses_s() -> Iterator[float]:
    """How long TCP waits after each loss of one frame, without end."""
    pause_s = _RETRANSMIT_FIRST_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, _RETRANSMIT_MAX_S)


@dataclasses.dataclass(slots=True, kw_only=True)
class _Segment:
    """What was sent and is not acknowledged yet. ``payload`` None is our close."""

    number: int
    payload: bytes | None
    out_of_order: bool = False  # delivered apart; in its place in the order comes nothing


class Endpoint:
    """What one node holds of a link. ``peer`` is set once, before anything else happens.

    A segment is on its way, perhaps stalled by a cut; arrived, and waiting for those before it; delivered; and at last
    acknowledged, which frees its place in the window.
    """

    peer: Endpoint

    def __init__(self, network: MemoryNetwork, node: MemoryTransport, link: LinkId) -> None:
        self.node: Final = node
        self.link: Final = link
        self.is_open = True
        self._network: Final = network
        self._queue: Final = SendQueue()
        self._window: collections.OrderedDict[int, _Segment] = collections.OrderedDict()
        self._window_bytes = 0
        self._next_sent = 0
        self._next_delivered = 0
        self._arrived: dict[int, _Segment] = {}
        self._stalled: dict[int, _Segment] = {}
        self._unacknowledged: dict[int, _Segment] = {}  # delivered, and not acknowledged by the other side
        self._watched = False
        self._closing: str | None = None
        self._close_sent = False

    def send(self, frame: bytes, *, droppable: bool) -> None:
        """Queues a frame; ignored once the link is closing."""
        if not self.is_open or self._closing is not None:
            return
        dropped_before = self._queue.dropped
        push = self._queue.push(frame, droppable=droppable)
        self._network.counters.frames_dropped += self._queue.dropped - dropped_before
        if push is Push.OVERFLOW:
            self._network.counters.links_too_slow += 1
            self._queue.clear()
            self.close("too slow")
        else:
            self._pump()

    def close(self, reason: str) -> None:
        """Closes in order after what is queued; after limits.LINK_CLOSE_TIMEOUT_S without the other side."""
        if self.is_open and self._closing is None:
            self._closing = reason
            self._pump()
            self._network.schedule(limits.LINK_CLOSE_TIMEOUT_S, self._give_up_closing)

    def abandon(self, *, reset: bool) -> None:
        """Our side is gone without a close; with ``reset`` its kernel says so, if a packet gets through."""
        self.is_open = False
        del self.node.endpoints[self.link]
        if reset and not self.is_cut_off():
            self._network.schedule(self._network.latency_s, self.peer.reset)

    def reset(self) -> None:
        """The other side's kernel knows nothing of this link."""
        if self.is_open:
            self._network.counters.links_reset += 1
            self._end("connection reset by peer", abrupt=True)

    def retry(self) -> None:
        """The way to the other side is free again: what stalled is sent again, in order."""
        stalled, self._stalled = self._stalled, {}
        for segment in stalled.values():
            self._transmit(segment)

    def acknowledge(self) -> None:
        """The way back is free again, or the other side reads again: sending goes on."""
        delivered, self._unacknowledged = self._unacknowledged, {}
        for segment in delivered.values():
            self._release(segment)
        self._pump()

    def receive(self, payload: bytes) -> None:
        """A frame of the other side; nobody's once we are closing."""
        if self.is_open and self._closing is None:
            self._network.counters.frames_delivered += 1
            self.node.emit(FrameArrived(link=self.link, data=payload))

    def receive_close(self, reason: str) -> None:
        """The other side's close, in its place after the frames."""
        if self.is_open:
            self._end(self._closing if self._closing is not None else reason, abrupt=False)

    # --- sending --------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        while self.is_open and self._window_bytes < _WINDOW_BYTES and not self._waits_for_acknowledgement():
            batch = self._queue.pop_batch(bytes_target=1)
            if batch:
                self._append(batch[0])
            elif self._closing is not None and not self._close_sent:
                self._close_sent = True
                self._append(None)
            else:
                break

    def _waits_for_acknowledgement(self) -> bool:
        return bool(self._unacknowledged) and self.peer.node.state is not NodeState.STOPPED

    def _append(self, payload: bytes | None) -> None:
        segment = _Segment(number=self._next_sent, payload=payload)
        self._next_sent += 1
        self._window[segment.number] = segment
        self._window_bytes += len(payload or b"")
        if not self._watched:
            self._watch()
        self._transmit(segment)

    def _transmit(self, segment: _Segment) -> None:
        self._try(segment, retransmission_pauses_s())

    def _try(self, segment: _Segment, pauses_s: Iterator[float]) -> None:
        """One transmission: each meets the path as it is then, so a healed one is held up by a pause at most."""
        source, target = self.node.name, self.peer.node.name
        if not self.is_open:
            return
        if self._network.loses(source, target):
            self._network.schedule(next(pauses_s), functools.partial(self._try, segment, pauses_s))
            return
        delay_s = self._network.transit_s(source, target)
        self._network.schedule(delay_s, functools.partial(self._reach, segment))
        if segment.payload is None or segment.out_of_order:
            return
        fault = self._network.path(source, target)
        again = functools.partial(self.peer.receive, segment.payload)
        late_s = _OVERTAKEN_BY * (delay_s + fault.jitter_s)
        if self._network.happens(fault.duplicate):
            self._network.counters.frames_duplicated += 1
            self._network.schedule(late_s, again)
        if self._network.happens(fault.reorder):
            self._network.counters.frames_reordered += 1
            segment.out_of_order = True
            self._network.schedule(late_s, again)

    def _reach(self, segment: _Segment) -> None:
        """A transmission comes to the other end, unless the way is cut by now."""
        if self.is_cut_off():
            self._network.counters.frames_stalled += 1
            self._stalled[segment.number] = segment
        elif not self.peer.is_open:
            if not self.peer.is_cut_off():
                self._network.schedule(self._network.latency_s, self.reset)
        else:
            self._arrived[segment.number] = segment
            while (next_one := self._arrived.pop(self._next_delivered, None)) is not None:
                self._next_delivered += 1
                self._deliver(next_one)

    def _deliver(self, segment: _Segment) -> None:
        if segment.payload is None:
            assert self._closing is not None
            self.peer.receive_close(self._closing)
            self._network.schedule(self._network.latency_s, self._close_answered)
            return
        if not segment.out_of_order:
            self.peer.receive(segment.payload)
        if self.peer.is_cut_off() or self.peer.node.state is NodeState.STOPPED:
            self._unacknowledged[segment.number] = segment
        else:
            self._release(segment)
            self._pump()

    def _release(self, segment: _Segment) -> None:
        del self._window[segment.number]
        self._window_bytes -= len(segment.payload or b"")

    # --- ends -----------------------------------------------------------------------------------------------------

    def is_cut_off(self) -> bool:
        """Whether nothing that this end sends arrives at the moment."""
        return self._network.is_cut(self.node.name, self.peer.node.name)

    def _watch(self) -> None:
        self._watched = True
        oldest = next(iter(self._window))
        self._network.schedule(self._network.dead_after_s, functools.partial(self._check, oldest))

    def _check(self, oldest: int) -> None:
        """Ends a link whose oldest segment has waited since the last look because of a cut."""
        self._watched = False
        if not self.is_open or not self._window:
            return
        stuck = oldest in self._stalled or (oldest in self._unacknowledged and self.peer.is_cut_off())
        if stuck:
            self._network.counters.links_timed_out += 1
            self._end("connection timed out", abrupt=True)
        else:
            self._watch()

    def _close_answered(self) -> None:
        if self.is_open and self.peer.node.state is not NodeState.STOPPED and not self.peer.is_cut_off():
            assert self._closing is not None
            self._end(self._closing, abrupt=False)

    def _give_up_closing(self) -> None:
        if self.is_open:
            assert self._closing is not None
            reason = self._closing
            if not self.is_cut_off():
                self._network.schedule(self._network.latency_s, self.peer.reset)
            self._end(reason, abrupt=True)

    def _end(self, reason: str, *, abrupt: bool) -> None:
        self.is_open = False
        del self.node.endpoints[self.link]
        self.node.emit(LinkClosed(link=self.link, reason=reason, abrupt=abrupt))
