"""What happens to keys and memberships in a world: machines are revoked, let go, become issuers, come from a backup.

At most one of these in a world, with dice of its own, so worlds without are as they would be without this. What else
changes keys (a fork that is settled) is a further entry in the table at the end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from roosync_p2p.core.authorship import Phase
from roosync_p2p.core.commands import OrderEntry, Revoke
from roosync_p2p.errors import RoosyncError
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.bodies import Carrier, MemberLeave, MemberRetire, OrderedBody
from roosync_p2p.ledger.register import register_of
from roosync_p2p.simulation import inspection
from roosync_p2p.simulation.checkers.revocations import Cut
from roosync_p2p.simulation.checkers.violation import Violation
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.hostile import Hostile
from roosync_p2p.simulation.key_verbs import KeyVerbs
from roosync_p2p.simulation.losing import Loss
from roosync_p2p.simulation.member import Member
from roosync_p2p.simulation.rotation import Rotation
from roosync_p2p.trust.statements import MEMBER_ROLES

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["KEYS_WANTED_IN_100", "KeyFaults"]

# How often each has to happen in a hundred seeds: a third of what is usual, or less where that is little.
KEYS_WANTED_IN_100: Final[Mapping[str, int]] = {
    "revoked": 3,
    "revoked with a friend": 1,
    "acts of the revoked": 40,
    "files of the revoked in others' parts": 2,
    "left for good": 1,
    "retired": 1,
    "issuer added": 1,
    "issuer removed": 1,
    "home from a backup": 1,
    "key replaced": 2,
    "died as it replaced its key": 1,
    "disk and key lost": 1,
}
AGAIN_S: Final = 5.0  # a person who got no answer asks again after this
ORDERED_S: Final = 5.0


class KeyFaults:
    """Plans one change, makes it, and sees that it comes to its end when all is healed."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._dice = dice
        self._verbs = KeyVerbs(world.fleet, made=lambda said: world.watch.signatures.made(said.hex()))
        self._revoked: list[MachineId] = []
        self._asked_s = 0.0
        self._gone: list[Member] = []
        self._rotation = Rotation(world, dice)
        self._loss = Loss(world, dice)
        self.off: set[str] = set()  # members that were let go, and are not started again

    def plan(self, first_s: float, last_s: float) -> None:
        """One of the changes, perhaps."""
        if self._dice.chance(self._world.plan.keys_chance):
            kind = self._dice.choose(sorted(_KINDS))
            self._world.later(self._dice.between(first_s, last_s), lambda: self._happen(kind))

    def _happen(self, kind: str) -> None:
        if not self._world.healing:
            _KINDS[kind](self)

    def _steady(self) -> list[Member]:
        """Members that run, with nothing happening to them, and whose home was not touched."""
        world = self._world
        ready = [member for member in world.fleet.running() if member.name not in world.busy]
        return [member for member in ready if member.identity.machine != world.homes.touched]

    @property
    def _founder(self) -> Member:
        return self._world.fleet.members[self._world.fleet.keys.founder]

    # --- revoked ------------------------------------------------------------------------------------------------------

    def revoke(self) -> None:
        """A member's key was stolen: it is revoked at another one, and goes on with all it has.

        Perhaps with a friend at its side that cannot hear of it for a while, and takes what it says.
        """
        world, dice = self._world, self._dice
        steady = self._steady()
        if len(steady) < 2 or len(world.fleet.insiders()) < 3:
            return
        leader = world.voting.leader()
        victim = leader if leader in steady and dice.chance(0.3) else dice.choose(steady)
        if victim is self._founder and world.fleet.dated:
            return  # with the only issuer gone and dates that count, none that runs out can be renewed
        teller = dice.choose([member for member in steady if member is not victim])
        others = [member for member in world.fleet.insiders() if member not in (victim, teller)]
        machine = victim.identity.machine
        if dice.chance(0.5):
            friend = dice.choose(others)
            layer = world.fleet.partition([victim.name, friend.name])
            world.later(dice.between(4, 15), lambda: world.fleet.paths.remove(layer))
            world.watch.active["revoked with a friend"] += 1
        world.watch.active["revoked"] += 1
        world.watch.active["revoked leader"] += victim is leader
        world.watch.keys.planned(machine)
        self._out(victim)
        Hostile(world, victim, Dice.of(world.seed, "hostile")).begin()
        self._revoked.append(machine)
        self._verbs.revoke_at(teller, machine)

    def _out(self, member: Member) -> None:
        self._world.fleet.outside.add(member.name)
        self._gone.append(member)

    # --- let go -------------------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """A member says goodbye for good."""
        steady = [member for member in self._steady() if member is not self._founder]
        if steady and len(self._world.fleet.insiders()) > 2:
            member = self._dice.choose(steady)
            self._let_go(member, "member.leave", MemberLeave(reason="in a story"))

    def retire(self) -> None:
        """An issuer lets a member go, that may be off."""
        world = self._world
        members = [member for member in world.fleet.insiders() if member is not self._founder]
        members = [one for one in members if one.name not in world.busy and one.identity.machine != world.homes.touched]
        if members and self._founder.running and len(world.fleet.insiders()) > 2:
            member = self._dice.choose(members)
            self._let_go(self._founder, "member.retire", MemberRetire(machine=member.name))

    def _let_go(self, asked: Member, kind: str, body: OrderedBody) -> None:
        asked.request(OrderEntry(kind=kind, body=body, timeout_s=ORDERED_S), lambda _result: None)

    def ended(self, machine: str, kind: str) -> None:
        """Somebody applied the end of a membership: that counts, whoever was answered. Its person stops the node."""
        world = self._world
        if machine in world.fleet.outside or kind not in _LET_GO:
            return
        member = world.fleet.members[machine]
        world.watch.active[_LET_GO[kind]] += 1
        self._out(member)
        self.off.add(member.name)
        world.later(0.0, lambda: world.leave(member) if member.running and not member.paused else None)

    # --- issuers ------------------------------------------------------------------------------------------------------

    def issuer(self) -> None:
        """The root makes a member an issuer; later, perhaps, one no more."""
        steady = [member for member in self._steady() if member is not self._founder]
        if not steady:
            return
        member = self._dice.choose(steady)
        machine = member.identity.machine
        key, certificate = self._world.fleet.keys.further_issuer(machine, self._dice.entropy("issuer"))

        def added(result: object) -> None:
            if isinstance(result, RoosyncError):
                return
            self._world.watch.active["issuer added"] += 1
            member.identity = dataclasses.replace(member.identity, issuer_key=key, own_issuer=certificate)
            self._restart(member)
            self._world.later(self._dice.between(3, 12), lambda: self._no_issuer(member))

        statement = self._world.fleet.keys.roles(machine, ("issuer", "member"), issuer=certificate, serial=1)
        self._carry(member, statement, added)

    def _no_issuer(self, member: Member) -> None:
        if not member.running or self._world.healing:
            return

        def removed(result: object) -> None:
            self._world.watch.active["issuer removed"] += not isinstance(result, RoosyncError)
            self._innocent(member)

        statement = self._world.fleet.keys.roles(member.identity.machine, ("member",), issuer=b"", serial=2)
        self._carry(member, statement, removed)

    def _innocent(self, member: Member) -> None:
        """Its issuer key says nothing new: whom it revokes now is not out, wherever that was heard of."""
        world = self._world
        others = [one for one in world.fleet.running() if one is not member and one is not self._founder]
        if not others or member.identity.issuer_key is None:
            return
        victim = self._dice.choose(others)
        statement = world.fleet.keys.revocation_by(member.identity.issuer_key, member.identity.machine, victim.identity)
        for other in others:
            register = register_of(other.node().commit.state, other.identity.root)
            was = any(issuer.machine == member.identity.machine for issuer in register.issuers)
            if not was or register.has_role(member.identity.machine, "issuer"):
                continue  # it has not read yet that this is an issuer no more
            other.request(Revoke(statement=statement), lambda _result: None)
            world.watch.active["revocations by who is no issuer"] += 1

    def _carry(self, member: Member, statement: bytes, answered: Callable[[object], None]) -> None:
        order = OrderEntry(kind=MEMBER_ROLES, body=Carrier(statement=statement), timeout_s=ORDERED_S)
        member.request(order, answered)

    def _restart(self, member: Member) -> None:
        if member.running and not member.paused and member.name not in self._world.busy:
            self._world.leave(member)
            self._world.restart_later(member, 1.0)

    # --- homes --------------------------------------------------------------------------------------------------------

    def backup(self) -> None:
        """A person puts back a backup, and says so: the home waits for a countersignature before it writes."""
        steady = self._steady()
        if steady and self._world.homes.touched is None:
            member = self._dice.choose(steady)
            backup_for_s, down_for_s = self._dice.between(1, 8), self._dice.between(0.5, 4)
            self._world.homes.restore(member, backup_for_s=backup_for_s, down_for_s=down_for_s, marked=True)

    # --- rotated ------------------------------------------------------------------------------------------------------

    def rotate(self) -> None:
        """A member replaces its key, perhaps dying in between."""
        steady = self._steady()
        if steady:
            self._rotation.begin(self._dice.choose(steady))

    def lose(self) -> None:
        """The disk of a member that is no issuer dies, and no backup was made."""
        steady = [member for member in self._steady() if member is not self._founder]
        if steady and self._world.homes.touched is None:
            self._loss.begin(self._dice.choose(steady), down_for_s=self._dice.between(0.5, 6))

    def finish_new_keys(self) -> list[Violation]:
        """What is wrong with what everybody knows of a new key, after convergence."""
        return [*self._rotation.finish(), *self._loss.found()]

    def has_new_key(self, member: Member) -> bool:
        """Whether a member has another key than its home had before: an old disk would not be that of its keys."""
        return self._rotation.member is member

    # --- the end ------------------------------------------------------------------------------------------------------

    def excused(self) -> set[str]:
        """Entries of whoever is out that nobody is owed: behind the cut, or gone with a machine that was let go."""
        return self._loss.excused().union(*(self._excused_of(member) for member in self._gone))

    def _excused_of(self, member: Member) -> set[str]:
        rows = [row for row in inspection.rows(member) if row.author == member.identity.machine]
        if member.identity.machine in self._revoked:
            said = [one.node().revocations.revoked.get(member.identity.machine) for one in self._world.fleet.running()]
            cut = next((Cut(ledger=one.ledger, mail=one.mail) for one in said if one is not None), None)
            return {row.id.hex() for row in rows if cut is None or (row.incarnation, row.sequence) > cut.of(row.chain)}
        held = {row.id for other in self._world.fleet.running() for row in inspection.rows(other)}
        return {row.id.hex() for row in rows if row.id not in held}

    def is_wanted(self) -> bool:
        """Whether a person still has to see to something."""
        return (
            self._rotation.is_wanted()
            or self._loss.is_wanted()
            or any(self._lacking(machine) for machine in self._revoked)
        )

    def finish(self) -> None:
        """All is healed: what was said to a node that forgot it, or was never decided, is said again."""
        world = self._world
        if world.fleet.now_s < self._asked_s + AGAIN_S:
            return
        self._rotation.ask_again()
        if self._loss.is_wanted():
            self._asked_s = world.fleet.now_s
            self._loss.ask_again()
        for machine in self._revoked:
            lacking = self._lacking(machine)
            tellers = [one for one in world.fleet.running() if one.node().authorship.phase is Phase.READY]
            if lacking and tellers:
                self._asked_s = world.fleet.now_s
                self._verbs.revoke_at(tellers[0], machine)

    def _lacking(self, machine: MachineId) -> list[Member]:
        """Members that have not heard, or, where anything can be decided, in whose ledger it has no effect yet."""
        world = self._world
        there = world.fleet.running()
        deaf = [one for one in there if machine not in one.node().revocations.revoked]
        if deaf or not world.order_goes_on():
            return deaf
        there = world.voting.taking_part()
        registers = [(one, register_of(one.node().commit.state, one.identity.root)) for one in there]
        return [one for one, register in registers if not register.ended(machine)]


_LET_GO: Final = {"member.leave": "left for good", "member.retire": "retired"}
_KINDS: Final[dict[str, Callable[[KeyFaults], None]]] = {
    "backup": KeyFaults.backup,
    "issuer": KeyFaults.issuer,
    "leave": KeyFaults.leave,
    "lose": KeyFaults.lose,
    "retire": KeyFaults.retire,
    "revoke": KeyFaults.revoke,
    "revoke again": KeyFaults.revoke,  # what an attacker does with a key is the most that can happen to one
    "revoke once more": KeyFaults.revoke,
    "rotate": KeyFaults.rotate,
}
