"""Raft nodes with disks that lose what was not synced and a network that does what it is told, in virtual time.

Every message goes through its bytes. Nothing happens by itself: a test says when a disk writes, which message arrives
and how far the time goes, or lets :meth:`Cluster.settle` do all of it in order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable

from roosync_p2p.codec.digests import sha256
from roosync_p2p.consensus.items import Batch, LogItem, Seat
from roosync_p2p.consensus.messages import Message, decode_message, encode_message
from roosync_p2p.consensus.raft import Raft, Ready, Status, StoredLog
from roosync_p2p.consensus.state import Refusal, Timing
from roosync_p2p.consensus.writes import HardState
from roosync_p2p.entropy import Entropy
from roosync_p2p.ids import EntryId, Epoch, LogIndex, MachineId, StoreId, Term

__all__ = ["Cluster", "Disk", "Letter", "Node", "Write", "batch", "entry", "seat"]

EPOCH = Epoch(1)
SEAL = b"sealed"


def seat(name: str, life: int = 1) -> Seat:
    """The seat of a machine; each life of its store is another one."""
    return Seat(MachineId(name), StoreId(sha256(f"{name} {life}".encode())[:16]))


def entry(text: str) -> EntryId:
    """An entry id that shows its text: ``x`` and zeros."""
    return EntryId(text.encode().ljust(32, b"\0"))


def batch(*texts: str, time_ms: int = 0) -> Batch:
    """A batch of entries that are known by a text."""
    return Batch(time_ms=time_ms, entries=tuple(entry(text) for text in texts))


@dataclasses.dataclass(frozen=True, slots=True)
class Write:
    """One transaction: what a Ready wants written, or how far was applied."""

    mark: int | None
    hard: HardState | None
    cut_from: LogIndex | None
    append: tuple[LogItem, ...]
    applied: LogIndex | None


class Disk:
    """What survives a crash, and the writes that would not."""

    def __init__(self) -> None:
        self.hard = HardState(term=Term(0), vote=None, epoch=EPOCH)
        self.items: list[LogItem] = []
        self.applied = LogIndex(0)
        self.queue: list[Write] = []

    def sync(self) -> int | None:
        """The oldest write becomes durable; its mark, if it has one."""
        write = self.queue.pop(0)
        self.hard = write.hard or self.hard
        if write.cut_from is not None:
            del self.items[write.cut_from - 1 :]
        for item in write.append:
            assert item.index == len(self.items) + 1, "a write left a gap"
            self.items.append(item)
        self.applied = write.applied or self.applied
        return write.mark

    def stored(self) -> StoredLog:
        """What a node starts from."""
        rows = [(item.index, item.term, item.data) for item in self.items]
        return StoredLog(hard=self.hard, items=rows, commit=self.applied)


@dataclasses.dataclass(frozen=True, slots=True)
class Letter:
    """A message on its way."""

    sender: Seat
    to: Seat
    data: bytes

    @property
    def message(self) -> Message:
        """Decoded."""
        return decode_message(self.data)


class Node:
    """A Raft with its disk, as the core would run it."""

    def __init__(self, me: Seat, disk: Disk, *, timing: Timing, seed: bytes, now_s: float) -> None:
        self.me = me
        self.disk = disk
        self.applied: list[LogItem] = disk.items[: disk.applied]
        self.loaded = len(self.applied)
        self.reads: dict[Hashable, LogIndex | None] = {}
        self.outbox: list[tuple[int, Seat, Message]] = []  # until the write of that mark is durable
        self.durable = 0
        self.told: list[Status] = []
        self.raft = Raft(
            me=me,
            stored=disk.stored(),
            timing=timing,
            entropy=Entropy(sha256(seed)),
            now_s=now_s,
            seal=lambda _: SEAL,
        )

    def drain(self) -> Iterable[tuple[Seat, Message]]:
        """Takes what the Raft has ready; what may leave now."""
        while (ready := self.raft.ready()) is not None:
            yield from ready.before_store
            self._keep(ready)
        yield from self._released()

    def sync(self, now_s: float) -> None:
        """The oldest write becomes durable."""
        mark = self.disk.sync()
        if mark is not None:
            self.durable = mark
            self.raft.stored(mark, now_s)

    def _keep(self, ready: Ready) -> None:
        if ready.writes:
            self.disk.queue.append(Write(ready.mark, ready.hard, ready.cut_from, ready.append, None))
        self.outbox += [(ready.mark, to, message) for to, message in ready.messages]
        for item in ready.committed:
            assert item.index == len(self.applied) + 1, "applied out of order"
            assert item.index <= len(self.disk.items), "handed out before it was durable"
            assert item == self.disk.items[item.index - 1], "applied something else than was written"
            self.applied.append(item)
        if ready.committed:
            self.disk.queue.append(Write(None, None, None, (), ready.committed[-1].index))
        self.reads.update(ready.reads)
        self.told += [ready.status] if ready.status is not None else []

    def _released(self) -> Iterable[tuple[Seat, Message]]:
        waiting = []
        for mark, to, message in self.outbox:
            if mark <= self.durable:
                yield to, message
            else:
                waiting.append((mark, to, message))
        self.outbox = waiting


class Cluster:
    """Nodes by name, the letters between them, and the time."""

    def __init__(self, *, seed: str = "seed", timing: Timing | None = None) -> None:
        self.timing = timing or Timing()
        self.seed = seed
        self.now_s = 100.0
        self.nodes: dict[str, Node] = {}
        self.seats: dict[str, Seat] = {}
        self.disks: dict[str, Disk] = {}
        self.letters: list[Letter] = []
        self.slow_disks: set[str] = set()
        self.paused: set[str] = set()
        self.loses: Callable[[Letter], bool] = lambda _: False
        self.sent: Callable[[Letter], None] = lambda _: None
        self._starts = 0

    def start(self, name: str, *, life: int = 1) -> Node:
        """Starts a node on its disk, or a new one on an empty disk. ``life`` of the store, when it is a new one."""
        self._starts += 1
        self.seats.setdefault(name, seat(name, life))
        disk = self.disks.setdefault(name, Disk())
        seed = f"{self.seed} {name} {self._starts}".encode()
        node = Node(self.seats[name], disk, timing=self.timing, seed=seed, now_s=self.now_s)
        self.nodes[name] = node
        return node

    def crash(self, name: str) -> None:
        """The node is gone, with everything that its disk had not synced."""
        del self.nodes[name]
        self.disks[name].queue.clear()
        self.paused.discard(name)

    def found(self, name: str, others: Iterable[str] = ()) -> None:
        """The first node founds the fleet, and the others become voters one after the other; settled."""
        self.start(name).raft.bootstrap(time_ms=0, now_s=self.now_s)
        self.advance(0.0)
        for other in others:
            self.start(other)
            self.add(name, other)
            self.advance(0.0)

    def add(self, leader: str, voter: str) -> LogIndex | Refusal:
        """The leader adds a voter."""
        raft = self.nodes[leader].raft
        replaces = raft.status.configuration.index
        return raft.change_voters(add=self.seats[voter], replaces=replaces, time_ms=0, now_s=self.now_s)

    def remove(self, leader: str, voter: str) -> LogIndex | Refusal:
        """The leader removes a voter."""
        raft = self.nodes[leader].raft
        replaces = raft.status.configuration.index
        return raft.change_voters(remove=self.seats[voter], replaces=replaces, time_ms=0, now_s=self.now_s)

    def propose(self, leader: str, *texts: str) -> LogIndex | Refusal:
        """The leader proposes one batch."""
        return self.nodes[leader].raft.propose(batch(*texts), self.now_s)

    # --- what happens ---------------------------------------------------------------------------------------------

    def collect(self) -> bool:
        """Everything that nodes have ready is on its way, or queued on their disks. Whether there was anything."""
        moved = False
        for name, node in self.nodes.items():
            if name in self.paused:
                continue
            before = len(node.disk.queue)
            for to, message in node.drain():
                letter = Letter(node.me, to, encode_message(message))
                self.sent(letter)
                self.letters.append(letter)
                moved = True
            moved = moved or len(node.disk.queue) > before
        return moved

    def sync(self, name: str) -> bool:
        """All writes of that disk become durable. Whether there was any."""
        node = self.nodes[name]
        moved = bool(node.disk.queue)
        while node.disk.queue:
            node.sync(self.now_s)
        return moved

    def deliver(self, letter: Letter) -> None:
        """One letter arrives, if it is not lost and somebody lives there."""
        node = self.nodes.get(letter.to.machine)
        if node is None or self.loses(letter):
            return
        node.raft.received(letter.sender, letter.message, self.now_s)

    def settle(self) -> None:
        """Disks write and letters arrive in order until nothing moves; no time passes."""
        for _ in range(10_000):
            moved = self.collect()
            for name in sorted(self.nodes.keys() - self.slow_disks - self.paused):
                moved = self.sync(name) or moved
            held = [letter for letter in self.letters if letter.to.machine in self.paused]
            arriving = [letter for letter in self.letters if letter.to.machine not in self.paused]
            self.letters = held
            for letter in arriving:
                self.deliver(letter)
            if not moved and not arriving:
                return
        raise AssertionError("the nodes talk without end")

    def next_deadline(self) -> float | None:
        """When the first node wants to be told the time."""
        times = [node.raft.next_deadline() for name, node in self.nodes.items() if name not in self.paused]
        return min((at for at in times if at is not None), default=None)

    def advance(self, seconds: float) -> None:
        """Time passes, and everything that happens in it."""
        end = self.now_s + seconds
        self.settle()
        while (at := self.next_deadline()) is not None and at <= end:
            self.now_s = max(self.now_s, at)
            for name, node in list(self.nodes.items()):
                deadline = node.raft.next_deadline()
                if name not in self.paused and deadline is not None and deadline <= self.now_s:
                    node.raft.tick(self.now_s)
            self.settle()
        self.now_s = end

    # --- views ----------------------------------------------------------------------------------------------------

    def leaders(self) -> list[str]:
        """The names of those that believe to lead."""
        return sorted(name for name, node in self.nodes.items() if node.raft.status.role.value == "leader")

    def applied(self, name: str) -> list[str]:
        """The texts of the entries that a node applied, in order."""
        texts: list[str] = []
        for item in self.nodes[name].applied:
            if item.data and isinstance(item.payload, Batch):
                texts += [found.rstrip(b"\0").decode() for found in item.payload.entries]
        return texts
