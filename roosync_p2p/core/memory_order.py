"""The tables of the in-memory store for the one order of the fleet: log, state, commit numbers, what belongs to them.

Part of :mod:`~roosync_p2p.core.memory_tables`. No row of these can break a promise when it is written: a log with a gap
is found when it is loaded.
"""

from __future__ import annotations

import array

from roosync_p2p.core.rows import (
    CommitCutRow,
    CommitRow,
    LogCutRow,
    LogItemRow,
    LogLoaded,
    OrderKeyRow,
    OrderRow,
    SideEntryRow,
    StateRow,
)
from roosync_p2p.core.store_rules import PromiseBroken
from roosync_p2p.ids import CommitNumber, EntryId, LogIndex

__all__ = ["OrderTables"]


class OrderTables:
    """The rows of the order by their keys."""

    def __init__(self) -> None:
        self.log: dict[LogIndex, LogItemRow] = {}
        self.state: dict[str, bytes] = {}
        self.commits: dict[CommitNumber, CommitRow] = {}
        self.numbers: dict[EntryId, set[CommitNumber]] = {}  # of the commits that name the entry
        self.order_keys: dict[str, OrderKeyRow] = {}
        self.side_entries: dict[EntryId, SideEntryRow] = {}

    def copy(self) -> OrderTables:
        """Independent tables with the same rows."""
        twin = OrderTables()
        twin.log = dict(self.log)
        twin.state = dict(self.state)
        twin.commits = dict(self.commits)
        twin.numbers = {entry: set(numbers) for entry, numbers in self.numbers.items()}
        twin.order_keys = dict(self.order_keys)
        twin.side_entries = dict(self.side_entries)
        return twin

    def apply(self, row: OrderRow) -> None:
        """Keeps one row."""
        match row:
            case LogItemRow():
                self.log[row.index] = row
            case LogCutRow():
                for index in [index for index in self.log if index >= row.first]:
                    del self.log[index]
            case StateRow(key=key, value=None):
                self.state.pop(key, None)
            case StateRow(key=key, value=bytes(value)):
                self.state[key] = value
            case CommitRow():
                self._put_commit(row)
            case CommitCutRow():
                for number in [number for number in self.commits if number >= row.first]:
                    self._remove_commit(number)
            case OrderKeyRow():
                self.order_keys.setdefault(row.key, row)
            case SideEntryRow():
                self.side_entries.setdefault(row.id, row)

    def _put_commit(self, row: CommitRow) -> None:
        self._remove_commit(row.number)
        if row.entry is not None:
            self.numbers.setdefault(row.entry, set()).add(row.number)
        self.commits[row.number] = row

    def _remove_commit(self, number: CommitNumber) -> None:
        known = self.commits.pop(number, None)
        if known is not None and known.entry is not None:
            self.numbers[known.entry].discard(number)

    # --- reading ------------------------------------------------------------------------------------------------

    def log_loaded(self) -> LogLoaded:
        """The whole log.

        Raises:
            PromiseBroken: its items are not a run from index 1.
        """
        items = [self.log[index] for index in sorted(self.log)]
        if [item.index for item in items] != list(range(1, len(items) + 1)):
            raise PromiseBroken(f"the log has a gap: {len(items)} items from {items[0].index} to {items[-1].index}")
        return LogLoaded(terms=array.array("Q", [item.term for item in items]), data=[item.data for item in items])

    def log_run(self, first: LogIndex, count_max: int, bytes_max: int) -> list[LogItemRow]:
        """Items from ``first`` to the next gap or bound; at least one if it is there."""
        found: list[LogItemRow] = []
        size = 0
        while len(found) < max(count_max, 1) and (row := self.log.get(LogIndex(first + len(found)))) is not None:
            size += len(row.data)
            if found and size > bytes_max:
                break
            found.append(row)
        return found

    def state_pairs(self) -> tuple[tuple[str, bytes], ...]:
        """The state, by key."""
        return tuple(sorted(self.state.items()))

    def last_commit(self) -> CommitRow | None:
        """The commit of the highest number."""
        return self.commits[max(self.commits)] if self.commits else None

    def commit_rows(self, first: CommitNumber, count_max: int) -> list[CommitRow]:
        """The commits from ``first`` on, ascending."""
        numbers = sorted(number for number in self.commits if number >= first)
        return [self.commits[number] for number in numbers[: max(count_max, 0)]]

    def commit_of(self, entry: EntryId) -> CommitRow | None:
        """The commit of the lowest number that names the entry."""
        numbers = self.numbers.get(entry)
        return self.commits[min(numbers)] if numbers else None

    def leaves(self, first: CommitNumber, count_max: int) -> list[bytes]:
        """The leaves from ``first`` to the next gap or bound."""
        found: list[bytes] = []
        while len(found) < count_max and (row := self.commits.get(CommitNumber(first + len(found)))) is not None:
            found.append(row.leaf)
        return found
