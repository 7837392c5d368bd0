"""Who votes, who should, and to whom the log is sent (docs/protocol/consensus.md, autopilot)."""

from __future__ import annotations

from roosync_p2p.consensus.items import Seat
from roosync_p2p.consensus.raft import Status
from roosync_p2p.core.commit.applier import Applier
from roosync_p2p.core.commit.clock import CommitClock
from roosync_p2p.core.commit.order import Order
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.links import Links
from roosync_p2p.core.presence import Presence
from roosync_p2p.ids import MachineId, StoreId
from roosync_p2p.liveness.heartbeat import Heartbeat
from roosync_p2p.liveness.verdicts import State as Verdict

__all__ = ["Seats"]


class Seats:
    """What the node knows of everybody's seat."""

    def __init__(
        self, desk: Desk, links: Links, presence: Presence, order: Order, applier: Applier, clock: CommitClock
    ) -> None:
        self._desk = desk
        self._links = links
        self._presence = presence
        self._order = order
        self._applier = applier
        self._clock = clock
        self._seats: dict[MachineId, Seat] = {}
        self._handing_over = False
        self.on_battery = False

    @property
    def handing_over(self) -> bool:
        return False

    def heard(self, heartbeat: Heartbeat) -> None:
        machine = MachineId(heartbeat.machine)
        if not heartbeat.store:
            return
        seat = Seat(machine, StoreId(heartbeat.store))
        if self._seats.get(machine) != seat:
            self._seats[machine] = seat
            self.reachable_changed()

    def ahead(self, machine: MachineId, size: int) -> None:
        pass

    def verdict(self, machine: MachineId, state: Verdict) -> None:
        self.reachable_changed()

    def changed(self, status: Status) -> None:
        self.reachable_changed()

    def reachable_changed(self) -> None:
        raft = self._order.raft
        if raft is not None:
            raft.set_learners(
                [self._seats[m] for m in self._links.peers() if m in self._seats], self._desk.now.monotonic_s
            )

    def waits_for(self) -> tuple[str, dict[str, object]]:
        return "no leader", {}

    def hand_over(self) -> None:
        pass

    def next_deadline(self) -> float | None:
        return None

    def tick(self) -> None:
        pass
