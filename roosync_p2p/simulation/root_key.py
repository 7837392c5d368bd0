"""A person with the root's key, who comes when a world is healed and cannot go on by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from roosync_p2p.core.commands import OfferCountersignature, Recover
from roosync_p2p.errors import RoosyncError
from roosync_p2p.simulation.member import Member
from roosync_p2p.trust.statements import Recovery, seal_statement

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["RootKey"]

PATIENCE_S: Final = 8.0  # until it is clear that whoever voted does not come back
AGAIN_S: Final = 5.0  # a statement that could not be followed is made anew after this


class RootKey:
    """What it is good for in a simulation."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._recovered_s: float | None = None

    def countersign(self) -> None:
        """Where no issuer can."""
        for member in self._world.fleet.running():
            core = member.node()
            renewal = core.authorship.renewal
            if renewal is not None and not core.renewals.waiting_for():
                envelope = self._world.fleet.keys.root_countersignature(renewal)
                member.request(OfferCountersignature(envelope=envelope), lambda _result: None)

    def is_wanted(self) -> bool:
        """Whether a majority is lost, and somebody is there to go on with."""
        lost = not self._world.voting.has_majority() and not self._world.watch.order.one_seat_twice
        return lost and self._world.voting.furthest() is not None

    def recover(self, healed_s: float) -> None:
        """A majority is lost for good: whoever has most goes on alone, in a new epoch.

        Where one seat had two stores nobody knows which log is the fleet's, and no person would sign that.
        """
        world = self._world
        since_s = healed_s + PATIENCE_S if self._recovered_s is None else self._recovered_s + AGAIN_S
        furthest = world.voting.furthest()
        if self.is_wanted() and furthest is not None and world.fleet.now_s >= since_s:
            self._recovered_s = world.fleet.now_s
            furthest.request(Recover(statement=self._statement(furthest)), self._answered)

    def _statement(self, member: Member) -> bytes:
        commit, fleet = member.node().commit, self._world.fleet
        assert commit.order.me is not None
        said = Recovery(
            epoch=1 + max(other.node().commit.order.epoch for other in fleet.running()),
            machine=member.identity.machine,
            store=commit.order.me.store,
            size=commit.applier.number,
            root_hash=commit.applier.root,
            serial=bytes(16),
        )
        keys = fleet.keys
        return seal_statement(keys.root_key, said, fleet=member.identity.fleet, author="root")

    def _answered(self, result: dict[str, object] | RoosyncError) -> None:
        self._world.watch.active["recovery"] += isinstance(result, dict)
