"""One core by hand: a rig gives it inputs, a disk and virtual time; an actor signs what a peer would sign.

Nothing moves by itself. A rig performs persists and reads at once unless it is told to hold them, keeps what was sent
for a test to look at, and lets time pass tick by tick. Keys and signatures are real.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import TypeVar

from roosync_p2p.clock import Now
from roosync_p2p.codec.records import encode
from roosync_p2p.core import effects, inputs, wire
from roosync_p2p.core.commands import Command, SendMessage
from roosync_p2p.core.delivery import FloorRecord
from roosync_p2p.core.identity import NodeIdentity
from roosync_p2p.core.intake import prepare
from roosync_p2p.core.memory_store import MemoryStore
from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.core.outbox import Outbox
from roosync_p2p.core.ports import DialId, LinkClosed, LinkId, LinkOpened
from roosync_p2p.core.rows import MemberRow, Row
from roosync_p2p.entries.entry import CHAIN_START, LEDGER, MAIL, Entry, write_entry
from roosync_p2p.entries.incarnations import ChainStart, Known
from roosync_p2p.entropy import Entropy
from roosync_p2p.errors import PeerFault, RoosyncError
from roosync_p2p.gossip.frontier import FrontierRecord, Span
from roosync_p2p.ids import BootId, Chain, EntryId, MachineId, StoreId, parse_address
from roosync_p2p.liveness.heartbeat import Heartbeat
from roosync_p2p.liveness.profile import LAN
from roosync_p2p.mailbox.message import KIND as MESSAGE
from roosync_p2p.mailbox.message import MessageBody
from roosync_p2p.mailbox.receipts import KIND as RECEIPT
from roosync_p2p.mailbox.receipts import Receipt, ReceiptItem
from roosync_p2p.simulation.fleet_keys import BORN_S, FleetKeys
from roosync_p2p.trust import contexts
from roosync_p2p.trust.certificates import machine_certificate
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.envelopes import seal
from roosync_p2p.trust.keys import SigningKey

__all__ = [
    "NOW",
    "A",
    "Actor",
    "B",
    "C",
    "D",
    "E",
    "Rig",
    "connect",
    "directory",
    "entries",
    "identity",
    "keys",
    "message",
    "second_key",
    "settle",
]

A, B, C, D, E = (MachineId(f"machine-{letter}") for letter in "abcde")  # A founded the fleet and is its issuer
NOW = Now(monotonic_s=1_000.0, wall_ms=(BORN_S + 3_600) * 1_000)

F = TypeVar("F", bound=wire.Frame)
R = TypeVar("R", bound=Row)


@functools.cache
def keys(seed: str = "one fleet of the tests of the core") -> FleetKeys:
    """The same fleet of five in every test; another seed is another fleet."""
    return FleetKeys.make([A, B, C, D, E], Entropy(seed.encode() + bytes(16)))


def identity(machine: MachineId) -> NodeIdentity:
    """One of the five."""
    return keys().identities[machine]


@functools.cache
def second_key(machine: MachineId) -> NodeIdentity:
    """The same machine id with another key, certified by the same issuer: what pinning is there to refuse."""
    own, issuer = identity(machine), identity(A)
    assert issuer.issuer_key is not None
    key = SigningKey(Entropy(f"second key of {machine}".encode()).bytes(32))
    leaf = machine_certificate(
        issuer.issuer_key, issuer.issuer, key.public, machine=machine, fleet=own.fleet, serial=99, now_s=BORN_S
    )
    return dataclasses.replace(own, key=key, leaf=leaf)


@functools.cache
def directory(*machines: MachineId) -> Directory:
    """A directory that knows these machines."""
    known = Directory.found(keys().root)
    for machine in machines:
        known = known.with_chain(identity(machine).leaf, identity(machine).issuer)
    return known


class Actor:
    """A machine that says whatever a test wants it to say, properly signed.

    Attributes:
        start: start number of its heartbeats, records and relayed frames.
    """

    def __init__(self, machine: MachineId, *, incarnation: int = 1, start: int = 1, store: bytes = b"s" * 16) -> None:
        self.identity = identity(machine)
        self.machine = machine
        self.incarnation = incarnation
        self.start = start
        self.store = StoreId(store)
        self.boot = BootId((machine.encode() + bytes(16))[-16:])
        self.chains: dict[Chain, list[Entry]] = {LEDGER: [], MAIL: []}
        self._counter = 0

    # --- entries --------------------------------------------------------------------------------------------------

    def begin(
        self, chain: Chain = MAIL, *, previous: Known | None = None, countersignature: bytes | None = None
    ) -> Entry:
        """The first entry of a chain."""
        body = ChainStart(
            leaf=self.identity.leaf,
            issuer=self.identity.issuer,
            store=self.store,
            previous=previous,
            countersignature=countersignature,
        )
        return self.write(CHAIN_START, encode(body), chain=chain)

    def write(
        self, kind: str = "note", body: bytes = b"", *, chain: Chain = MAIL, time_ms: int = NOW.wall_ms
    ) -> Entry:
        """The next entry of a chain."""
        held = self.chains[chain]
        entry = write_entry(
            self.identity.key,
            fleet=self.identity.fleet,
            author=self.machine,
            incarnation=self.incarnation,
            chain=chain,
            sequence=len(held) + 1,
            previous=held[-1].id if held else None,
            time_ms=time_ms,
            kind=kind,
            body=body,
        )
        held.append(entry)
        return entry

    def mail(self, count: int) -> list[Entry]:
        """A mail chain of so many entries."""
        if not self.chains[MAIL]:
            self.begin()
        while len(self.chains[MAIL]) < count:
            self.write("note", f"{len(self.chains[MAIL])}".encode())
        return self.chains[MAIL][:count]

    def say(self, to: str, subject: str = "hello", *, id: str = "msg-20260115T091530-a1b2c3", body: str = "") -> Entry:
        """A message in the mail chain."""
        if not self.chains[MAIL]:
            self.begin()
        return self.write(MESSAGE, encode(MessageBody(id=id, to=[to], subject=subject, body=body)))

    def receipt(self, *messages: EntryId, workspace: str = "") -> Entry:
        """A receipt in the mail chain."""
        if not self.chains[MAIL]:
            self.begin()
        items = [ReceiptItem(message=message, workspace=workspace, time_ms=NOW.wall_ms) for message in messages]
        return self.write(RECEIPT, encode(Receipt(read=items)))

    def fork_at(self, sequence: int, *, chain: Chain = MAIL) -> Actor:
        """The same machine with a copy of its disk, from which it went another way at that sequence."""
        twin = Actor(self.machine, incarnation=self.incarnation, start=self.start, store=self.store)
        twin.chains = {name: list(entries) for name, entries in self.chains.items()}
        twin.chains[chain] = twin.chains[chain][: sequence - 1]
        twin.write("note", b"another way", chain=chain)
        return twin

    def span(self, chain: Chain = MAIL, *, head: int | None = None) -> Span:
        """What this machine holds of its own chain."""
        held = self.chains[chain]
        top = len(held) if head is None else head
        return Span(
            author=self.machine, incarnation=self.incarnation, chain=chain, floor=1, head=top, id=held[top - 1].id
        )

    # --- frames ---------------------------------------------------------------------------------------------------

    def seal(self, context: str, payload: bytes) -> bytes:
        """An envelope of this machine."""
        own = self.identity
        return seal(own.key, context=context, fleet=own.fleet, author=self.machine, payload=payload)

    def hello(self, *, replaces: bool = False) -> wire.Hello:
        """Its greeting."""
        return wire.Hello(
            minor=0,
            machine=self.machine,
            start=self.start,
            boot=self.boot,
            leaf=self.identity.leaf,
            issuer=self.identity.issuer,
            version="1",
            replaces=replaces,
        )

    def heartbeat(self, *, counter: int | None = None, wall_ms: int = NOW.wall_ms, state: str = "up") -> Heartbeat:
        """Its next heartbeat."""
        self._counter += 1
        return Heartbeat(
            machine=self.machine,
            start=self.start,
            boot=self.boot,
            counter=self._counter if counter is None else counter,
            wall_ms=wall_ms,
            interval_ms=1_000,
            state="leaving" if state == "leaving" else "up",
        )

    def beat(self, *, counter: int | None = None, wall_ms: int = NOW.wall_ms, relayed: bool = False) -> wire.Beat:
        """The frame with its next heartbeat."""
        payload = encode(self.heartbeat(counter=counter, wall_ms=wall_ms))
        return wire.Beat(envelope=self.seal(contexts.HEARTBEAT, payload), relayed=relayed)

    def frontier(self, *spans: Span, counter: int = 1) -> wire.RecordFrame:
        """Its signed frontier."""
        record = FrontierRecord(machine=self.machine, start=self.start, counter=counter, spans=list(spans))
        return wire.RecordFrame(kind="frontier", envelope=self.seal(contexts.FRONTIER, encode(record)))

    def floor(self, entry: Entry, *, counter: int = 1) -> wire.RecordFrame:
        """Its signed floor: the mail chain can be had from this entry on."""
        record = FloorRecord(
            machine=self.machine,
            start=self.start,
            counter=counter,
            incarnation=self.incarnation,
            chain=MAIL,
            sequence=entry.header.sequence,
            id=entry.id,
        )
        return wire.RecordFrame(kind="floor", envelope=self.seal(contexts.FLOOR, encode(record)))

    def relay(
        self, frame: wire.Frame | bytes, *, to: MachineId, counter: int = 1, time_ms: int = NOW.wall_ms
    ) -> wire.Relay:
        """A frame for somebody to whom it has no link."""
        payload = wire.RelayPayload(
            source=self.machine,
            start=self.start,
            destination=to,
            counter=counter,
            time_ms=time_ms,
            frame=frame if isinstance(frame, bytes) else wire.encode_frame(frame),
        )
        return wire.Relay(envelope=self.seal(contexts.RELAY, encode(payload)))


def entries(*given: Entry) -> wire.EntriesFrame:
    """A frame with these entries."""
    return wire.EntriesFrame(entries=[wire.WireEntry(header=entry.raw, body=entry.body) for entry in given])


def message(to: str = "machine-a", subject: str = "hello", *, key: str | None = None, body: str = "text") -> SendMessage:
    """A command that sends a message."""
    return SendMessage(
        to=tuple(parse_address(text) for text in to.split()),
        subject=subject,
        body=body,
        type="text",
        priority="MEDIUM",
        tags=(),
        workspace=None,
        thread_id=None,
        in_reply_to=None,
        idempotency_key=key,
        remembered=None,
    )


class Rig:
    """A core with a disk, in virtual time.

    Args:
        machine: which of the five it is.
        knows: members that are on its disk from the beginning, itself apart.
        store: an earlier rig's, for a restart.

    Attributes:
        sent: frames by link, decoded, in order; those that wait for the disk are not in here yet.
        holding: while set, nothing is committed and nothing that waits for it is done.
    """

    def __init__(
        self,
        machine: MachineId = B,
        *,
        knows: Iterable[MachineId] = (A, C),
        store: MemoryStore | None = None,
        now: Now = NOW,
        seed: str = "a start",
        holding: bool = False,
    ) -> None:
        self.machine = machine
        self.now = now
        self.store = MemoryStore() if store is None else store
        self.holding = holding
        self.reading = True
        self.sent: list[tuple[LinkId, wire.Frame]] = []
        self.events: list[tuple[str, dict[str, object]]] = []
        self.answers: dict[int, dict[str, object] | RoosyncError] = {}
        self.dials: dict[DialId, str] = {}
        self.closed: dict[LinkId, str] = {}
        self.stopped: str | None = None
        self.persists: list[effects.Persist] = []
        self.written: list[Row] = []
        self.reads: list[effects.ReadEntries] = []
        self.wires: dict[LinkId, tuple[Rig, LinkId]] = {}  # links to other rigs
        self.in_flight: list[tuple[Rig, LinkId, bytes]] = []
        self._outbox = Outbox()
        self._links = 0
        self._requests = 0
        if store is None:
            known = [identity(other) for other in knows if other != machine]
            rows = [MemberRow(machine=k.machine, key_id=k.key.key_id, leaf=k.leaf, issuer=k.issuer) for k in known]
            self.store.commit(rows)
        self.core = NodeCore(
            identity=identity(machine),
            loaded=self.store.load(),
            profile=LAN,
            entropy=Entropy(f"{machine} {seed}".encode() + bytes(16)),
            now=now,
        )
        self.feed(inputs.Tick())

    # --- inputs ---------------------------------------------------------------------------------------------------

    def feed(self, happened: inputs.Input) -> None:
        """Gives the core an input, and does what follows."""
        self.core.handle(happened, self.now)
        self._perform(self.core.effects())

    def receive(self, link: LinkId, frame: wire.Frame | bytes) -> None:
        """A frame comes in: parsed and verified, then handled."""
        data = frame if isinstance(frame, bytes) else wire.encode_frame(frame)
        try:
            prepared = prepare(data, self.core.directory)
        except PeerFault as fault:
            self.feed(inputs.BadFrame(link=link, fault=fault))
        else:
            self.feed(inputs.FrameReceived(link=link, prepared=prepared))

    def open(self, peer: NodeIdentity, *, dial: DialId | None = None, remote: str = "10.0.0.9:47600") -> LinkId:
        """A link opens; nobody greeted yet."""
        self._links += 1
        link = LinkId(self._links)
        self.feed(LinkOpened(link=link, dial=dial, peer_leaf=peer.leaf, remote=remote))
        return link

    def meet(self, actor: Actor, *, dial: DialId | None = None, replaces: bool = False) -> LinkId:
        """A link opens and the other end greets."""
        link = self.open(actor.identity, dial=dial)
        self.receive(link, actor.hello(replaces=replaces))
        return link

    def close(self, link: LinkId, reason: str = "gone") -> None:
        """The connection is gone."""
        self.feed(LinkClosed(link=link, reason=reason, abrupt=True))

    def ask(self, command: Command) -> int:
        """A request; its answer is in :attr:`answers` once there is one."""
        self._requests += 1
        self.feed(inputs.Request(request=effects.RequestId(self._requests), command=command))
        return self._requests

    def answered(self, command: Command) -> dict[str, object]:
        """A request that is granted at once."""
        answer = self.answers[self.ask(command)]
        assert isinstance(answer, dict), answer
        return answer

    def refused(self, command: Command) -> RoosyncError:
        """A request that is refused at once."""
        answer = self.answers[self.ask(command)]
        assert isinstance(answer, RoosyncError), answer
        return answer

    # --- time and disk --------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Lets time pass, tick by tick."""
        end_s = self.now.monotonic_s + seconds
        for _ in range(10_000):
            at = self.core.next_deadline()
            if at is None or at > end_s:
                break
            self.now = self.now.later(max(0.0, at - self.now.monotonic_s))
            self.feed(inputs.Tick())
        else:
            raise AssertionError("the core asks for ticks without end")
        self.now = self.now.later(end_s - self.now.monotonic_s)
        self.feed(inputs.Tick())

    def ready(self) -> Rig:
        """Lets the start-up check pass without an answer from anybody."""
        self.advance(5.1)
        assert self.core.authorship.phase.value == "ready"
        return self

    def commit(self) -> None:
        """The disk takes what was held back, and goes on."""
        self.holding = False
        while self.persists:
            persist = self.persists.pop(0)
            self.store.commit(persist.rows)
            self.written += persist.rows
            for effect in self._outbox.persisted(persist.ticket):
                self._do(effect)
            self.feed(inputs.Persisted(ticket=persist.ticket))

    def restart(self, *, seed: str = "another start") -> Rig:
        """The node dies as it is, and starts again on the same disk; what was held back is lost."""
        return Rig(self.machine, store=self.store, now=self.now.later(1.0), seed=seed)

    # --- what came out --------------------------------------------------------------------------------------------

    def frames(self, kind: type[F], link: LinkId | None = None) -> list[F]:
        """Frames of a kind that were sent, to one link or to all."""
        return [frame for on, frame in self.sent if isinstance(frame, kind) and link in (None, on)]

    def told(self, event: str) -> list[dict[str, object]]:
        """Events of a kind."""
        return [data for name, data in self.events if name == event]

    def rows(self, kind: type[R]) -> list[R]:
        """Rows of a kind that became durable, in order."""
        return [row for row in self.written if isinstance(row, kind)]

    def counted(self, what: str) -> int:
        """A counter."""
        return self.core.desk.counters[what]

    def forget(self) -> None:
        """What came out until now is of no interest."""
        self.sent.clear()
        self.events.clear()
        self.written.clear()

    def _perform(self, drained: list[effects.Effect]) -> None:
        persist, ready = self._outbox.feed(drained)
        self.persists += persist
        for effect in ready:
            self._do(effect)
        if self.persists and not self.holding:
            self.commit()

    def _do(self, effect: effects.Effect) -> None:
        match effect:
            case effects.Send(link=link, frame=frame):
                decoded = wire.decode_frame(frame)
                assert decoded is not None
                self.sent.append((link, decoded))
                if link in self.wires:
                    other, far = self.wires[link]
                    self.in_flight.append((other, far, frame))
            case effects.CloseLink(link=link, reason=reason):
                self.closed[link] = reason
            case effects.Dial(dial=dial, address=address):
                self.dials[dial] = address
            case effects.ReadEntries():
                self.reads.append(effect)
                if self.reading:
                    self.answer_reads()
            case effects.Answer(request=request, result=result):
                assert request not in self.answers
                self.answers[request] = result
            case effects.Notify(event=event, data=data):
                self.events.append((event, data))
            case effects.Stop(reason=reason):
                self.stopped = reason
            case effects.Persist():
                raise AssertionError("the outbox keeps these apart")

    def answer_reads(self) -> None:
        """The disk answers what was asked of it."""
        while self.reads:
            want = self.reads.pop(0)
            found = self.store.entries(
                want.author,
                want.incarnation,
                want.chain,
                want.first,
                count_max=want.count_max,
                bytes_max=want.bytes_max,
            )
            self.feed(inputs.EntriesRead(read=want.read, entries=tuple(found)))


def connect(one: Rig, other: Rig, *, dial: DialId | None = None) -> tuple[LinkId, LinkId]:
    """A link between two cores, dialled by the first; their frames wait for :func:`settle`."""
    near = LinkId(one._links + 1)
    far = LinkId(other._links + 1)
    one.wires[near], other.wires[far] = (other, far), (one, near)
    one.open(identity(other.machine), dial=dial)
    other.open(identity(one.machine))
    return near, far


def settle(*rigs: Rig, seconds: float = 0.0) -> None:
    """Carries frames until nobody says anything more, then lets time pass in small steps, carrying on."""
    steps = max(1, round(seconds / 0.05))
    for step in range(steps + 1):
        for _ in range(1_000):
            moved = False
            for rig in rigs:
                flying, rig.in_flight = rig.in_flight, []
                for other, link, data in flying:
                    other.receive(link, data)
                    moved = True
            if not moved:
                break
        else:
            raise AssertionError("they never fall silent")
        if step < steps and seconds:
            for rig in rigs:
                rig.advance(seconds / steps)
