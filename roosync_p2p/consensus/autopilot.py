"""Who should vote: from what the leader knows to the one next step (docs/protocol/autopilot.md §1, §2).

Laptops sleep without a word, and a fleet with one machine always on must still commit at any time. So the votes follow
the machines that are awake. The leader of the present configuration asks :func:`next_step` whenever something changed,
does that one thing, and asks again when it is committed. Nothing is remembered between two questions, so whoever leads
next goes on from the same facts.

Every step has to be committed by the configuration that it makes (dissertation §4.1), so none is named that leaves
those who are there without a majority of it.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping

from roosync_p2p import limits
from roosync_p2p.consensus.items import Seat
from roosync_p2p.consensus.quorum import majority
from roosync_p2p.ids import MachineId

__all__ = ["Facts", "Member", "Membership", "Pace", "Step", "StepKind", "next_step", "target_of"]


class Membership(enum.Enum):
    """What the register says of a machine."""

    ACTING = "a member"
    OBSERVER = "an observer"
    GONE = "no member any more"
    REVOKED = "revoked"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What the leader knows of one machine; of itself too.

    Attributes:
        seat: as the machine names it now. A voter of the same machine with another store is a life that has ended.
        membership: by the register.
        online: it is heard now; a voter also answers the leader.
        caught_up: it has on disk all that is committed.
        awake_for_s: for how long it has been awake without a break, by its own signed word.
        awake_s: how long it was awake within the last seven days.
        waits_s: for how long it has to be awake first, because it disappeared without a word; 0 for no such reason.
        absent_s: for how long it was away then.
        unseen_s: since when nothing was heard of it, counted at most from when the leader itself woke.
        stalled_s: for how long its disk or its event loop has stood still while its heartbeats go on, by its own word;
            0 while it is well.
        on_battery: it runs on battery.
        leaving: it said that it is about to stop.
        supports_rules: its program knows the rules in force.
    """

    seat: Seat
    membership: Membership = Membership.ACTING
    online: bool = True
    caught_up: bool = True
    awake_for_s: float = 0.0
    awake_s: float = 0.0
    waits_s: float = 0.0
    absent_s: float = 0.0
    unseen_s: float = 0.0
    stalled_s: float = 0.0
    on_battery: bool = False
    leaving: bool = False
    supports_rules: bool = True

    @property
    def useless_s(self) -> float:
        """For how long nothing could be expected of it."""
        return max(self.unseen_s, self.stalled_s)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long is waited before a vote moves, in seconds. Shorter only in a simulation, which runs the same rules.

    Attributes:
        promote_awake_s: a learner has been awake for so long without a break.
        demote_unseen_s: a voter was not seen for so long.
        evidence_awake_s: a learner was awake for so long in seven days before it pushes out a voter.
    """

    promote_awake_s: float = limits.PROMOTE_AWAKE_S
    demote_unseen_s: float = limits.DEMOTE_UNSEEN_S
    evidence_awake_s: float = limits.AWAKE_EVIDENCE_S


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the leader knows when it asks.

    Attributes:
        me: the leader.
        voters: of the configuration in force.
        members: by machine; every voter's machine is in it.
        size: how many members of the register may vote, awake or not.
        most: voters that are aimed at in a large fleet, a setting.
        preferred: machines that were named by ``roosync voters prefer``.
        vacated: a voter that left made the number even, and its seat is free for whoever is awake.
        pending: a change is not committed yet, or a new leader has not heard yet which voters are there: nothing may be
            done.
        pace: how long is waited.
    """

    me: Seat
    voters: tuple[Seat, ...]
    members: Mapping[MachineId, Member]
    size: int
    most: int = 5
    preferred: frozenset[MachineId] = frozenset()
    vacated: bool = False
    pending: bool = False
    pace: Pace = Pace()

    def there(self, voter: Seat) -> bool:
        """Whether a voter is awake, in the life that has the vote, and can put on its disk what it votes for."""
        member = self.members[voter.machine]
        return not member.stalled_s and (voter == self.me or (member.online and member.seat == voter))

    def keeps_majority(self, voters: Iterable[Seat]) -> bool:
        """Whether those who are there could commit as this configuration."""
        configuration = tuple(voters)
        there = sum(1 for voter in configuration if self.there(voter))
        return bool(configuration) and there >= majority(len(configuration))

    def without(self, voter: Seat) -> tuple[Seat, ...]:
        """The others."""
        return tuple(seat for seat in self.voters if seat != voter)

    def ready(self) -> list[Member]:
        """Learners that could take a seat now, the best first: on battery only if there is no other."""
        seated = {voter.machine for voter in self.voters}
        ready = [m for m in self.members.values() if m.seat.machine not in seated and _could_vote(m)]
        return sorted(ready, key=lambda m: (not self._prefers(m), m.on_battery, -m.awake_s, m.seat))

    def successor(self) -> Seat | None:
        """The voter that should lead instead of this one; None if no other could."""
        members = [self.members[voter.machine] for voter in self.without(self.me) if self.there(voter)]
        could = [m for m in members if m.caught_up and not m.leaving and m.membership is Membership.ACTING]
        return min(could, key=lambda m: (m.on_battery, -m.awake_s, m.seat)).seat if could else None

    def weakest_first(self, voters: Iterable[Seat]) -> list[Seat]:
        """Voters in the order in which they give up their seats."""
        return sorted(voters, key=lambda v: (self.there(v), self._value(v), v == self.me, v))

    def _value(self, voter: Seat) -> tuple[bool, float]:
        member = self.members[voter.machine]
        return self._prefers(member), member.awake_s

    def _prefers(self, member: Member) -> bool:
        return member.seat.machine in self.preferred


