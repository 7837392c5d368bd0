"""One leader a term, one vote a term, votes that were on disk; and no leader lost to somebody who could not win."""

from __future__ import annotations

import collections
import dataclasses

from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["Deposed", "ElectionChecker", "EpochTerm"]

EpochTerm = tuple[int, int]

WELL_S = 5.0  # a majority that was well for so long had no reason to look for another leader


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deposed:
    """A leader learned of a newer term and followed.

    Attributes:
        term: the one that it led.
        newer: the one that it heard of.
        handed_over: it had asked for it itself.
        well_for_s: for how long a majority of the voters, itself among them, had been awake and in reach of it.
    """

    leader: str
    term: EpochTerm
    newer: EpochTerm
    handed_over: bool
    well_for_s: float


class ElectionChecker:
    """Fed with who leads, who voted for whom, and how leaders were lost. Seats are (machine, store id) as text."""

    def __init__(self) -> None:
        self._leaders: dict[EpochTerm, str] = {}
        self._votes: dict[tuple[str, EpochTerm], str] = {}
        self._pre_votes: dict[tuple[str, EpochTerm], set[str]] = collections.defaultdict(set)
        self._campaigns: dict[EpochTerm, list[tuple[str, frozenset[str], bool]]] = collections.defaultdict(list)
        self.elections = 0
        self.leader_changes = 0
        self.depositions = 0
        self._last_leader: str | None = None

    def leads(self, seat: str, term: EpochTerm, at_s: float) -> list[Violation]:
        """A seat believes that it leads; told once for each of its terms."""
        self.elections += 1
        if self._last_leader not in (None, seat):
            self.leader_changes += 1
        self._last_leader = seat
        first = self._leaders.setdefault(term, seat)
        if first == seat:
            return []
        return [_wrong(at_s, f"{seat} leads {_text(term)}, which {first} leads")]

    def voted(
        self,
        seat: str,
        term: EpochTerm,
        candidate: str,
        at_s: float,
        *,
        on_disk: tuple[EpochTerm, str | None],
    ) -> list[Violation]:
        """A vote left a seat, for a candidate; ``on_disk``: the newest term and vote that a crash would leave now."""
        wrong = []
        first = self._votes.setdefault((seat, term), candidate)
        if first != candidate:
            wrong.append(_wrong(at_s, f"{seat} votes for {candidate} in {_text(term)}, and voted for {first}"))
        if on_disk[0] < term or (on_disk[0] == term and on_disk[1] != candidate):
            disk = f"{_text(on_disk[0])} and a vote for {on_disk[1]}"
            wrong.append(_wrong(at_s, f"{seat} votes for {candidate} in {_text(term)}; its disk says {disk}"))
        return wrong

    def pre_voted(self, seat: str, term: EpochTerm, candidate: str) -> None:
        """A seat would vote for a candidate in that term."""
        self._pre_votes[candidate, term].add(seat)

    def campaigned(self, candidate: str, term: EpochTerm, voters: frozenset[str], *, handed_over: bool) -> None:
        """A candidate asks for real votes, under a configuration; ``handed_over``: the leader asked it to."""
        self._campaigns[term].append((candidate, voters, handed_over))

    def deposed(self, found: Deposed, at_s: float) -> list[Violation]:
        """A leader that a majority could hear all the time is lost only to one whom a majority wanted before."""
        self.depositions += 1
        if found.handed_over or found.well_for_s < WELL_S or self._was_wanted(found.newer):
            return []
        text = (
            f"{found.leader} led {_text(found.term)}, was in reach of a majority for {found.well_for_s:.1f} s, "
            f"and was deposed by {_text(found.newer)}, for which nobody had a majority of pre-votes"
        )
        return [_wrong(at_s, text)]

    def _was_wanted(self, term: EpochTerm) -> bool:
        """Whether every campaign up to that term, as far as it is newer, was one that a majority agreed to."""
        for candidate, voters, handed_over in self._campaigns.get(term, ()):
            granted = self._pre_votes.get((candidate, term), set()) | {candidate}
            if handed_over or len(granted & voters) > len(voters) // 2:
                return True
        return False


def _text(term: EpochTerm) -> str:
    return f"term {term[1]}" if term[0] == 0 else f"term {term[1]} of epoch {term[0]}"


def _wrong(at_s: float, text: str) -> Violation:
    return Violation(checker="elections", at_s=at_s, text=text)
