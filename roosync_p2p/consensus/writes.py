"""What is on its way to the disk, and what is there (docs/protocol/consensus.md §4.3).

A node's own vote and its own copy of the log count for nothing until they are durable, and a log that was cut in the
meantime must not count as durable because an older write was reported late: what a write stands for shrinks with the
log.
"""

from __future__ import annotations

import collections
import dataclasses

from roosync_p2p.consensus.items import LogItem, Seat
from roosync_p2p.consensus.log import Log
from roosync_p2p.ids import Epoch, LogIndex, Term

__all__ = ["HardState", "Pending", "Writes"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HardState:
    """What is on disk before anything that depends on it leaves: the term, and for whom this node voted in it."""

    term: Term
    vote: Seat | None
    epoch: Epoch


@dataclasses.dataclass(slots=True)
class Pending:
    """What is durable once the write of ``mark`` and all before it are."""

    mark: int
    last: LogIndex
    hard: HardState


class Writes:
    """The writes of one node.

    Attributes:
        stored: up to where the log in memory is on disk.
        hard_stored: the hard state on disk.
        mark: of the newest write handed out.

    Args:
        hard: as the store has it.
        last: the last usable item of the store.
        rest_unusable: the store has more behind that, which has to go before anything is appended.
    """

    __slots__ = ("_cut_from", "_handed_out", "_hard", "_pending", "hard_stored", "mark", "stored")

    def __init__(self, *, hard: HardState, last: LogIndex, rest_unusable: bool = False) -> None:
        self.stored = last
        self.hard_stored = hard
        self.mark = 0
        self._hard = hard  # as handed out
        self._handed_out = last
        self._cut_from = LogIndex(last + 1) if rest_unusable else None
        self._pending: collections.deque[Pending] = collections.deque()

    def wanted(self, log: Log, hard: HardState) -> bool:
        """Whether there is something to write."""
        return log.last_index > self._handed_out or self._cut_from is not None or hard != self._hard

    def cut(self, first: LogIndex) -> None:
        """The log was cut from that place on."""
        if first <= self._handed_out:
            self._cut_from = first if self._cut_from is None else min(first, self._cut_from)
            self._handed_out = LogIndex(first - 1)
        self.stored = min(self.stored, LogIndex(first - 1))
        for pending in self._pending:
            pending.last = min(pending.last, LogIndex(first - 1))

    def hand_out(self, log: Log, hard: HardState) -> tuple[HardState | None, LogIndex | None, tuple[LogItem, ...]]:
        """What is to be written next: the hard state if it changed, from where to cut, what to append then."""
        changed = hard if hard != self._hard else None
        cut_from, first, last = self._cut_from, self._handed_out + 1, log.last_index
        items = tuple([log.item(LogIndex(index)) for index in range(first, last + 1)])
        self._hard, self._cut_from, self._handed_out = hard, None, last
        self.mark += 1
        self._pending.append(Pending(self.mark, last, hard))
        return changed, cut_from, items

    def became_durable(self, mark: int) -> None:
        """The write of that mark, and all before it, are on disk."""
        while self._pending and self._pending[0].mark <= mark:
            done = self._pending.popleft()
            self.stored = max(self.stored, done.last)
            self.hard_stored = done.hard
