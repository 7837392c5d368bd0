"""One simulated machine: a disk, clocks, and while it runs a NodeCore with a performer in virtual time.

The core, the outbox, the frames and the signatures are those of the real node; only the disk, the network and the
clocks are in memory. What can happen to a computer can happen here: it crashes between any two steps, is paused,
sleeps, loses what was not synced, gets an old disk back, has a disk that is slow, stalls or is full.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable
from typing import Final

from roosync_p2p.consensus.autopilot import Pace
from roosync_p2p.core import effects, inputs, store_reads
from roosync_p2p.core.blob_jobs import BlobJob, blob_done, blobs_found
from roosync_p2p.core.commands import Command
from roosync_p2p.core.folder.jobs import FolderAnswer, FolderJob, performed
from roosync_p2p.core.identity import NodeIdentity
from roosync_p2p.core.memory_blobs import MemoryBlobs
from roosync_p2p.core.memory_folder import MemoryFolder
from roosync_p2p.core.memory_store import MemoryStore
from roosync_p2p.core.memory_transport import MemoryNetwork, MemoryTransport
from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.core.outbox import Outbox
from roosync_p2p.core.ports import Folder, FrameArrived, LinkId, TransportEvent
from roosync_p2p.core.rotations import own_rotation
from roosync_p2p.core.rows import Loaded
from roosync_p2p.entropy import Entropy
from roosync_p2p.errors import PeerFault, RoosyncError, StoreError
from roosync_p2p.liveness.profile import LAN, Profile
from roosync_p2p.simulation.clocks import MachineClock
from roosync_p2p.simulation.observer import NOBODY, Observer
from roosync_p2p.simulation.parts import Parts, real_parts
from roosync_p2p.simulation.scheduler import Scheduler
from roosync_p2p.simulation.traffic import Traffic
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.keys import SigningKey

__all__ = ["Answered", "CrashPoint", "Member"]

Answered = Callable[[dict[str, object] | RoosyncError], None]

READ_S: Final = 0.0002  # a read of the store
FOLDER_S: Final = 0.02  # a job in the shared folder
BLOCKED_LOOK_S: Final = 0.5  # whether a folder that blocks goes on is looked at again after this
STALLED_LOOK_S: Final = 0.1  # a stalled disk is looked at again after this
FAILED_RETRY_S: Final = 0.5  # and a failed one
HEALTH_AFTER_S: Final = 1.0  # an age of unwritten rows that is worth telling
FAREWELL_S: Final = 0.05  # for the farewell to leave the computer


class CrashPoint(enum.Enum):
    """Where exactly a node dies."""

    WRITTEN = "written"  # rows were handed to the disk and are not synced; nothing of this input was sent
    SYNCED = "synced"  # rows are durable, and nothing that waited for them was released
    RELEASING = "releasing"  # the first of what waited went out, the rest did not


class Member:
    """A machine of the simulated world.

    Args:
        name: on the network; differs from the machine id where a home was copied.
        address: where it listens.
        disk: survives crashes; two members with copies of one disk are a copied home.
        peers: static addresses it was given.
        commit_s: how long a commit takes.
        parts: what it is built from.
        observer: who watches it.
    """

    def __init__(
        self,
        *,
        identity: NodeIdentity,
        name: str,
        address: str,
        scheduler: Scheduler,
        network: MemoryNetwork,
        entropy: Entropy,
        disk: MemoryStore | None = None,
        clock: MachineClock | None = None,
        peers: tuple[str, ...] = (),
        profile: Profile = LAN,
        commit_s: float = 0.001,
        parts: Parts | None = None,
        observer: Observer = NOBODY,
    ) -> None:
        self.identity = identity
        self.next_key: SigningKey | None = None  # on its disk beside the one that it is known by
        self.name = name
        self.address = address
        self.disk = disk if disk is not None else MemoryStore()
        self.clock = clock if clock is not None else MachineClock(scheduler)
        self.core: NodeCore | None = None
        self.blobs = MemoryBlobs()  # on its disk: what is whole survives a crash
        self.commit_s = commit_s
        self.autopilot = True  # whether its node, leading, decides who votes
        self.pace = Pace()  # how fast
        self.disk_stalled = False
        self.crash_point: CrashPoint | None = None  # armed: it dies at the next of these
        self.crash_keep = 0
        self.folder: MemoryFolder | None = None  # its directory of the shared folder
        self.drive: Folder | None = None  # what is looked into instead of it, if anything
        self.folder_takes_s = FOLDER_S  # one job there
        self.by_folder = 0  # entries that it got there first
        self.refuse_leaf: Callable[[bytes], str | None] = lambda _leaf: None  # why its TLS refuses a certificate
        self.died_at: CrashPoint | None = None  # of the last crash
        self.settled_at_s: float | None = None  # when the start number of this life became durable
        self.transport: MemoryTransport | None = None
        self.sent = Traffic()  # in all its lives
        self.received = Traffic()
        self._scheduler = scheduler
        self._network = network
        self._entropy = entropy
        self._peers = peers
        self._profile = profile
        self.parts = parts if parts is not None else real_parts()
        self._observer = observer
        self._life = 0
        self._outbox = Outbox()
        self._queue: list[tuple[float, effects.Persist]] = []  # with the monotonic time of each
        self._committing: list[tuple[float, effects.Persist]] = []  # what the disk is busy with
        self._told_disk_lag_s = 0.0
        self._next_request = 1
        self._answers: dict[int, Answered] = {}
        self._tick_at: float | None = None
        self._paused_at: float | None = None
        self._held: list[Callable[[], None]] = []  # while it is paused: what timers and the disk would do
        self._held_requests: list[Callable[[], None]] = []

    # --- what it is doing -------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether a node runs here, perhaps paused."""
        return self.core is not None

    @property
    def life(self) -> int:
        """Counts its starts and ends."""
        return self._life

    @property
    def paused(self) -> bool:
        """Whether its program stands still."""
        return self._paused_at is not None

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """Whatever its node may sign with."""
        return (self.identity.key,) if self.next_key is None else (self.identity.key, self.next_key)

    @property
    def idle(self) -> bool:
        """Whether nothing waits for the disk."""
        return not self._queue and not self._committing and self._outbox.waiting == 0

    def node(self) -> NodeCore:
        """The running core; the caller knows that it runs."""
        assert self.core is not None
        return self.core

    # --- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts a node on this disk."""
        assert self.core is None
        self._life += 1
        self.died_at = self.settled_at_s = None
        self.disk.reopen()
        self._outbox = self.parts.outbox()
        self._queue.clear()
        self._committing = []
        self._told_disk_lag_s = 0.0
        self._answers.clear()
        self._tick_at = None
        life = self._life
        loaded = self.disk.load()
        self._finish_rotation(loaded)
        self.transport = MemoryTransport(
            self._network,
            name=self.name,
            addresses=[self.address],
            leaf=self.identity.leaf,
            sink=lambda event: self._arrived(life, event),
            refuse_leaf=self.refuse_leaf,
        )
        self.core = self.parts.core(
            identity=self.identity,
            loaded=loaded,
            profile=self._profile,
            entropy=self._entropy.child(f"{self.name}.{self._life}"),
            now=self.clock.now(),
        )
        self.core.commit.seats.autopilot = self.autopilot
        self.core.commit.seats.known.pace = self.pace
        self.feed(inputs.LocalAddresses(addresses=(self.address,)))
        if self._peers:
            self.feed(inputs.AddressesFound(machine=None, addresses=self._peers, source="static"))
        self.feed(blobs_found(self.blobs))
        if self.folder is not None:
            self.feed(inputs.FolderOpened(path="in memory"))

    def _finish_rotation(self, loaded: Loaded) -> None:
        """It died between its rotation and the new certificate: the next key works (docs/protocol/trust.md §10)."""
        said = own_rotation(loaded.records, self.identity.machine, self.identity.key.key_id)
        if said is not None and self.next_key is not None and self.next_key.key_id == said.new:
            self.identity = dataclasses.replace(self.identity, key=self.next_key, leaf=said.leaf, issuer=said.issuer)

    def crash(self, *, keep: int | None = None, power: bool = False) -> int:
        """The node dies at once; what was written and not synced is lost, but for the first ``keep`` batches.

        With ``power`` the whole computer is gone: nothing answers at its address. Returns how many batches were lost.
        """
        assert self.core is not None
        if self._paused_at is not None:
            self._forget_pause()
        self.core = None
        self._life += 1
        self.crash_point = None
        if power:
            self._network.vanish(self.name)
        else:
            self._network.kill(self.name)
        lost = self.disk.crash(keep)
        self.blobs.crash()
        self._observer.crashed(self)
        return lost

    def leave(self) -> None:
        """An orderly stop: hand-over, farewell, then the process ends."""
        self.feed(inputs.Shutdown(reason="shutdown"))

    def _end(self) -> None:
        self.crash(keep=self.disk.unsynced)  # an orderly end waits for the disk

    # --- pause and sleep ------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """The program stands still (SIGSTOP): connections stay, nothing is answered, timers and the disk wait."""
        assert self.core is not None
        assert self._paused_at is None
        self._paused_at = self.clock.now().monotonic_s
        self._network.stop(self.name)

    def unpause(self) -> None:
        """The program goes on; it finds everything that waited, and notices how late it is."""
        assert self._paused_at is not None
        lag_s = self.clock.now().monotonic_s - self._paused_at
        self._paused_at = None
        timers, self._held = self._held, []
        requests, self._held_requests = self._held_requests, []
        # Which of these an event loop looks at first is nobody's promise.
        due: list[Callable[[], None]] = [
            lambda: self._notice_lag(lag_s),
            lambda: _call_all(timers),
            lambda: _call_all(requests),
            lambda: self._network.resume(self.name),
        ]
        life = self._life
        while due and life == self._life:
            due.pop(int(self._entropy.fraction() * len(due)))()
        if lag_s > 0:
            self.feed(inputs.Health(loop_lag_s=0.0, disk_lag_s=0.0))

    def sleep(self) -> None:
        """The computer is suspended. The caller also cuts its network, which is off."""
        self.pause()
        self.clock.sleep()

    def wake(self) -> None:
        """The computer goes on: wall time has passed, monotonic time has not."""
        self.clock.wake()
        self.unpause()

    def _notice_lag(self, lag_s: float) -> None:
        if lag_s > 0:
            self.feed(inputs.Health(loop_lag_s=lag_s, disk_lag_s=self._oldest_write_s()))

    def _forget_pause(self) -> None:
        self._paused_at = None
        self._held.clear()
        self._held_requests.clear()

    # --- inputs ---------------------------------------------------------------------------------------------------

    def request(self, command: Command, answered: Answered) -> None:
        """Asks the node; the answer comes in virtual time, or never if the node dies before.

        While the program stands still the request waits in its socket.
        """
        request = effects.RequestId(self._next_request)
        self._next_request += 1
        self._answers[request] = answered
        asked = inputs.Request(request=request, command=command)
        if self._paused_at is not None:
            self._held_requests.append(lambda: self.feed(asked))
        else:
            self.feed(asked)

    def inject(self, link: LinkId, frame: bytes) -> None:
        """A frame that nobody on the link sent: what an attacker in control of the peer could send."""
        self._arrived(self._life, FrameArrived(link=link, data=frame))

    def feed(self, happened: inputs.Input) -> None:
        """Gives the core an input and performs what follows."""
        if self.core is None:
            return
        life = self._life
        self.core.handle(happened, self.clock.now())
        self._perform(self.core.effects())
        if life == self._life:
            self._observer.handled(self)
        self._arm()

    def _arrived(self, life: int, event: TransportEvent) -> None:
        if life != self._life or self.core is None:
            return
        if not isinstance(event, FrameArrived):
            self.feed(event)
            return
        self.received.count(event.data)
        try:
            prepared = self.parts.prepare(event.data, self.core.directory)
        except PeerFault as fault:
            self.feed(inputs.BadFrame(link=event.link, fault=fault))
            return
        self.feed(inputs.FrameReceived(link=event.link, prepared=prepared))

    def _arm(self) -> None:
        deadline = self.core.next_deadline() if self.core is not None else None
        if deadline is None or (self._tick_at is not None and self._tick_at <= deadline):
            return
        self._tick_at = deadline
        self._later(self.clock.seconds_until(deadline), lambda: self._tick(deadline))

    def _tick(self, deadline: float) -> None:
        if self._tick_at == deadline:
            self._tick_at = None
            self.feed(inputs.Tick())

    def _later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Runs a call of this life of the node; while the program stands still it waits."""
        life = self._life

        def due() -> None:
            if life != self._life:
                return
            if self._paused_at is not None:
                self._held.append(due)
            else:
                call()

        self._scheduler.schedule(delay_s, due)

    # --- effects --------------------------------------------------------------------------------------------------

    def _perform(self, drained: list[effects.Effect]) -> None:
        persist, ready = self._outbox.feed(drained)
        now_s = self.clock.now().monotonic_s
        for batch in persist:
            self._queue.append((now_s, batch))
            self._observer.wrote(self, batch.rows)
        life = self._life
        for effect in ready:
            self._do(effect)
            if life != self._life:
                return
        if self._queue and not self._committing:
            self._begin_commit()

    def _begin_commit(self) -> None:
        """Group commit: whatever gathered while the disk was busy becomes durable together."""
        self._committing, self._queue = self._queue, []
        for _, effect in self._committing:
            self.disk.write(effect.rows)
        if not self._dies_at(CrashPoint.WRITTEN):
            self._later(self.commit_s, self._commit)

    def _commit(self) -> None:
        if self.disk_stalled:
            self._tell_disk_lag()
            self._later(STALLED_LOOK_S, self._commit)
            return
        try:
            self.disk.sync()
        except StoreError as fault:
            self.feed(inputs.PersistFailed(fault=fault))
            self._tell_disk_lag()
            self._later(FAILED_RETRY_S, self._commit)
            return
        ticket = self._committing[-1][1].ticket
        self._committing = []
        if self.settled_at_s is None:
            self.settled_at_s = self._scheduler.now_s
        if self._dies_at(CrashPoint.SYNCED):
            return
        life = self._life
        for released in self._outbox.persisted(ticket):
            self._do(released)
            if life != self._life or self._dies_at(CrashPoint.RELEASING):
                return
        self._tell_disk_lag()
        self.feed(inputs.Persisted(ticket=ticket))
        if life == self._life and self._queue and not self._committing:
            self._begin_commit()

    def _dies_at(self, point: CrashPoint) -> bool:
        if self.crash_point is not point:
            return False
        self.crash_point = None
        self.died_at = point
        self.crash(keep=self.crash_keep)
        return True

    def _oldest_write_s(self) -> float:
        waiting = self._committing or self._queue
        return self.clock.now().monotonic_s - waiting[0][0] if waiting else 0.0

    def _tell_disk_lag(self) -> None:
        lag_s = self._oldest_write_s()
        worse = lag_s >= self._told_disk_lag_s + HEALTH_AFTER_S
        over = self._told_disk_lag_s > 0 and lag_s < HEALTH_AFTER_S
        if worse or over:
            self._told_disk_lag_s = 0.0 if over else lag_s
            self.feed(inputs.Health(loop_lag_s=0.0, disk_lag_s=lag_s))

    def _do(self, effect: effects.Effect) -> None:
        assert self.transport is not None
        match effect:
            case effects.Send(link=link, frame=frame, droppable=droppable):
                self.sent.count(frame)
                self._observer.sent(self, frame)
                self.transport.send(link, frame, droppable=droppable)
            case effects.CloseLink(link=link, reason=reason):
                self.transport.close(link, reason)
            case effects.Dial(dial=dial, address=address):
                self._observer.dialled(self, address)
                self.transport.dial(dial, address)
            case effects.ReadEntries() | effects.ReadOrdered() | effects.ReadCommits():
                self._later(READ_S, lambda: self.feed(store_reads.answered(self.disk, effect)))
            case effects.Answer(request=request, result=result):
                self._answers.pop(request)(result)
            case effects.Notify():
                self._observer.notified(self, effect)
            case effects.ReadBlob() | effects.KeepChunk() | effects.DropBlob():
                self._later(READ_S, lambda: self._blob_job(effect))
            case effects.PublishFiles() | effects.LookIntoFolder() | effects.BlobToFolder() | effects.BlobFromFolder():
                directory = self.node().directory
                self._later(self.folder_takes_s, lambda: self._in_folder(effect, directory))
            case effects.InstallCertificate(leaf=leaf, issuer=issuer):
                assert self.core is not None
                # The key is the same, unless it is the next one, which the core signs with from now on.
                key = self.core.desk.identity.key
                self.identity = dataclasses.replace(self.identity, key=key, leaf=leaf, issuer=issuer)
                self.transport.leaf = leaf
            case effects.Stop():
                self._later(FAREWELL_S, self._end)  # the farewell is on its way; give it a moment on the wire
            case effects.Persist():
                raise AssertionError("the outbox keeps these apart")

    def _blob_job(self, job: BlobJob) -> None:
        done = blob_done(self.blobs, job)
        if done is not None:
            self.feed(done)

    def _in_folder(self, job: FolderJob, directory: Directory) -> None:
        """Does a job with what the node knew when it asked for it; a folder that blocks keeps it for so long."""
        assert self.folder is not None
        if self.folder.blocked:
            self._later(BLOCKED_LOOK_S, lambda: self._in_folder(job, directory))
            return
        if isinstance(job, effects.PublishFiles):
            self._observer.published(self, job, directory)
        answer = performed(self.drive or self.folder, job, directory, self.blobs)
        self._later(self.folder.take_spent_s(), lambda: self._from_folder(answer))

    def _from_folder(self, answer: FolderAnswer) -> None:
        assert self.folder is not None
        if self.folder.blocked:
            self._later(BLOCKED_LOOK_S, lambda: self._from_folder(answer))
            return
        before = self._held_entries()
        self.feed(answer)
        if self.core is not None:
            self.by_folder += self._held_entries() - before
        if isinstance(answer, inputs.FolderLooked):
            self._observer.looked(self)

    def _held_entries(self) -> int:
        return 0 if self.core is None else sum(self.core.exchange.heads().values())


def _call_all(calls: Iterable[Callable[[], None]]) -> None:
    for call in calls:
        call()
