"""What a ticket makes durable: how far this node has applied the log, and its own entries."""

from __future__ import annotations

import collections
import dataclasses

from roosync_p2p.core.effects import Ticket
from roosync_p2p.entries.entry import Entry
from roosync_p2p.ids import CommitNumber, Epoch

__all__ = ["Durable", "Writing"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Durable:
    """How far this node had applied the log when a ticket was given out."""

    epoch: Epoch
    number: CommitNumber
    digest: bytes


class Writing:
    """What waits for the disk, in the order of its tickets. ``durable`` is how far the log is applied there."""

    def __init__(self, durable: Durable) -> None:
        self.durable = durable
        self._applied: collections.deque[tuple[Ticket, Durable]] = collections.deque()
        self._entries: collections.deque[tuple[Ticket, Entry]] = collections.deque()

    def applied(self, ticket: Ticket, durable: Durable) -> None:
        """So far it is applied with that ticket."""
        self._applied.append((ticket, durable))

    def entry(self, ticket: Ticket, entry: Entry) -> None:
        """An own entry is on its way to the disk."""
        self._entries.append((ticket, entry))

    def persisted(self, ticket: Ticket) -> list[Entry]:
        """Everything up to this ticket is on the disk: the own entries among it."""
        while self._applied and self._applied[0][0] <= ticket:
            self.durable = self._applied.popleft()[1]
        entries = []
        while self._entries and self._entries[0][0] <= ticket:
            entries.append(self._entries.popleft()[1])
        return entries
