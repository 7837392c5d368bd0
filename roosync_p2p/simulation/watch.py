"""Watches a world: turns what its machines do into facts for the checkers, and keeps what they find."""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Callable, Iterable

from roosync_p2p.core import effects, wire
from roosync_p2p.core.folder.reading import BeaconRead, prepare_file
from roosync_p2p.core.intake import Prepared
from roosync_p2p.core.rows import EntryRow, Row
from roosync_p2p.entries.entry import Entry
from roosync_p2p.errors import PeerFault
from roosync_p2p.gossip.folder_paths import HeartbeatFile, parse_path
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.verdicts import State
from roosync_p2p.simulation import inspection
from roosync_p2p.simulation.checkers.convergence import ConvergenceChecker
from roosync_p2p.simulation.checkers.delivery import DeliveryChecker
from roosync_p2p.simulation.checkers.durability import DurabilityChecker
from roosync_p2p.simulation.checkers.identity import IdentityChecker
from roosync_p2p.simulation.checkers.liveness import EvidenceSample, LivenessChecker
from roosync_p2p.simulation.checkers.signatures import SignatureChecker
from roosync_p2p.simulation.checkers.violation import Violation
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.folder_watch import FolderWatch
from roosync_p2p.simulation.key_watch import KeyWatch
from roosync_p2p.simulation.member import Member
from roosync_p2p.simulation.order_watch import OrderWatch
from roosync_p2p.simulation.parts import Prepare
from roosync_p2p.simulation.truth import Truth
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.envelopes import Verified

__all__ = ["Watch"]


