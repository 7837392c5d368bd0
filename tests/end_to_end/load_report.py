"""What a run under faults has to do, what it did, in figures, and whether that is all right."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tests.linearizability.checker import Verdict
from tests.linearizability.history import Operation

__all__ = ["Checked", "Goal", "Leaders", "Minimum", "Report"]

_MORE_S_MAX: Final = 30.0
_UNKNOWN_SHARE_MAX: Final = 0.2  # more, and the answers that are left say little


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """When a run may end: at its time, or as soon as all that is counted is reached.

    A run on a slow machine in which not every kind of fault was there yet, or no leader has changed, goes on a little.

    Attributes:
        operations: answered ones; 0: not counted.
        leader_changes: 0: not counted.
    """

    seconds: float
    operations: int = 0
    leader_changes: int = 0

    def is_over(self, elapsed_s: float, *, operations: int, leader_changes: int, faults_of_each_kind: int) -> bool:
        """Whether to stop now."""
        if elapsed_s >= self.seconds + _MORE_S_MAX:
            return True
        if not (faults_of_each_kind and leader_changes):
            return False
        if elapsed_s >= self.seconds:
            return True
        counted = bool(self.operations or self.leader_changes)
        return counted and operations >= self.operations and leader_changes >= self.leader_changes


class Leaders:
    """Who was seen to lead in which term."""

    def __init__(self) -> None:
        self._by_term: dict[int, set[str]] = {}

    def saw(self, term: int, leader: str | None) -> None:
        """A node says this of its term."""
        if leader is not None:
            self._by_term.setdefault(term, set()).add(leader)

    @property
    def newest(self) -> str | None:
        """Who leads in the highest term of which a leader is known."""
        return min(self._by_term[max(self._by_term)]) if self._by_term else None

    @property
    def terms(self) -> int:
        """Terms with a leader."""
        return len(self._by_term)

    @property
    def changes(self) -> int:
        """How often another machine led than in the term with a leader before."""
        row = [self._by_term[term] for term in sorted(self._by_term)]
        return sum(one != other for one, other in itertools.pairwise(row))

    @property
    def split(self) -> Mapping[int, Sequence[str]]:
        """Terms in which two machines led, which must never be."""
        return {term: sorted(names) for term, names in self._by_term.items() if len(names) > 1}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The history of one kind of object and what the checker says of it."""

    operations: int
    unknown: int
    kinds: Mapping[str, int]
    verdict: Verdict
    took_s: float

    @classmethod
    def of(cls, history: Sequence[Operation], verdict: Verdict, took_s: float) -> Checked:
        """Counted."""
        return cls(
            operations=len(history),
            unknown=sum(operation.answer is None for operation in history),
            kinds=_counted(_told(operation) for operation in history),
            verdict=verdict,
            took_s=took_s,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """Less, and a run has shown nothing."""

    answered: Mapping[str, int]
    leader_changes: int
    faults_of_each_kind: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run did.

    Attributes:
        objects: by kind: claims, baseline.
        faults: how many of each kind were injected, each seen to be there.
        unanswered: why operations had no answer, by the error's code.
        void: operations that had certainly no effect, which are in no history.
    """

    seed: int
    seconds: float
    objects: Mapping[str, Checked]
    faults: Mapping[str, int]
    leaders: Leaders
    unanswered: Mapping[str, int]
    void: Mapping[str, int]

    @property
    def operations(self) -> int:
        """Of all objects."""
        return sum(checked.operations for checked in self.objects.values())

    @property
    def unknown(self) -> int:
        """Operations of which nobody knows whether they took effect."""
        return sum(checked.unknown for checked in self.objects.values())

    def lines(self) -> list[str]:
        """For people, and for whoever counts."""
        answered = self.operations - self.unknown
        return [
            f"seed: {self.seed}",
            f"seconds of load: {self.seconds:.1f}",
            f"operations: {self.operations}, of which answered {answered}, unknown {self.unknown}",
            f"not sent, or refused without effect, and in no history: {_listed(self.void)}",
            f"why unknown: {_listed(self.unanswered)}",
            f"faults, each seen to be active: {_listed(self.faults)}; in all {sum(self.faults.values())}",
            f"leader changes: {self.leaders.changes}, terms with a leader: {self.leaders.terms}",
            *(
                f"{name}: {checked.operations} operations, {checked.unknown} unknown; {_listed(checked.kinds)}; "
                f"{checked.verdict.describe().splitlines()[0]}, {checked.took_s:.1f} s of checking"
                for name, checked in self.objects.items()
            ),
        ]

    def problems(self, minimum: Minimum, goal: Goal) -> list[str]:
        """What is wrong with it, worst first. The first word of each tells a broken promise (``violation``) from a
        search that was given up (``undecided``) and from a run that did too little (``too little``)."""
        return [*self._violations(), *self._undecided(), *self._too_little(minimum, goal)]

    def _violations(self) -> Iterable[str]:
        for term, names in self.leaders.split.items():
            yield f"violation: {' and '.join(names)} both led in term {term}"
        for name, checked in self.objects.items():
            if checked.verdict.linearizable is False:
                yield f"{checked.verdict.describe()}\n(of {name})"

    def _undecided(self) -> Iterable[str]:
        for name, checked in self.objects.items():
            if checked.verdict.linearizable is None:
                yield f"{checked.verdict.describe()}\n(of {name})"

    def _too_little(self, minimum: Minimum, goal: Goal) -> Iterable[str]:
        answered = {name: checked.operations - checked.unknown for name, checked in self.objects.items()}
        for name, wanted in minimum.answered.items():
            if answered[name] < wanted:
                yield f"too little: {answered[name]} answers about {name}, and at least {wanted} are wanted"
        for kind, count in self.faults.items():
            if count < minimum.faults_of_each_kind:
                yield f"too little: {kind} {count} times, and at least {minimum.faults_of_each_kind} are wanted"
        changes = max(minimum.leader_changes, goal.leader_changes)
        if self.leaders.changes < changes:
            yield f"too little: {self.leaders.changes} leader changes, and at least {changes} are wanted"
        if sum(answered.values()) < goal.operations:
            yield f"too little: {sum(answered.values())} answers, and at least {goal.operations} are wanted"
        if self.unknown > self.operations * _UNKNOWN_SHARE_MAX:
            yield f"too little: {self.unknown} of {self.operations} operations had no answer"


def _told(operation: Operation) -> str:
    asked = type(operation.request).__name__.lower()
    return f"{asked} {'unknown' if operation.answer is None else type(operation.answer).__name__.lower()}"


def _counted(names: Iterable[str]) -> Mapping[str, int]:
    return collections.Counter(names)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
