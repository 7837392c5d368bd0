"""What a ticket makes durable: how far this node has applied the log, and its own entries."""

from __future__ import annotations

import collections
import dataclasses
from typing import Self

from roosync_p2p.core.commit.applier import Applier, Committed
from roosync_p2p.core.effects import Ticket
from roosync_p2p.ids import CommitNumber, Epoch, MachineId
from roosync_p2p.ledger.cursors import cursor_of

__all__ = ["Durable", "Writing"]


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


class Writing:
    """What waits for the disk, in the order of its tickets. ``durable`` is how far the log is applied there."""

    def __init__(self, durable: Durable) -> None:
        self.durable = durable
        self._applied: collections.deque[tuple[Ticket, Durable]] = collections.deque()
        self._entries = Ticket(0)

    @property
    def newest(self) -> Durable:
        """How far it is applied, on the disk or on its way there."""
        return self._applied[-1][1] if self._applied else self.durable

    def applied(self, ticket: Ticket, durable: Durable) -> None:
        """So far it is applied with that ticket."""
        self._applied.append((ticket, durable))

    @property
    def entries(self) -> Ticket:
        """The ticket of the newest own entry that is on its way to the disk; 0 if all are there."""
        return self._entries

    def entry(self, ticket: Ticket) -> None:
        """An own entry is on its way to the disk."""
        self._entries = ticket

    def persisted(self, ticket: Ticket) -> None:
        """Everything up to this ticket is on the disk."""
        while self._applied and self._applied[0][0] <= ticket:
            self.durable = self._applied.popleft()[1]
        if self._entries <= ticket:
            self._entries = Ticket(0)
