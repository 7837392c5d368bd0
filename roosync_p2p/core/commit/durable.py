"""How far a node had applied the log when a ticket was given out."""

from __future__ import annotations

import dataclasses
from typing import Self

from roosync_p2p.core.commit.applier import Applier, Committed
from roosync_p2p.ids import CommitNumber, Epoch, MachineId
from roosync_p2p.ledger.cursors import cursor_of

__all__ = ["Durable"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Durable:
    """How far this node had applied the log when a ticket was given out.

    Attributes:
        own: the cursor of this machine's own ledger chain: what stands behind it waits.
    """

    epoch: Epoch
    number: CommitNumber
    digest: bytes
    own: tuple[int, int]

    @classmethod
    def of(cls, epoch: Epoch, applier: Applier, me: MachineId) -> Self:
        """What is applied now."""
        own = cursor_of(applier.state, me).place
        return cls(epoch=epoch, number=applier.number, digest=applier.state.digest, own=own)

    def then(self, epoch: Epoch, done: Committed, me: MachineId) -> Self:
        """One commit later."""
        entry = done.entry
        own = self.own if entry is None or entry.author != me else (entry.header.incarnation, entry.header.sequence)
        return dataclasses.replace(self, epoch=epoch, number=done.number, digest=done.digest, own=own)