class StepKind(enum.Enum):
    """What is done."""

    ADD = "add"
    REMOVE = "remove"
    TRANSFER = "transfer"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The one next thing: a learner becomes a voter, a voter no longer is one, or another voter leads."""

    kind: StepKind
    seat: Seat
    reason: str


def target_of(size: int, most: int) -> int:
    """How many voters a fleet of so many members should have: always an odd number."""
    wanted = 1 if size <= 2 else 3 if size <= 6 else size
    wanted = max(1, min(wanted, most, limits.VOTERS_MAX))
    return wanted - (wanted + 1) % 2


def next_step(facts: Facts, *, only_dismiss: bool = False) -> Step | None:
    """What the leader should do now; None while all is as it should be.

    ``only_dismiss``: who must not vote or leaves goes, a leader that stands still is relieved, and that is all.
    """
    if facts.pending or facts.me not in facts.voters:
        return None
    urgent, others = (_dismiss, _relieve), (_demote, _demote_late, _even_out, _exchange)
    rules = urgent if only_dismiss else (*urgent, *others)
    return next((step for rule in rules if (step := rule(facts)) is not None), None)


# --- the rules, the most urgent first ---------------------------------------------------------------------------------


def _dismiss(facts: Facts) -> Step | None:
    """Who must not vote, or is about to go, gives up its seat at once."""
    others = sorted(facts.without(facts.me), key=lambda v: (facts.members[v.machine].leaving, v))
    for voter in others:
        why = _must_go(facts, voter)
        if why and facts.keeps_majority(facts.without(voter)):
            return Step(kind=StepKind.REMOVE, seat=voter, reason=f"{voter.machine} {why}")
    mine = facts.members[facts.me.machine]
    if mine.membership is Membership.ACTING:
        return None  # a leader that leaves hands over by itself (docs/protocol/autopilot.md §3)
    why = f"{facts.me.machine}, which leads, is {mine.membership.value}"
    successor = facts.successor()
    if successor is not None:
        return Step(kind=StepKind.TRANSFER, seat=successor, reason=why)
    ready = facts.ready()
    if ready and facts.voters == (facts.me,):
        return Step(kind=StepKind.ADD, seat=ready[0].seat, reason=f"{why}; {ready[0].seat.machine} takes over")
    return None


def _must_go(facts: Facts, voter: Seat) -> str:
    member = facts.members[voter.machine]
    if member.membership is not Membership.ACTING:
        return f"is {member.membership.value}"
    if member.seat != voter:
        return "has another store than the one that has the vote"
    return "is leaving" if member.leaving else ""


def _relieve(facts: Facts) -> Step | None:
    """A leader whose disk or event loop stands still, and whose heartbeats keep the others from electing another."""
    stalled_s = facts.members[facts.me.machine].stalled_s
    successor = facts.successor() if stalled_s else None
    if successor is None:
        return None
    reason = f"{facts.me.machine}, which leads, has stood still for {stalled_s:.0f} s"
    return Step(kind=StepKind.TRANSFER, seat=successor, reason=reason)


def _demote(facts: Facts) -> Step | None:
    """Who was not seen for ten minutes, or has stood still for so long, the longest first."""
    absent = [voter for voter in facts.without(facts.me) if not facts.there(voter)]
    for voter in sorted(absent, key=lambda v: (-facts.members[v.machine].useless_s, v)):
        member = facts.members[voter.machine]
        if member.useless_s >= facts.pace.demote_unseen_s and facts.keeps_majority(facts.without(voter)):
            what = "has stood still" if member.stalled_s else "was not seen"
            reason = f"{voter.machine} {what} for {member.useless_s / 60:.0f} minutes"
            return Step(kind=StepKind.REMOVE, seat=voter, reason=reason)
    return None


def _demote_late(facts: Facts) -> Step | None:
    """Who was away for ten minutes without a word when there was no majority to demote it, and is back.

    Five PCs that fall asleep together every evening would else take the majority along every evening.
    """
    lapsed = [voter for voter in facts.voters if _is_outshone(facts, facts.members[voter.machine])]
    for voter in facts.weakest_first(voter for voter in lapsed if facts.there(voter)):
        rest = facts.without(voter)
        if facts.keeps_majority(rest) and (voter != facts.me or facts.successor() is not None):
            away = facts.members[voter.machine].absent_s / 60
            reason = f"{voter.machine} was away for {away:.0f} minutes without a word"
            return Step(kind=StepKind.REMOVE, seat=voter, reason=reason)
    return None


def _even_out(facts: Facts) -> Step | None:
    """An odd number of voters, as large as the fleet and those awake allow."""
    count, target = len(facts.voters), target_of(facts.size, facts.most)
    even = count % 2 == 0
    due = [member for member in facts.ready() if _is_due(facts, member, at_once=facts.vacated and even)]
    # From one voter to three in two steps, and only when both are there: rather one voter than two.
    if count < target and len(due) >= (1 if even else 2):
        why = f"{count} of {target} voters, and {due[0].seat.machine} {_credit(facts, due[0])}"
        return _add(facts, due[0], why)
    if count <= target and not even:
        return None
    why = f"{count} voters are an even number" if count <= target else f"{count} voters, where {target} are enough"
    for voter in facts.weakest_first(facts.voters):
        rest = facts.without(voter)
        if facts.keeps_majority(rest) and (voter != facts.me or facts.successor() is not None):
            least = "is awake the least" if facts.there(voter) else "does not answer"
            return Step(kind=StepKind.REMOVE, seat=voter, reason=f"{why}; {voter.machine} {least}")
    return None


def _exchange(facts: Facts) -> Step | None:
    """A seat goes to somebody whom the fleet prefers, or who is awake more than twice as much.

    The newcomer is added first; the number is even then, and the weakest gives up its seat by the rule before. That
    is the one that is exchanged here, because both order the voters alike.
    """
    there = facts.weakest_first(voter for voter in facts.voters if facts.there(voter))
    if len(facts.voters) % 2 == 0 or not there:
        return None
    weakest = facts.members[there[0].machine]
    for member in facts.ready():
        why = _better(facts, member, weakest)
        if why and not _is_outshone(facts, member):
            return _add(facts, member, why)
    return None


# --- what they are made of --------------------------------------------------------------------------------------------


def _better(facts: Facts, member: Member, voter: Member) -> str:
    """Why a learner should have the seat of that voter; empty if not."""
    preferred, sits = member.seat.machine in facts.preferred, voter.seat.machine in facts.preferred
    if preferred and not sits:
        return f"{member.seat.machine} is preferred"
    enough = member.awake_s >= facts.pace.evidence_awake_s and voter.awake_s < member.awake_s / 2
    if preferred == sits and enough:
        newcomer, sitting = (f"{m.seat.machine} {m.awake_s / 3600:.0f} h" for m in (member, voter))
        return f"awake in the last seven days: {newcomer}, {sitting}"
    return ""


def _add(facts: Facts, member: Member, reason: str) -> Step | None:
    room = len(facts.voters) < limits.VOTERS_MAX and facts.keeps_majority([*facts.voters, member.seat])
    return Step(kind=StepKind.ADD, seat=member.seat, reason=reason) if room else None


def _could_vote(member: Member) -> bool:
    """Whether a learner could take a seat now."""
    acting = member.membership is Membership.ACTING and member.supports_rules
    return acting and member.online and member.caught_up and not member.leaving


def _is_due(facts: Facts, member: Member, *, at_once: bool) -> bool:
    """Whether it has been awake for long enough."""
    wait_s = max(facts.pace.promote_awake_s, member.waits_s)
    if member.seat.machine in facts.preferred or member.awake_for_s >= wait_s:
        return True
    return at_once and not _is_outshone(facts, member)


def _is_outshone(facts: Facts, member: Member) -> bool:
    """Whether it went without a word lately, while a voter did not that is awake at least half as much.

    Where every voter is like that, or hardly ever awake, nobody is better served without it.
    """
    if not _has_lapsed(facts, member):
        return False
    others = [facts.members[voter.machine] for voter in facts.voters if facts.there(voter)]
    return any(2 * other.awake_s >= member.awake_s and not _has_lapsed(facts, other) for other in others)


def _has_lapsed(facts: Facts, member: Member) -> bool:
    """Whether it was away for ten minutes without a word, and was not awake for long enough since."""
    away = member.absent_s >= facts.pace.demote_unseen_s
    return away and member.awake_for_s < member.waits_s and member.seat.machine not in facts.preferred


def _credit(facts: Facts, member: Member) -> str:
    if member.seat.machine in facts.preferred:
        return "is preferred"
    if facts.vacated:
        return "is awake, while another left"
    return f"has been awake for {member.awake_for_s / 60:.0f} minutes"
