"""The commits on this disk, read once after each start: are they what was applied? (docs/protocol/ordering.md §3).

A core starts from the state and the log alone; old commits are read much later, for a person, for a proof, or to find
the base of a new epoch. A disk that changed one has to be known before that. It is done in slices with pauses between
them, because 100,000 commits take seconds of hashing, and behind everything that makes a node ready.

Not looked at here: entries, which are verified wherever they are used, and the log, from which all of this is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from roosync_p2p import limits
from roosync_p2p.core.commit.applier import HISTORY, MEND, Applier
from roosync_p2p.core.commit.row_digests import outcomes_after, rows_after
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import ReadCommits, ReadId
from roosync_p2p.core.inputs import CommitsRead
from roosync_p2p.core.rows import CommitRow, Loaded, MetaRow
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import CommitNumber

__all__ = ["Recheck"]

_READ: Final = ReadId(1 << 40)  # the numbers below are those of reads for a new epoch
_RETRY_S: Final = 1.0
_NOTHING: Final = bytes(32)  # the digest over no commit, for people


class Recheck:
    """Reads the commits up to the one that was the newest at the start, and compares two digests over them.

    Args:
        applier: as it was loaded, before it applies anything.
        changed: told once if they differ: the newest number, the digest that was applied, the one that was found, and
            the first number of what could not be read.
    """

    def __init__(
        self,
        desk: Desk,
        applier: Applier,
        loaded: Loaded,
        *,
        changed: Callable[[int, bytes, bytes, int | None], None],
    ) -> None:
        self._desk = desk
        self._changed = changed
        self._number = applier.number
        # The one covers every column; the other is in the state, on which the fleet agrees.
        self._rows, self._outcomes = applier.rows, applier.state.get(HISTORY) or b""
        self._found_rows = self._found_outcomes = b""
        self._behind = loaded.last_commit if loaded.commits > applier.number else None
        self._next = CommitNumber(1)
        self._reading = False
        self._failed = 0
        self._due_s: float | None = desk.now.monotonic_s + limits.RECHECK_AFTER_S
        if applier.going_back or not self._number:
            self.stop()  # every row is being written anew, or there is none

    def stop(self) -> None:
        """What was applied is not any more: this node goes back."""
        self._due_s = None

    def next_deadline(self) -> float | None:
        """When the next slice is due (monotonic seconds)."""
        return None if self._reading else self._due_s

    def tick(self) -> None:
        """Asks for the next slice."""
        if self._due_s is not None and not self._reading and self._due_s <= self._desk.now.monotonic_s:
            self._reading = True
            self._desk.emit(ReadCommits(read=_READ, first=self._next, count_max=limits.RECHECK_COMMITS_MAX))

    def read(self, answer: CommitsRead) -> bool:
        """The store's answer, if it was asked for this."""
        if answer.read != _READ:
            return False
        self._reading = False
        if self._due_s is None:
            return True
        if answer.unread:
            self._try_again()
            return True
        self._failed = 0
        rows = [row for row in answer.rows if row.number <= self._number]
        if not self._takes(rows):
            return True
        if not rows or rows[-1].number == self._number:
            self._compare()
        else:
            self._due_s = self._desk.now.monotonic_s + limits.RECHECK_PAUSE_S
        return True

    def _try_again(self) -> None:
        """A text that is none any more cannot be read, and neither can a disk that fails for a moment."""
        self._failed += 1
        self._due_s = self._desk.now.monotonic_s + _RETRY_S
        if self._failed == limits.RECHECK_TRIES_MAX:
            self._tell(self._next)

    def _takes(self, rows: list[CommitRow]) -> bool:
        for row in rows:
            try:
                self._found_rows = rows_after(self._found_rows, row)
                self._found_outcomes = outcomes_after(self._found_outcomes, row)
            except MalformedError:
                self._tell(row.number)
                return False
            self._next = CommitNumber(row.number + 1)
        return True

    def _compare(self) -> None:
        if self._behind is not None and not self._takes([self._behind]):
            return  # one that never was, and that nobody can read
        self._due_s = None
        rows_differ = bool(self._rows) and self._rows != self._found_rows
        if rows_differ or self._outcomes != self._found_outcomes:
            self._tell(None)

    def _tell(self, unreadable: int | None) -> None:
        self._due_s = None
        known, found = self._rows, self._found_rows
        if not known or known == found:
            known, found = self._outcomes, self._found_outcomes
        self._desk.persist(MetaRow(key=MEND, value=b"\x01"))
        self._changed(self._number, known, found or _NOTHING, unreadable)
