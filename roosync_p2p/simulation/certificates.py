"""Certificates with dates: those that are nearly over are renewed over links, and late where they ran out.

Late renewal is the joining path of the real node, of which only the two requests to the cores are made here; the
messages between them are tested elsewhere (docs/protocol/trust.md §8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from roosync_p2p import limits
from roosync_p2p.core.commands import IssueRenewal, OfferCertificate
from roosync_p2p.ids import MachineId
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.fleet_keys import BORN_S
from roosync_p2p.simulation.member import Member
from roosync_p2p.trust.certificates import certificate_request

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = [
    "CERTIFICATES_WANTED_IN_100",
    "DATED_CLOCK_S",
    "Certificates",
    "LateRenewals",
    "issued_for_due_s",
    "issued_for_end_s",
]

# How often each has to happen in a hundred seeds: a third of what is usual.
CERTIFICATES_WANTED_IN_100: Final[Mapping[str, int]] = {
    "certificates renewed": 8,
    "certificates that ran out": 2,
    "certificates renewed late": 2,
}
DATED_CLOCK_S: Final = 2.0  # how far clocks are wrong where dates matter


def issued_for_due_s(due_s: float) -> int:
    """When a certificate was issued that is due for renewal at that virtual time. Unix seconds."""
    life_s = limits.CERTIFICATE_BACKDATE_S + limits.MACHINE_CERTIFICATE_LIFE_S
    renewed_after_s = life_s * limits.CERTIFICATE_RENEW_NUMERATOR // 3
    return BORN_S + round(due_s) - renewed_after_s + limits.CERTIFICATE_BACKDATE_S


def issued_for_end_s(end_s: float) -> int:
    """When a certificate was issued that runs out at that virtual time. Unix seconds."""
    return BORN_S + round(end_s) - limits.MACHINE_CERTIFICATE_LIFE_S


class LateRenewals:
    """Machines whose certificate ran out ask the issuers whom they reach, again and again. Begun once for a fleet."""

    def __init__(self, fleet: Fleet, *, renewed: Callable[[Member], None] = lambda _member: None) -> None:
        self._fleet = fleet
        self._renewed = renewed

    def begin(self) -> None:
        """From now on."""
        self._fleet.scheduler.schedule(limits.LATE_RENEWAL_INTERVAL_S, self._look)

    def _look(self) -> None:
        for member in self._fleet.running():
            if self._fleet.expired(member.name) and member.node().revocations.own() is None:
                self._ask(member)
        self.begin()

    def _ask(self, member: Member) -> None:
        request = certificate_request(member.identity.key, member.identity.machine)
        clock_ms = member.clock.now().wall_ms
        for issuer in self._fleet.running():
            if issuer is member or issuer.identity.issuer_key is None or not self._reaches(member, issuer):
                continue
            issuer.request(
                IssueRenewal(request=request, clock_ms=clock_ms), lambda answer: self._answered(member, answer)
            )
            return

    def _reaches(self, member: Member, issuer: Member) -> bool:
        network = self._fleet.network
        return not network.is_cut(member.name, issuer.name) and not network.is_cut(issuer.name, member.name)

    def _answered(self, member: Member, answer: object) -> None:
        if not isinstance(answer, dict) or not member.running:
            return
        leaf, issuer = (bytes.fromhex(str(answer[part])) for part in ("leaf", "issuer"))
        member.request(
            OfferCertificate(leaf=leaf, issuer=issuer),
            lambda done: self._renewed(member) if isinstance(done, dict) else None,
        )


class Certificates:
    """In some worlds the certificates are old: some are due while things happen, some run out unrenewed."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._dice = dice
        self._ends_s: dict[str, float] = {}

    def make_old(self, machines: list[str]) -> None:
        """Before anything starts."""
        world, dice = self._world, self._dice
        if not dice.chance(world.plan.certificates_chance):
            return
        fleet = world.fleet
        fleet.dated = True
        for machine in machines:
            if machine != fleet.keys.founder and dice.chance(0.4):
                self._ends_s[machine] = dice.between(10, 25)
                fleet.reissue(MachineId(machine), issued_for_end_s(self._ends_s[machine]))
            elif dice.chance(0.6):
                fleet.reissue(MachineId(machine), issued_for_due_s(dice.between(4, 45)))

    def plan(self) -> None:
        """Those that are to run out reach no issuer before; some of their machines sleep through it."""
        world, dice = self._world, self._dice
        if not world.fleet.dated:
            return
        LateRenewals(world.fleet, renewed=self._late).begin()
        for machine, end_s in self._ends_s.items():
            layer = world.fleet.cut(machine, world.fleet.keys.founder, both_ways=True)
            world.later(end_s + dice.between(1, 10), lambda layer=layer: world.fleet.paths.remove(layer))  # type: ignore[misc]  # late binding
            world.later(end_s + 0.5, lambda machine=machine: self._ran_out(machine))  # type: ignore[misc]  # late binding
            if dice.chance(0.6):
                wake_s = dice.between(3, 12)
                world.later(end_s - 3, lambda machine=machine, wake_s=wake_s: self._sleep(machine, wake_s))  # type: ignore[misc]  # late binding

    def _sleep(self, machine: str, wake_s: float) -> None:
        world = self._world
        member = world.fleet.members[machine]
        if member in world.fleet.running() and member.name not in world.busy:
            world.fleet.sleep(machine)
            world.watch.truth.stopped(machine, "asleep")
            world.wake_later(member, wake_s)

    def _ran_out(self, machine: str) -> None:
        self._world.watch.active["certificates that ran out"] += self._world.fleet.expired(machine)

    def _late(self, member: Member) -> None:
        self._world.watch.active["certificates renewed late"] += 1
        self._world.watch.truth.renewed(member.name)
