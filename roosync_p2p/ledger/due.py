"""What is due at a commit time: claims with others in line, decisions that wait for approval (ledger.md §2).

The ledger has no timer. What falls due does so at the first commit at or after its time, before that commit's own
entry is looked at. The earliest time stands in a key of its own, so that a commit with nothing due costs one look.
"""

from __future__ import annotations

from typing import Final

import msgspec

from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.stored import read

__all__ = ["due_now", "plan", "unplan"]

_NEXT: Final = "due.next"
_LIST: Final = "due"

Item = tuple[int, str, str]  # when (ms), what ("claim", "decision"), which


class _Agenda(msgspec.Struct, frozen=True, array_like=True):
    items: tuple[Item, ...] = ()


def plan(draft: Draft, when_ms: int, what: str, which: str) -> None:
    """Plans one thing, instead of whatever was planned for it."""
    _write(draft, (*_others(draft, what, which), (when_ms, what, which)))


def unplan(draft: Draft, what: str, which: str) -> None:
    """Nothing is planned for it any more."""
    items = _agenda(draft)
    kept = tuple(item for item in items if item[1:] != (what, which))
    if len(kept) != len(items):
        _write(draft, kept)


def due_now(draft: Draft) -> list[tuple[str, str]]:
    """What is due, earliest first; it is planned no more."""
    first = draft.get(_NEXT)
    if first is None or read(first, int) > draft.time_ms:
        return []
    items = _agenda(draft)
    _write(draft, tuple(item for item in items if item[0] > draft.time_ms))
    return [item[1:] for item in items if item[0] <= draft.time_ms]


def _others(draft: Draft, what: str, which: str) -> tuple[Item, ...]:
    return tuple(item for item in _agenda(draft) if item[1:] != (what, which))


def _agenda(draft: Draft) -> tuple[Item, ...]:
    agenda = draft.load(_LIST, _Agenda)
    return () if agenda is None else agenda.items


def _write(draft: Draft, items: tuple[Item, ...]) -> None:
    if not items:
        draft.delete(_NEXT)
        draft.delete(_LIST)
        return
    ordered = tuple(sorted(items))
    draft.put(_LIST, _Agenda(ordered))
    draft.put(_NEXT, ordered[0][0])
