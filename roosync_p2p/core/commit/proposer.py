"""What a leader proposes: every author's entries in sequence, each once (docs/protocol/ordering.md §2).

The cursors of the ledger say what is ordered; above them the leader keeps those of its own tail, which is proposed and
not yet applied. A new leader computes them from the tail that it inherited, so an entry that a leader before it had
proposed is not proposed again; if it is all the same, it gets no second number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from roosync_p2p import limits
from roosync_p2p.core.commit.waiting import Place, Waiting
from roosync_p2p.ids import EntryId, MachineId
from roosync_p2p.ledger.cursors import Cursor, Take, cursor_key, cursor_of, moved, takes
from roosync_p2p.ledger.register import FLEET
from roosync_p2p.ledger.state import State
from roosync_p2p.ledger.stored import stored

__all__ = ["Proposer"]

_UNFIT = frozenset({Take.OTHER_BRANCH, Take.NOT_COUNTERSIGNED, Take.DUPLICATE})


class Proposer:
    """Chooses the next batch.

    Args:
        me: this machine: before the fleet is founded only its own entries are taken.
        waiting: what is held and not ordered.
        state: the applied state.
        root: the fleet's root certificate, DER.
        held_back: an entry that surfaced behind a later life of its author.
        load: asks for headers and bodies that are not in memory.
    """

    def __init__(
        self,
        me: MachineId,
        waiting: Waiting,
        *,
        state: Callable[[], State],
        root: bytes,
        held_back: Callable[[Place], bool],
        load: Callable[[EntryId], None],
    ) -> None:
        self._me = me
        self._waiting = waiting
        self._state = state
        self._root = root
        self._held_back = held_back
        self._load = load
        self._tail: dict[MachineId, Cursor] = {}
        self._stuck: set[MachineId] = set()

    def inherit(self, batches: Iterable[Iterable[EntryId]]) -> None:
        """This node leads now, with these batches proposed before and not applied yet."""
        self._tail.clear()
        self._stuck.clear()
        for batch in batches:
            for entry in batch:
                place = self._waiting.place(entry)
                if place is not None:
                    self._moved(place.author, Cursor(place.incarnation, place.sequence, entry))

    def arrived(self, author: MachineId) -> None:
        """Something of that author came."""
        self._stuck.discard(author)

    def loaded(self, entries: Iterable[EntryId]) -> None:
        """What it asked for is in memory now: their authors are looked at again."""
        for entry in entries:
            place = self._waiting.place(entry)
            if place is not None:
                self._stuck.discard(place.author)

    def register_changed(self) -> None:
        """Whoever waited to be admitted is looked at again."""
        self._stuck.clear()

    def batch(self) -> tuple[EntryId, ...]:
        """The next batch, as large as there is something and a batch may be; empty if nothing can be ordered."""
        chosen: list[EntryId] = []
        ahead = self._ahead()
        founded = ahead.get(FLEET) is not None
        for author in self._waiting.authors():
            if author in self._stuck or not (founded or author == self._me):
                continue
            ahead = self._take(author, ahead, chosen)
            if len(chosen) >= limits.BATCH_ENTRIES_MAX:
                return tuple(chosen)
            self._stuck.add(author)
        return tuple(chosen)

    def _take(self, author: MachineId, ahead: State, chosen: list[EntryId]) -> State:
        """Adds what is next of one author, one after the other, to the batch."""
        for place, entry_id in self._waiting.following(author, *cursor_of(ahead, author).place):
            if len(chosen) >= limits.BATCH_ENTRIES_MAX:
                break
            if entry_id not in self._waiting:  # on its way to the disk
                break
            if self._held_back(place):
                continue
            entry = self._waiting.entry(entry_id)
            if entry is None:
                self._load(entry_id)
                break
            take = takes(ahead, entry, root=self._root)
            if take is Take.NEXT:
                chosen.append(entry_id)
                self._moved(author, Cursor(place.incarnation, place.sequence, entry_id))
                ahead = ahead.with_changes(moved(entry))
            elif take not in _UNFIT:
                break
        return ahead

    def _ahead(self) -> State:
        """The applied state with the cursors of the tail."""
        state = self._state()
        for author, cursor in list(self._tail.items()):
            if cursor_of(state, author).place >= cursor.place:
                del self._tail[author]
        return state.with_changes({cursor_key(author): stored(cursor) for author, cursor in self._tail.items()})

    def _moved(self, author: MachineId, cursor: Cursor) -> None:
        held = self._tail.get(author)
        if held is None or cursor.place > held.place:
            self._tail[author] = cursor
