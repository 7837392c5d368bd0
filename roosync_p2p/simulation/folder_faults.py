"""What happens to the shared folder of a world, beside everything that happens to machines and links.

The folder has dice of its own, so worlds without one are as they would be without this.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from roosync_p2p.core.memory_folder import MemoryFolder, ShareFaults
from roosync_p2p.errors import FolderError
from roosync_p2p.simulation.dice import Dice

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["heal_folder", "plan_folder"]

FIRST_S: Final = 5.0  # before that nobody has looked


def plan_folder(world: World, dice: Dice) -> None:
    """A lag and faults of the medium for the whole run, and a few things that happen to single machines."""
    assert world.fleet.share is not None
    lag_s = dice.choose((0.5, 5.0, 20.0))
    world.fleet.share.faults = ShareFaults(
        lag_s=(0.0, lag_s),
        doubled=dice.between(0, 0.4),
        halved=dice.between(0, 0.4),
        lost=dice.choose((0.0, 0.0, 0.2)),
        rolled_back=dice.between(0, 0.3),
    )
    world.watch.active["folder"] += 1
    for _ in range(dice.integer(0, 3)):
        kind = dice.choose(sorted(_KINDS))
        own = Dice.of(world.seed, f"folder {kind} {dice.integer(0, 1_000_000)}")
        at_s = FIRST_S + dice.between(0, world.plan.faulty_s)
        world.later(at_s, functools.partial(_happen, world, kind, own))


def heal_folder(world: World) -> None:
    """The medium works, and everybody has it."""
    share = world.fleet.share
    if share is None:
        return
    share.faults = ShareFaults(lag_s=(0.0, 0.5))
    share.stopped = False
    for member in world.fleet.members.values():
        if member.folder is not None:
            _mend(member.folder)


def _happen(world: World, kind: str, dice: Dice) -> None:
    machine = dice.choose(list(world.fleet.members))
    folder = world.fleet.members[machine].folder
    if folder is None:
        return
    _KINDS[kind](folder)
    world.watch.active[f"folder_{kind}"] += 1
    world.later(dice.between(3, 20), lambda: _mend(folder))


def _vanished(folder: MemoryFolder) -> None:
    folder.vanished = True


def _local(folder: MemoryFolder) -> None:
    folder.local = True


def _full(folder: MemoryFolder) -> None:
    folder.write_fault = FolderError("no space is left", code="folder_full")


def _held(folder: MemoryFolder) -> None:
    folder.fault = FolderError("another program holds it", code="folder_busy")


def _mend(folder: MemoryFolder) -> None:
    folder.vanished = folder.local = False
    folder.fault = folder.write_fault = None


_KINDS: Final[dict[str, Callable[[MemoryFolder], None]]] = {
    "full": _full,
    "held": _held,
    "local": _local,
    "vanished": _vanished,
}
