"""What the shared folder says of who lives (docs/protocol/liveness.md §9).

A folder is late, by its own measure and unevenly, so its limits grow with its lag, and its silence about one machine
means something only beside what it brought of others: a file of another machine, made later than the one that is
missing could have been and still have come. No clock of this node decides that; a folder that stands still proves
nothing.
"""

from __future__ import annotations

import math

from roosync_p2p import limits
from roosync_p2p.ids import MachineId

__all__ = ["FolderSense"]


class FolderSense:
    """The lag of the folder, and up to when it shows each machine. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._lag_s = 0.0
        self._late_s = 0.0
        self._stalled = False
        self._made_s: dict[MachineId, float] = {}
        self._cadence_s: dict[MachineId, float] = {}

    # --- facts ----------------------------------------------------------------------------------------------------

    def measured(self, *, lag_s: float, late_s: float, stalled: bool) -> None:
        """How late the folder is, how late at worst, and whether nothing new comes through it any more."""
        self._lag_s = lag_s
        self._late_s = max(late_s, lag_s)
        self._stalled = stalled

    def announced(self, machine: MachineId, cadence_s: float) -> None:
        """A machine says how often it writes."""
        self._cadence_s[machine] = cadence_s

    def shows(self, machine: MachineId, made_s: float) -> None:
        """A file of that machine came that was made then."""
        self._made_s[machine] = max(made_s, self._made_s.get(machine, -math.inf))

    def older_by(self, seconds: float) -> None:
        """This node's monotonic clock stood still for so long."""
        for machine, made_s in self._made_s.items():
            self._made_s[machine] = made_s - seconds

    def forget(self, machine: MachineId) -> None:
        """It is no member any more."""
        self._made_s.pop(machine, None)
        self._cadence_s.pop(machine, None)

    # --- limits ---------------------------------------------------------------------------------------------------

    def suspect_s(self, machine: MachineId) -> float:
        """Without a newer file until suspect."""
        return max(limits.FOLDER_SUSPECT_S + self._lag_s, self._cadence(machine) + 2 * self._late_s)

    def offline_s(self, machine: MachineId) -> float:
        """Without a newer file until the limit: never less than the announced cadence and three times the worst lag."""
        least_s = self._cadence(machine) + 3 * self._late_s
        return max(limits.FOLDER_OFFLINE_S + 2 * self._lag_s, least_s, self.suspect_s(machine) + limits.FOLDER_LOOK_S)

    def _cadence(self, machine: MachineId) -> float:
        return self._cadence_s.get(machine, limits.FOLDER_CADENCE_S)

    # --- proof ----------------------------------------------------------------------------------------------------

    @property
    def stalled(self) -> bool:
        """Whether nothing new comes through the folder any more."""
        return self._stalled

    def uses(self, machine: MachineId) -> bool:
        """Whether that machine was ever seen in the folder: of others its silence there says nothing."""
        return machine in self._made_s

    def proves_gone(self, machine: MachineId, last_sent_s: float) -> bool:
        """Whether files of others, made a whole limit after that machine's last sign of life, have come without it."""
        if not self.uses(machine):
            return False
        others_s = max((made_s for other, made_s in self._made_s.items() if other != machine), default=-math.inf)
        return others_s >= last_sent_s + self.offline_s(machine)