class Watch:
    """The observer of all members of a world, with its checkers, its truth and its trace.

    The caller attaches the fleet before anything happens in it.
    """

    truth: Truth

    def __init__(self, prepare: Prepare) -> None:
        self.active: collections.Counter[str] = collections.Counter()
        self.dials: collections.Counter[str] = collections.Counter()
        self.violations: list[Violation] = []
        self.delivery = DeliveryChecker()
        self.durability = DurabilityChecker()
        self.liveness = LivenessChecker()
        self.identity = IdentityChecker()
        self.convergence = ConvergenceChecker()
        self.signatures = SignatureChecker()
        self.order = OrderWatch(found=self.found, made=self.signatures.made, reach_s=self._reach_s)
        self.folder = FolderWatch(found=self.found)
        self.keys = KeyWatch(found=self.found)
        self._prepare = prepare
        self._disk_bad: dict[str, float] = {}
        self._last_beat: dict[str, bytes] = {}
        self._trace = hashlib.sha256()
        self._overheard: Callable[[bytes], None]
        self._touched: Callable[[], MachineId | None]

    def attach(
        self, fleet: Fleet, *, overheard: Callable[[bytes], None], touched: Callable[[], MachineId | None]
    ) -> None:
        """Whom to watch; who wants to hear heartbeats; which machine's home was copied or restored, if one was."""
        self.fleet = fleet
        self.truth = Truth(fleet)
        self.order.attach(fleet)
        self.keys.attach(fleet, up_for_s=self.truth.up_for_s)
        self.folder.attach(fleet, excused=lambda member: touched() == member.identity.machine)
        self._overheard = overheard
        self._touched = touched

    def found(self, violations: Iterable[Violation]) -> None:
        """Keeps what a checker found."""
        self.violations.extend(violations)

    def digest(self) -> str:
        """The trace of everything that was sent, dialled and told; the same for the same seed."""
        return self._trace.hexdigest()

    def disk_fine_for_s(self, name: str) -> float:
        """For how long a member's disk has been quick and whole."""
        return self.fleet.now_s - self._disk_bad.get(name, -1_000.0)

    def _reach_s(self, one: str, other: str) -> float:
        """For how long two members have been awake, with good disks, linked, and with nothing wrong between them."""
        members = [self.fleet.members[name] for name in dict.fromkeys((one, other))]
        if any(member.disk_stalled or member.disk.fault is not None or member.commit_s > 0.01 for member in members):
            return 0.0
        spans = [self.truth.up_for_s(member.name) for member in members]
        spans += [self.disk_fine_for_s(member.name) for member in members]
        if one != other:
            spans += [self.fleet.paths.clear_for(one, other), self.truth.linked_for_s(one, other)]
        return min(spans)

    # --- observer -------------------------------------------------------------------------------------------------

    def wrote(self, member: Member, rows: tuple[Row, ...]) -> None:
        """Observer: an own entry was signed."""
        for row in rows:
            if isinstance(row, EntryRow) and row.author == member.identity.machine:
                entry = row.id.hex()
                if any(inspection.signed_by(row, key) for key in member.keys):
                    self.signatures.made(entry)
                place = (str(row.author), row.incarnation, str(row.chain), row.sequence)
                self.durability.wrote(member.name, place, entry, self.fleet.now_s)
        self.order.wrote(member, rows)
        if member.name not in self.fleet.outside:
            self.keys.wrote(member, rows)

    def sent(self, member: Member, frame: bytes) -> None:
        """Observer: a frame left."""
        self._note(member, frame)
        try:
            prepared = self._prepare(frame, member.node().directory)
        except PeerFault as fault:
            text = f"{member.name} sent a frame that is no good: {fault.message}"
            self.violations.append(Violation(checker="frames", at_s=self.fleet.now_s, text=text))
            return
        self._told(member, prepared)

    def published(self, member: Member, job: effects.PublishFiles, directory: Directory) -> None:
        """Observer: files for the shared folder. A heartbeat, a frontier may get out by them alone."""
        self.folder.published(member, [path for path, _ in job.files], job.removed)
        for path, data in job.files:
            name = parse_path(path)
            if isinstance(name, HeartbeatFile):
                read = prepare_file(name, data, directory)
                assert isinstance(read, BeaconRead)
                self._told_heartbeat(member, read.heartbeat.raw)
                for record in read.records:
                    self._told_record(member, record.signed())

    def looked(self, member: Member) -> None:
        """Observer: a look into the shared folder was taken in."""
        self.folder.looked(member)

    def _told(self, member: Member, prepared: Prepared) -> None:
        match prepared.frame:
            case wire.Beat(relayed=False, envelope=envelope):
                self._told_heartbeat(member, envelope)
            case wire.Hello(start=start):
                self.durability.told_start(member.name, start)
            case wire.Have(spans=spans) | wire.FrontierFrame(spans=spans):
                for span in spans:
                    self.durability.told_head(member.name, (span.author, span.incarnation, span.chain), span.head)
            case wire.EntriesFrame():
                for part in prepared.parts:
                    if isinstance(part, Entry):
                        place = (str(part.author), part.header.incarnation, str(part.chain), part.header.sequence)
                        self.durability.told_entry(member.name, place, part.id.hex())
            case wire.RecordFrame():
                for part in prepared.parts:
                    if isinstance(part, Verified) and part.author == member.identity.machine:
                        self._told_record(member, part)
            case wire.RaftFrame():
                assert prepared.message is not None
                self.order.sent(member, prepared.message)
            case wire.Relay() if prepared.relay is not None and prepared.relay.source == member.identity.machine:
                assert prepared.inner is not None
                self._told(member, prepared.inner)

    def _told_heartbeat(self, member: Member, envelope: bytes) -> None:
        if self._last_beat.get(member.name) == envelope:
            return  # the same to the next peer
        self._last_beat[member.name] = envelope
        heartbeat = inspection.heartbeat_of(envelope)
        self.truth.beat(member.name)
        self._overheard(envelope)
        self.durability.told_start(member.name, heartbeat.start)
        for chain, incarnation, head in heartbeat.heads:
            self.durability.told_head(member.name, (heartbeat.machine, incarnation, chain), head)
        self.order.told_number(member, heartbeat.commit_size or 0)

    def _told_record(self, member: Member, record: Verified) -> None:
        self.signatures.made(record.raw.hex())
        for span in inspection.frontier_of(record):
            self.durability.told_head(member.name, (span.author, span.incarnation, span.chain), span.head)

    def dialled(self, member: Member, address: str) -> None:
        """Observer: a dial."""
        self.dials[member.name] += 1
        self._note(member, address.encode())

    def notified(self, member: Member, notice: effects.Notify) -> None:
        """Observer: something on a node's event stream."""
        self._note(member, repr((notice.event, sorted(notice.data.items(), key=str))).encode())
        self.truth.notified(member, notice)
        if member.name not in self.fleet.outside:
            self.keys.notified(member, notice)
        machine = str(notice.data.get("machine", ""))
        match notice.event:
            case "link" if "bad frames" in str(notice.data.get("reason", "")) and not self.active["reordering"]:
                # A reordered frame may come before the greeting, which no transport would do.
                text = f"{member.name} closed its link to {machine}: {notice.data['reason']}"
                self.violations.append(Violation(checker="frames", at_s=self.fleet.now_s, text=text))
            case "autopilot" if notice.data["step"] != "transfer":
                self.order.moved_seat(member, str(notice.data["step"]), machine)
            case "verdict":
                self._judged(member, machine, str(notice.data["state"]))
            case "identity" if notice.data["phase"] in ("waiting", "conflict"):
                self.identity.flagged(member.identity.machine, str(notice.data["phase"]))
            case "certificate":
                self.active["certificates renewed"] += 1
            case "folder_quarantine":
                self.folder.quarantined(member, str(notice.data["path"]), str(notice.data["code"]))
            case "fork" | "incarnation":
                self.identity.flagged(machine, notice.event)

    def _judged(self, judge: Member, machine: str, state: str) -> None:
        if state == State.CONFLICT:
            self.identity.flagged(machine, "conflict")
        if self._touched() in (machine, judge.identity.machine):
            return  # two nodes of one name: what is true of "it" is not defined
        if self.fleet.outside & {judge.name, machine}:
            return  # nobody owes those that were revoked or let go the truth, nor the truth about them
        if state == State.OFFLINE:
            truth = self.truth.circumstances(judge.name, machine)
            self.found(self.liveness.offline(judge.name, machine, truth, self.fleet.now_s))
        elif state == State.LEAVING:
            left = self.truth.left(judge, machine)
            self.found(self.liveness.leaving(judge.name, machine, left=left, at_s=self.fleet.now_s))

    def crashed(self, member: Member) -> None:
        """Observer: a node is gone."""
        self._note(member, b"crashed")
        if member.died_at is not None:
            self.active[f"crash_{member.died_at.value}"] += 1
        self.truth.gone(member.name)
        disk = inspection.Disk(member)
        self.found(
            self.durability.crashed(member.name, self.fleet.now_s, start=disk.start, head=disk.head, held=disk.held)
        )
        self.order.crashed(member)

    def handled(self, member: Member) -> None:
        """Observer: a node took something in."""
        self.order.handled(member)

    def sample(self) -> None:
        """Asks every node about every machine, and compares with the truth."""
        for judge in self.fleet.insiders():
            if judge.disk_stalled or judge.disk.fault is not None or judge.commit_s > 0.01:
                self._disk_bad[judge.name] = self.fleet.now_s
            if judge.running and not judge.paused:
                self.keys.sample(judge)
            if judge.running and not judge.paused and self.truth.reoriented(judge.name):
                for sample in self._samples_of(judge):
                    self.found(self.liveness.sample(sample, self.fleet.now_s))

    def _samples_of(self, judge: Member) -> Iterable[EvidenceSample]:
        core = judge.node()
        for machine in core.presence.liveness.machines:
            if self._touched() in (machine, judge.identity.machine) or machine in self.fleet.outside:
                continue
            verdict = core.presence.liveness.verdict(machine, judge.clock.now())
            yield EvidenceSample(
                judge=judge.name,
                machine=machine,
                path=verdict.evidence.path,
                via=verdict.evidence.via,
                age_s=verdict.evidence.age_s,
                true_age_s=self.truth.beat_age_s(machine),
                unlinked_for_s=self.truth.unlinked_for_s(judge.name, machine),
                undisturbed=self.truth.undisturbed(judge.name, machine, verdict.evidence.via),
            )

    def _note(self, member: Member, what: bytes) -> None:
        self._trace.update(f"{self.fleet.now_s:.6f} {member.name} {len(what)} ".encode())
        self._trace.update(what)
