"""Logs that agree: equal where they have an item in common, never without what was committed, counted as acknowledged.

The properties of the Raft paper, figure 3: log matching, leader completeness, and what follows from both, that what
was committed anywhere stays at its place everywhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from roosync_p2p.simulation.checkers.elections import EpochTerm
from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["Item", "ReplicationChecker"]

Item = tuple[int, bytes]  # term and bytes


@dataclasses.dataclass(frozen=True, slots=True)
class _Committed:
    item: Item
    by: str
    term: EpochTerm  # of the leader that committed it, or of somebody who learned of it later


class ReplicationChecker:
    """Fed with the items that each member writes, removes and believes committed. Index 1 is the first."""

    def __init__(self) -> None:
        self._logs: dict[str, list[Item]] = {}
        self._known: dict[tuple[int, int], tuple[bytes, int, str]] = {}  # (index, term): bytes, term before, whose
        self._committed: dict[int, _Committed] = {}
        self._acknowledged: dict[tuple[str, str, EpochTerm], int] = {}
        self.cut_items = 0
        self.cuts = 0

    def log(self, member: str) -> Sequence[Item]:
        """The log of a member, as it was written last."""
        return self._logs.get(member, ())

    def found(self, member: str, items: Iterable[Item], at_s: float) -> list[Violation]:
        """The log that a crash left, or that came with a restored disk."""
        self._logs[member] = []
        return [wrong for at, item in enumerate(items, 1) for wrong in self.appended(member, at, item, at_s)]

    def appended(self, member: str, index: int, item: Item, at_s: float) -> list[Violation]:
        """A member writes an item: the same place and term are the same item everywhere, behind the same one."""
        log = self._logs.setdefault(member, [])
        if index != len(log) + 1:
            return [_wrong(at_s, f"{member} writes item {index} behind item {len(log)}")]
        before = log[-1][0] if log else 0
        log.append(item)
        data, term_before, whose = self._known.setdefault((index, item[0]), (item[1], before, member))
        if data != item[1]:
            return [_wrong(at_s, f"item {index} of term {item[0]} is one thing at {whose} and another at {member}")]
        if term_before != before:
            text = f"item {index} of term {item[0]} stands behind term {term_before} at {whose}, {before} at {member}"
            return [_wrong(at_s, text)]
        return []

    def cut(self, member: str, first: int, at_s: float) -> list[Violation]:
        """A member removes its items from that place on: none of them is committed anywhere."""
        log = self._logs.setdefault(member, [])
        wrong = []
        for index in range(first, len(log) + 1):
            committed = self._committed.get(index)
            if committed is not None and committed.item == log[index - 1]:
                text = f"{member} removes item {index}, which {committed.by} knows to be committed"
                wrong.append(_wrong(at_s, text))
        if len(log) >= first:
            self.cuts += 1
            self.cut_items += len(log) + 1 - first
        del log[first - 1 :]
        return wrong

    def committed(self, member: str, index: int, item: Item, term: EpochTerm, at_s: float) -> list[Violation]:
        """A member of that term knows an item to be committed."""
        first = self._committed.setdefault(index, _Committed(item, member, term))
        if first.item == item:
            return []
        text = (
            f"{member} takes an item of term {item[0]} at place {index} for committed, where {first.by} committed one "
            f"of term {first.item[0]}"
        )
        return [_wrong(at_s, text)]

    def leads(self, member: str, term: EpochTerm, at_s: float) -> list[Violation]:
        """A member leads from now on: whatever was committed under leaders before it is in its log."""
        log = self.log(member)
        missing = [
            index
            for index, committed in self._committed.items()
            if committed.term < term and (index > len(log) or log[index - 1] != committed.item)
        ]
        if not missing:
            return []
        first = min(missing)
        by = self._committed[first].by
        return [_wrong(at_s, f"{member} leads term {term[1]} without item {first}, which {by} had committed")]

    def acknowledged(
        self, seat: str, leader: str, term: EpochTerm, match: int, at_s: float, *, on_disk: Item | None
    ) -> list[Violation]:
        """A seat tells the leader of a term that it has the log up to an item; ``on_disk``: what it has there."""
        key = (seat, leader, term)
        self._acknowledged[key] = max(match, self._acknowledged.get(key, 0))
        if match and on_disk is None:
            return [_wrong(at_s, f"{seat} tells {leader} that it has item {match}; its disk does not")]
        return []

    def counts(self, leader: str, term: EpochTerm, seat: str, match: int, at_s: float) -> list[Violation]:
        """A leader believes that a seat has so much: it was told so, in this term."""
        told = self._acknowledged.get((seat, leader, term), 0)
        if match <= told:
            return []
        text = f"{leader} counts item {match} for {seat} in term {term[1]}, which acknowledged {told} in it"
        return [_wrong(at_s, text)]

    def highest_committed(self) -> int:
        """The last place that anybody knows to be committed."""
        return max(self._committed, default=0)

    def committed_items(self) -> list[bytes]:
        """The committed log as far as it has no gap."""
        items: list[bytes] = []
        while (found := self._committed.get(len(items) + 1)) is not None:
            items.append(found.item[1])
        return items


def _wrong(at_s: float, text: str) -> Violation:
    return Violation(checker="replication", at_s=at_s, text=text)
