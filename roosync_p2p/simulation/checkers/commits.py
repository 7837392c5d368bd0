"""Numbers: one for an entry, dense, the same everywhere, with equal states; kept when they were told; reads in time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["Answered", "Commit", "CommitChecker", "Progress"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one number is, as a member wrote it. ``entry`` is empty for a voter change. ``detail``: packed."""

    number: int
    index: int
    time_ms: int
    epoch: int
    entry: str
    kind: str
    accepted: bool
    reason: str
    detail: bytes
    leaf: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a member is: the digest of its state and the edge of its tree after that number, and up to that item."""

    number: int
    index: int
    digest: bytes
    tree: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A user was told the outcome of a request, asked for first at ``asked_s``.

    ``on_disk``: whether an item of the log on the member's disk names the entry at that moment.
    """

    member: str
    entry: str
    number: int
    accepted: bool
    reason: str
    asked_s: float
    answered_s: float
    on_disk: bool


class CommitChecker:
    """Fed with what is applied and with what users are told."""

    def __init__(self) -> None:
        self._commits: dict[int, tuple[Commit, str]] = {}
        self._numbers: dict[str, int] = {}
        self._progress: dict[int, tuple[Progress, str]] = {}
        self._last: dict[str, int] = {}
        self._answered: list[Answered] = []
        self._told: dict[str, int] = {}
        self.answers = 0
        self.reads = 0
        self.stale_reads = 0

    # --- applying -------------------------------------------------------------------------------------------------

    def applied(self, member: str, commit: Commit, at_s: float) -> list[Violation]:
        """A member applied something under a number."""
        wrong = []
        last = self._last.get(member, commit.number - 1)
        if commit.number != last + 1:
            wrong.append(_wrong(at_s, f"{member} applies number {commit.number} after {last}"))
        self._last[member] = commit.number
        first, whose = self._commits.setdefault(commit.number, (commit, member))
        if first != commit:
            fields = [field for field in commit.__slots__ if getattr(commit, field) != getattr(first, field)]
            told = ", ".join(f"{field} {getattr(first, field)!r} and {getattr(commit, field)!r}" for field in fields)
            wrong.append(_wrong(at_s, f"number {commit.number} differs between {whose} and {member}: {told}"))
        if commit.entry and self._numbers.setdefault(commit.entry, commit.number) != commit.number:
            before = self._numbers[commit.entry]
            wrong.append(_wrong(at_s, f"{member} gives {commit.entry[:12]} number {commit.number}; it has {before}"))
        earlier = self._commits.get(commit.number - 1)
        if earlier is not None and earlier[0].time_ms > commit.time_ms:
            wrong.append(_wrong(at_s, f"commit time goes back at number {commit.number}"))
        return wrong

    def progressed(self, member: str, progress: Progress, at_s: float) -> list[Violation]:
        """A member applied an item: equal numbers have equal states and equal trees."""
        first, whose = self._progress.setdefault(progress.number, (progress, member))
        if (first.digest, first.tree) == (progress.digest, progress.tree):
            return []
        what = "states" if first.digest != progress.digest else "trees"
        return [_wrong(at_s, f"after number {progress.number} {whose} and {member} have different {what}")]

    def crashed(self, member: str, number: int, at_s: float) -> list[Violation]:
        """A crash left that much applied on the member's disk."""
        self._last[member] = number
        told = self._told.get(member, 0)
        if told <= number:
            return []
        return [_wrong(at_s, f"{member} had told others that it applied {told}, its disk holds {number}")]

    def cut(self, member: str) -> None:
        """It goes back, and applies again from where it finds itself."""
        self._last.pop(member, None)

    def up_to(self, number: int) -> CommitChecker:
        """A checker for a log that is the same up to that number, and another one behind it."""
        checker = CommitChecker()
        checker._commits = {at: one for at, one in self._commits.items() if at <= number}
        checker._numbers = {entry: at for entry, at in self._numbers.items() if at <= number}
        checker._progress = {at: one for at, one in self._progress.items() if at <= number}
        checker._answered = [one for one in self._answered if one.number <= number]
        return checker

    def forget(self, member: str) -> None:
        """Its disk was replaced by an older one: what it told may be missing from there."""
        self._told.pop(member, None)

    def told(self, member: str, number: int) -> None:
        """A member said to others that it applied so much."""
        self._told[member] = max(number, self._told.get(member, 0))

    # --- users ----------------------------------------------------------------------------------------------------

    def answered(self, answer: Answered) -> list[Violation]:
        """A user was told an outcome: it is behind everything that was known when the request was made, and its item is
        on the disk, from which a crash brings the same outcome back."""
        self.answers += 1
        known = self.newest_answered(answer.asked_s)
        self._answered.append(answer)
        wrong = []
        if not answer.on_disk:
            text = (
                f"{answer.member} answers with number {answer.number}; no item of the log on its disk names the entry"
            )
            wrong.append(_wrong(answer.answered_s, text))
        if answer.number <= known:
            text = f"{answer.member} asked at {answer.asked_s:.3f} s and got {answer.number}; {known} was known before"
            wrong.append(_wrong(answer.answered_s, text))
        return wrong

    def read(self, member: str, as_of: int, *, stale: bool, asked_s: float, at_s: float) -> list[Violation]:
        """A read was answered: unless it says that it may be stale, it shows all that was known when it began."""
        self.reads += 1
        self.stale_reads += stale
        known = self.newest_answered(asked_s)
        if stale or as_of >= known:
            return []
        text = f"{member} reads as of {as_of}, asked at {asked_s:.3f} s, when {known} was answered to somebody"
        return [_wrong(at_s, text)]

    def newest_answered(self, before_s: float) -> int:
        """The highest number that any user knew before a moment."""
        return max((one.number for one in self._answered if one.answered_s < before_s), default=0)

    def finish(self, applied: Mapping[str, int], at_s: float) -> list[Violation]:
        """The verdict on what users were told; ``applied``: how far each running member is."""
        wrong = []
        for answer in self._answered:
            commit = self._commits.get(answer.number)
            if commit is None or commit[0].entry != answer.entry:
                text = f"{answer.member} was told that {answer.entry[:12]} is number {answer.number}, which is another"
                wrong.append(_wrong(at_s, text))
            elif (commit[0].accepted, commit[0].reason) != (answer.accepted, answer.reason):
                text = f"{answer.member} was told another outcome of number {answer.number} than the one in the log"
                wrong.append(_wrong(at_s, text))
        newest = max((answer.number for answer in self._answered), default=0)
        wrong += [
            _wrong(at_s, f"{member} has applied {number}, and a user was told of {newest}")
            for member, number in sorted(applied.items())
            if number < newest
        ]
        return wrong


def _wrong(at_s: float, text: str) -> Violation:
    return Violation(checker="commits", at_s=at_s, text=text)
