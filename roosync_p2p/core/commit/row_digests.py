"""Running digests over what became of each commit number (docs/protocol/ordering.md §3)."""

from __future__ import annotations

from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.digests import sha256
from roosync_p2p.core.rows import CommitRow

__all__ = ["outcomes_after", "rows_after"]


def outcomes_after(previous: bytes, row: CommitRow) -> bytes:
    """Over what every node has alike; the state holds it, so the fleet agrees on it."""
    return sha256(pack([previous, row.number, row.leaf, row.accepted, row.reason]))


def rows_after(previous: bytes, row: CommitRow) -> bytes:
    """Over all that this disk keeps of a commit.

    Raises:
        MalformedError: a disk turned a value into something that no commit holds.
    """
    whole = [row.index, row.time_ms, row.epoch, row.entry, row.author, row.kind, row.detail]
    return sha256(pack([previous, row.number, row.leaf, row.accepted, row.reason, *whole]))
