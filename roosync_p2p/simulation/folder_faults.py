"""What happens to the shared folder of a world, beside everything that happens to machines and links.

All that such a folder does to files (docs/protocol/folder.md §1) happens in some world: to changes on their way, and to
the directories of single machines. The folder has dice of its own, so worlds without one are as they would be without
this.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from roosync_p2p.core.memory_folder import ShareFaults
from roosync_p2p.errors import FolderError
from roosync_p2p.gossip.folder_paths import ROOT, heartbeat_path
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.member import Member

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["FOLDER_WANTED_IN_100", "heal_folder", "plan_folder", "tell_folder"]

FIRST_S: Final = 5.0  # before that nobody has looked
LAGS_S: Final = ((0.0, 0.5), (0.0, 5.0), (0.0, 20.0), (5.0, 60.0), (5.0, 1800.0))
ONLINE_ONLY_S: Final = 5.0  # what reading such a file takes at most
JUNK: Final = ("desktop.ini", ".tmp.driveupload/1734", "~$heartbeat", ".DS_Store", "Thumbs.db")
# How often each has to happen in a hundred seeds: a third of what is usual.
FOLDER_WANTED_IN_100: Final[Mapping[str, int]] = {
    "folder": 25,
    "folder with cuts": 8,
    "folder with sleep": 4,
    "folder with an old disk": 3,
    "folder lag above 5 s": 10,
    "folder lag of minutes": 2,
    "folder_alone": 3,
    "folder_blocked": 3,
    "folder_full": 3,
    "folder_held": 3,
    "folder_held_file": 3,
    "folder_junk": 3,
    "folder_local": 3,
    "folder_misplaced": 3,
    "folder_online_only": 3,
    "folder_read_only": 3,
    "folder_stopped": 3,
    "folder_vanished": 3,
    "change conflict_conflicted": 100,
    "change conflict_copy": 100,
    "change conflict_numbered": 100,
    "change halved": 300,
    "change lost": 30,
    "change overtaken": 60,
    "change renamed": 30,
    "change rolled_back": 30,
    "entries that came by the folder": 30,
    "files removed from the folder": 5,
    "messages by the folder alone": 10,
}

_End = Callable[[], None]
_Kind = Callable[["World", Member, Dice], _End]


def plan_folder(world: World, dice: Dice) -> None:
    """A lag and faults of the medium for the whole run, and a few things that happen to single machines."""
    assert world.fleet.share is not None
    lag_s = dice.choose(LAGS_S)
    world.fleet.share.faults = ShareFaults(
        lag_s=lag_s,
        doubled=dice.between(0, 0.4),
        halved=dice.between(0, 0.4),
        renamed=dice.between(0, 0.4),
        lost=dice.choose((0.0, 0.0, 0.2)),
        rolled_back=dice.between(0, 0.3),
    )
    active = world.watch.active
    active["folder"] += 1
    active["folder lag above 5 s"] += lag_s[1] > 5.0
    active["folder lag of minutes"] += lag_s[1] > 60.0
    for _ in range(dice.integer(1, 5)):
        kind = dice.choose(sorted(_KINDS))
        own = Dice.of(world.seed, f"folder {kind} {dice.integer(0, 1_000_000)}")
        at_s = FIRST_S + dice.between(0, world.plan.faulty_s)
        world.later(at_s, functools.partial(_happen, world, kind, own))


def heal_folder(world: World) -> None:
    """The medium works, and everybody has it. What was on its way arrives when it arrives."""
    share = world.fleet.share
    if share is None:
        return
    share.faults = ShareFaults(lag_s=(0.0, 0.5))
    share.stopped = False
    for member in world.fleet.members.values():
        _mend(member)


def tell_folder(world: World) -> None:
    """Counts what came of it, at the end of a run."""
    share, active = world.fleet.share, world.watch.active
    if share is None:
        return
    active.update({f"change {what}": count for what, count in share.happened.items()})
    active["entries that came by the folder"] += sum(member.by_folder for member in world.fleet.members.values())
    active["files removed from the folder"] += world.watch.folder.checker.removals
    active["folder with cuts"] += any(active[kind] for kind in ("cut", "partition", "isolation", "one_way_cut"))
    active["folder with sleep"] += bool(active["sleep"])
    active["folder with an old disk"] += bool(active["restored_disk"])


def _happen(world: World, kind: str, dice: Dice) -> None:
    member = world.fleet.members[dice.choose(list(world.fleet.members))]
    if member.folder is None or world.healing:
        return
    end = _KINDS[kind](world, member, dice)
    world.watch.active[f"folder_{kind}"] += 1
    world.later(dice.between(3, 20), end)


# --- the whole directory of a machine -------------------------------------------------------------------------------


def _set(name: str, value: object, _world: World, member: Member, _dice: Dice) -> _End:
    setattr(member.folder, name, value)
    return functools.partial(_mend, member)


def _blocked(world: World, member: Member, dice: Dice) -> _End:
    """A call that does not come back, for longer than anything else lasts here."""
    assert member.folder is not None
    member.folder.blocked = True
    folder = member.folder
    world.later(dice.between(20, 60), lambda: setattr(folder, "blocked", False))
    return lambda: None


def _stopped(world: World, _member: Member, _dice: Dice) -> _End:
    """The program that synchronises does not run, anywhere: nothing is carried."""
    share = world.fleet.share
    assert share is not None
    share.stopped = True
    return lambda: setattr(share, "stopped", False)


def _alone(world: World, member: Member, dice: Dice) -> _End:
    """No link leads to a machine for long: all that it says and hears goes through the folder."""
    layer = world.fleet.isolate(member.name)
    world.later(dice.between(15, 40), lambda: world.fleet.paths.remove(layer))
    for _ in range(2):
        if member.running and not member.paused:
            world.workload.send_from(member)
    return lambda: None


# --- single files ---------------------------------------------------------------------------------------------------


def _held_file(_world: World, member: Member, dice: Dice) -> _End:
    """An antivirus, an indexer, the synchroniser itself hold some files open; the machine's own among them."""
    folder = member.folder
    assert folder is not None
    paths = sorted(folder.files)
    folder.held_open = {heartbeat_path(member.identity.machine), *dice.sample(paths, 1 + len(paths) // 3)}
    return folder.held_open.clear


def _online_only(_world: World, member: Member, dice: Dice) -> _End:
    """Files of which only the name is there: the first reading of each takes seconds."""
    folder = member.folder
    assert folder is not None
    folder.announced = {path: dice.between(0.5, ONLINE_ONLY_S) for path in sorted(folder.files) if dice.chance(0.5)}
    return folder.announced.clear


def _junk(_world: World, member: Member, dice: Dice) -> _End:
    """What other programs leave lying about, at every level; it stays."""
    folder = member.folder
    assert folder is not None
    parts = sorted({path.rsplit("/", 1)[0] for path in folder.files} | {ROOT, f"{ROOT}/{member.identity.machine}"})
    for part in dice.sample(parts, 3):
        for name in dice.sample(JUNK, 2):
            folder.files[f"{part}/{name}"] = b"[.ShellClassInfo]\r\n"
    return lambda: None


def _misplaced(world: World, member: Member, dice: Dice) -> _End:
    """Somebody moves files about: one machine's lie in another's part, as that machine or somebody else sees it."""
    folder = member.folder
    assert folder is not None
    machines = [str(machine) for machine in world.fleet.keys.identities]
    source, target = dice.sample(machines, 2)
    if dice.chance(0.5) and member.identity.machine != source:
        target = str(member.identity.machine)
    begin = f"{ROOT}/{source}/"
    for path, data in sorted(folder.files.items()):
        if path.startswith(begin):
            folder.files[f"{ROOT}/{target}/{path.removeprefix(begin)}"] = data
    return lambda: None


def _mend(member: Member) -> None:
    folder = member.folder
    if folder is not None:
        folder.vanished = folder.local = folder.blocked = False
        folder.fault = folder.write_fault = None
        folder.held_open.clear()
        folder.announced.clear()


_KINDS: Final[dict[str, _Kind]] = {
    "alone": _alone,
    "blocked": _blocked,
    "full": functools.partial(_set, "write_fault", FolderError("no space is left", code="folder_full")),
    "held": functools.partial(_set, "fault", FolderError("another program holds it", code="folder_busy")),
    "held_file": _held_file,
    "junk": _junk,
    "local": functools.partial(_set, "local", True),
    "misplaced": _misplaced,
    "online_only": _online_only,
    "read_only": functools.partial(_set, "write_fault", FolderError("it may not be written", code="folder_read_only")),
    "stopped": _stopped,
    "vanished": functools.partial(_set, "vanished", True),
}
