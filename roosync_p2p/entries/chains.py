"""What is held of each chain, and whether an entry continues it (docs/protocol/entries.md §2).

The ids of every entry are kept in memory, 32 bytes each, so that a duplicate, a gap and a fork are told apart at once
and without the disk: 100,000 entries are 3.2 MB.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from roosync_p2p.entries.entry import Entry
from roosync_p2p.ids import Chain, EntryId, MachineId

__all__ = ["ChainKey", "ChainState", "Chains", "Fit"]

ChainKey = tuple[MachineId, int, Chain]

_ID = 32


class Fit(enum.Enum):
    """How an entry relates to what is held of its chain."""

    NEXT = "next"  # it continues the chain
    KNOWN = "known"  # it is held already
    AHEAD = "ahead"  # something before it is missing
    BELOW = "below"  # it lies under the floor: nobody needs it any more
    FORK = "fork"  # its place is taken by another entry
    BROKEN = "broken"  # the next by number, but its predecessor is another than ours


@dataclasses.dataclass(slots=True)
class ChainState:
    """A run of entries without a gap, from ``floor`` to ``head``; empty when ``head < floor``."""

    floor: int = 1
    ids: bytearray = dataclasses.field(default_factory=bytearray)

    @property
    def head(self) -> int:
        """Sequence of the newest entry; ``floor - 1`` when there is none."""
        return self.floor + len(self.ids) // _ID - 1

    @property
    def head_id(self) -> EntryId | None:
        """Id of the newest entry."""
        return EntryId(bytes(self.ids[-_ID:])) if self.ids else None

    def id_at(self, sequence: int) -> EntryId | None:
        """Id of the entry with that sequence, if it is held."""
        offset = (sequence - self.floor) * _ID
        if offset < 0 or offset >= len(self.ids):
            return None
        return EntryId(bytes(self.ids[offset : offset + _ID]))


class Chains:
    """All chains that are held, by (author, incarnation, chain)."""

    def __init__(self) -> None:
        self._states: dict[ChainKey, ChainState] = {}

    def __iter__(self) -> Iterator[ChainKey]:
        return iter(self._states)

    @property
    def states(self) -> Mapping[ChainKey, ChainState]:
        """A view of all states."""
        return MappingProxyType(self._states)

    def state(self, key: ChainKey) -> ChainState:
        """The state of a chain; an empty one that is not kept, if nothing is held."""
        return self._states.get(key) or ChainState()

    def load(self, key: ChainKey, floor: int, ids: bytes) -> None:
        """Takes over what the store holds."""
        self._states[key] = ChainState(floor, bytearray(ids))

    def fit(self, entry: Entry) -> Fit:
        """Where the entry fits. Changes nothing."""
        state = self.state(entry.place)
        sequence = entry.header.sequence
        held = state.id_at(sequence)
        if held is not None:
            return Fit.KNOWN if held == entry.id else Fit.FORK
        if sequence < state.floor:
            return Fit.BELOW
        if sequence > state.head + 1:
            return Fit.AHEAD
        if sequence > 1 and state.ids and entry.header.previous != state.head_id:
            return Fit.BROKEN
        return Fit.NEXT

    def append(self, entry: Entry) -> None:
        """Adds an entry for which :meth:`fit` said NEXT."""
        state = self._states.setdefault(entry.place, ChainState())
        assert entry.header.sequence == state.head + 1
        state.ids += entry.id

    def cut(self, key: ChainKey, first: int) -> list[EntryId]:
        """Takes everything from ``first`` on out of a chain; what that was, in order."""
        state = self._states.get(key)
        if state is None or first > state.head:
            return []
        first = max(first, state.floor)
        taken = [entry for at in range(first, state.head + 1) if (entry := state.id_at(at)) is not None]
        del state.ids[(first - state.floor) * _ID :]
        if not state.ids:
            del self._states[key]
        return taken

    def begin_at(self, key: ChainKey, floor: int) -> None:
        """Begins a chain of which nothing is held at the author's signed floor instead of at 1."""
        state = self._states.setdefault(key, ChainState())
        assert not state.ids
        state.floor = floor

    def raise_floor(self, key: ChainKey, floor: int) -> None:
        """Forgets what lies below an entry that is held: the chain begins there from now on."""
        state = self._states[key]
        assert state.floor <= floor <= state.head
        del state.ids[: (floor - state.floor) * _ID]
        state.floor = floor

    def skip_to(self, key: ChainKey, floor: int) -> None:
        """Gives up a run that ends below ``floor - 1``: what lies between cannot be had any more."""
        assert self.state(key).head < floor - 1
        self._states[key] = ChainState(floor)

    def incarnation(self, author: MachineId) -> int:
        """The newest incarnation held of an author; 0 when there is none."""
        return max((key[1] for key in self._states if key[0] == author), default=0)
