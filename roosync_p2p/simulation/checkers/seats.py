"""An autopilot keeps a majority that answers, ends with an odd number of voters, and moves nobody to and fro."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping

from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["SeatChecker", "Step"]

ANSWERED_S = 1.5  # whoever is there answers a leader four times a second, and is taken for there for a second
DISTURBED_S = 8.0  # the same over a way that loses or delays; what TCP repeats arrives as it was sent
MOVES_MAX = 2  # of one machine's seat once all is well: it comes and stays, or comes and gives way to a better one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A leader made somebody a voter, or took the vote away.

    Attributes:
        leader: a seat, like all of ``voters``.
        machine: whose vote it is about.
        voters: of the configuration that it made.
        answered_s: how long ago a voter sent the leader an answer, by the leader's own clock; who never did is missing.
        clear: voters between which and the leader nothing has been wrong for a while.
    """

    leader: str
    machine: str
    adds: bool
    voters: frozenset[str]
    answered_s: Mapping[str, float]
    clear: frozenset[str]


class SeatChecker:
    """Fed with the steps of leaders, and with the voters at the end."""

    def __init__(self) -> None:
        self.steps = 0
        self._quiet = False
        self._moves: collections.Counter[str] = collections.Counter()

    def stepped(self, step: Step, at_s: float) -> list[Violation]:
        """One change was begun: a majority of what it made was there a moment ago."""
        self.steps += 1
        self._moves[step.machine] += 1
        there = [voter for voter in step.voters if voter == step.leader or _answers(step, voter)]
        wrong = []
        if len(there) <= len(step.voters) // 2:
            verb = "adds" if step.adds else "removes"
            silent = ", ".join(sorted(step.voters - set(there)))
            text = (
                f"{step.leader} {verb} {step.machine} and leaves no majority of {len(step.voters)}: silent are {silent}"
            )
            wrong.append(_wrong(at_s, text))
        if self._quiet and self._moves[step.machine] > MOVES_MAX:
            wrong.append(_wrong(at_s, f"{step.machine} moves in and out, {self._moves[step.machine]} times in quiet"))
        return wrong

    def quiet(self, *, quiet: bool) -> None:
        """From here on nothing gives a reason to change one's mind; or something does again."""
        self._quiet = quiet
        self._moves.clear()

    def unrest(self, voters: int) -> list[str]:
        """What keeps the seats from being as they should be in the end."""
        return [f"{voters} voters are an even number"] if voters % 2 == 0 else []


def _answers(step: Step, voter: str) -> bool:
    answered_s = step.answered_s.get(voter)
    return answered_s is not None and answered_s <= (ANSWERED_S if voter in step.clear else DISTURBED_S)


def _wrong(at_s: float, text: str) -> Violation:
    return Violation(checker="seats", at_s=at_s, text=text)
