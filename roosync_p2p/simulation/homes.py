"""What people do to homes: put back an old disk, or copy one to a second computer. Once in a world at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roosync_p2p.core.memory_store import MemoryStore, Snapshot
from roosync_p2p.core.restored import mark, next_life
from roosync_p2p.entries.entry import LEDGER, MAIL
from roosync_p2p.ids import Chain, MachineId, StoreId
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.member import Member

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["Homes"]

CHECK_LOOK_S = 7.0  # after a start: the start-up check has ended, and what it found was acted upon


class Homes:
    """Restores and copies, and remembers what may be lost or flagged because of it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.touched: MachineId | None = None
        self.since_s = 0.0
        self.copies: list[Member] = []
        self._backup: Snapshot | None = None

    # --- restored disks -------------------------------------------------------------------------------------------

    def restore(self, member: Member, *, backup_for_s: float, down_for_s: float, marked: bool = False) -> None:
        """A backup is made now; later the machine dies, gets it back, and starts.

        ``marked``: by ``restore``, which leaves word in the store that it was put back.
        """
        world = self._world
        self.touched = member.identity.machine
        self.since_s = world.fleet.now_s
        self._backup = member.disk.snapshot()
        world.busy.add(member.name)
        world.later(1.0, lambda: world.workload.send_from(member))
        world.later(backup_for_s, lambda: self._put_back(member, down_for_s, marked=marked))

    def _put_back(self, member: Member, down_for_s: float, *, marked: bool) -> None:
        world = self._world
        assert self._backup is not None
        if member.running:
            if member.paused:
                world.wake(member)
            member.crash()
        member.disk.restore(self._backup)
        member.disk.fault = None
        if marked:
            store = StoreId(Dice.of(world.seed, "restored").entropy("store").bytes(16))
            member.disk.commit([mark(next_life(member.disk.load(), member.identity.machine, store))])
        world.watch.active["home from a backup" if marked else "restored_disk"] += 1
        self._forget(member)
        world.later(down_for_s, lambda: self._start_restored(member))

    def _forget(self, member: Member) -> None:
        """What it promised was on a disk that it has no more."""
        watch = self._world.watch
        watch.keys.checker.forgets(member.name)
        watch.durability.forget(member.name)
        watch.order.replaced(member)
        watch.durability.forgive(member.identity.machine)

    def gone(self, member: Member) -> None:
        """The disk of a machine is lost now, with its keys and all that was on it. The caller sees to the rest."""
        world = self._world
        self.touched = member.identity.machine
        self.since_s = world.fleet.now_s
        member.crash(power=True)
        member.disk = MemoryStore()
        self._forget(member)

    def _start_restored(self, member: Member) -> None:
        world = self._world
        world.busy.discard(member.name)
        if member.running:
            return
        known = {row.machine for row in member.disk.load().members}
        world.start(member)
        if member.core is None:
            return  # it left or was retired meanwhile, and its home is refused
        world.workload.send_from(member)
        holders = [other for other in world.fleet.running() if self._holds_newer(other, member)]
        if holders:
            world.watch.identity.must_notice(member.identity.machine, "its disk was rolled back")
        incarnation = member.node().authorship.incarnation
        # Who was admitted after the backup is known to nobody at that address, and has to find it first.
        met = [other for other in holders if other.identity.machine in known]
        world.later(CHECK_LOOK_S, lambda: self._look(member, met, incarnation))

    def _look(self, member: Member, holders: list[Member], before: int) -> None:
        """Only if somebody with newer entries was there all the time, the check must have found them."""
        world = self._world
        if not member.running or member.paused or world.watch.truth.up_for_s(member.name) < 1.0:
            return
        if world.fleet.expired(member.name):
            return  # nobody links with it before its certificate is renewed, so nobody has shown it anything
        there = [
            other
            for other in holders
            if world.watch.truth.up_for_s(other.name) > CHECK_LOOK_S
            and world.fleet.paths.clear_for(other.name, member.name) > CHECK_LOOK_S
            and world.watch.disk_fine_for_s(other.name) > CHECK_LOOK_S
            and other.name not in world.watch.truth.ever_firewalled
        ]
        if there and world.watch.disk_fine_for_s(member.name) > CHECK_LOOK_S:
            authorship = member.node().authorship
            world.watch.found(
                world.watch.identity.restarted(
                    member.identity.machine,
                    phase=authorship.phase.value,
                    incarnation=authorship.incarnation,
                    before=before,
                    at_s=world.fleet.now_s,
                )
            )

    def _holds_newer(self, other: Member, member: Member) -> bool:
        machine = member.identity.machine
        return any(_head(other, machine, chain) > _head(member, machine, chain) for chain in (LEDGER, MAIL))

    # --- copied homes ---------------------------------------------------------------------------------------------

    def copy(self, member: Member, *, after_s: float, both: bool, for_s: float) -> None:
        """The home is copied now. The copy starts later, beside the original or in its absence."""
        world = self._world
        self.touched = member.identity.machine
        self.since_s = world.fleet.now_s
        snapshot = member.disk.snapshot()
        world.later(after_s, lambda: self._start_copy(member, snapshot, both=both, for_s=for_s))

    def _start_copy(self, member: Member, snapshot: Snapshot, *, both: bool, for_s: float) -> None:
        world = self._world
        machine = member.identity.machine
        world.watch.durability.forgive(machine)
        if not both:
            world.busy.add(member.name)
            if member.running:
                if member.paused:
                    world.wake(member)
                member.crash()
        copy = world.fleet.copy(member.name, f"{member.name}-copy", snapshot)
        self.copies.append(copy)
        world.busy.add(copy.name)
        world.start(copy)
        world.watch.active["copied_home"] += 1
        world.later(1.0, lambda: world.workload.send_from(copy))
        world.later(for_s, lambda: self._end_copy(member, copy, both=both))
        if both and member.running:
            world.workload.send_from(member)

    def _end_copy(self, member: Member, copy: Member, *, both: bool) -> None:
        """In the absent case the original comes back, and the copy is put away."""
        world = self._world
        wrote = [other for other in world.fleet.running() if other not in (member, copy)]
        if any(
            _head(other, member.identity.machine, MAIL) > _head(member, member.identity.machine, MAIL)
            for other in wrote
        ):
            world.watch.identity.must_notice(member.identity.machine, "its home was copied, and the copy wrote entries")
        if not both:
            if copy.running:
                copy.crash()
            world.busy.discard(member.name)
            if not member.running:
                world.start(member)

    def put_away(self) -> None:
        """Healing: a person switches off the copies for good."""
        for copy in self.copies:
            if copy.running:
                if copy.paused:
                    self._world.wake(copy)
                copy.crash()


def _head(member: Member, machine: MachineId, chain: Chain) -> int:
    return max(
        (len(rows.ids) // 32 for rows in member.disk.load().chains if (rows.author, rows.chain) == (machine, chain)),
        default=0,
    )
