"""A fleet that goes over to newer rules while everything else goes on: machine after machine gets the newer program.

The founder asks for the newer rules again and again. They are refused until every voter knows them; from then on
whoever was not updated applies nothing, and when all are healed and updated everybody has the same again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from roosync_p2p.core.commands import OrderEntry
from roosync_p2p.ledger.bodies import RulesActivate
from roosync_p2p.ledger.fleet import active_rules
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.member import Member
from roosync_p2p.simulation.newer_rules import NEWER_VERSION, updated

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["Updates"]

ASK_S: Final = 4.0  # the founder's person asks this often
SETTLED_S: Final = 10.0


class Updates:
    """Who has the newer program already."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._dice = dice
        self.planned = dice.chance(world.plan.updates_chance)
        self._updated: set[str] = set()
        self._newest_s = 0.0

    def plan(self, first_s: float, last_s: float) -> None:
        """Some machines are updated within that time, in any order; the rest when everything is healed."""
        if not self.planned:
            return
        world, dice = self._world, self._dice
        machines = dice.sample(world.machines, dice.integer(1, len(world.machines)))
        for machine in machines:
            world.later(dice.between(first_s, last_s), lambda machine=machine: self._update(machine))  # type: ignore[misc]  # late binding
        world.later(dice.between(first_s, last_s), self._ask)

    def finish(self) -> None:
        """Whoever has the older program gets the newer one; called until all have it."""
        if self.planned:
            for name in list(self._world.fleet.members):
                self._update(name)

    @property
    def settled(self) -> bool:
        """Whether nobody was restarted for so long that addresses are confirmed again."""
        return not self.planned or self._world.fleet.now_s - self._newest_s > SETTLED_S

    @property
    def lacking(self) -> frozenset[str]:
        """Computers whose program does not know the rules that somebody applies by."""
        running = self._world.fleet.running()
        if not any(active_rules(member.node().commit.state) == NEWER_VERSION for member in running):
            return frozenset()
        return frozenset(name for name in self._world.fleet.members if name not in self._updated)

    def _update(self, name: str) -> None:
        world, member = self._world, self._world.fleet.members.get(name)
        if member is None or name in self._updated or name in world.busy or member in world.homes.copies:
            return
        if name in world.fleet.outside:
            self._updated.add(name)
            return
        if member.paused:
            return
        self._updated.add(name)
        self._newest_s = world.fleet.now_s
        member.parts = updated(member.parts)
        world.watch.active["update"] += 1
        if member.running:
            self._restart(member)

    def _restart(self, member: Member) -> None:
        world = self._world
        world.leave(member)
        world.restart_later(member, 1.0)

    def _ask(self) -> None:
        world = self._world
        founder = world.fleet.members[world.fleet.keys.founder]
        if founder.running and not founder.paused:
            body = RulesActivate(version=NEWER_VERSION, approve=True)
            founder.request(OrderEntry(kind="rules.activate", body=body, timeout_s=ASK_S), lambda _result: None)
        if not world.healing:
            world.later(ASK_S, self._ask)
