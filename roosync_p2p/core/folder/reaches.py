"""Who is reached how, and how busy the folder has to be for that (docs/protocol/folder.md §4)."""

from __future__ import annotations

import math
from collections.abc import Callable

from roosync_p2p import limits
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.links import Links
from roosync_p2p.core.presence import Presence
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.verdicts import State

__all__ = ["Reaches"]

_GONE = (State.OFFLINE, State.LEAVING)


class Reaches:
    """Which members links reach, directly or through a peer.

    Attributes:
        opened_s: since when there is a folder; a node that knows nobody yet may learn of them there.
    """

    def __init__(self, desk: Desk, links: Links, presence: Presence, *, ended: Callable[[MachineId], bool]) -> None:
        self._desk = desk
        self._links = links
        self._presence = presence
        self._ended = ended
        self.opened_s = -math.inf
        self._alone_since: dict[MachineId, float] = {}

    def others(self) -> list[MachineId]:
        """All other members, but who left or was retired: nobody waits for those."""
        return [m for m in self._desk.directory.members if m != self._desk.me and not self._ended(m)]

    def linked(self, machine: MachineId) -> bool:
        """Whether a link leads to that machine, or one to a peer that hears it."""
        peers = self._links.peers()
        return machine in peers or any(machine in self._presence.hears(peer) for peer in peers)

    def by_folder_alone(self, machine: MachineId) -> bool:
        """Whether no link reaches a machine that is there, as far as the folder shows."""
        return not self.linked(machine) and self._in_folder(machine) and machine in self._needy()

    def needs_folder(self) -> bool:
        """Whether somebody who may be awake is reached no other way."""
        return bool(self._needy())

    def cadence_s(self) -> float:
        """How often the heartbeat file is written."""
        needy = self._needy()
        now_s = self._desk.now.monotonic_s
        if any(now_s < self._alone_since[machine] + limits.FOLDER_FAST_FOR_S for machine in needy):
            return limits.FOLDER_CADENCE_FAST_S
        if any(self._in_folder(machine) for machine in needy):
            return limits.FOLDER_CADENCE_FAST_S
        return limits.FOLDER_CADENCE_S if needy else limits.FOLDER_CADENCE_REST_S

    def look_s(self) -> float:
        """How often the folder is looked into."""
        newly = not self._links.peers() and self._desk.now.monotonic_s < self.opened_s + limits.FOLDER_FAST_FOR_S
        fast = newly or self.cadence_s() == limits.FOLDER_CADENCE_FAST_S
        return limits.FOLDER_LOOK_FAST_S if fast else limits.FOLDER_LOOK_S

    def tick(self) -> None:
        """Notes since when whom no link reaches."""
        now_s = self._desk.now.monotonic_s
        for machine in self.others():
            if self.linked(machine):
                self._alone_since.pop(machine, None)
            else:
                self._alone_since.setdefault(machine, now_s)

    def _needy(self) -> list[MachineId]:
        """Whom no link reaches, and who is not known to be gone."""
        return [
            machine
            for machine in self._alone_since
            if machine in self._desk.directory.members
            and not self._ended(machine)
            and self._presence.liveness.verdict(machine, self._desk.now).state not in _GONE
        ]

    def _in_folder(self, machine: MachineId) -> bool:
        verdict = self._presence.liveness.verdict(machine, self._desk.now)
        return verdict.evidence.path == "folder"
