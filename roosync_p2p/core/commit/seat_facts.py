"""What this node knows of everybody's seat, gathered for the autopilot (docs/protocol/autopilot.md §1).

Seats and awake times come from heartbeats, membership from the register, matches from the consensus, and who is about
to stop says so itself. Nothing is decided here.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from roosync_p2p import limits
from roosync_p2p.consensus.autopilot import Facts, Member, Membership, Pace
from roosync_p2p.consensus.awake import AwakeBook
from roosync_p2p.consensus.items import Seat
from roosync_p2p.consensus.progress import Standing
from roosync_p2p.consensus.raft import Peer, Raft
from roosync_p2p.core.commit.applier import Applier
from roosync_p2p.core.commit.order import Order
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.links import Links
from roosync_p2p.core.presence import LatestBeat, Presence
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import MachineId, StoreId
from roosync_p2p.ledger.fleet import active_rules, preferred_voters, voters_of
from roosync_p2p.ledger.policies import number_policy
from roosync_p2p.ledger.register import Register, register_of
from roosync_p2p.liveness.heartbeat import Health, Heartbeat
from roosync_p2p.liveness.judgement import illness
from roosync_p2p.liveness.verdicts import Path, State, Verdict

__all__ = ["META", "SeatFacts"]

META: Final = "awake"
KEEP_EVERY_MS: Final = 3_600_000  # the book goes to the disk this often: a node at rest writes next to nothing
ANSWERS_S: Final = 1.0  # a voter answers a leader's heartbeat, which comes four times as often
MOST: Final = "voters.most"
_TO_GO: Final = {"removed": Membership.REVOKED}  # however else it ended, honourably


@dataclasses.dataclass(frozen=True, slots=True)
class _Leaving:
    """A machine said that it is about to stop; void once it slept or was started anew."""

    until_s: float
    life: tuple[int, int] | None  # start number, awake since


class SeatFacts:
    """Keeps what heartbeats say of seats, and makes the autopilot's facts.

    Args:
        stored: the book of awake time as it is on the disk; b"" for none.
    """

    def __init__(
        self, desk: Desk, links: Links, presence: Presence, order: Order, applier: Applier, *, stored: bytes
    ) -> None:
        self._desk = desk
        self._links = links
        self._presence = presence
        self._order = order
        self._applier = applier
        self._seats: dict[MachineId, Seat] = {}
        self._leaving: dict[MachineId, _Leaving] = {}
        try:
            self.book = AwakeBook(stored)
        except MalformedError:
            # Nothing depends on it that cannot be learnt again.
            desk.count("commit.awake_lost")
            self.book = AwakeBook()
        self._kept_ms = desk.now.wall_ms
        self.on_battery = False
        self.pace = Pace()

    # --- what is heard --------------------------------------------------------------------------------------------

    def heard(self, heartbeat: Heartbeat) -> bool:
        """A heartbeat of another machine came; whether its seat is another one than before."""
        machine = MachineId(heartbeat.machine)
        beat = self._presence.latest(machine)
        if beat is None or beat.heartbeat is not heartbeat:
            return False  # late, or a copy: newer ones were taken in
        self.book.heard(
            machine,
            since_ms=heartbeat.awake_since_ms,
            wall_ms=heartbeat.wall_ms,
            leaving=heartbeat.state == "leaving" or self.is_leaving(machine),
            now_ms=self._desk.now.wall_ms,
        )
        if not heartbeat.store:
            return False
        seat = Seat(machine, StoreId(heartbeat.store))
        before, self._seats[machine] = self._seats.get(machine), seat
        return before != seat

    def leaving_soon(self, machine: MachineId) -> None:
        """A machine said that it is about to stop."""
        life = _life(self._presence.latest(machine))
        self._leaving[machine] = _Leaving(self._desk.now.monotonic_s + limits.LEAVING_SOON_S, life)

    def is_leaving(self, machine: MachineId) -> bool:
        """Whether it said so, and has not slept or restarted since."""
        said = self._leaving.get(machine)
        if said is None:
            return False
        life = _life(self._presence.latest(machine))
        if self._desk.now.monotonic_s < said.until_s and said.life in (None, life):
            return True
        del self._leaving[machine]
        return False

    def keep(self) -> None:
        """Puts the book on the disk, if that was long ago."""
        now_ms = self._desk.now.wall_ms
        self._hear_myself()
        if not 0 <= now_ms - self._kept_ms < KEEP_EVERY_MS:
            self._kept_ms = now_ms
            self.book.keep_only(self._desk.directory.members)
            self._desk.persist(MetaRow(key=META, value=self.book.dump()))

    def _hear_myself(self) -> None:
        since_ms, now_ms = self._presence.awake_since_ms, self._desk.now.wall_ms
        if since_ms:
            self.book.heard(self._desk.me, since_ms=since_ms, wall_ms=now_ms, leaving=False, now_ms=now_ms)

    # --- what is known --------------------------------------------------------------------------------------------

    @property
    def register(self) -> Register:
        """Of the applied state."""
        return register_of(self._applier.state, self._desk.identity.root)

    def ended(self, machine: MachineId) -> bool:
        """Whether it was a member, and left, was retired or removed."""
        return self.register.ended(machine)

    @property
    def voting(self) -> frozenset[MachineId]:
        """The machines that vote, by what is applied here."""
        return frozenset(MachineId(machine) for machine, _ in voters_of(self._applier.state))

    def seat(self, machine: MachineId) -> Seat | None:
        """Its seat as its heartbeats name it, or this node's own."""
        return self._order.me if machine == self._desk.me else self._seats.get(machine)

    def verdict(self, machine: MachineId) -> Verdict:
        """What liveness says of it now."""
        verdict = self._presence.liveness.verdict(machine, self._desk.now)
        if verdict.evidence.path is not Path.FOLDER:
            return verdict
        return dataclasses.replace(verdict, state=State.UNKNOWN)  # no message of the consensus goes that way

    def in_folder(self, machine: MachineId) -> bool:
        """Whether that machine lives, and is reached through the shared folder alone."""
        return self._presence.liveness.verdict(machine, self._desk.now).evidence.path is Path.FOLDER

    def reachable(self) -> list[Seat]:
        """The seats of all others that there is a way to, in the order of their machines."""
        linked = set(self._links.peers())
        return [
            seat
            for machine, seat in sorted(self._seats.items())
            if machine in linked or self.verdict(machine).state is State.ONLINE
        ]

    def facts(self, *, vacated: bool) -> Facts | None:
        """What this node knows now; None before the fleet was founded, or this node takes part."""
        raft, me, register = self._order.raft, self._order.me, self.register
        if raft is None or me is None or register.fleet is None:
            return None
        self._hear_myself()
        configuration = raft.status.configuration
        voters = {voter.machine: voter for voter in configuration.voters}
        peers = {peer.seat: peer for peer in raft.peers()}
        members: dict[MachineId, Member] = {}
        for machine in sorted({me.machine, *voters, *map(MachineId, register.acting)}):
            seat = self.seat(machine) or voters.get(machine)
            if seat is not None:
                members[machine] = self._member(seat, voters.get(machine), peers, register, raft)
        return Facts(
            me=me,
            voters=configuration.voters,
            members=members,
            size=len(register.acting),
            most=number_policy(self._applier.state, MOST),
            preferred=frozenset(map(MachineId, preferred_voters(self._applier.state))),
            vacated=vacated,
            pending=configuration.index > raft.commit or self._awaits_answers(raft),
            pace=self.pace,
        )

    def _awaits_answers(self, raft: Raft) -> bool:
        """Whether a leader does not know yet which of the voters are there, because its term has only just begun.

        The one that led before is a voter, is gone as likely as not, and would be taken for there until it is silent.
        """
        now_s = self._desk.now.monotonic_s
        return any(
            peer.standing is Standing.VOTER and not peer.answered and now_s - peer.heard_s <= ANSWERS_S
            for peer in raft.peers()
        )

    # --- one machine ----------------------------------------------------------------------------------------------

    def _member(
        self, seat: Seat, voter: Seat | None, peers: dict[Seat, Peer], register: Register, raft: Raft
    ) -> Member:
        machine, now = seat.machine, self._desk.now
        membership = _membership(register, machine)
        awake_s = self.book.awake_s(machine, now.wall_ms)
        if machine == self._desk.me:
            return Member(
                seat=seat,
                membership=membership,
                awake_for_s=self._awake_for_s(),
                awake_s=awake_s,
                waits_s=self.book.waits_s(machine),
                absent_s=self.book.absent_s(machine),
                on_battery=self.on_battery,
                stalled_s=_stalled_s(self._presence.health),
            )
        verdict, beat, peer = self.verdict(machine), self._presence.latest(machine), peers.get(seat)
        online = verdict.state is State.ONLINE
        if voter is not None and self._order.leads:
            # Who leads knows better than by heartbeats whether a voter answers.
            answers = peer is not None and now.monotonic_s - peer.heard_s <= ANSWERS_S
            online = answers and verdict.state not in (State.OFFLINE, State.LEAVING)
        return Member(
            seat=seat,
            membership=membership,
            online=online,
            caught_up=peer is not None and peer.match > 0 and raft.commit <= peer.match + limits.CAUGHT_UP_ITEMS,
            awake_for_s=_awake_for_s(beat, now.monotonic_s),
            awake_s=awake_s,
            waits_s=self.book.waits_s(machine),
            absent_s=self.book.absent_s(machine),
            unseen_s=self._unseen_s(verdict, peer, online=online),
            stalled_s=0.0 if beat is None else _stalled_s(beat.heartbeat.health),
            on_battery=beat is not None and beat.heartbeat.on_battery,
            leaving=verdict.state is State.LEAVING or self.is_leaving(machine),
            supports_rules=beat is not None and beat.heartbeat.rules >= active_rules(self._applier.state),
        )

    def _awake_for_s(self) -> float:
        since_ms = self._presence.awake_since_ms
        return max(self._desk.now.wall_ms - since_ms, 0) / 1000 if since_ms else 0.0

    def _unseen_s(self, verdict: Verdict, peer: Peer | None, *, online: bool) -> float:
        """Counted from when this node itself woke at the earliest: what it slept through it has not seen."""
        if online:
            return 0.0
        unseen_s = [self._awake_for_s()]
        if verdict.evidence.age_s is not None:
            unseen_s.append(verdict.evidence.age_s)
        if peer is not None:
            unseen_s.append(self._desk.now.monotonic_s - peer.heard_s)
        return min(unseen_s)


def _membership(register: Register, machine: MachineId) -> Membership:
    if machine in register.acting:
        return Membership.ACTING
    if register.present(machine) is not None:
        return Membership.OBSERVER
    member = register.members.get(machine)
    return Membership.GONE if member is None else _TO_GO.get(member.ended, Membership.GONE)


def _stalled_s(health: Health) -> float:
    sick = illness(health)
    return 0.0 if sick is None else sick[1]


def _life(beat: LatestBeat | None) -> tuple[int, int] | None:
    return None if beat is None else (beat.heartbeat.start, beat.heartbeat.awake_since_ms)


def _awake_for_s(beat: LatestBeat | None, now_s: float) -> float:
    """By its own word, and the time since."""
    if beat is None or not beat.heartbeat.awake_since_ms:
        return 0.0
    return max(beat.heartbeat.wall_ms - beat.heartbeat.awake_since_ms, 0) / 1000 + now_s - beat.at_s
