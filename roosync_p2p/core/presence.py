"""Heartbeats out and in, and what peers tell each other about whom they hear (docs/protocol/liveness.md).

The judgement itself is made in :mod:`roosync_p2p.liveness`; here its questions become frames and dials, and frames
become facts for it.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

from msgspec import structs

from roosync_p2p import limits
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core.commit.beat_facts import BeatFacts
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.dialling import Dialling, Redialled
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.links import Link, Links
from roosync_p2p.core.wire import AskHears, Beat, Hears, Lost, encode_frame
from roosync_p2p.errors import MalformedError, UntrustedError
from roosync_p2p.gossip.mesh import first_in_order
from roosync_p2p.ids import BootId, MachineId, parse_machine_id
from roosync_p2p.liveness import verdicts
from roosync_p2p.liveness.detector import Liveness
from roosync_p2p.liveness.heartbeat import Health, Heartbeat, precedence, validate
from roosync_p2p.liveness.verdicts import Heard, Path, RedialOutcome, State, Verdict
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import Verified, seal
from roosync_p2p.version import __version__

__all__ = ["LatestBeat", "Presence"]

RELAYED_AGE_MS_MAX: Final = 60_000  # a relay that held a heartbeat longer than this has nothing to tell


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LatestBeat:
    """The newest heartbeat of a machine that this node holds."""

    heartbeat: Heartbeat
    envelope: bytes
    at_s: float  # monotonic


class Presence:
    """This node's heartbeats, and what it knows of the others' through theirs."""

    def __init__(self, desk: Desk, links: Links, dialling: Dialling, liveness: Liveness, *, boot: BootId) -> None:
        self._desk = desk
        self._links = links
        self._dialling = dialling
        self.liveness = liveness
        self._boot = boot
        self._counter = 0
        self._start: int | None = None
        self._started = Ticket(0)
        self._beat_at: float | None = None
        self._awake_since_ms = 0
        self.resumed_s = -math.inf  # monotonic time at which the clocks jumped last
        self._addresses: tuple[str, ...] = ()
        self._health = Health()
        self.folder_lag_ms: int | None = None  # how late the shared folder is, where there is one
        self.sent = b""  # this node's newest heartbeat, as it went out
        self._latest: dict[MachineId, LatestBeat] = {}
        self._direct: dict[MachineId, LatestBeat] = {}
        self._hears: dict[MachineId, frozenset[MachineId]] = {}
        self._relay_due: dict[tuple[MachineId, MachineId], float] = {}
        # Whether it falls to this node, and by which words of both ends: these change far more rarely than they beat.
        self._falls: dict[tuple[MachineId, MachineId], tuple[frozenset[MachineId], frozenset[MachineId], bool]] = {}
        self._told_hears: frozenset[MachineId] = frozenset()
        self._tell_hears_at = -math.inf  # the next time, at the earliest
        self._hears_waits = False
        self._changed: list[tuple[MachineId, State]] = []

    # --- what is known --------------------------------------------------------------------------------------------

    def latest(self, machine: MachineId) -> LatestBeat | None:
        """The newest heartbeat of a machine."""
        return self._latest.get(machine)

    def forget(self, machine: MachineId) -> None:
        """That machine's key is given up: what it said of itself means nothing more."""
        for known in (self._latest, self._direct, self._hears):
            known.pop(machine, None)

    def applied(self, machine: MachineId) -> int | None:
        """Up to which commit number that machine has read the log, as its newest heartbeat tells."""
        beat = self._latest.get(machine)
        return None if beat is None else beat.heartbeat.commit_size

    def hears(self, peer: MachineId) -> frozenset[MachineId]:
        """Whom that peer says it hears directly."""
        return self._hears.get(peer, frozenset())

    def clock_of(self, machine: MachineId) -> int:
        """What that machine's wall clock shows now, in ms, as its newest heartbeat tells; else our own."""
        beat = self._latest.get(machine)
        if beat is None:
            return self._desk.now.wall_ms
        return beat.heartbeat.wall_ms + round((self._desk.now.monotonic_s - beat.at_s) * 1000)

    @property
    def awake_since_ms(self) -> int:
        """Since when this node is awake without a break, by its wall clock; 0 before its first heartbeat."""
        return self._awake_since_ms

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where this node can be reached."""
        return self._addresses

    # --- own heartbeats -------------------------------------------------------------------------------------------

    def begin(self, start: int, *, after: Ticket) -> None:
        """Heartbeats start, under a start number that is durable with that ticket."""
        self._start, self._started = start, after
        self.liveness.started(start=start, boot=self._boot, now=self._desk.now)
        self._beat_at = self._desk.now.monotonic_s
        if not self._awake_since_ms:
            self._awake_since_ms = self._desk.now.wall_ms

    @property
    def beating(self) -> bool:
        """Whether heartbeats are being sent."""
        return self._start is not None

    def silence(self) -> None:
        """No more heartbeats: this store is not its machine's any more."""
        self._start = self._beat_at = None

    def set_addresses(self, addresses: tuple[str, ...]) -> None:
        """Where this node can be reached, from now on."""
        self._addresses = addresses[: limits.ADDRESSES_PER_MACHINE_MAX]

    def set_health(self, loop_lag_s: float, disk_lag_s: float) -> None:
        """How this node is."""
        self._health = Health(
            loop_lag_ms=round(loop_lag_s * 1000),
            disk_lag_ms=round(disk_lag_s * 1000),
            clock_offset_ms=self.liveness.clock_offset_ms(self._desk.now),
        )
        self.liveness.loop_lag(loop_lag_s, self._desk.now)

    @property
    def health(self) -> Health:
        """How this node is, as it says in its heartbeats."""
        return self._health

    def resumed(self, *, slept_s: float) -> None:
        """The clock jumped: whatever was silent meanwhile gets its time again."""
        self.resumed_s = self._desk.now.monotonic_s
        self._awake_since_ms = self._desk.now.wall_ms
        self.liveness.resumed(self._desk.now, slept_s=slept_s)
        if self._start is not None:
            self._beat_at = self._desk.now.monotonic_s

    def farewell(self) -> None:
        """Says goodbye: the last heartbeat of this start."""
        if self._start is not None:
            self._send_beat("leaving")
            self._start = self._beat_at = None

    def next_deadline(self) -> float | None:
        """When the next heartbeat or judgement is due (monotonic seconds)."""
        hears_at = self._tell_hears_at if self._hears_waits else None
        times = (self._beat_at, self.liveness.next_deadline(), hears_at)
        return min((at for at in times if at is not None), default=None)

    def tick(self, heads: list[tuple[str, int, int]], commit: BeatFacts) -> None:
        """Sends the heartbeat that is due, judges, and acts on what the judgement asks."""
        now = self._desk.now
        if self._beat_at is not None and self._beat_at <= now.monotonic_s:
            # Kept on the grid, so that lateness does not add up; a gap longer than a beat starts a new grid.
            following = self._beat_at + self.liveness.profile.interval_s
            late = following <= now.monotonic_s
            self._beat_at = now.monotonic_s + self.liveness.profile.interval_s if late else following
            self._send_beat("up", heads, commit)
        if self._hears_waits and self._tell_hears_at <= now.monotonic_s:
            self._hears_waits = False
            self._tell_hears()
        self.liveness.tick(now)
        self.act()

    def act(self) -> None:
        """Turns the questions of the judgement into frames and dials, its changes into events."""
        for question in self.liveness.questions():
            match question:
                case verdicts.Redial(machine=machine):
                    self._dialling.redial(machine)
                case verdicts.AskHears(machine=machine):
                    self._links.broadcast(AskHears(machine=machine), but=(machine,), droppable=True)
                case verdicts.TellLost(machine=machine, start=start):
                    # Until it is heard again: then everybody is told so.
                    self._direct.pop(machine, None)
                    self._told_hears -= {machine}
                    self._links.broadcast(Lost(machine=machine, start=start), but=(machine,))
        for change in self.liveness.changes():
            self._changed.append((change.after.machine, change.after.state))
            data = verdict_data(change.after)
            self._desk.notify("verdict", {**data, "before": str(change.before), "comebacks": change.comebacks})

    def changed(self) -> list[tuple[MachineId, State]]:
        """The verdicts that changed since the last call, for the parts that act on them."""
        changed, self._changed = self._changed, []
        return changed

    def _send_beat(
        self, state: str, heads: list[tuple[str, int, int]] | None = None, commit: BeatFacts | None = None
    ) -> None:
        assert self._start is not None
        told = commit if commit is not None else BeatFacts()
        self._counter += 1
        heartbeat = Heartbeat(
            machine=self._desk.me,
            start=self._start,
            boot=self._boot,
            counter=self._counter,
            wall_ms=self._desk.now.wall_ms,
            interval_ms=round(self.liveness.profile.interval_s * 1000),
            addresses=self._addresses,
            heads=tuple(heads or ()),
            version=__version__,
            awake_since_ms=self._awake_since_ms,
            health=structs.replace(self._health, folder_lag_ms=self.folder_lag_ms),
            state="leaving" if state == "leaving" else "up",
            commit_size=told.size,
            commit_digest=told.digest,
            commit_mark=told.mark,
            rules=told.rules,
            store=told.store,
            on_battery=told.on_battery,
            epoch=told.epoch,
        )
        envelope = seal(
            self._desk.identity.key,
            context=contexts.HEARTBEAT,
            fleet=self._desk.identity.fleet,
            author=self._desk.me,
            payload=encode(heartbeat),
        )
        self.sent = envelope
        self._links.broadcast(Beat(envelope=envelope), after=self._started, shadows=True)

    # --- others' heartbeats ---------------------------------------------------------------------------------------

    def beat_received(self, link: Link, frame: Beat, verified: Verified) -> Heartbeat:
        """A heartbeat came, from its machine itself or relayed by a peer.

        Raises:
            MalformedError: it breaks its schema or bounds.
            UntrustedError: it is of the machine at the other end and marked as relayed, or neither.
        """
        heartbeat = read_heartbeat(verified)
        machine = MachineId(heartbeat.machine)
        direct = not frame.relayed
        if direct and machine != link.machine:
            raise UntrustedError(f"{link.machine} sent a heartbeat of {machine} as its own", code="wrong_source")
        if not direct and machine == link.machine:
            raise UntrustedError(f"{machine} relayed a heartbeat of its own", code="wrong_source")
        if not 0 <= frame.age_ms <= RELAYED_AGE_MS_MAX or (direct and frame.age_ms):
            raise MalformedError("a heartbeat comes with an impossible age", code="bad_field")
        heard = self.liveness.heard(
            heartbeat,
            path=Path.DIRECT if direct else Path.RELAYED,
            via=None if direct else link.machine,
            age_s=frame.age_ms / 1000,
            now=self._desk.now,
        )
        if heard not in (Heard.NEW, Heard.DUPLICATE):
            self._desk.count(str(heard))
        if heard in (Heard.NEW, Heard.UNBELIEVED) and machine != self._desk.me:
            self._remember(machine, heartbeat, verified.raw, direct=direct)
        return heartbeat

    def from_folder(
        self, heartbeat: Heartbeat, envelope: bytes, *, cadence_s: float, proved_s: float | None
    ) -> float | None:
        """The heartbeat in a machine's newest file of the shared folder.

        Args:
            heartbeat: verified, by its own machine.
            envelope: as it was signed.
            cadence_s: how often the machine writes its file.
            proved_s: since when it must have been made, where a probe proves that (monotonic seconds).

        Returns:
            How old it is by a clock that was compared; None if it was not.
        """
        machine = MachineId(heartbeat.machine)
        now = self._desk.now
        heard = self.liveness.folder.heard(heartbeat, cadence_s=cadence_s, proved_s=proved_s, now=now)
        if heard not in (Heard.NEW, Heard.DUPLICATE):
            self._desk.count(str(heard))
        known = self._latest.get(machine)
        if known is None or precedence(heartbeat) > precedence(known.heartbeat):
            self._remember(machine, heartbeat, envelope, direct=False)
        return self.liveness.folder.age_s(machine, now)

    def _remember(self, machine: MachineId, heartbeat: Heartbeat, envelope: bytes, *, direct: bool) -> None:
        beat = LatestBeat(heartbeat=heartbeat, envelope=envelope, at_s=self._desk.now.monotonic_s)
        self._latest[machine] = beat
        self._dialling.learned(machine, heartbeat.addresses)
        if direct:
            self._direct[machine] = beat
            self._relay(machine, beat)
            self._tell_hears()

    def _relay(self, machine: MachineId, beat: LatestBeat) -> None:
        """Passes a heartbeat on to peers that do not hear that machine, if it falls to this node.

        Of the members that hear both ends, those that come first in an order that all compute alike pass it on.
        """
        evidence = self.liveness.direct_evidence(machine, self._desk.now)
        if evidence is None:
            return  # it was on its way for so long that it proves nothing
        age_ms = round(evidence[1] * 1000)
        frame: bytes | None = None
        for peer in self._links.peers():
            if peer == machine or machine in self.hears(peer) or not self._relay_falls_here(machine, peer):
                continue
            frame = frame or encode_frame(Beat(envelope=beat.envelope, relayed=True, age_ms=age_ms))
            link = self._links.primary(peer)
            assert link is not None
            self._links.send_on(link.id, frame, after=Ticket(0), droppable=True)

    def _relay_falls_here(self, machine: MachineId, peer: MachineId) -> bool:
        """Whether this node passes that machine's heartbeats on to that peer, and it is time for one.

        Where every pair tries to link, two relays pass on each heartbeat, by what they say themselves. Where not, one
        does, slower the larger the fleet is; whom both ends say they hear is asked, because not all relays are linked.
        """
        if self._desk.scale == 1.0:
            both = {r for r in self._links.peers() if machine in self.hears(r) and peer in self.hears(r)}
            return first_in_order(both, self._desk.me, source=machine, target=peer, count=limits.RELAY_FANOUT)
        now_s, profile = self._desk.now.monotonic_s, self.liveness.profile
        due_s = self._relay_due.get((machine, peer), -math.inf)
        if now_s < due_s:
            return False
        if not self._falls_here(machine, peer):
            return False
        # The heartbeats come on a grid of their own: one is late by up to a beat, and the next one is not for that.
        self._relay_due[machine, peer] = max(due_s, now_s - profile.interval_s) + profile.relayed_interval_s
        return True

    def _falls_here(self, machine: MachineId, peer: MachineId) -> bool:
        """Whether this node comes first of those that both ends say they hear."""
        there, here = self.hears(machine), self.hears(peer)
        known = self._falls.get((machine, peer))
        if known is None or known[0] is not there or known[1] is not here:
            relays, me = there & here, self._desk.me
            # Until both ends have said that they hear this node, nobody else counts it either.
            first = me in relays and first_in_order(relays, me, source=machine, target=peer)
            known = self._falls[machine, peer] = (there, here, first)
        return known[2]

    # --- who hears whom -------------------------------------------------------------------------------------------

    def opened(self, peer: MachineId) -> None:
        """A link is up."""
        link = self._links.primary(peer)
        assert link is not None
        self.liveness.link_up(peer, self._desk.now, opened_s=link.opened_at)
        self._links.send(peer, self._hears_frame(tuple(sorted(self._told_hears))))

    def closed(self, peer: MachineId) -> None:
        """The last link to a peer is gone."""
        self._hears.pop(peer, None)
        self._direct.pop(peer, None)
        self._relay_due = {pair: due_s for pair, due_s in self._relay_due.items() if peer not in pair}
        self._falls = {pair: known for pair, known in self._falls.items() if peer not in pair}
        self.liveness.link_down(peer, self._desk.now)
        self._tell_hears()

    def redialled(self, fact: Redialled) -> None:
        """A dial ended."""
        outcome = {
            "refused": RedialOutcome.REFUSED,
            "silent": RedialOutcome.SILENT,
            "unanswered": RedialOutcome.UNANSWERED,
        }.get(fact.outcome.value)
        if outcome is not None:
            self.liveness.redialled(fact.machine, outcome, self._desk.now)

    def answered(self, machine: MachineId) -> None:
        """A dial of ours led to a TLS session with that machine: it lives, whatever an earlier dial said."""
        self.liveness.redialled(machine, RedialOutcome.OPENED, self._desk.now)

    def received(self, peer: MachineId, frame: Hears | AskHears | Lost) -> None:
        """A peer speaks of whom it hears.

        Raises:
            MalformedError: what it says breaks its bounds.
        """
        match frame:
            case Hears():
                self.hears_received(peer, frame)
            case AskHears():
                self.asked(peer, frame)
            case Lost():
                self.lost_received(peer, frame)

    def hears_received(self, peer: MachineId, frame: Hears) -> None:
        """A peer says whom it hears directly."""
        if len(frame.machines) > limits.FRONTIER_CHAINS_MAX or any(
            start < 0 or (age_ms is not None and age_ms < 0) for _, start, age_ms in frame.machines
        ):
            raise MalformedError("a list of heard machines breaks its bounds", code="bad_field")
        named = frozenset(parse_machine_id(machine) for machine, _, age_ms in frame.machines if age_ms is not None)
        together = named if frame.all else self.hears(peer) | named
        self._hears[peer] = together if len(together) <= limits.FRONTIER_CHAINS_MAX else named
        for machine, start, age_ms in frame.machines:
            if machine != self._desk.me:
                self.liveness.hears(
                    reporter=peer,
                    machine=MachineId(machine),
                    start=start,
                    age_s=None if age_ms is None else age_ms / 1000,
                    now=self._desk.now,
                )

    def asked(self, peer: MachineId, frame: AskHears) -> None:
        """A peer asks whether this node hears a machine directly: it is told, and given the proof.

        Raises:
            MalformedError: that is no machine id.
        """
        machine = parse_machine_id(frame.machine)
        evidence = self.liveness.direct_evidence(machine, self._desk.now)
        beat = self._direct.get(machine)
        if evidence is None or beat is None:
            self._links.send(peer, Hears(machines=[(machine, 0, None)]))
            return
        start, age_s = evidence
        age_ms = round(age_s * 1000)
        self._links.send(peer, Hears(machines=[(machine, start, age_ms)]))
        if age_ms <= RELAYED_AGE_MS_MAX:
            self._links.send(peer, Beat(envelope=beat.envelope, relayed=True, age_ms=age_ms), droppable=True)

    def lost_received(self, peer: MachineId, frame: Lost) -> None:
        """A peer lost its direct evidence of a machine.

        Raises:
            MalformedError: that is no machine id.
        """
        machine = parse_machine_id(frame.machine)
        self._hears[peer] = self.hears(peer) - {machine}
        if machine != self._desk.me:
            self.liveness.lost(reporter=peer, machine=machine, start=frame.start, now=self._desk.now)

    def _tell_hears(self) -> None:
        """Tells all peers whom this node hears directly, when that changed."""
        heard = frozenset(self._direct) & frozenset(self._links.peers())
        if heard == self._told_hears:
            return
        now_s = self._desk.now.monotonic_s
        if self._desk.scale > 1.0 and now_s < self._tell_hears_at:
            self._hears_waits = True  # a node that opens thirty links does not tell all of it thirty times
            return
        self._hears_waits = False
        self._tell_hears_at = now_s + limits.HEARS_INTERVAL_S
        self._told_hears = heard
        self._links.broadcast(self._hears_frame(tuple(sorted(heard))))

    def _hears_frame(self, machines: tuple[MachineId, ...]) -> Hears:
        heard = ((machine, self.liveness.direct_evidence(machine, self._desk.now)) for machine in machines)
        rows: list[tuple[str, int, int | None]] = [
            (str(machine), evidence[0], round(evidence[1] * 1000))
            for machine, evidence in heard
            if evidence is not None
        ]
        return Hears(machines=rows, all=True)


def read_heartbeat(verified: Verified) -> Heartbeat:
    """The heartbeat in a verified envelope.

    Raises:
        MalformedError: it breaks its schema or bounds.
        UntrustedError: signed by another machine than it names.
    """
    heartbeat = validate(decode(verified.payload, Heartbeat, size_max=limits.HEARTBEAT_BYTES_MAX))
    if heartbeat.machine != verified.author:
        raise UntrustedError("a heartbeat names another machine than its signer", code="wrong_source")
    return heartbeat


def verdict_data(verdict: Verdict) -> dict[str, object]:
    """A verdict as JSON shows it."""
    evidence = verdict.evidence
    age_s = None if evidence.age_s is None else round(evidence.age_s, 3)
    return {
        "machine": verdict.machine,
        "state": str(verdict.state),
        "evidence": {"path": str(evidence.path), "via": evidence.via, "age_s": age_s},
        "reason": verdict.reason,
    }
