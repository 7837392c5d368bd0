"""Fleets that only decide: machines sleep and wake, leaders ask the autopilot, and every change is committed at once.

No messages, no logs: what is tried here are the decisions, over weeks, each leader with its own book of awake time and
its own memory of whom it saw. A fleet without a majority of its voters awake decides nothing; that time is counted.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence

from roosync_p2p.consensus.autopilot import Facts, Member, StepKind, next_step
from roosync_p2p.consensus.awake import AwakeBook
from roosync_p2p.consensus.handover import Asked, Done, HandOver, Probe
from roosync_p2p.consensus.items import Seat
from roosync_p2p.consensus.quorum import majority
from roosync_p2p.ids import MachineId, StoreId

__all__ = ["Computer", "DecidingFleet", "always", "now_and_then"]

TICK_S = 30.0
LOOK_S = 120.0  # how often a leader looks while nobody wakes or falls asleep; rarer than a real one, to be quick
BORN_MS = 1_768_435_200_000

Pattern = Callable[[float], bool]


def always(at_s: float) -> bool:
    """A machine that is never off."""
    return at_s >= 0


def now_and_then(awake_s: float, every_s: float, *, first_s: float = 0.0) -> Pattern:
    """Awake for so long of every so long, asleep without a word between."""
    return lambda at_s: (at_s - first_s) % every_s < awake_s


@dataclasses.dataclass
class Computer:
    """A machine with its habits, and what it has seen of the others."""

    name: str
    pattern: Pattern
    awake: bool = False
    since_s: float = 0.0
    leaving: bool = False
    off: bool = False
    book: AwakeBook = dataclasses.field(default_factory=AwakeBook)
    seen_s: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def seat(self) -> Seat:
        """Its store is never restored here."""
        return Seat(MachineId(self.name), StoreId(self.name.encode().ljust(16, b".")[:16]))


class DecidingFleet:
    """The first computer founds it.

    Attributes:
        without_quorum_s: for how long there was no majority of the voters awake.
        changes: what was done and why, in order, with the time.
    """

    def __init__(
        self, computers: Sequence[Computer], *, preferred: frozenset[MachineId] = frozenset(), seed: int = 0
    ) -> None:
        self.computers = {computer.name: computer for computer in computers}
        self.voters: tuple[Seat, ...] = (computers[0].seat,)
        self.leader: str | None = None
        self.preferred = preferred
        self.now_s = 0.0
        self.without_quorum_s = 0.0
        self.changes: list[tuple[float, str, str]] = []
        self._vacated = False
        self._dice = random.Random(seed)
        self._looked_s = -LOOK_S

    # --- time -----------------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Lets time pass."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.tick()
            self.now_s += TICK_S

    def tick(self) -> None:
        """Machines wake or fall asleep, hear each other, and whoever leads decides."""
        changed = False
        for computer in self.computers.values():
            awake = not computer.off and computer.pattern(self.now_s)
            if awake and not computer.awake:
                computer.since_s = self.now_s
            changed |= awake != computer.awake
            computer.awake = awake
        if changed or self.now_s >= self._looked_s + LOOK_S:
            self._looked_s = self.now_s
            self._hear()
            if self.elect():
                self.decide()
        if not self.quorum:
            self.without_quorum_s += TICK_S

    def _hear(self) -> None:
        now_ms = self._ms(self.now_s)
        there = [computer for computer in self.computers.values() if computer.awake]
        for computer in there:
            for other in there:
                computer.seen_s[other.name] = self.now_s
                computer.book.heard(
                    other.seat.machine,
                    since_ms=self._ms(other.since_s),
                    wall_ms=now_ms,
                    leaving=other.leaving,
                    now_ms=now_ms,
                )

    @property
    def quorum(self) -> bool:
        """Whether a majority of the voters is awake."""
        there = sum(1 for voter in self.voters if self.computers[voter.machine].awake)
        return there >= majority(len(self.voters))

    def elect(self) -> bool:
        """Somebody leads, if anybody can."""
        if not self.quorum:
            self.leader = None
            return False
        voters = [voter.machine for voter in self.voters if self.computers[voter.machine].awake]
        if self.leader not in voters:
            self.leader = self._dice.choice(voters)
            self._vacated = False
        return True

    # --- decisions ------------------------------------------------------------------------------------------------

    def facts(self, of: str) -> Facts:
        """What a machine knows."""
        me = self.computers[of]
        return Facts(
            me=me.seat,
            voters=self.voters,
            members={computer.seat.machine: self._member(me, computer) for computer in self.computers.values()},
            size=len(self.computers),
            preferred=self.preferred,
            vacated=self._vacated and len(self.voters) % 2 == 0,
        )

    def _member(self, me: Computer, other: Computer) -> Member:
        unseen_s = self.now_s - max(me.seen_s.get(other.name, 0.0), me.since_s)
        return Member(
            seat=other.seat,
            online=other.awake,
            caught_up=other.awake,
            awake_for_s=self.now_s - other.since_s if other.awake else 0.0,
            awake_s=me.book.awake_s(other.seat.machine, self._ms(self.now_s)),
            waits_s=me.book.waits_s(other.seat.machine),
            absent_s=me.book.absent_s(other.seat.machine),
            unseen_s=0.0 if other.awake else unseen_s,
            leaving=other.leaving,
        )

    def decide(self) -> None:
        """The leader does what the autopilot says until it says nothing more."""
        for _ in range(20):
            if not self.elect():
                return
            assert self.leader is not None
            if self.computers[self.leader].leaving:
                return
            step = next_step(self.facts(self.leader))
            if step is None:
                return
            self.do(step.kind, step.seat, step.reason)
        raise AssertionError(f"it comes to no rest: {self.changes[-6:]}")

    def do(self, kind: StepKind, seat: Seat, reason: str) -> None:
        """One step, committed at once by what it makes."""
        facts = self.facts(self.leader or "")
        if kind is StepKind.TRANSFER:
            self.leader = seat.machine
        elif kind is StepKind.ADD:
            self.voters = tuple(sorted([*self.voters, seat]))
        else:
            self._vacated |= self.computers[seat.machine].leaving
            self.voters = facts.without(seat)
            successor = facts.successor()
            if self.leader == seat.machine and successor is not None:
                self.leader = successor.machine
        assert self.quorum, f"{kind} {seat} cannot be committed"
        self.changes.append((self.now_s, f"{kind.value} {seat.machine}", reason))

    # --- leaving --------------------------------------------------------------------------------------------------

    def shut_down(self, name: str) -> Done:
        """A machine hands over, and is off then."""
        computer = self.computers[name]
        computer.leaving = True
        hand_over = HandOver(now_s=self.now_s)
        for _ in range(100):
            self.elect()
            leader = None if self.leader is None else self.computers[self.leader].seat
            action = hand_over.next(self.facts(name), leader=leader, now_s=self.now_s)
            match action:
                case Done():
                    computer.off = True
                    computer.awake = False
                    if self.elect():
                        self.decide()
                    return action
                case Asked() | Probe() | None:
                    self.decide()
                    self.now_s += 0.1
                case step:
                    self.do(step.kind, step.seat, step.reason)
        raise AssertionError("the hand-over does not end")

    def _ms(self, at_s: float) -> int:
        return BORN_MS + round(at_s * 1000)
