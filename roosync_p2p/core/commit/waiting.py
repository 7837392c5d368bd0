"""The ledger entries that are held here and have no commit number yet (docs/protocol/ordering.md §2).

Their ids are known from the chains at once; headers and bodies stay in memory from their arrival until they are
applied, up to a bound, and come from the store otherwise.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from roosync_p2p import limits
from roosync_p2p.entries.chains import Chains
from roosync_p2p.entries.entry import LEDGER, Entry
from roosync_p2p.ids import EntryId, MachineId

__all__ = ["Place", "Waiting"]


class Place(NamedTuple):
    """Where an entry stands in its author's ledger chain."""

    author: MachineId
    incarnation: int
    sequence: int


class Waiting:
    """What is held of every author's ledger chain behind its cursor.

    ``ordered`` is the cursor of an author: (incarnation, sequence) of its newest ordered entry.
    """

    def __init__(self, chains: Chains, ordered: Callable[[MachineId], tuple[int, int]]) -> None:
        self._chains = chains
        self._places: dict[EntryId, Place] = {}
        self._entries: collections.OrderedDict[EntryId, Entry] = collections.OrderedDict()
        self._bytes = 0
        self._of_author: collections.Counter[MachineId] = collections.Counter()
        self._behind(ordered)

    def __contains__(self, entry: EntryId) -> bool:
        return entry in self._places

    def __len__(self) -> int:
        return len(self._places)

    def all_again(self) -> None:
        """Every entry that is held waits for its number once more."""
        self._places.clear()
        self._of_author.clear()
        self._behind(lambda _: (0, 0))

    def _behind(self, ordered: Callable[[MachineId], tuple[int, int]]) -> None:
        for (author, incarnation, chain), state in self._chains.states.items():
            if chain != LEDGER:
                continue
            for sequence in range(_ordered_up_to(ordered(author), incarnation) + 1, state.head + 1):
                entry = state.id_at(sequence)
                assert entry is not None
                self._places[entry] = Place(author, incarnation, sequence)
                self._of_author[author] += 1

    def place(self, entry: EntryId) -> Place | None:
        """Where a waiting entry stands."""
        return self._places.get(entry)

    def authors(self) -> Iterator[MachineId]:
        """Whoever has something that waits, each once."""
        return iter(sorted(self._of_author))

    def of(self, author: MachineId) -> list[tuple[Place, EntryId]]:
        """What of an author waits, in its chain's order."""
        return sorted((place, entry) for entry, place in self._places.items() if place.author == author)

    def arrived(self, entry: Entry) -> None:
        """An entry of a ledger chain was accepted, or written here."""
        if entry.id not in self._places:
            self._places[entry.id] = Place(entry.author, entry.header.incarnation, entry.header.sequence)
            self._of_author[entry.author] += 1
        self.keep(entry)

    def keep(self, entry: Entry) -> None:
        """Keeps header and body in memory; the oldest give way, and are read again when they are needed."""
        if entry.body is None or entry.id in self._entries:
            return
        self._entries[entry.id] = entry
        self._bytes += len(entry.body)
        while self._bytes > limits.WAITING_BYTES_MAX:
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= len(oldest.body or b"")

    def entry(self, entry: EntryId) -> Entry | None:
        """Header and body, if they are in memory."""
        return self._entries.get(entry)

    def applied(self, entries: Iterable[EntryId]) -> None:
        """These were applied, or passed over as duplicates: they wait no more."""
        for entry in entries:
            place = self._places.pop(entry, None)
            if place is not None:
                self._of_author[place.author] -= 1
                if not self._of_author[place.author]:
                    del self._of_author[place.author]
            kept = self._entries.pop(entry, None)
            if kept is not None:
                self._bytes -= len(kept.body or b"")

    def following(self, author: MachineId, incarnation: int, sequence: int) -> Iterator[tuple[Place, EntryId]]:
        """What is held of an author behind a place, strictly in sequence, its lives in their order.

        A later incarnation begins at its first entry wherever the one before it stood.
        """
        lives = sorted(key[1] for key in self._chains if key[0] == author and key[2] == LEDGER)
        for life in lives:
            state = self._chains.state((author, life, LEDGER))
            for following in range(_ordered_up_to((incarnation, sequence), life) + 1, state.head + 1):
                entry = state.id_at(following)
                assert entry is not None, "a ledger chain has no floor"
                yield Place(author, life, following), entry


def _ordered_up_to(cursor: tuple[int, int], incarnation: int) -> int:
    """The last sequence of that incarnation that is ordered: all of it when a later one has begun."""
    if incarnation == cursor[0]:
        return cursor[1]
    return 0 if incarnation > cursor[0] else limits.NUMBER_MAX
