"""A network in memory: the public fake of the Transport port, deterministic, with faults.

Time is the caller's: ``schedule(delay_s, call)`` runs ``call`` later, and calls due at one time in the order they were
scheduled. Nothing reaches a sink from inside ``dial``, ``send`` or ``close``.

A link behaves like TCP, because that is what the faults of a real network look like to the core: order is kept, a lost
transmission comes late and holds up the rest, a cut shows nothing for a long time and then ends the link on each side
at its own moment. Under a one-way cut the other direction stalls too, after its first flight: no acknowledgement comes.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Final

from roosync_p2p import limits
from roosync_p2p.core.memory_faults import NetworkCounters, NodeState, PathFault
from roosync_p2p.core.memory_link import Endpoint, retransmission_pauses_s
from roosync_p2p.core.ports import (
    DialFailed,
    DialId,
    DialOutcome,
    EventSink,
    FrameArrived,
    HandshakeRefused,
    LinkId,
    LinkOpened,
    TransportEvent,
)
from roosync_p2p.entropy import Entropy

__all__ = ["MemoryNetwork", "MemoryTransport", "Schedule"]

Schedule = Callable[[float, Callable[[], None]], None]

_SYN_RETRY_S: Final = 1.0  # RFC 6298 §2
_RETRY_AFTER_CUT_S: Final = 2.0  # TCP tries again within this once a path is healed
_HEALTHY: Final = PathFault()


class MemoryNetwork:
    """The medium that the transports of one test or simulation share.

    Args:
        schedule: runs a call after so many seconds.
        entropy: for losses and jitter; the same seed gives the same run.
        latency_s: one way, without faults.
        dead_after_s: an unacknowledged frame of this age ends its link (TCP_USER_TIMEOUT).
    """

    def __init__(
        self, schedule: Schedule, entropy: Entropy, *, latency_s: float = 0.0005, dead_after_s: float = 10.0
    ) -> None:
        self.schedule: Final = schedule
        self.counters: Final = NetworkCounters()
        self.latency_s: Final = latency_s
        self.dead_after_s: Final = dead_after_s
        self._entropy: Final = entropy
        self._nodes: dict[str, MemoryTransport] = {}
        self._addresses: dict[str, MemoryTransport] = {}
        self._paths: dict[tuple[str, str], PathFault] = {}

    # --- faults ---------------------------------------------------------------------------------------------------

    def set_path(self, source: str, target: str, fault: PathFault) -> None:
        """What happens from now on to what ``source`` sends to ``target``; ``PathFault()`` heals."""
        was_cut = self.is_cut(source, target)
        self._paths[source, target] = fault
        if was_cut and not self.is_cut(source, target):
            self._resume_path(source, target)

    def cut(self, source: str, target: str, *, both_ways: bool = False) -> None:
        """Cuts one way, or both."""
        self.set_path(source, target, PathFault(cut=True))
        if both_ways:
            self.set_path(target, source, PathFault(cut=True))

    def isolate(self, name: str, others: Sequence[str]) -> None:
        """Cuts a node off from the others, both ways."""
        for other in others:
            self.cut(name, other, both_ways=True)

    def heal_all(self) -> None:
        """Ends every fault of a path."""
        for source, target in list(self._paths):
            self.set_path(source, target, _HEALTHY)

    def stop(self, name: str) -> None:
        """The node's program stands still: what is sent to it is accepted and held; dials find it silent."""
        self._nodes[name].state = NodeState.STOPPED

    def resume(self, name: str) -> None:
        """The stopped program goes on and gets everything that was held, in order."""
        self._nodes[name].resume()

    def kill(self, name: str) -> None:
        """The node's program is gone: its links end abruptly, dials are refused. A new MemoryTransport restarts it."""
        self._nodes[name].die(NodeState.KILLED)

    def vanish(self, name: str) -> None:
        """The computer is gone without a word: links go silent, dials are unanswered. A new transport restarts it."""
        self._nodes[name].die(NodeState.VANISHED)

    # --- for the transports and links -----------------------------------------------------------------------------

    def register(self, node: MemoryTransport) -> None:
        """Puts a node on the network in the place of an earlier one of that name, which must be gone."""
        earlier = self._nodes.get(node.name)
        assert earlier is None or earlier.state in (NodeState.KILLED, NodeState.VANISHED), "one node for one name"
        self._nodes[node.name] = node
        self._addresses.update(dict.fromkeys(node.addresses, node))
        if earlier is not None and earlier.state is NodeState.VANISHED:
            for other in self._nodes:
                self._resume_path(other, node.name)

    def path(self, source: str, target: str) -> PathFault:
        """The fault that is set, or none."""
        return self._paths.get((source, target), _HEALTHY)

    def is_cut(self, source: str, target: str) -> bool:
        """Whether nothing passes from source to target at the moment."""
        return self._vanished(source) or self._vanished(target) or self.path(source, target).cut

    def _vanished(self, name: str) -> bool:
        node = self._nodes.get(name)  # a fault may be set for a node that has not started yet
        return node is not None and node.state is NodeState.VANISHED

    def transit_s(self, source: str, target: str) -> float:
        """How long one transmission needs that is not lost."""
        fault = self.path(source, target)
        delay_s = self.latency_s + fault.delay_s
        if fault.jitter_s:
            delay_s += fault.jitter_s * self._entropy.fraction()
        return delay_s

    def loses(self, source: str, target: str) -> bool:
        """Whether a transmission that is made now is lost."""
        lost = self.happens(self.path(source, target).loss)
        self.counters.transmissions_lost += lost
        return lost

    def happens(self, probability: float) -> bool:
        """A draw; costs no entropy where there is no doubt."""
        return probability > 0 and self._entropy.fraction() < probability

    # --- dialling -------------------------------------------------------------------------------------------------

    def dial(self, dialler: MemoryTransport, dial: DialId, address: str) -> None:
        """Ends in LinkOpened on both sides or in DialFailed at the dialler."""
        target = self._addresses.get(address)
        if target is None:
            return self._fail(dialler, dial, DialOutcome.UNANSWERED, "no such host", limits.CONNECT_TIMEOUT_S)
        connect_s = self._connect_s(dialler.name, target.name)
        if connect_s is None:
            return self._fail(dialler, dial, DialOutcome.UNANSWERED, "no answer", limits.CONNECT_TIMEOUT_S)
        if target.state is NodeState.KILLED or target.refusing:
            return self._fail(dialler, dial, DialOutcome.REFUSED, "nobody listens there", connect_s)
        if target.state is NodeState.STOPPED:
            detail = "accepts connections and says nothing"
            return self._fail(dialler, dial, DialOutcome.SILENT, detail, connect_s + limits.TLS_SILENT_S)
        tls_s = self._tls_s(dialler.name, target.name)
        if tls_s is None:
            detail = "the handshake did not end"
            return self._fail(dialler, dial, DialOutcome.UNANSWERED, detail, connect_s + limits.HANDSHAKE_TIMEOUT_S)
        self.schedule(connect_s + tls_s, functools.partial(self._shake_hands, dialler, target, dial))
        return None

    def _connect_s(self, source: str, target: str) -> float | None:
        """How long TCP needs, None if it does not come about within limits.CONNECT_TIMEOUT_S."""
        if self.is_cut(source, target) or self.is_cut(target, source):
            return None
        there, back = self.path(source, target), self.path(target, source)
        round_trip_s = 2 * self.latency_s + there.delay_s + back.delay_s
        waited_s = 0.0
        while self.happens(there.loss) or self.happens(back.loss):
            self.counters.transmissions_lost += 1
            waited_s += _SYN_RETRY_S
        return waited_s + round_trip_s if waited_s + round_trip_s < limits.CONNECT_TIMEOUT_S else None

    def _tls_s(self, source: str, target: str) -> float | None:
        """How long two round trips of TLS need, None if not within limits.HANDSHAKE_TIMEOUT_S."""
        needed_s = 0.0
        for way in 2 * ((source, target), (target, source)):
            needed_s += self.transit_s(*way)
            for pause_s in retransmission_pauses_s():
                if not self.loses(*way):
                    break
                needed_s += pause_s
                if needed_s > limits.HANDSHAKE_TIMEOUT_S:
                    return None
        return needed_s

    def _shake_hands(self, dialler: MemoryTransport, target: MemoryTransport, dial: DialId) -> None:
        """The faults may have changed since TCP was accepted."""
        if dialler.state in (NodeState.KILLED, NodeState.VANISHED):
            return None
        if self.is_cut(dialler.name, target.name) or self.is_cut(target.name, dialler.name):
            detail = "the handshake did not end"
            return self._fail(dialler, dial, DialOutcome.UNANSWERED, detail, limits.HANDSHAKE_TIMEOUT_S)
        if target.state is NodeState.KILLED:
            return self._fail(dialler, dial, DialOutcome.REJECTED, "hung up during the handshake", 0.0)
        if target.state is NodeState.STOPPED:
            detail = "accepts connections and says nothing"
            return self._fail(dialler, dial, DialOutcome.SILENT, detail, limits.TLS_SILENT_S)
        refused = dialler.refuse_leaf(target.leaf)
        if refused is None and (refused := target.refuse_leaf(dialler.leaf)) is not None:
            target.emit(HandshakeRefused(remote=dialler.addresses[0], reason=refused))
        if refused is not None:
            return self._fail(dialler, dial, DialOutcome.REJECTED, refused, 0.0)
        return self._open(dialler, target, dial)

    def _open(self, dialler: MemoryTransport, target: MemoryTransport, dial: DialId) -> None:
        near, far = dialler.add_endpoint(), target.add_endpoint()
        near.peer, far.peer = far, near
        self.counters.links_opened += 1
        target.emit(LinkOpened(link=far.link, dial=None, peer_leaf=dialler.leaf, remote=dialler.addresses[0]))
        dialler.emit(LinkOpened(link=near.link, dial=dial, peer_leaf=target.leaf, remote=target.addresses[0]))

    def _fail(self, dialler: MemoryTransport, dial: DialId, outcome: DialOutcome, detail: str, after_s: float) -> None:
        counter = f"dials_{outcome.value}"
        setattr(self.counters, counter, getattr(self.counters, counter) + 1)
        failed = DialFailed(dial=dial, outcome=outcome, detail=detail)
        self.schedule(after_s, functools.partial(dialler.emit, failed))

    def _resume_path(self, source: str, target: str) -> None:
        if source not in self._nodes or target not in self._nodes:
            return
        retry_s = _RETRY_AFTER_CUT_S * self._entropy.fraction()
        for endpoint in list(self._nodes[source].endpoints.values()):
            if endpoint.peer.node.name == target:
                self.schedule(retry_s, endpoint.retry)
        for endpoint in list(self._nodes[target].endpoints.values()):
            if endpoint.peer.node.name == source:
                self.schedule(retry_s, endpoint.acknowledge)


