"""Signed records without a history: of each key only the newest counts (docs/protocol/gossip.md §4).

Newest by (start, counter) of its author. Heartbeats are not in here: they are sent every second anyway.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import msgspec

from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.digests import sha256
from roosync_p2p.ids import MachineId

__all__ = ["Latest", "LatestRecord", "RecordVersion"]


class RecordVersion(msgspec.Struct, frozen=True, kw_only=True, array_like=True, order=True):
    """Which version of a record somebody holds."""

    kind: str
    author: str
    subject: str
    start: int
    counter: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LatestRecord:
    """A verified record with the envelope that proves it."""

    kind: str
    author: MachineId
    subject: str
    start: int
    counter: int
    envelope: bytes

    @property
    def key(self) -> tuple[str, MachineId, str]:
        """What there is only one of."""
        return self.kind, self.author, self.subject


class Latest:
    """The newest record of each key."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, MachineId, str], LatestRecord] = {}
        self._digest = b""  # of what is held now; empty until it is asked for

    def offer(self, record: LatestRecord) -> bool:
        """Takes a verified record; whether it was news."""
        held = self._records.get(record.key)
        if held is not None and (held.start, held.counter) >= (record.start, record.counter):
            return False
        self._records[record.key] = record
        self._digest = b""
        return True

    def get(self, kind: str, author: MachineId, subject: str = "") -> LatestRecord | None:
        """The newest record of that key."""
        return self._records.get((kind, author, subject))

    def of(self, kind: str, author: MachineId) -> list[LatestRecord]:
        """The newest records of that kind and author, whatever they are about."""
        return [record for key, record in sorted(self._records.items()) if key[:2] == (kind, author)]

    def drop(self, kind: str, author: MachineId, subject: str = "") -> None:
        """Forgets the record of that key, if there is one."""
        self._records.pop((kind, author, subject), None)
        self._digest = b""

    def versions(self) -> list[RecordVersion]:
        """What is held, in a canonical order."""
        return sorted(
            RecordVersion(kind=r.kind, author=r.author, subject=r.subject, start=r.start, counter=r.counter)
            for r in self._records.values()
        )

    def digest(self) -> bytes:
        """32 bytes that are equal exactly when two nodes hold the same versions."""
        if not self._digest:
            self._digest = sha256(pack([[v.kind, v.author, v.subject, v.start, v.counter] for v in self.versions()]))
        return self._digest

    def newer_than(self, versions: Iterable[RecordVersion]) -> list[LatestRecord]:
        """The records that the holder of these versions lacks."""
        theirs = {(v.kind, v.author, v.subject): (v.start, v.counter) for v in versions}
        lacking = (
            record
            for key, record in self._records.items()
            if (record.start, record.counter) > theirs.get(key, (-1, -1))
        )
        return sorted(lacking, key=lambda record: record.key)
