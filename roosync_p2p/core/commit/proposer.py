"""What a leader proposes: every author's entries in sequence, each once (docs/protocol/ordering.md §2).

The cursors of the ledger say what is ordered; above them the leader keeps those of its own tail, which is proposed and
not yet applied. A new leader computes them from the tail that it inherited, so an entry that a leader before it had
proposed is not proposed again; if it is all the same, it gets no second number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from roosync_p2p import limits
from roosync_p2p.core.commit.waiting import Cursor, Waiting
from roosync_p2p.ids import EntryId, MachineId

__all__ = ["Proposer"]


class Proposer:
    """Chooses the next batch.

    Args:
        waiting: what is held and not ordered.
        ordered: the cursor of an author in the applied state; None for a machine that nobody has admitted.
        held_back: an entry that surfaced behind a later life of its author, or stands behind a fork.
    """

    def __init__(
        self,
        waiting: Waiting,
        *,
        ordered: Callable[[MachineId], Cursor | None],
        held_back: Callable[[EntryId, MachineId, Cursor], bool],
    ) -> None:
        self._waiting = waiting
        self._ordered = ordered
        self._held_back = held_back
        self._tail: dict[MachineId, Cursor] = {}
        self._idle: set[MachineId] = set()

    def inherit(self, batches: Iterable[Iterable[EntryId]]) -> None:
        """This node leads now, with these batches proposed before and not applied yet."""
        self._tail.clear()
        self._idle.clear()
        for batch in batches:
            for entry in batch:
                place = self._waiting.place(entry)
                if place is not None:
                    self._tail[place.author] = max(self._tail.get(place.author, Cursor(0, 0)), place.cursor)

    def arrived(self, author: MachineId) -> None:
        """Something of that author came, or may be ordered now."""
        self._idle.discard(author)

    def admitted(self) -> None:
        """The register changed: whoever waited for it is looked at again."""
        self._idle.clear()

    def batch(self) -> tuple[EntryId, ...]:
        """The next batch, as large as there is something and a batch may be; empty if nothing can be ordered."""
        chosen: list[EntryId] = []
        for author in list(self._waiting.authors()):
            if author in self._idle:
                continue
            ordered = self._ordered(author)
            if ordered is None:
                self._idle.add(author)
                continue
            cursor = max(ordered, self._tail.get(author, ordered))
            for entry, following in self._waiting.following(author, cursor):
                if self._held_back(entry, author, following):
                    continue
                if len(chosen) >= limits.BATCH_ENTRIES_MAX:
                    return tuple(chosen)
                chosen.append(entry)
                self._tail[author] = following
            self._idle.add(author)
        return tuple(chosen)
