"""Committed items by gossip: others have more, and no leader sends it (docs/protocol/ordering.md §1)."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.core.commit.applier import Applier
from roosync_p2p.core.commit.order import Order
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.links import Links
from roosync_p2p.ids import LogIndex, MachineId

__all__ = ["Lagging"]


class Lagging:
    """Asks one holder at a time for what this node lacks."""

    def __init__(self, desk: Desk, links: Links, order: Order, applier: Applier) -> None:
        self._desk = desk
        self._links = links
        self._order = order
        self._applier = applier
        self._holders: dict[MachineId, int] = {}
        self._ask_at: float | None = None
        self._commit = LogIndex(0)

    def ahead(self, machine: MachineId, size: int) -> None:
        """A machine has applied so many commits, more than this node."""
        self._holders[machine] = size
        if self._ask_at is None:
            self._wait(limits.AHEAD_WAIT_S)

    def next_deadline(self) -> float | None:
        """When to ask (monotonic seconds)."""
        return self._ask_at

    def tick(self) -> None:
        """Asks, if it is time and nothing came meanwhile."""
        if self._ask_at is None or self._desk.now.monotonic_s < self._ask_at:
            return
        number, raft = self._applier.number, self._order.raft
        self._holders = {machine: size for machine, size in self._holders.items() if size > number}
        # What is committed here and not applied yet is on its way, or these rules are too new for this program.
        if raft is None or not self._holders or self._order.leads or self._applier.behind:
            self._ask_at = None
        elif raft.commit > self._commit:
            self._wait(limits.AHEAD_WAIT_S)
        else:
            linked = self._links.peers()
            holder = max(self._holders, key=lambda m: (m in linked, self._holders[m], m))
            self._order.behind(holder)
            self._holders.clear()  # who still has more says so with its next heartbeat
            self._ask_at = None

    def _wait(self, seconds: float) -> None:
        raft = self._order.raft
        self._commit = LogIndex(0) if raft is None else raft.commit
        self._ask_at = self._desk.now.monotonic_s + seconds
