"""The replicated log in memory, and the voters that follow from it (docs/protocol/consensus.md §4.2).

Of most items it keeps only the bytes and the term; those not yet handed out as committed stay decoded. The
configuration in force is that of the last voter change in the log that replaced the one before it, committed or not
(dissertation §4.1); when the log is cut, the older one is in force again.
"""

from __future__ import annotations

import bisect
import dataclasses
from array import array
from collections.abc import Iterable, Sequence
from typing import Final

from roosync_p2p.consensus.items import LogItem, Seat, Voters, changes_voters
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import LogIndex, Term

__all__ = ["Configuration", "Log", "StoredItem"]

StoredItem = tuple[LogIndex, Term, bytes]  # a row of the store

_LEAST_BYTES: Final = 3  # a list, a kind and a term


@dataclasses.dataclass(frozen=True, slots=True)
class Configuration:
    """The voters, and the index of the item that made them so: 0 and nobody before the first."""

    index: LogIndex
    voters: tuple[Seat, ...]


class Log:
    """Items from index 1 on.

    Args:
        stored: what the store has, in order. Items from the first on that cannot be one are left out, and ``damaged``
            is then true.
        handed_out: up to where the items were applied; they are not kept decoded.
    """

    def __init__(self, stored: Iterable[StoredItem], *, handed_out: LogIndex) -> None:
        self._terms = array("Q", [0])  # by index; index 0 stands for what is before the first item
        self._data: list[bytes] = [b""]
        self._decoded: dict[LogIndex, LogItem] = {}  # of those from handed_out + 1 on
        self._handed_out = handed_out
        self._configurations = [Configuration(LogIndex(0), ())]
        self.damaged = not self._load(stored)

    @property
    def last_index(self) -> LogIndex:
        """The place of the last item, 0 without any."""
        return LogIndex(len(self._data) - 1)

    @property
    def last_term(self) -> Term:
        """The term of the last item, 0 without any."""
        return Term(self._terms[-1])

    @property
    def configuration(self) -> Configuration:
        """The one in force."""
        return self._configurations[-1]

    def may_need(self, seat: Seat, commit: LogIndex) -> bool:
        """Whether that seat is a voter of a configuration that may still count, by what is known to be committed."""
        for configuration in reversed(self._configurations):
            if seat in configuration.voters:
                return True
            if configuration.index <= commit:
                break
        return False

    def term_at(self, index: LogIndex) -> Term:
        """The term of the item at a place that the log has, or 0 for place 0."""
        return Term(self._terms[index])

    def matches(self, index: LogIndex, term: Term) -> bool:
        """Whether the item at that place is of that term: then the logs are the same up to there (Raft paper §5.3)."""
        return index < len(self._data) and self._terms[index] == term

    def up_to_date(self, last_index: LogIndex, last_term: Term) -> bool:
        """Whether a log that ends so is at least as up to date as this one (Raft paper §5.4.1)."""
        return (last_term, last_index) >= (self._terms[-1], len(self._data) - 1)

    def last_of_term(self, index: LogIndex, term: Term) -> LogIndex:
        """The last place up to ``index`` whose item is of ``term`` or an older one: terms never fall along a log."""
        end = min(index, self.last_index) + 1
        return LogIndex(bisect.bisect_right(self._terms, term, 0, end) - 1)

    def append(self, item: LogItem) -> None:
        """Adds an item at the end; its place and term fit there."""
        assert item.index == len(self._data), (item.index, len(self._data))
        assert item.term >= self._terms[-1], (item.term, self._terms[-1])
        self._terms.append(item.term)
        self._data.append(item.data)
        self._decoded[item.index] = item
        if changes_voters(item.data):
            self._reconfigure(item)

    def cut(self, first: LogIndex) -> None:
        """Removes the items from that place on, and what they made of the voters."""
        assert first > self._handed_out, f"item {first} is committed and cannot be cut"
        for index in range(first, len(self._data)):
            self._decoded.pop(LogIndex(index), None)
        del self._terms[first:]
        del self._data[first:]
        while self._configurations[-1].index >= first:
            self._configurations.pop()

    def item(self, index: LogIndex) -> LogItem:
        """The item at a place that the log has."""
        found = self._decoded.get(index)
        return found if found is not None else LogItem(index, Term(self._terms[index]), self._data[index])

    def items(self, first: LogIndex, *, count_max: int, bytes_max: int) -> tuple[LogItem, ...]:
        """The items from a place on, as many as fit; one at least, if there is one."""
        taken: list[LogItem] = []
        size = 0
        for index in range(first, min(first + count_max, len(self._data))):
            size += len(self._data[index])
            if taken and size > bytes_max:
                break
            taken.append(self.item(LogIndex(index)))
        return tuple(taken)

    def hand_out(self, up_to: LogIndex, *, count_max: int) -> Sequence[LogItem]:
        """The next items after those handed out before, up to that place; they are no longer kept decoded."""
        first, last = self._handed_out + 1, min(up_to, self._handed_out + count_max)
        items = [self.item(LogIndex(index)) for index in range(first, last + 1)]
        for item in items:
            self._decoded.pop(item.index, None)
        self._handed_out = LogIndex(max(last, self._handed_out))
        return items

    @property
    def handed_out(self) -> LogIndex:
        """Up to where the items were handed out as committed."""
        return self._handed_out

    def _load(self, stored: Iterable[StoredItem]) -> bool:
        terms, data = self._terms, self._data
        last_term = 0
        for index, term, item in stored:
            if index != len(data) or term < last_term or len(item) < _LEAST_BYTES:
                return False
            if changes_voters(item):
                try:
                    self._reconfigure(LogItem(index, term, item))
                except MalformedError:
                    return False
            terms.append(term)
            data.append(item)
            last_term = term
        return True

    def _reconfigure(self, item: LogItem) -> None:
        change = item.payload
        assert isinstance(change, Voters)
        # A change that replaces another configuration than the one in force was made for a log that never came to be.
        if change.replaces == self._configurations[-1].index:
            self._configurations.append(Configuration(item.index, change.voters))