class MemoryTransport:
    """Implements :class:`~roosync_p2p.core.ports.Transport` for one node on a :class:`MemoryNetwork`.

    Args:
        name: of the node, for faults; one that was killed or vanished is replaced.
        addresses: where it can be dialled, ``host:port``; at least one.
        leaf: DER of its certificate, which the other side gets as ``peer_leaf``.
        sink: gets every event, in order for each link.
        refuse_leaf: why TLS would refuse a peer's certificate, or None.
    """

    def __init__(
        self,
        network: MemoryNetwork,
        *,
        name: str,
        addresses: Sequence[str],
        leaf: bytes,
        sink: EventSink,
        refuse_leaf: Callable[[bytes], str | None] = lambda _leaf: None,
    ) -> None:
        self.name: Final = name
        self.addresses: Final = tuple(addresses)
        self.leaf = leaf  # a renewed certificate is assigned
        self.refuse_leaf: Final = refuse_leaf
        self.refusing = False  # alive and linked, and listening nowhere: a firewall that says so
        self.state = NodeState.UP
        self.endpoints: dict[LinkId, Endpoint] = {}
        self._network: Final = network
        self._sink: Final = sink
        self._link_ids: Final = itertools.count(1)
        self._held: list[TransportEvent] = []
        network.register(self)

    def dial(self, dial: DialId, address: str) -> None:
        """Tries ``host:port``; ends in LinkOpened with this dial, or DialFailed."""
        self._network.dial(self, dial, address)

    def send(self, link: LinkId, frame: bytes, *, droppable: bool) -> None:
        """Queues a frame of at most ``limits.FRAME_BYTES_MAX``; unknown links are ignored."""
        assert len(frame) <= limits.FRAME_BYTES_MAX, "the core builds no larger frames"
        if link in self.endpoints:
            self.endpoints[link].send(frame, droppable=droppable)

    def close(self, link: LinkId, reason: str) -> None:
        """Sends what is queued, then the reason; LinkClosed follows within ``limits.LINK_CLOSE_TIMEOUT_S``."""
        if link in self.endpoints:
            self.endpoints[link].close(reason)

    # --- for the network ------------------------------------------------------------------------------------------

    def add_endpoint(self) -> Endpoint:
        """A new end of a link; the caller sets its peer."""
        endpoint = Endpoint(self._network, self, LinkId(next(self._link_ids)))
        self.endpoints[endpoint.link] = endpoint
        return endpoint

    def emit(self, event: TransportEvent) -> None:
        """Gives an event to the program, when it runs; one that is gone gets nothing."""
        if self.state is NodeState.UP:
            self._sink(event)
        elif self.state is NodeState.STOPPED:
            self._network.counters.frames_held += isinstance(event, FrameArrived)
            self._held.append(event)

    def resume(self) -> None:
        """See :meth:`MemoryNetwork.resume`."""
        assert self.state is NodeState.STOPPED, f"{self.name} is not stopped"
        self.state = NodeState.UP
        held, self._held = self._held, []
        for event in held:
            self._sink(event)
        for endpoint in list(self.endpoints.values()):
            endpoint.peer.acknowledge()

    def die(self, state: NodeState) -> None:
        """See :meth:`MemoryNetwork.kill` and :meth:`MemoryNetwork.vanish`."""
        self.state = state
        self._held.clear()
        for endpoint in list(self.endpoints.values()):
            endpoint.abandon(reset=state is NodeState.KILLED)
