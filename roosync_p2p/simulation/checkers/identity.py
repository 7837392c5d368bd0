"""Copied and rolled-back homes are flagged, and of two entries for one place nobody accepts both unnoticed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from roosync_p2p.simulation.checkers.durability import Place
from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["IdentityChecker", "Knowledge"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What one running member holds at the end: id by place on its disk, and whom it shows in conflict."""

    member: str
    entries: Mapping[Place, str]
    conflicts: frozenset[str]


class IdentityChecker:
    """Fed with what happened to homes, who flagged which machine, and at the end with what everybody holds."""

    def __init__(self) -> None:
        self._must_notice: dict[str, str] = {}
        self._flags: dict[str, set[str]] = {}

    def flagged(self, machine: str, how: str) -> None:
        """Somebody showed that something is wrong with a machine's identity, or that it began a new life."""
        self._flags.setdefault(machine, set()).add(how)

    def flags(self, machine: str) -> frozenset[str]:
        """How a machine was flagged so far."""
        return frozenset(self._flags.get(machine, ()))

    def must_notice(self, machine: str, what: str) -> None:
        """Others have proof of what happened to that home, so somebody has to say so before the end."""
        self._must_notice.setdefault(machine, what)

    def restarted(self, machine: str, *, phase: str, incarnation: int, before: int, at_s: float) -> list[Violation]:
        """A rolled-back machine a while after its start, all the time linked with somebody who held newer entries.

        Its start-up check must have found them before it wrote: it waits for a countersignature, or has a new life.
        """
        if phase == "waiting" or (phase == "ready" and incarnation > before):
            return []
        text = f"{machine} was rolled back, was shown newer entries, and is {phase} in incarnation {incarnation}"
        return [Violation(checker="identity", at_s=at_s, text=text)]

    def finish(self, known: Sequence[Knowledge], at_s: float) -> list[Violation]:
        """The verdict over everything held by members that run and are linked."""
        wrong = [
            f"{machine}: {what}, and nobody showed it"
            for machine, what in sorted(self._must_notice.items())
            if machine not in self._flags
        ]
        wrong += self._forks_unseen(known)
        return [Violation(checker="identity", at_s=at_s, text=text) for text in wrong]

    def innocent(self, known: Sequence[Knowledge], touched: frozenset[str], at_s: float) -> list[Violation]:
        """Who was neither copied nor rolled back is shown in conflict by nobody, itself included."""
        shown = {machine: node.member for node in known for machine in node.conflicts if machine not in touched}
        return [
            Violation(checker="identity", at_s=at_s, text=f"{member} shows {machine} in conflict, whose home is whole")
            for machine, member in sorted(shown.items())
        ]

    def _forks_unseen(self, known: Sequence[Knowledge]) -> list[str]:
        """Where two members hold different entries for one place, every member shows that author in conflict."""
        first: dict[Place, tuple[str, str]] = {}
        forked: dict[str, tuple[Place, str, str]] = {}
        for node in known:
            for place, entry in node.entries.items():
                holder, held = first.setdefault(place, (node.member, entry))
                if held != entry:
                    forked.setdefault(place[0], (place, holder, node.member))
        missing = []
        for author, (place, one, other) in sorted(forked.items()):
            blind = [node.member for node in known if author not in node.conflicts]
            if blind:
                missing.append(f"{one} and {other} hold different entries for {place}, unseen by {', '.join(blind)}")
        return missing
