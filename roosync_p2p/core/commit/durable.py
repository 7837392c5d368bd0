"""How far a node had applied the log when a ticket was given out."""

from __future__ import annotations

import dataclasses

from roosync_p2p.ids import CommitNumber, Epoch

__all__ = ["Durable"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Durable:
    """How far this node had applied the log when a ticket was given out."""

    epoch: Epoch
    number: CommitNumber
    digest: bytes
