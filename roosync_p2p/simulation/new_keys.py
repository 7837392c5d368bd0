"""What everybody knows of a machine that has another key than it began with, for the checker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.register import register_of
from roosync_p2p.simulation.checkers.rotations import KnownKeys, Signed, replaced_keys
from roosync_p2p.simulation.checkers.violation import Violation
from roosync_p2p.simulation.inspection import key_of, rows
from roosync_p2p.simulation.member import Member

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["violations"]


def violations(world: World, member: Member) -> list[Violation]:
    """What is wrong with what everybody who runs knows and holds of that member's key."""
    machine = member.identity.machine
    ordered = world.voting.taking_part() if world.order_goes_on() else []
    known = [_known(one, machine, ordered=one in ordered) for one in world.fleet.running()]
    return replaced_keys(str(machine), member.identity.key.key_id, known, world.fleet.now_s)


def _known(one: Member, machine: MachineId, *, ordered: bool) -> KnownKeys:
    core = one.node()
    pinned = core.desk.directory.members.get(machine)
    entry = register_of(core.commit.state, one.identity.root).present(machine)
    own = [row for row in rows(one) if row.author == machine]
    return KnownKeys(
        member=one.name,
        pinned=None if pinned is None else pinned.key_id,
        ordered=None if entry is None or not ordered else entry.key,
        signed=[Signed(row.incarnation, str(row.chain), row.sequence, key_of(row)) for row in own],
    )
