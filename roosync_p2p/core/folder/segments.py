"""What of a chain is in the folder, what lacks there, what may go (docs/protocol/folder.md §7). Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from roosync_p2p import limits
from roosync_p2p.gossip.folder_paths import LogFile, SegmentFile

__all__ = ["covered", "mergeable", "superseded"]

N = TypeVar("N", SegmentFile, LogFile)


def covered(names: Iterable[N], start: int) -> int:
    """Up to where the run from ``start`` on is in these files without a gap; ``start - 1`` if not at all."""
    reached = start - 1
    for name in sorted(names, key=lambda name: (name.first, -name.last)):
        if name.first > reached + 1:
            break
        reached = max(reached, name.last)
    return reached


def superseded(names: Iterable[N], larger: N) -> list[N]:
    """Those whose whole content is in a larger one of the same chain."""
    return [name for name in names if name != larger and larger.first <= name.first and name.last <= larger.last]


def mergeable(names: Sequence[N]) -> tuple[int, int] | None:
    """The run that should become one file, if there are too many small ones; None if there are not.

    The oldest files that follow each other without a gap and fit one file by their count.
    """
    if len(names) <= limits.FOLDER_SEGMENTS_MAX:
        return None
    ordered = sorted(names, key=lambda name: (name.first, -name.last))
    best: tuple[int, int] | None = None
    most = 1
    for at, first in enumerate(ordered):
        last, count = first.last, 1
        for name in ordered[at + 1 :]:
            if name.first > last + 1 or name.last - first.first >= limits.ENTRIES_PER_FRAME_MAX:
                break
            last, count = max(last, name.last), count + 1
        if count > most:
            best, most = (first.first, last), count
    return best
