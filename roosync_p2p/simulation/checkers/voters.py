"""Voters change by one seat at a time, by changes that replace the configuration in force, and everybody knows them."""

from __future__ import annotations

from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["VoterChecker"]


class VoterChecker:
    """Replays the voter changes of the committed log, and compares with what members believe. Seats are text."""

    def __init__(self) -> None:
        self.index = 0
        self.voters: frozenset[str] = frozenset()
        self.changes = 0
        self.void = 0

    def committed(
        self, index: int, replaces: int, voters: frozenset[str], at_s: float, *, begins: bool = False
    ) -> list[Violation]:
        """The next voter change of the committed log; one that replaces another configuration has no effect.

        ``begins``: it is the first of an epoch, in which the root names one voter instead of all.
        """
        if replaces != self.index:
            self.void += 1
            return []
        moved = voters ^ self.voters
        first = not self.voters
        self.index, self.voters = index, voters
        self.changes += not first
        if len(moved) == 1 or (begins and len(voters) == 1):
            return []
        return [_wrong(at_s, f"item {index} changes {len(moved)} voters at once: {', '.join(sorted(moved))}")]

    def believes(self, member: str, index: int, voters: frozenset[str], at_s: float) -> list[Violation]:
        """At the end: what a member takes for the configuration in force."""
        if (index, voters) == (self.index, self.voters):
            return []
        mine = ", ".join(sorted(voters)) or "nobody"
        right = ", ".join(sorted(self.voters)) or "nobody"
        return [
            _wrong(at_s, f"{member} takes {mine} for the voters since item {index}; it is {right} since {self.index}")
        ]


def _wrong(at_s: float, text: str) -> Violation:
    return Violation(checker="voters", at_s=at_s, text=text)
