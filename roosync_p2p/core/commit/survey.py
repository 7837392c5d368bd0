"""What this node has applied, read from its own disk: where a number stands, and the tree's root at it (§7)."""

from __future__ import annotations

import dataclasses
from typing import Final

from roosync_p2p import limits
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import ReadCommits, ReadId
from roosync_p2p.core.rows import CommitRow
from roosync_p2p.ids import CommitNumber, LogIndex
from roosync_p2p.proof.compact import CompactTree

__all__ = ["Found", "Survey"]

RETRY_S: Final = 0.2  # what was applied a moment ago is not durable yet, or the store could not be read


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where this node goes back to.

    Attributes:
        number: the newest commit that stays.
        index: of the item that gave it.
        lost: the commits behind it.
    """

    number: CommitNumber
    index: LogIndex
    lost: tuple[CommitRow, ...] = ()


class Survey:
    """Reads the commits of this disk from the first on. The log may grow meanwhile; it is whole up to a number."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._rows: list[CommitRow] = []
        self._reading: ReadId | None = None
        self._again_at = 0.0
        self._reads = 0

    def whole(self, last: CommitNumber) -> bool:
        """Whether it has every commit up to that one; else it reads on."""
        if len(self._rows) >= last:
            return True
        if self._reading is None and self._again_at <= self._desk.now.monotonic_s:
            self._reads += 1
            self._reading = ReadId(self._reads)
            first = CommitNumber(len(self._rows) + 1)
            self._desk.emit(ReadCommits(read=self._reading, first=first, count_max=limits.READ_COMMITS_MAX))
        return False

    def read(self, read: ReadId, rows: tuple[CommitRow, ...]) -> None:
        """The store's answer."""
        if read != self._reading:
            return
        self._reading = None
        for row in rows:
            if row.number != len(self._rows) + 1:
                break
            self._rows.append(row)
        if not rows:
            self._again_at = self._desk.now.monotonic_s + RETRY_S

    @property
    def again_at(self) -> float:
        """Not before then it reads again (monotonic seconds)."""
        return self._again_at

    def root_at(self, number: int) -> bytes:
        """The root of the tree over so many commits."""
        tree = CompactTree()
        tree.extend(row.leaf for row in self._rows[:number])
        return tree.root()

    def found(self, number: int) -> Found:
        """That number, or the last before it behind which the log can be cut: an item gives several numbers."""
        rows = self._rows
        while 0 < number < len(rows) and rows[number].index == rows[number - 1].index:
            number -= 1
        lost = tuple(rows[number:])
        if number == 0:
            return Found(number=CommitNumber(0), index=LogIndex(0), lost=lost)
        last = rows[number - 1]
        return Found(number=last.number, index=last.index, lost=lost)
