"""A member replaces its key while everything else happens, and everybody has to know it by the new one at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from roosync_p2p.core.commands import Rotate
from roosync_p2p.ids import KeyId
from roosync_p2p.simulation.checkers.violation import Violation
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.member import CrashPoint, Member
from roosync_p2p.simulation.new_keys import violations
from roosync_p2p.trust.keys import SigningKey

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["Rotation"]

AGAIN_S: Final = 5.0  # a person who sees the old key still asks again after this


class Rotation:
    """One member's new key, from when its person asks for it until everybody knows it."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._dice = dice
        self._former: KeyId | None = None
        self.member: Member | None = None

    def begin(self, member: Member) -> None:
        """Its next key is put beside the old one, and its node is asked; it may die just then."""
        self.member, self._former = member, member.identity.key.key_id
        member.next_key = SigningKey(self._dice.entropy("next key").bytes(32))
        if self._dice.chance(0.5):
            self._world.watch.keys.replaces_key = self._dies
        self._ask()

    def _dies(self, member: Member) -> None:
        world = self._world
        world.watch.keys.replaces_key = lambda _member: None
        if member is self.member and member.name not in world.busy and not world.healing:
            member.crash_point = self._dice.choose(list(CrashPoint))
            member.crash_keep = self._dice.integer(0, 2)
            world.restart_later(member, self._dice.between(0.5, 6))
            world.watch.active["died as it replaced its key"] += 1

    def _ask(self) -> None:
        member, world = self.member, self._world
        assert member is not None
        if self._is_done(member) or world.healing:
            return
        self.ask_again()
        world.later(AGAIN_S, self._ask)

    def ask_again(self) -> None:
        """Its person asks the node, unless it has its new key."""
        member = self.member
        if member is not None and member.running and not member.paused and not self._is_done(member):
            assert member.next_key is not None
            member.request(Rotate(key=member.next_key), lambda _result: None)

    def is_wanted(self) -> bool:
        """Whether the key is still the old one, or somebody has not heard or applied that it is not.

        A machine that is no member for the order yet, in a fleet that can order nothing, keeps its key.
        """
        member = self.member
        if member is None or member.name in self._world.fleet.outside:
            return False
        if not self._is_done(member):
            return self._world.order_goes_on()
        return bool(self.found())

    def found(self) -> list[Violation]:
        """What is wrong with what everybody knows and holds of it."""
        member = self.member
        if member is None or member.name in self._world.fleet.outside or not self._is_done(member):
            return []
        return violations(self._world, member)

    def finish(self) -> list[Violation]:
        """The same, at the end; that it happened is counted."""
        self._world.watch.active["key replaced"] += self.member is not None and self._is_done(self.member)
        return self.found()

    def _is_done(self, member: Member) -> bool:
        return member.identity.key.key_id != self._former
