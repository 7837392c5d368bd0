"""What can happen to machines and their network, each kind a function that lets it happen and end.

A fault picks whom it hits from those it can hit at that moment; if there is nobody, it does not happen and is not
counted. Everything has an end within the faulty part of a run, or is ended by healing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from roosync_p2p.core.memory_faults import PathFault
from roosync_p2p.errors import StoreError
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.member import CrashPoint, Member

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["KINDS", "ORDER", "RARE", "USUAL", "Fault"]

DATED_JUMP_S: Final = 3.0  # clocks are set by no more where the dates of certificates matter
Fault = Callable[["World", Dice], bool]


# --- the network --------------------------------------------------------------------------------------------------


def loss(world: World, dice: Dice) -> bool:
    """Transmissions get lost, everywhere."""
    return _layer(world, dice, PathFault(loss=dice.between(0.05, 0.25)), dice.between(5, 20))


def storm(world: World, dice: Dice) -> bool:
    """Most transmissions get lost on a few ways."""
    ways = _some_ways(world, dice)
    layer = world.fleet.paths.add(ways, PathFault(loss=dice.between(0.4, 0.8), delay_s=dice.between(0, 0.5)))
    world.later(dice.between(3, 15), lambda: world.fleet.paths.remove(layer))
    return bool(ways)


def delay(world: World, dice: Dice) -> bool:
    """Everything takes longer, unevenly."""
    fault = PathFault(delay_s=dice.between(0, 0.25), jitter_s=dice.between(0, 0.25))
    return _layer(world, dice, fault, dice.between(5, 25))


def duplication(world: World, dice: Dice) -> bool:
    """Frames arrive twice."""
    return _layer(world, dice, PathFault(duplicate=dice.between(0.05, 0.4)), dice.between(5, 25))


def reordering(world: World, dice: Dice) -> bool:
    """Frames overtake each other."""
    fault = PathFault(reorder=dice.between(0.05, 0.4), jitter_s=dice.between(0.0, 0.05))
    return _layer(world, dice, fault, dice.between(5, 25))


def one_way_cut(world: World, dice: Dice) -> bool:
    """Nothing passes from one machine to another, the other direction is open."""
    ways = _some_ways(world, dice)[:1]
    layer = world.fleet.paths.add(ways, PathFault(cut=True))
    world.later(dice.between(3, 20), lambda: world.fleet.paths.remove(layer))
    return bool(ways)


def cut(world: World, dice: Dice) -> bool:
    """Two machines cannot reach each other; others reach both."""
    pair = dice.sample(list(world.fleet.members), 2)
    layer = world.fleet.cut(*pair, both_ways=True)
    world.later(dice.between(3, 25), lambda: world.fleet.paths.remove(layer))
    return True


def partition(world: World, dice: Dice) -> bool:
    """The fleet falls into two parts."""
    names = list(world.fleet.members)
    group = dice.sample(names, dice.integer(1, max(1, len(names) - 1)))
    layer = world.fleet.partition(group)
    world.later(dice.between(3, 25), lambda: world.fleet.paths.remove(layer))
    return True


def isolation(world: World, dice: Dice) -> bool:
    """One machine is cut off from everybody."""
    layer = world.fleet.isolate(dice.choose(list(world.fleet.members)))
    world.later(dice.between(3, 25), lambda: world.fleet.paths.remove(layer))
    return True


def firewall(world: World, dice: Dice) -> bool:
    """A machine lives and is linked, and refuses whoever dials it."""
    member = _steady(world, dice)
    if member is None or member.transport is None:
        return False
    transport = member.transport
    transport.refusing = True
    world.watch.truth.firewalled(member.name)

    def open_again() -> None:
        transport.refusing = False
        world.watch.truth.opened(member.name)

    world.later(dice.between(3, 15), open_again)
    return True


# --- crashes ------------------------------------------------------------------------------------------------------


def kill(world: World, dice: Dice) -> bool:
    """SIGKILL: the kernel resets its connections."""
    member = _steady(world, dice)
    if member is None:
        return False
    member.crash(keep=dice.integer(0, 3))
    world.restart_later(member, dice.between(0.2, 15))
    return True


def power_loss(world: World, dice: Dice) -> bool:
    """The computer is gone without a word, with all that was not synced."""
    member = _steady(world, dice)
    if member is None:
        return False
    world.fleet.power_off(member.name, keep=dice.integer(0, 2))
    world.restart_later(member, dice.between(1, 15))
    return True


def crash_written(world: World, dice: Dice) -> bool:
    """The node dies with rows handed to the disk and not synced: some survive, some do not."""
    return _crash_at(world, dice, CrashPoint.WRITTEN)


def crash_synced(world: World, dice: Dice) -> bool:
    """The node dies between persist and send."""
    return _crash_at(world, dice, CrashPoint.SYNCED)


def crash_releasing(world: World, dice: Dice) -> bool:
    """The node dies in the middle of sending."""
    return _crash_at(world, dice, CrashPoint.RELEASING)


# --- standing still -----------------------------------------------------------------------------------------------


def pause(world: World, dice: Dice) -> bool:
    """SIGSTOP, a swap storm: the program stands still and goes on."""
    member = _steady(world, dice)
    if member is None:
        return False
    member.pause()
    world.watch.truth.stopped(member.name, "paused")
    world.unpause_later(member, dice.choose((dice.between(0.2, 3), dice.between(3, 14))))
    return True


def sleep(world: World, dice: Dice) -> bool:
    """The computer is suspended and goes on."""
    member = _steady(world, dice)
    if member is None:
        return False
    world.fleet.sleep(member.name)
    world.watch.truth.stopped(member.name, "asleep")
    world.wake_later(member, dice.choose((dice.between(0.5, 4), dice.between(4, 25))))
    return True


def leave(world: World, dice: Dice) -> bool:
    """An orderly stop, and a start later."""
    member = _steady(world, dice)
    if member is None:
        return False
    world.leave(member)
    world.restart_later(member, dice.between(1, 15))
    return True


# --- whoever leads the order ---------------------------------------------------------------------------------------


def lost_leader(world: World, dice: Dice) -> bool:
    """The leader is cut off, stands still, sleeps or dies while users ask for something: its tail is nobody else's."""
    member = world.voting.leader()
    if member is None or member.name in world.busy:
        return False
    dice.choose((_cut_off_leader, _cut_off_leader, _dying_leader, _paused_leader, _sleeping_leader))(
        world, member, dice
    )
    return True


