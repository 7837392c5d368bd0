"""The order of one machine's heartbeats, and what contradicts it (docs/protocol/liveness.md §7).

Two programs under one machine id show in two ways: two boot ids with one start number, or an older start whose
counter still advances. A heartbeat of an older start that merely comes late is neither: it was signed before the newer
start began, and what is on its way is over after a while.
"""

from __future__ import annotations

import dataclasses
import math
from enum import Enum, auto

from roosync_p2p import limits
from roosync_p2p.clock import Now
from roosync_p2p.liveness.heartbeat import Heartbeat, Version
from roosync_p2p.liveness.verdicts import Reason

__all__ = ["Place", "Starts"]


class Place(Enum):
    """Where a heartbeat stands in the order of its machine's."""

    NEW_START = auto()
    NEWER = auto()
    KNOWN = auto()  # not newer, of the newest start
    OLD_START = auto()
    CONFLICT = auto()


@dataclasses.dataclass(slots=True)
class _OldStart:
    boot: bytes
    counter: int
    advances: int = 0


class Starts:
    """The newest start of one machine, and a few before it."""

    def __init__(self) -> None:
        self.start = 0
        self.boot = b""
        self.counter = -1
        self.conflict: Reason | None = None  # why the last CONFLICT was one
        self._first_heard_s = -math.inf
        self._first_wall_ms = 0
        self._old: dict[int, _OldStart] = {}

    @property
    def version(self) -> Version:
        """(start, counter) of the newest heartbeat; (0, -1) before the first."""
        return self.start, self.counter

    def begin(self, *, start: int, boot: bytes, wall_ms: int, now: Now) -> None:
        """A start newer than all before, first heard of now; ``wall_ms`` is what it signed first."""
        if self.start:
            self._remember(self.start, _OldStart(self.boot, self.counter))
        self.start, self.boot, self.counter = start, boot, -1
        self._first_heard_s = now.monotonic_s
        self._first_wall_ms = wall_ms
        for old in self._old.values():
            old.advances = 0

    def place(self, heartbeat: Heartbeat, *, direct: bool, now: Now) -> Place:
        """Takes a validated heartbeat into the order and says where it stands."""
        if heartbeat.start > self.start:
            self.begin(start=heartbeat.start, boot=heartbeat.boot, wall_ms=heartbeat.wall_ms, now=now)
            self.counter = heartbeat.counter
            return Place.NEW_START
        if heartbeat.start < self.start:
            return self._place_old(heartbeat, direct=direct, now=now)
        if heartbeat.boot != self.boot:
            self.conflict = Reason.TWO_BOOTS
            return Place.CONFLICT
        if heartbeat.counter <= self.counter:
            return Place.KNOWN
        self.counter = heartbeat.counter
        return Place.NEWER

    def _place_old(self, heartbeat: Heartbeat, *, direct: bool, now: Now) -> Place:
        old = self._old.get(heartbeat.start)
        if old is None:
            # The first sight of an older start proves nothing: it may be a replay of a time before this node's.
            self._remember(heartbeat.start, _OldStart(heartbeat.boot, heartbeat.counter))
            return Place.OLD_START
        if old.boot != heartbeat.boot:
            self.conflict = Reason.TWO_BOOTS
            return Place.CONFLICT
        if heartbeat.counter <= old.counter:
            return Place.OLD_START
        old.counter = heartbeat.counter
        grace_s = limits.OLD_START_GRACE_DIRECT_S if direct else limits.OLD_START_GRACE_S
        on_its_way = now.monotonic_s < self._first_heard_s + grace_s
        made_before = not direct and heartbeat.wall_ms <= self._first_wall_ms
        if on_its_way or made_before:
            return Place.OLD_START
        old.advances += 1
        if old.advances < limits.OLD_START_ADVANCES:
            return Place.OLD_START
        self.conflict = Reason.OLD_START_ADVANCES
        return Place.CONFLICT

    def _remember(self, start: int, old: _OldStart) -> None:
        self._old[start] = old
        while len(self._old) > limits.OLD_STARTS_MAX:
            del self._old[min(self._old)]
