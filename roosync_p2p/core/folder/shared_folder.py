"""The shared folder of a node, joined for its core: when it is looked into, what is written, what it says (folder.md).

    deadline ─▶ LookIntoFolder ─▶ (elsewhere, for as long as it takes) ─▶ FolderLooked ─▶ what links would bring
    deadline ─▶ PublishFiles   ─▶             the same                 ─▶ FilesPublished

One job is out at a time, so a folder that blocks for minutes costs nothing but its own silence. Without a folder this
part does nothing at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from roosync_p2p import limits
from roosync_p2p.core import inputs
from roosync_p2p.core.acceptance import Acceptance
from roosync_p2p.core.attachments import Attachments
from roosync_p2p.core.authorship import Authorship, Phase
from roosync_p2p.core.commit.commit_log import CommitLog
from roosync_p2p.core.commit.ended import ended_here
from roosync_p2p.core.delivery import Delivery
from roosync_p2p.core.departures import Departures
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import FolderJobId, LookIntoFolder, PublishFiles
from roosync_p2p.core.exchange import Exchange
from roosync_p2p.core.folder.beacons import Beacons
from roosync_p2p.core.folder.blobs import FolderBlobs
from roosync_p2p.core.folder.budget import WriteBudget
from roosync_p2p.core.folder.faults import Faults
from roosync_p2p.core.folder.publisher import Publisher
from roosync_p2p.core.folder.quarantine import Quarantine
from roosync_p2p.core.folder.reaches import Reaches
from roosync_p2p.core.folder.reading import (
    BeaconRead,
    FileRead,
    Looked,
    PapersRead,
    RevocationsRead,
    RunRead,
    SegmentRead,
    Wanted,
)
from roosync_p2p.core.identity_watch import IdentityWatch
from roosync_p2p.core.intake import require_standing, require_standing_key
from roosync_p2p.core.presence import Presence, read_heartbeat
from roosync_p2p.core.rotations import Rotations
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.core.wire import RecordFrame
from roosync_p2p.errors import ConflictError, FolderError, PeerFault
from roosync_p2p.gossip.folder_paths import HeartbeatFile
from roosync_p2p.ids import BootId

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["FOLDER_USED", "SharedFolder", "folder_of"]

FOLDER_USED: Final = "folder.used"  # in the store: this home has had its folder; a missing marker is no new folder


def folder_of(core: NodeCore, meta: Mapping[str, bytes], *, learned: Callable[[], None]) -> SharedFolder:
    """The folder part of a core whose other parts stand. ``learned``: the directory may have grown."""
    reaches = Reaches(core.desk, core.links, core.presence, ended=core.commit.seats.known.ended)
    beacons = Beacons(
        core.desk,
        core.presence,
        core.delivery,
        reaches,
        boot=core.boot,
        start=lambda: core.authorship.start,
    )
    return SharedFolder(
        core.desk,
        reaches,
        beacons,
        Publisher(
            core.desk,
            core.exchange,
            core.delivery,
            core.presence,
            core.commit,
            reaches,
            beacons,
            core.revocations,
            core.rotations,
            meta,
        ),
        core.exchange,
        core.delivery,
        core.presence,
        core.authorship,
        core.acceptance,
        core.watch,
        core.commit,
        core.departures,
        core.rotations,
        attachments=core.attachments,
        boot=core.boot,
        learned=learned,
    )


class SharedFolder:
    """The fallback transport of one node; silent until :meth:`opened`."""

    def __init__(
        self,
        desk: Desk,
        reaches: Reaches,
        beacons: Beacons,
        publisher: Publisher,
        exchange: Exchange,
        delivery: Delivery,
        presence: Presence,
        authorship: Authorship,
        acceptance: Acceptance,
        watch: IdentityWatch,
        commit: CommitLog,
        departures: Departures,
        rotations: Rotations,
        *,
        attachments: Attachments,
        boot: BootId,
        learned: Callable[[], None],
    ) -> None:
        self._desk = desk
        self.reaches = reaches
        self.beacons = beacons
        self._publisher = publisher
        self._exchange = exchange
        self._delivery = delivery
        self._presence = presence
        self._authorship = authorship
        self._acceptance = acceptance
        self._watch = watch
        self._commit = commit
        self._departures = departures
        self._rotations = rotations
        self._boot = boot
        self._learned = learned
        self.quarantine = Quarantine(desk)
        self._blobs = FolderBlobs(desk, attachments, reaches, self.quarantine, names=lambda: publisher.names)
        self.budget = WriteBudget()
        self.path: str | None = None
        self._faults = Faults()
        self._seen = False  # whether a first look has ended
        self._job = FolderJobId(0)
        self._job_since_s: float | None = None
        self._beacon_job: FolderJobId | None = None
        self._look_at = math.inf
        self._papers: set[str] = set()
        self._contradicts_since: dict[str, float] = {}  # files of certificates for another key than the pinned one
        self._kept: list[tuple[str, bytes]] = []
        self._wake_at = math.inf  # nothing is looked at before: this part is asked at every input

    # --- life -----------------------------------------------------------------------------------------------------

    def opened(self, path: str) -> None:
        """There is a folder."""
        self.path = path
        self.reaches.opened_s = self._look_at = self._wake_at = self._desk.now.monotonic_s

    @property
    def to_be_seen(self) -> frozenset[str]:
        """What the start-up check still waits for: the first look, which may show more than the disk holds."""
        waiting = self.path is not None and not self._seen and self.fault is None
        return frozenset({"@folder"}) if waiting else frozenset()

    def farewell(self) -> None:
        """Leaves the last heartbeat there, if the folder is not busy with something else."""
        if self.path is None or not self._seen or self._job_since_s is not None:
            return
        if self._ended:
            self._clear()
        elif self._presence.sent:
            self._publish([self.beacons.make()], [])

    def grown(self) -> None:
        """More is durable here than before."""
        if self.path is not None:
            self._publisher.soon()
            self._wake_at = min(self._wake_at, self._desk.now.monotonic_s + limits.FOLDER_GATHER_S)

    # --- time -----------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When to look, to write, or to call the folder blocked (monotonic seconds)."""
        return None if self._wake_at == math.inf else self._wake_at

    def tick(self) -> None:
        """Starts the job that is due, if none is out."""
        now_s = self._desk.now.monotonic_s
        if now_s < self._wake_at:
            return
        self.reaches.tick()
        self.budget.tick(now_s, needed=self.reaches.needs_folder())
        if self._job_since_s is None and now_s >= self._faults.look_again_at:
            self._work(now_s)
        self._wake_at = self._next(now_s)

    @property
    def _ended(self) -> bool:
        """Whether this machine has left or was retired: then nobody reads its part, and it writes no more."""
        return ended_here(self._desk, self._commit.state) is not None

    def _clear(self) -> bool:
        """Removes this machine's own part; nobody else may (folder.md §7). False when there is nothing to do."""
        removed = self._publisher.own_files()
        if removed:
            self._publish([], removed, beacon=False)
        return bool(removed)

    def _work(self, now_s: float) -> None:
        if self._ended:
            if now_s >= self._look_at and not (self._may_write and self._clear()):
                self._look()
            return
        if self._may_write and now_s >= self._faults.write_again_at:
            files, removed = self._within_budget()
            beacon = now_s >= self.beacons.due_at()
            if files or removed or beacon:
                self._publish([*files, *([self.beacons.make()] if beacon else [])], removed, beacon=beacon)
                return
        if now_s >= self._look_at:
            self._look()
        elif self._seen:
            self._copy_blob(now_s)

    def _copy_blob(self, now_s: float) -> None:
        """The next slice of a blob; one is written like any other file, within the budget."""
        may_write = self._may_write and now_s >= self._faults.write_again_at and bool(self.budget.allowed)
        job = self._blobs.next_job(FolderJobId(self._job + 1), may_write=may_write)
        if job is not None:
            self._begin()
            self._desk.emit(job)

    def blob_read(self, answer: inputs.FolderBlobRead) -> None:
        """What became of a slice of a blob."""
        if answer.job == self._job:
            self._job_since_s = None
            self._wake_at = self._desk.now.monotonic_s
        self._kept += self._blobs.taken(answer)

    def _within_budget(self) -> tuple[list[tuple[str, bytes]], list[str]]:
        """What is to be written and removed besides the heartbeat, if anything may be."""
        if not self.budget.allowed:
            return [], []
        self._publisher.tick()
        files, removed = self._publisher.take()
        room = max(0, self.budget.allowed - len(files))
        files, self._kept = [*files, *self._kept[:room]], self._kept[room:]
        return files, [*removed, *self._blobs.removals()]

    def _next(self, now_s: float) -> float:
        if self._job_since_s is not None:
            return max(self._job_since_s + limits.FOLDER_BLOCKED_S, now_s + limits.FOLDER_PLAN_S)
        times = [self._look_at, now_s + limits.FOLDER_PLAN_S]
        if self._seen and not self._ended:
            times.append(self._blobs.next_deadline())
        if self._may_write and not self._ended:
            planned_s = -math.inf if self._kept else self._publisher.next_deadline()
            due_s = min(self.beacons.due_at(), max(planned_s, self.budget.next_s()))
            times.append(max(due_s, self._faults.write_again_at))
        return max(min(times), self._faults.look_again_at)

    @property
    def _may_write(self) -> bool:
        """Nothing is written before the start-up check has ended, nor into a folder that was not looked into."""
        return self._seen and self._faults.writable and self._authorship.phase is not Phase.CHECKING

    def _publish(self, files: list[tuple[str, bytes]], removed: list[str], *, beacon: bool = True) -> None:
        job = self._begin()
        self._beacon_job = job if beacon else self._beacon_job
        self._desk.emit(
            PublishFiles(
                job=job,
                fleet=self._desk.identity.fleet,
                files=tuple(files),
                removed=tuple(removed),
                after=max(self._desk.newest_ticket, self._authorship.started),
            )
        )

    def _look(self) -> None:
        wanted = Wanted(
            me=self._desk.me,
            fleet=self._desk.identity.fleet,
            heads=self._exchange.heads(),
            epoch=self._commit.order.epoch,
            items=0 if self._commit.order.raft is None else int(self._commit.order.raft.commit),
            papers=frozenset(self._papers),
            refused=self.quarantine.refused,
        )
        self._desk.emit(LookIntoFolder(job=self._begin(), wanted=wanted))

    def _begin(self) -> FolderJobId:
        self._job = FolderJobId(self._job + 1)
        self._job_since_s = self._desk.now.monotonic_s
        return self._job

    # --- answers --------------------------------------------------------------------------------------------------

    def published(self, answer: inputs.FilesPublished) -> None:
        """What became of files that were to be written."""
        if answer.job != self._job:
            return
        self._job_since_s = None
        self._wake_at = self._desk.now.monotonic_s
        self._desk.counters["folder.writes"] += len(answer.written)
        self._desk.counters["folder.removed"] += len(answer.removed)
        self.budget.wrote(self._desk.now.monotonic_s, written=len(answer.written), removed=len(answer.removed))
        self._publisher.published(answer.written, answer.removed)
        if self._beacon_job == answer.job and any(path.endswith("/heartbeat") for path in answer.written):
            self.beacons.published()
        elif self._beacon_job == answer.job or answer.fault is not None:
            self.beacons.again()  # a fault of writing ends with a file that was written: the next one shows it
        self._publisher.soon()
        before = self.fault
        self._faults.wrote(answer.fault, self._desk.now.monotonic_s, files=len(answer.written))
        self._tell(before)

    def looked(self, answer: inputs.FolderLooked) -> None:
        """What a look found."""
        if answer.job != self._job:
            return
        now_s = self._desk.now.monotonic_s
        self._job_since_s = None
        self._wake_at = now_s
        self._look_at = now_s + self.reaches.look_s()
        before = self.fault
        self._faults.looked(answer.fault, answer.writing, now_s)
        self._tell(before)
        if answer.looked is None:
            return
        if not self._seen:
            self._seen = True
            self._desk.persist(MetaRow(key=FOLDER_USED, value=b"1"))
        self._take(answer.looked)
        self._tell_lag()
        if answer.looked.more and answer.looked.files:
            self._look_at = now_s

    def _take(self, looked: Looked) -> None:
        self._publisher.names = set(looked.names)
        self._desk.counters["folder.foreign"] = looked.foreign
        self._desk.counters["folder.partial"] = looked.partial
        self._desk.counters["folder.unreadable"] = looked.unreadable
        for bad in looked.bad:
            self._kept += self.quarantine.take(bad)
        for file in looked.files:
            try:
                self._file(file)
            except PeerFault as fault:
                self._watch.key_conflict(fault)
                self._desk.fault(fault)
        self._presence.act()

    def _file(self, file: FileRead) -> None:
        match file:
            case PapersRead():
                self._certificates(file)
            case RevocationsRead():
                self._revocations(file)
            case BeaconRead():
                self._require_standing(file)
                self._heartbeat(file)
            case SegmentRead(frame=frame):
                self._acceptance.received(None, frame)
            case RunRead(name=name, signed=signed, frame=frame, epochs=epochs):
                require_standing_key(signed, self._desk.directory)
                if epochs is not None:
                    self._commit.received(name.owner, epochs)
                self._commit.received(name.owner, frame)

    def _require_standing(self, read: BeaconRead) -> None:
        """A look may take minutes, and may itself bring the revocation of whose files it read."""
        for signed in (read.signed, read.heartbeat):
            require_standing_key(signed, self._desk.directory)
        for record in read.records:
            require_standing(record, self._desk.directory)

    def _certificates(self, read: PapersRead) -> None:
        """Files come in any order: what contradicts the pinned key may be explained by a rotation that is on its way.

        Raises:
            PeerFault: it leads to no root; or it has contradicted the pinned key for a while.
        """
        path, now_s = read.name.path, self._desk.now.monotonic_s
        try:
            self._desk.learn(read.papers.leaf, read.papers.issuer, introduced=True)
        except PeerFault as fault:
            since_s = self._contradicts_since.setdefault(path, now_s)
            if isinstance(fault, ConflictError) and now_s < since_s + limits.FOLDER_DAMAGED_S:
                return
            self._papers.add(path)
            raise
        self._papers.add(path)
        self._contradicts_since.pop(path, None)
        if read.name.owner not in self._desk.directory.members:  # it is out: this helps to verify what stays, at most
            self._desk.count("folder.ignored.key_revoked")
        self._learned()

    def _revocations(self, read: RevocationsRead) -> None:
        if read.whole:
            self._papers.add(read.name.path)
        for statement in read.statements:
            try:
                self._departures.heard(statement, source=None)
            except PeerFault as fault:  # one that nobody may say keeps no other one back
                self._desk.fault(fault)
        for rotation in read.rotations:
            try:
                self._rotations.heard(rotation, source=None)
            except PeerFault as fault:
                self._watch.key_conflict(fault)
                self._desk.fault(fault)

    def _heartbeat(self, read: BeaconRead) -> None:
        machine = read.name.owner
        if machine == self._desk.me:
            self._own(read)
            return
        if not self.beacons.news(read):
            return
        self._learned()
        proved_s = self.beacons.proved_s(read)
        heartbeat = read_heartbeat(read.heartbeat)
        age_s = self._presence.from_folder(
            heartbeat, read.heartbeat.raw, cadence_s=read.beacon.cadence_ms / 1000, proved_s=proved_s
        )
        if age_s is not None:
            self.beacons.probes.measured(age_s)
        self._tell_lag()
        self._commit.digests.compare(heartbeat)
        for record in read.records:
            assert isinstance(record.frame, RecordFrame)
            self._watch.own_record(self._delivery.received(machine, record.frame, record.signed()))

    def _tell_lag(self) -> None:
        probes = self.beacons.probes
        lag_s, now = probes.lag_s, self._desk.now
        self._presence.folder_lag_ms = None if lag_s is None else round(lag_s * 1000)
        self._presence.liveness.folder.measured(
            lag_s=lag_s or 0.0, late_s=probes.late_s or 0.0, stalled=probes.overdue(now.monotonic_s), now=now
        )

    def _own(self, read: BeaconRead) -> None:
        """This machine's own file: of this start, or by another store that used its id (entries.md §3)."""
        if read.beacon.boot == self._boot:
            return
        heartbeat = read_heartbeat(read.heartbeat)
        if heartbeat.store == self._authorship.store and heartbeat.commit_size is not None:
            self._authorship.commits_shown(heartbeat.epoch, heartbeat.commit_size)
        if read.beacon.start < self._authorship.start:
            return
        if self._authorship.phase is Phase.CHECKING:
            self._authorship.start_shown(read.beacon.start)
        else:
            self._watch.own_identity_elsewhere("another node writes this machine's part of the shared folder")

    def _tell(self, before: FolderError | None) -> None:
        """Told once for each kind of fault, and when it is over."""
        fault = self.fault
        if fault is None and before is not None:
            self._desk.notify("folder", {"ok": True})
        elif fault is not None and (before is None or before.code != fault.code):
            self._desk.notify("folder", {"ok": False, "code": fault.code, "message": fault.message})

    # --- for people -----------------------------------------------------------------------------------------------

    @property
    def fault(self) -> FolderError | None:
        """What is wrong with it now, if anything."""
        return self._faults.current

    @property
    def looked_into(self) -> bool:
        """Whether it was there once since the start."""
        return self._seen

    @property
    def blocked_s(self) -> float:
        """For how long the folder has not answered; 0 while it does."""
        if self._job_since_s is None:
            return 0.0
        taken_s = self._desk.now.monotonic_s - self._job_since_s
        return taken_s if taken_s >= limits.FOLDER_BLOCKED_S else 0.0

    @property
    def others_seen(self) -> int:
        """How many machines have a heartbeat file there."""
        names = self._publisher.names
        return sum(isinstance(name, HeartbeatFile) and name.owner != self._desk.me for name in names)
