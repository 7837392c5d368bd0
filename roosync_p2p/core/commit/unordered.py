"""What this machine asked for and has no commit number yet (docs/protocol/ordering.md §4)."""

from __future__ import annotations

import dataclasses

from roosync_p2p.core.commit.waiting import Waiting
from roosync_p2p.ids import EntryId, MachineId

__all__ = ["Unordered", "unordered_of"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Unordered:
    """An own entry without a commit number. Kind and time are None until it was read from the disk after a start."""

    entry: EntryId
    sequence: int
    kind: str | None
    time_ms: int | None


def unordered_of(waiting: Waiting, me: MachineId) -> list[Unordered]:
    """An author's waiting entries, in their order."""
    found = []
    for place, entry_id in waiting.of(me):
        entry = waiting.entry(entry_id)
        found.append(
            Unordered(
                entry=entry_id,
                sequence=place.sequence,
                kind=None if entry is None else entry.header.kind,
                time_ms=None if entry is None else entry.header.time_ms,
            )
        )
    return found
