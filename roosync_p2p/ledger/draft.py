"""The next state while one entry is applied: reads see what was written before (docs/protocol/ledger.md §2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from roosync_p2p.entries.entry import Entry
from roosync_p2p.ids import CommitNumber, Epoch
from roosync_p2p.ledger.outcomes import Event
from roosync_p2p.ledger.state import State
from roosync_p2p.ledger.stored import read, stored

__all__ = ["Draft", "Mark"]

R = TypeVar("R")


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """Where a draft stood, to go back to."""

    changes: dict[str, bytes | None]
    events: int


class Draft:
    """Changes to a state, and the commit that makes them.

    Args:
        number: the commit number that is being applied.
        time_ms: its commit time, the only time that rules know.
        entry: what is applied; None for a voter change, whose rule looks at no entry.
        root: the fleet's root certificate, DER; a voter change looks at no register.

    Attributes:
        changes: what is different from the state so far.
        events: what is to be told.
    """

    __slots__ = ("_entry", "changes", "epoch", "events", "number", "root", "state", "time_ms")

    def __init__(
        self,
        state: State,
        *,
        number: CommitNumber,
        time_ms: int,
        epoch: Epoch,
        entry: Entry | None = None,
        root: bytes = b"",
    ) -> None:
        self.state = state
        self._entry = entry
        self.number = number
        self.time_ms = time_ms
        self.epoch = epoch
        self.root = root
        self.changes: dict[str, bytes | None] = {}
        self.events: list[Event] = []

    @property
    def entry(self) -> Entry:
        """The entry that is applied."""
        assert self._entry is not None
        return self._entry

    @property
    def author(self) -> str:
        """The machine that wrote it."""
        return self.entry.header.author

    def get(self, key: str) -> bytes | None:
        """The value of a key."""
        return self.changes[key] if key in self.changes else self.state.get(key)

    def load(self, key: str, kind: type[R]) -> R | None:
        """The value of a key as a record."""
        data = self.get(key)
        return None if data is None else read(data, kind)

    def table(self, name: str) -> Iterator[tuple[str, bytes]]:
        """The pairs of a table, by key."""
        prefix = name + "/"
        changed = {key: value for key, value in self.changes.items() if key.startswith(prefix)}
        if not changed:
            return self.state.table(name)
        merged = {**dict(self.state.table(name)), **changed}
        return iter(sorted((key, value) for key, value in merged.items() if value is not None))

    def put(self, key: str, value: msgspec.Struct | int | bytes | str) -> None:
        """Sets a key."""
        self.put_bytes(key, stored(value))

    def put_bytes(self, key: str, value: bytes | None) -> None:
        """Sets a key to bytes as they are stored, or removes it; what is so already is no change."""
        if self.state.get(key) == value:
            self.changes.pop(key, None)
        else:
            self.changes[key] = value

    def delete(self, key: str) -> None:
        """Removes a key, if it is there."""
        self.put_bytes(key, None)

    def tell(self, name: str, /, *to: str, **detail: object) -> None:
        """Notes an event; nobody is told twice of one."""
        self.events.append(Event(name=name, to=tuple(dict.fromkeys(to)), detail=detail))

    def mark(self) -> Mark:
        """Where this draft stands."""
        return Mark(dict(self.changes), len(self.events))

    def go_back(self, mark: Mark) -> None:
        """Forgets what came after a mark."""
        self.changes = dict(mark.changes)
        del self.events[mark.events :]
