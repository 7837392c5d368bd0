"""Who keeps a blob for whom, and how much of it is asked for at a time (docs/protocol/blobs.md §2, §3).

Pure arithmetic: who is awake and who has what, the caller says. All that see the same come to the same answer, so
nobody has to agree on anything.
"""

from __future__ import annotations

from collections.abc import Collection

from roosync_p2p import limits
from roosync_p2p.codec.digests import sha256
from roosync_p2p.ids import MachineId

__all__ = ["Pace", "helpers_of", "in_order"]


def in_order(digest: bytes, machines: Collection[MachineId]) -> list[MachineId]:
    """Machines in an order of this blob's own (rendezvous hashing): who is first for one is last for another."""
    return sorted(machines, key=lambda machine: (sha256(digest + machine.encode()), machine))


def helpers_of(digest: bytes, awake: Collection[MachineId], involved: Collection[MachineId]) -> tuple[MachineId, ...]:
    """Who keeps a blob besides its sender and those that it is for, until all of these have it.

    Args:
        awake: machines that are there now.
        involved: sender and addressees, of every message that cites it.
    """
    others = [machine for machine in awake if machine not in involved]
    return tuple(in_order(digest, others)[: limits.BLOB_HELPERS_MAX])


class Pace:
    """How many bytes one want asks for: as many as come within ``BLOB_CHUNK_S``, between two bounds.

    So a chunk never stands before a heartbeat for long on a slow link, and costs little beside its frame on a fast one.
    """

    def __init__(self) -> None:
        self.bytes = limits.BLOB_CHUNK_BYTES_MIN

    def came(self, took_s: float) -> None:
        """An answer to a want of the present size was there after so long."""
        if took_s <= limits.BLOB_CHUNK_S:
            self.bytes = min(2 * self.bytes, limits.BLOB_CHUNK_BYTES_MAX)
        elif took_s > 3 * limits.BLOB_CHUNK_S:
            self.slower()

    def slower(self) -> None:
        """It did not come, or late."""
        self.bytes = max(self.bytes // 2, limits.BLOB_CHUNK_BYTES_MIN)