def _cut_off_leader(world: World, member: Member, dice: Dice) -> None:
    for_s = dice.between(2, 8)
    layer = world.fleet.isolate(member.name)
    world.later(for_s, lambda: world.fleet.paths.remove(layer))
    for _ in range(dice.integer(1, 3)):
        world.users.ask_from(member)
    world.later(dice.between(0.5, 2), lambda: world.users.read(member))


def _dying_leader(world: World, member: Member, dice: Dice) -> None:
    member.crash_point = dice.choose(list(CrashPoint))
    member.crash_keep = dice.integer(0, 2)
    world.restart_later(member, dice.between(0.5, 8))
    for _ in range(dice.integer(1, 3)):
        world.users.ask_from(member)


def _paused_leader(world: World, member: Member, dice: Dice) -> None:
    """Its program stands still for longer than the others wait for it."""
    member.pause()
    world.watch.truth.stopped(member.name, "paused")
    _overtaken(world, member, dice, dice.between(2, 8))


def _sleeping_leader(world: World, member: Member, dice: Dice) -> None:
    """Its monotonic clock stood still: by its own timers it leads as it did a moment ago."""
    world.fleet.sleep(member.name)
    world.watch.truth.stopped(member.name, "asleep")
    _overtaken(world, member, dice, dice.between(2, 12))


def _overtaken(world: World, member: Member, dice: Dice, for_s: float) -> None:
    """Others go on under another leader; a reader waits in its socket, and is answered as soon as it wakes."""
    world.unpause_later(member, for_s)
    for _ in range(dice.integer(1, 4)):
        world.later(for_s * dice.between(0.3, 0.9), lambda: world.users.ask_besides(member))
    world.later(for_s - 0.05, lambda: world.users.read(member))


def late_answers(world: World, dice: Dice) -> bool:
    """The lead goes away and comes back, while what one voter answered in the first term is on its way.

    What that voter is told in the leader's second term takes as long: it has acknowledged nothing of that term yet
    when its old answers arrive.
    """
    leader, others = world.voting.leader(), world.voting.others()
    if leader is None or len(others) < 2:
        return False
    late, third = dice.sample(others, 2)
    away_s, back_s = dice.between(0.1, 0.5), dice.between(0.8, 1.4)
    _slow_for(world, (late, leader), dice.between(1.5, 2.5), 4.0)
    world.users.ask_from(leader)
    world.later(away_s, lambda: world.voting.transfer_to(third))
    world.later(back_s, lambda: _slow_for(world, (leader, late), 2.0, 3.0))
    world.later(back_s, lambda: world.voting.transfer_to(leader))
    return True


def _slow_for(world: World, way: tuple[Member, Member], delay_s: float, for_s: float) -> None:
    source, target = way
    layer = world.fleet.paths.add([(source.name, target.name)], PathFault(delay_s=delay_s))
    world.later(for_s, lambda: world.fleet.paths.remove(layer))


def voters(world: World, dice: Dice) -> bool:
    """Somebody becomes a voter, or is one no longer; where an autopilot decides that, nobody else does."""
    return not world.autopilot and world.voting.change(dice)


def hand_over(world: World, dice: Dice) -> bool:
    """The leader hands its lead to another voter."""
    return world.voting.hand_over(dice)


# --- disks and clocks ---------------------------------------------------------------------------------------------


