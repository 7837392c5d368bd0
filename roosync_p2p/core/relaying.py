"""Frames for a machine without a link, through one member that has both (docs/protocol/links.md §8).

The source signs the frame with its start number, the destination, a counter and its time. The member in the middle
passes it on unread, one hop; the destination checks signature, destination, age and that the counter was not seen.
"""

from __future__ import annotations

from collections.abc import Callable

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.links import Link, Links
from roosync_p2p.core.wire import Frame, Relay, RelayPayload, encode_frame
from roosync_p2p.errors import StaleError, UntrustedError
from roosync_p2p.gossip.replay import ReplayWindow
from roosync_p2p.ids import MachineId
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import seal

__all__ = ["Relaying"]


class Relaying:
    """Sends through others, passes on for others, and receives what others passed on.

    ``hears`` says whom a peer hears directly; ``source_time_ms`` what a machine's clock shows now, as far as its
    heartbeats tell.
    """

    def __init__(
        self,
        desk: Desk,
        links: Links,
        *,
        start: Callable[[], int],
        hears: Callable[[MachineId], frozenset[MachineId]],
        source_time_ms: Callable[[MachineId], int],
    ) -> None:
        self._desk = desk
        self._links = links
        self._start = start
        self._hears = hears
        self._source_time_ms = source_time_ms
        self._counter = 0
        self._windows: dict[MachineId, ReplayWindow] = {}
        links.detour = self.send

    def via(self, machine: MachineId) -> MachineId | None:
        """The linked member that hears that machine directly; the same one while that lasts."""
        return next((peer for peer in self._links.peers() if machine in self._hears(peer)), None)

    def forget(self, machine: MachineId) -> None:
        """That machine's key is given up; if it returns, with another one, it counts anew."""
        self._windows.pop(machine, None)

    def send(self, machine: MachineId, frame: Frame, after: Ticket) -> bool:
        """Sends a frame by a detour; False if nobody who is linked hears that machine."""
        via = self.via(machine) if machine in self._desk.directory.members else None
        link = self._links.primary(via) if via is not None else None
        if link is None:
            return False
        self._counter += 1
        payload = RelayPayload(
            source=self._desk.me,
            start=self._start(),
            destination=machine,
            counter=self._counter,
            time_ms=self._desk.now.wall_ms,
            frame=encode_frame(frame),
        )
        envelope = seal(
            self._desk.identity.key,
            context=contexts.RELAY,
            fleet=self._desk.identity.fleet,
            author=self._desk.me,
            payload=encode(payload),
        )
        if len(envelope) > limits.FRAME_BYTES_MAX - 64:
            return False
        self._desk.count("relay.sent")
        self._links.send_on(link.id, encode_frame(Relay(envelope=envelope)), after=after, droppable=True)
        return True

    def received(self, link: Link, frame: Relay, payload: RelayPayload) -> bool:
        """Passes a frame on, or says that it is for this machine and may be handled.

        Raises:
            UntrustedError: passed on by somebody for somebody else: one hop is the limit.
            StaleError: too old, of an earlier start, or seen before.
        """
        source, destination = MachineId(payload.source), MachineId(payload.destination)
        if destination != self._desk.me:
            if link.machine != source:
                raise UntrustedError("a relayed frame came by a second hop", code="too_many_hops")
            onward = self._links.primary(destination)
            if onward is None:
                self._desk.count("relay.no_way")
            else:
                self._desk.count("relay.passed_on")
                self._links.send_on(onward.id, encode_frame(frame), after=Ticket(0), droppable=True)
            return False
        age_s = (self._source_time_ms(source) - payload.time_ms) / 1000
        if abs(age_s) > limits.RELAY_LIFE_S:
            raise StaleError(f"a relayed frame of {source} is {age_s:.0f} s old", code="relay_stale")
        window = self._windows.setdefault(source, ReplayWindow(limits.RELAY_WINDOW))
        if not window.first_time(payload.start, payload.counter):
            raise StaleError(f"a relayed frame of {source} was seen before", code="relay_replayed")
        self._desk.count("relay.received")
        return True
