"""A member loses its disk and with it its key: the root says so, and the machine begins again under its name.

What a person does with ``roosync-admin rotate MACHINE --lost`` (docs/protocol/trust.md §11) is done here with the
fleet's keys: the statement is told at the founder, the new home has it from the start, and it is ordered.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from roosync_p2p.core.commands import OfferLost, OrderEntry
from roosync_p2p.core.rotations import MEMBER_ROTATE, lost_record, rotate_body
from roosync_p2p.errors import RoosyncError
from roosync_p2p.simulation.fleet_keys import BORN_S
from roosync_p2p.simulation.inspection import rows
from roosync_p2p.simulation.member import Member
from roosync_p2p.simulation.new_keys import violations
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import Cut, KeyLost, seal_statement

if TYPE_CHECKING:
    from roosync_p2p.core.identity import NodeIdentity
    from roosync_p2p.simulation.checkers.violation import Violation
    from roosync_p2p.simulation.dice import Dice
    from roosync_p2p.simulation.world import World

__all__ = ["Loss"]

AGAIN_S: Final = 2.0  # the founder's person tries again after this
ORDERED_S: Final = 5.0


class Loss:
    """One member's lost key, from the death of its disk until everybody knows the new key."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._dice = dice
        self._statement = b""
        self._behind: set[str] = set()
        self._was: dict[
            str, tuple[str, int, int]
        ] = {}  # its entries on the disk that died: chain, incarnation, sequence
        self._next: NodeIdentity | None = None
        self.member: Member | None = None

    def begin(self, member: Member, *, down_for_s: float) -> None:
        """The disk dies now; ``down_for_s`` later a person begins to see to it."""
        world, machine = self._world, member.identity.machine
        self.member = member
        world.busy.add(member.name)
        self._was = {
            row.id.hex(): (str(row.chain), row.incarnation, row.sequence)
            for row in rows(member)
            if row.author == machine
        }
        world.homes.gone(member)
        world.keys.off.add(member.name)  # nobody starts it before it has its new home
        world.workload.forget(member)
        world.users.forget(member)
        world.watch.active["disk and key lost"] += 1
        world.later(down_for_s, self._tell)

    def _tell(self) -> None:
        """At the founder, whose tool has the root's key for this."""
        world = self._world
        teller = world.fleet.members[world.fleet.keys.founder]
        if not teller.running or teller.paused or teller.name in world.busy:
            world.later(AGAIN_S, self._tell)
            return
        if not self._statement:
            self._say(teller)
        teller.request(OfferLost(statement=self._statement), self._heard)

    def _say(self, teller: Member) -> None:
        assert self.member is not None
        machine, keys = self.member.identity.machine, self._world.fleet.keys
        cuts: dict[str, Cut] = {}
        for span in teller.node().exchange.spans():
            known = cuts.get(span.chain)
            if span.author == machine and span.head and (known is None or known.incarnation <= span.incarnation):
                cuts[span.chain] = Cut(incarnation=span.incarnation, sequence=span.head, id=span.id)
        before = self.member.identity
        entropy = self._dice.entropy("lost key")
        self._next = keys.certified(machine, SigningKey(entropy.bytes(32)), BORN_S, entropy)
        said = KeyLost(
            machine=machine,
            old=before.key.key_id,
            new=self._next.key.key_id,
            former_leaf=before.leaf,
            former_issuer=before.issuer,
            leaf=self._next.leaf,
            issuer=self._next.issuer,
            ledger=cuts.get("ledger"),
            mail=cuts.get("mail"),
            reason="its disk died",
            by=teller.name,
            time_ms=teller.clock.now().wall_ms,
            serial=(1).to_bytes(16, "big"),
        )
        self._statement = seal_statement(keys.root_key, said, fleet=keys.fleet)
        self._world.watch.signatures.made(self._statement.hex())
        self._behind = {
            entry for entry, (chain, *place) in self._was.items() if _is_behind(cuts.get(chain), (place[0], place[1]))
        }

    def _heard(self, result: object) -> None:
        member, world = self.member, self._world
        assert member is not None
        assert self._next is not None
        if isinstance(result, RoosyncError):
            world.later(AGAIN_S, self._tell)
            return
        if member.identity.key.key_id == self._next.key.key_id:
            return
        member.identity = dataclasses.replace(self._next)
        member.disk.commit([lost_record(self._statement)])
        world.busy.discard(member.name)
        world.keys.off.discard(member.name)
        world.start(member)
        self.ask_again()

    def ask_again(self) -> None:
        """A person asks a member to have it ordered; first, if nobody was told, to hear it."""
        if self.member is None:
            return
        if not self.is_done:
            self._tell()
            return
        tellers = [one for one in self._world.fleet.running() if one is not self.member and not one.paused]
        if tellers:
            order = OrderEntry(kind=MEMBER_ROTATE, body=rotate_body(self._statement), timeout_s=ORDERED_S)
            tellers[0].request(order, lambda _result: None)

    @property
    def is_done(self) -> bool:
        """Whether the machine has its new key."""
        return self.member is not None and self._next is not None and self.member.identity.key is self._next.key

    def is_wanted(self) -> bool:
        """Whether a person has to see to it still."""
        if self.member is None or self.member.name in self._world.fleet.outside:
            return False
        return not self.is_done or bool(self.found())

    def found(self) -> list[Violation]:
        """What is wrong with what everybody knows and holds of it; what was only on its disk is owed by nobody."""
        if self.member is None or not self.is_done:
            return []
        return violations(self._world, self.member)

    def excused(self) -> set[str]:
        """Entries that died with the disk, or stand behind the cuts."""
        return self._behind


def _is_behind(cut: Cut | None, place: tuple[int, int]) -> bool:
    return cut is None or place > (cut.incarnation, cut.sequence)