def slow_disk(world: World, dice: Dice) -> bool:
    """Commits take long."""
    member = _steady(world, dice)
    if member is None:
        return False
    usual, member.commit_s = member.commit_s, dice.between(0.05, 1.5)
    world.later(dice.between(4, 20), lambda: setattr(member, "commit_s", usual))
    return True


def stalled_disk(world: World, dice: Dice) -> bool:
    """Nothing is synced for a while: an antivirus holds the file."""
    member = _steady(world, dice)
    if member is None:
        return False
    member.disk_stalled = True
    world.later(dice.between(1, 15), lambda: setattr(member, "disk_stalled", False))
    return True


def full_disk(world: World, dice: Dice) -> bool:
    """Every commit is refused for a while."""
    member = _steady(world, dice)
    if member is None:
        return False
    member.disk.fault = StoreError("the disk is full; nothing was stored", code="disk_full")
    world.later(dice.between(1, 12), lambda: setattr(member.disk, "fault", None))
    return True


def clock_jump(world: World, dice: Dice) -> bool:
    """Somebody sets the wall clock of a running machine."""
    member = _steady(world, dice)
    if member is None:
        return False
    jump_s = dice.choose((-1, 1)) * dice.choose((0.5, 3, 60, 7200, 400_000))
    if world.fleet.dated and abs(jump_s) > DATED_JUMP_S:
        return False  # whose clock is that wrong is refused everywhere, and rightly
    member.clock.offset_ms += round(1000 * jump_s)
    return True


# --- homes --------------------------------------------------------------------------------------------------------


def restored_disk(world: World, dice: Dice) -> bool:
    """A computer gets back an older state of its disk."""
    member = _steady(world, dice)
    if member is None or world.homes.touched or world.keys.has_new_key(member):
        return False
    world.homes.restore(member, backup_for_s=dice.between(1, 12), down_for_s=dice.between(0.5, 6))
    return True


def copied_home(world: World, dice: Dice) -> bool:
    """A home is copied to a second computer: both run, or one after the other."""
    member = _steady(world, dice)
    if member is None or world.homes.touched or world.keys.has_new_key(member):
        return False
    both = dice.chance(0.5)
    world.homes.copy(member, after_s=dice.between(0, 8), both=both, for_s=dice.between(6, 15))
    return True


def late_joiner(world: World, dice: Dice) -> bool:
    """An issuer admits a machine, which then starts for the first time."""
    return world.admit_next(dice.between(0.1, 3))


def forgery(world: World, dice: Dice) -> bool:
    """Somebody puts something on a link that its machine never said."""
    member = _steady(world, dice)
    if member is None:
        return False
    for number in range(dice.integer(1, 3)):
        world.later(dice.between(0, 4) + number, lambda: world.adversary.attack(member, dice))
    return True


# --- tables -------------------------------------------------------------------------------------------------------

USUAL: Final[dict[str, Fault]] = {
    fault.__name__: fault
    for fault in (
        *(loss, storm, delay, duplication, reordering, one_way_cut, cut, partition, isolation, firewall),
        *(kill, power_loss, crash_written, crash_synced, crash_releasing, pause, sleep, leave),
        *(slow_disk, stalled_disk, full_disk, clock_jump, late_joiner, forgery),
    )
}
RARE: Final[dict[str, Fault]] = {fault.__name__: fault for fault in (restored_disk, copied_home)}
ORDER: Final[dict[str, Fault]] = {fault.__name__: fault for fault in (lost_leader, late_answers, voters, hand_over)}
KINDS: Final[dict[str, Fault]] = {**USUAL, **RARE, **ORDER}


def _layer(world: World, dice: Dice, fault: PathFault, for_s: float) -> bool:
    """On all ways, or on some."""
    everywhere = dice.chance(0.5)
    layer = world.fleet.everywhere(fault) if everywhere else world.fleet.paths.add(_some_ways(world, dice), fault)
    world.later(for_s, lambda: world.fleet.paths.remove(layer))
    return True


def _some_ways(world: World, dice: Dice) -> list[tuple[str, str]]:
    names = list(world.fleet.members)
    ways = [(one, other) for one in names for other in names if one != other]
    return dice.sample(ways, dice.integer(1, max(1, len(ways) // 2)))


def _steady(world: World, dice: Dice) -> Member | None:
    """A member that runs and to which nothing is happening that it must be woken or restarted from."""
    steady = [member for member in world.fleet.running() if member.name not in world.busy]
    return dice.choose(steady) if steady else None


def _crash_at(world: World, dice: Dice, point: CrashPoint) -> bool:
    """Armed; the next commit of that member is its last. A message makes sure that there is one."""
    member = _steady(world, dice)
    if member is None:
        return False
    member.crash_point = point
    member.crash_keep = dice.integer(0, 2)
    world.workload.send_from(member)
    world.restart_later(member, dice.between(1, 10))
    return True
