"""At the end of some worlds no link leads anywhere: what is said then reaches everybody by the shared folder alone.

Within the folder's own lag, and the time until a link is known to be gone, a file is planned and it is looked at
(docs/protocol/folder.md §6 and §7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from roosync_p2p.core.memory_faults import PathFault
from roosync_p2p.core.memory_folder import ShareFaults
from roosync_p2p.simulation import inspection
from roosync_p2p.simulation.dice import Dice

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["FOLDER_EPILOGUE_CHANCE", "FolderEpilogue"]

FOLDER_EPILOGUE_CHANCE: Final = 0.4  # of the worlds with a folder
GONE_S: Final = 16.0  # until every link is known to be gone, and a peer does not hear through another any more
LAG_S: Final = 5.0
WITHIN_S: Final = 45.0  # the lag; half as much for a file that is first half there; planning, writing, looking
SAID_MAX: Final = 3


class FolderEpilogue:
    """One such test, drawn from the world's seed."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._dice = dice

    def play(self) -> None:
        """Runs it; what does not come is found."""
        world = self._world
        assert world.fleet.share is not None
        world.fleet.share.faults = ShareFaults(
            lag_s=(0.0, LAG_S), doubled=0.3, halved=0.5, renamed=0.2, rolled_back=0.3
        )
        layer = world.fleet.everywhere(PathFault(cut=True))
        world.fleet.run(GONE_S)
        before = world.watch.delivery.count()
        for member in self._dice.sample(world.fleet.running(), SAID_MAX):
            world.workload.send_to_all(member)
        world.fleet.run(WITHIN_S)
        wanted = world.watch.delivery.count() - before
        missing = world.watch.delivery.missing(inspection.inboxes(world.fleet.running()), since=before)
        found = world.watch.folder.checker.by_folder_alone(wanted, missing, WITHIN_S, world.fleet.now_s)
        world.watch.found(found)
        world.watch.active["messages by the folder alone"] += wanted
        world.fleet.paths.remove(layer)
