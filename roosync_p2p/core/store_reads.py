"""What the core asks the store for, answered: alike in the node, in the simulation and in tests."""

from __future__ import annotations

from typing import TypeAlias

from roosync_p2p.core import effects, inputs
from roosync_p2p.core.ports import Reader

__all__ = ["StoreAnswer", "StoreRead", "answered", "unanswered"]

StoreRead: TypeAlias = effects.ReadEntries | effects.ReadOrdered | effects.ReadCommits
StoreAnswer: TypeAlias = inputs.EntriesRead | inputs.OrderedRead | inputs.CommitsRead


def answered(store: Reader, wanted: StoreRead) -> StoreAnswer:
    """The input that answers a read.

    Raises:
        StoreError: the store could not be read; then the answer is that of :func:`unanswered`.
    """
    match wanted:
        case effects.ReadEntries():
            run = store.entries(
                wanted.author,
                wanted.incarnation,
                wanted.chain,
                wanted.first,
                count_max=wanted.count_max,
                bytes_max=wanted.bytes_max,
            )
            return inputs.EntriesRead(read=wanted.read, entries=tuple(run))
        case effects.ReadOrdered():
            return inputs.OrderedRead(read=wanted.read, entries=store.ordered_entries(wanted.ids))
        case effects.ReadCommits():
            return inputs.CommitsRead(read=wanted.read, rows=tuple(store.commits(wanted.first, wanted.count_max)))


def unanswered(wanted: StoreRead) -> StoreAnswer:
    """The answer of a store that cannot be read: nothing was found, and the core may ask again."""
    match wanted:
        case effects.ReadEntries():
            return inputs.EntriesRead(read=wanted.read, entries=())
        case effects.ReadOrdered():
            return inputs.OrderedRead(read=wanted.read, entries={})
        case effects.ReadCommits():
            return inputs.CommitsRead(read=wanted.read, rows=(), unread=True)
