"""One core by hand: a rig gives it inputs, a disk and virtual time; actors sign what peers would sign.

Nothing moves by itself. A rig performs persists and reads at once unless it is told to hold them, keeps what was sent
for a test to look at, and lets time pass tick by tick. Keys and signatures are real.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from roosync_p2p.clock import Now
from roosync_p2p.core import effects, inputs, wire
from roosync_p2p.core.blob_jobs import blob_done, blobs_found
from roosync_p2p.core.commands import Command, SendMessage
from roosync_p2p.core.identity import NodeIdentity
from roosync_p2p.core.intake import prepare
from roosync_p2p.core.memory_blobs import MemoryBlobs
from roosync_p2p.core.memory_store import MemoryStore
from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.core.outbox import Outbox
from roosync_p2p.core.ports import DialId, LinkClosed, LinkId, LinkOpened
from roosync_p2p.core.rows import MemberRow, PendingRow, Row
from roosync_p2p.core.store_reads import StoreRead, answered
from roosync_p2p.entropy import Entropy
from roosync_p2p.errors import PeerFault, RoosyncError
from roosync_p2p.ids import MachineId, parse_address
from roosync_p2p.liveness.profile import LAN
from roosync_p2p.mailbox.attachments import Attachment
from roosync_p2p.trust.statements import FLEET_FOUND
from tests.helpers.actors import NOW, A, Actor, B, C, D, E, directory, entries, identity, keys, second_key

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

F = TypeVar("F", bound=wire.Frame)
R = TypeVar("R", bound=Row)


def message(
    to: str = "machine-a",
    subject: str = "hello",
    *,
    key: str | None = None,
    body: str = "text",
    attachments: tuple[Attachment, ...] = (),
    expires_s: float | None = None,
) -> SendMessage:
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
        attachments=attachments,
        expires_s=expires_s,
    )


class Rig:
    """A core with a disk, in virtual time.

    Args:
        machine: which of the five it is.
        knows: members that are on its disk from the beginning, itself apart.
        store: an earlier rig's, for a restart.
        own: who it is, instead of the identity that this machine has in every test.
        founded: it is the founder, before its first start.
        blobs: what is on its disk of attachments; without it none are fetched.

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
        own: NodeIdentity | None = None,
        founded: bool = False,
        blobs: MemoryBlobs | None = None,
    ) -> None:
        self.machine = machine
        self.now = now
        self.store = MemoryStore() if store is None else store
        self.holding = holding
        self.reading = True
        self.blobs = blobs
        self.dropped: list[bytes] = []
        self.sent: list[tuple[LinkId, wire.Frame]] = []
        self.events: list[tuple[str, dict[str, object]]] = []
        self.answers: dict[int, dict[str, object] | RoosyncError] = {}
        self.dials: dict[DialId, str] = {}
        self.closed: dict[LinkId, str] = {}
        self.installed: list[tuple[bytes, bytes]] = []
        self.stopped: str | None = None
        self.persists: list[effects.Persist] = []
        self.written: list[Row] = []
        self.reads: list[StoreRead] = []
        self.wires: dict[LinkId, tuple[Rig, LinkId]] = {}  # links to other rigs
        self.in_flight: list[tuple[Rig, LinkId, bytes]] = []
        self._outbox = Outbox()
        self._links = 0
        self._requests = 0
        if store is None:
            known = [identity(other) for other in knows if other != machine]
            rows = [MemberRow(machine=k.machine, key_id=k.key.key_id, leaf=k.leaf, issuer=k.issuer) for k in known]
            self.store.commit(rows)
        if founded:
            self.store.commit([PendingRow(number=1, kind=FLEET_FOUND, body=keys().founding())])
        self.core = NodeCore(
            identity=identity(machine) if own is None else own,
            loaded=self.store.load(),
            profile=LAN,
            entropy=Entropy(f"{machine} {seed}".encode() + bytes(16)),
            now=now,
        )
        self.feed(inputs.Tick())
        if blobs is not None:
            self.feed(blobs_found(blobs))

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

    def restart(self, *, seed: str = "another start", own: NodeIdentity | None = None) -> Rig:
        """The node dies as it is, and starts again on the same disk; what was held back is lost."""
        return Rig(self.machine, store=self.store, now=self.now.later(1.0), seed=seed, own=own, blobs=self.blobs)

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
            case effects.ReadEntries() | effects.ReadOrdered() | effects.ReadCommits():
                self.reads.append(effect)
                if self.reading:
                    self.answer_reads()
            case effects.ReadBlob() | effects.KeepChunk() | effects.DropBlob():
                assert self.blobs is not None
                if isinstance(effect, effects.DropBlob):
                    self.dropped.append(effect.digest)
                done = blob_done(self.blobs, effect)
                if done is not None:
                    self.feed(done)
            case effects.Answer(request=request, result=result):
                assert request not in self.answers
                self.answers[request] = result
            case effects.Notify(event=event, data=data):
                self.events.append((event, data))
            case effects.InstallCertificate(leaf=leaf, issuer=issuer):
                self.installed.append((leaf, issuer))
            case effects.Stop(reason=reason):
                self.stopped = reason
            case effects.Persist():
                raise AssertionError("the outbox keeps these apart")

    def answer_reads(self) -> None:
        """The disk answers what was asked of it."""
        while self.reads:
            self.feed(answered(self.store, self.reads.pop(0)))


def connect(one: Rig, other: Rig, *, dial: DialId | None = None) -> tuple[LinkId, LinkId]:
    """A link between two cores, dialled by the first; their frames wait for :func:`settle`."""
    near = LinkId(one._links + 1)
    far = LinkId(other._links + 1)
    one.wires[near], other.wires[far] = (other, far), (one, near)
    one.open(other.core.desk.identity, dial=dial)
    other.open(one.core.desk.identity)
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
