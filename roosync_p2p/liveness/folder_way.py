"""The shared folder as a way by which heartbeats come (docs/protocol/liveness.md §9): facts in, tracks looked at.

A part of :class:`~roosync_p2p.liveness.detector.Liveness`, which owns the tracks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from roosync_p2p.clock import Now
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.folder import FolderSense
from roosync_p2p.liveness.heartbeat import Heartbeat
from roosync_p2p.liveness.reception import receive_in_folder
from roosync_p2p.liveness.track import Track
from roosync_p2p.liveness.verdicts import Heard

__all__ = ["FolderWay"]


class FolderWay:
    """What comes through the folder.

    Args:
        sense: shared with the tracks.
        tracks: of all machines.
        look: brings one up to date.
        own_offset_s: how far this node's wall clock is ahead of the fleet's.
    """

    def __init__(
        self,
        sense: FolderSense,
        tracks: Mapping[MachineId, Track],
        *,
        look: Callable[[Track, float], None],
        own_offset_s: Callable[[Now], float],
    ) -> None:
        self._sense = sense
        self._tracks = tracks
        self._look = look
        self._own_offset_s = own_offset_s

    def heard(self, heartbeat: Heartbeat, *, cadence_s: float, proved_s: float | None, now: Now) -> Heard:
        """The heartbeat in a machine's newest file.

        Args:
            heartbeat: validated, its signature checked, of another machine.
            cadence_s: how often that machine writes its file, as the file says.
            proved_s: it was made after that, as the echo of a probe proves (monotonic seconds).
            now: the time of receipt.
        """
        track = self._tracks.get(MachineId(heartbeat.machine))
        if track is None:
            return Heard.FOREIGN
        self._sense.announced(track.machine, cadence_s)
        heard = receive_in_folder(track, heartbeat, proved_s=proved_s, own_offset_s=self._own_offset_s(now), now=now)
        if track.in_folder is not None:
            self._sense.shows(track.machine, track.in_folder.sent_s)
        for other in self._tracks.values():  # it may be what proves that another one is gone
            if other is track or self._sense.uses(other.machine):
                self._look(other, now.monotonic_s)
        return heard

    def measured(self, *, lag_s: float, late_s: float, stalled: bool, now: Now) -> None:
        """How late the folder is, how late at worst, and whether nothing new comes through it any more."""
        self._sense.measured(lag_s=lag_s, late_s=late_s, stalled=stalled)
        for track in self._tracks.values():
            if self._sense.uses(track.machine):
                self._look(track, now.monotonic_s)

    def age_s(self, machine: MachineId, now: Now) -> float | None:
        """How long ago a machine's newest file was made, where its clock was compared over a link."""
        track = self._tracks.get(machine)
        if track is None or track.in_folder is None or track.sent_times.offset_s is None:
            return None
        return max(now.monotonic_s - track.in_folder.sent_s, 0.0)
