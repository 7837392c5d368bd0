"""How a machine that is about to stop gives its vote and its lead away (docs/protocol/autopilot.md §3).

    leads, others vote ──▶ transfer ─▶ follows ─▶ asks the leader to let go ─▶ is no voter, committed: done
    leads alone ─▶ who is awake? ─▶ adds it ─▶ committed ─▶ transfer ─▶ (as above)
                         └ nobody: done, it holds the only vote
    nobody leads ─▶ waits for a leader

Whoever leads then is told that this machine leaves, and removes it by the autopilot's rules. Everything is decided anew
from the facts each time, so an election in between, or a second machine that leaves too, needs no case of its own; what
is kept here is only what was asked when. It ends in five seconds, whatever came of it.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TypeAlias

from roosync_p2p import limits
from roosync_p2p.consensus.autopilot import Facts, Membership, Step, StepKind
from roosync_p2p.consensus.items import Seat

__all__ = ["Action", "Asked", "Done", "HandOver", "Outcome", "Probe"]


class Outcome(enum.Enum):
    """What became of a hand-over."""

    HANDED_OVER = "handed over"
    NOT_A_VOTER = "nothing to hand over"
    ONLY_VOTE = "leaving, holds the only vote"
    VOTES_WITH = "leaving, votes with"  # the others are named behind it


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Tell the leader that this machine leaves."""

    leader: Seat


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Find out which learners answer: forget what they had, and send to all of them again."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The hand-over has ended.

    Attributes:
        outcome: how.
        voters: those of the configuration in force, this machine among them unless it was handed over.
    """

    outcome: Outcome
    voters: tuple[Seat, ...]
    text: str


Action: TypeAlias = Asked | Probe | Step | Done


class HandOver:
    """One hand-over of this machine's seat, from the moment it knows that it has to stop.

    Feed :meth:`next` with what is known whenever something changed, and at :meth:`next_deadline`; do what it says.
    """

    def __init__(self, *, now_s: float) -> None:
        self.ends_at = now_s + limits.HAND_OVER_S
        self._asked: tuple[Seat, float] | None = None  # which leader, and when to ask it again
        self._transferred_until: float | None = None
        self._probed_until: float | None = None
        self._was_voter = False
        self.done: Done | None = None

    def next_deadline(self) -> float | None:
        """When to ask again at the latest (monotonic seconds); None once it has ended."""
        if self.done is not None:
            return None
        again_at = None if self._asked is None else self._asked[1]
        due = [self.ends_at, again_at, self._transferred_until, self._probed_until]
        return min(at for at in due if at is not None)

    def next(self, facts: Facts, *, leader: Seat | None, now_s: float) -> Action | None:
        """What to do now; None: wait for something to happen. After :class:`Done` there is nothing more."""
        if self.done is not None:
            return None
        action = self._next(facts, leader, now_s)
        if isinstance(action, Done):
            self.done = action
        return action

    def _next(self, facts: Facts, leader: Seat | None, now_s: float) -> Action | None:
        if facts.me not in facts.voters and not facts.pending:
            return self._left(facts)
        # Until its removal is committed the others may have to count on this vote after all.
        self._was_voter = True
        if now_s >= self.ends_at:
            return self._stays(facts)
        if leader == facts.me:
            self._asked = None
            return self._lead(facts, now_s)
        self._transferred_until = self._probed_until = None
        return self._ask(facts, leader, now_s)

    # --- not leading ----------------------------------------------------------------------------------------------

    def _ask(self, facts: Facts, leader: Seat | None, now_s: float) -> Action | None:
        """The leader lets it go; one that was just elected has not heard of it."""
        if leader is None or facts.me not in facts.voters:
            self._asked = None
            return None
        if self._asked is not None and self._asked[0] == leader and now_s < self._asked[1]:
            return None
        self._asked = (leader, now_s + limits.HAND_OVER_ASK_S)
        return Asked(leader=leader)

    # --- leading --------------------------------------------------------------------------------------------------

    def _lead(self, facts: Facts, now_s: float) -> Action | None:
        if facts.pending or (self._transferred_until is not None and now_s < self._transferred_until):
            return None
        self._transferred_until = None
        if facts.voters == (facts.me,):
            return self._alone(facts, now_s)
        successor = facts.successor()
        if successor is not None:
            # If it does not lead by then the next question names one again, perhaps another.
            self._transferred_until = now_s + limits.HAND_OVER_ASK_S
            return Step(kind=StepKind.TRANSFER, seat=successor, reason=f"{facts.me.machine} is leaving")
        # Whoever else votes is leaving too, or silent. The last one of those who leave looks for a learner.
        for voter in facts.weakest_first(facts.without(facts.me)):
            if facts.keeps_majority(facts.without(voter)):
                why = "is leaving too" if facts.there(voter) else "does not answer"
                return Step(kind=StepKind.REMOVE, seat=voter, reason=f"{voter.machine} {why}")
        return None

    def _alone(self, facts: Facts, now_s: float) -> Action | None:
        """The only vote goes to a learner that shows within a moment that it is there and has everything."""
        if self._probed_until is None:
            self._probed_until = now_s + limits.HAND_OVER_ANSWER_S
            return Probe()
        awake = [member for member in facts.members.values() if member.online and member.seat != facts.me]
        hoped = [member for member in awake if member.membership is Membership.ACTING and not member.leaving]
        ready = facts.ready()
        if now_s < self._probed_until and len(ready) < len(hoped):
            return None
        self._probed_until = None
        if not ready:
            return self._stays(facts)
        return Step(kind=StepKind.ADD, seat=ready[0].seat, reason=f"{facts.me.machine} is leaving with the only vote")

    # --- the end --------------------------------------------------------------------------------------------------

    def _left(self, facts: Facts) -> Done:
        outcome = Outcome.HANDED_OVER if self._was_voter else Outcome.NOT_A_VOTER
        return Done(outcome=outcome, voters=facts.voters, text=outcome.value)

    def _stays(self, facts: Facts) -> Done:
        others = [seat.machine for seat in facts.without(facts.me)]
        if not others:
            return Done(outcome=Outcome.ONLY_VOTE, voters=facts.voters, text=Outcome.ONLY_VOTE.value)
        text = f"{Outcome.VOTES_WITH.value} {', '.join(others)}"
        return Done(outcome=Outcome.VOTES_WITH, voters=facts.voters, text=text)
