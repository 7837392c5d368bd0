"""The sessions of all machines: this one's are told, the others' are known (docs/protocol/gossip.md §6).

A change is told at once after a pause, else once in ``SESSIONS_RECORD_INTERVAL_S``; at rest nothing is. None of it is
written to the disk: a machine that returns tells its own again. A machine that never had a session signs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from roosync_p2p import limits
from roosync_p2p.core.desk import Desk
from roosync_p2p.gossip.sessions import OpenSession, SessionsRecord, fitting
from roosync_p2p.ids import MachineId

__all__ = ["SESSIONS", "ToldSessions"]

SESSIONS: Final = "sessions"


class ToldSessions:
    """The newest list of each machine.

    Args:
        say: signs and sends this machine's list of these sessions and of so many more.
    """

    def __init__(self, desk: Desk, say: Callable[[list[OpenSession], int], None]) -> None:
        self._desk = desk
        self._say = say
        self._mine: tuple[OpenSession, ...] = ()
        self._others: dict[MachineId, SessionsRecord] = {}
        self._dirty = False
        self._say_at = -math.inf

    # --- this machine's -------------------------------------------------------------------------------------------

    def opened(self, sessions: tuple[OpenSession, ...]) -> None:
        """These are open here now."""
        if sessions != self._mine:
            self._mine, self._dirty = sessions, True

    def told_before(self) -> None:
        """Somebody holds a list that an earlier start of this node signed: it is replaced."""
        self._dirty = True

    def next_deadline(self) -> float | None:
        """When the list is to be signed again (monotonic seconds)."""
        return self._say_at if self._dirty else None

    def tick(self) -> None:
        """Tells the others what changed, if it is time. Called only while this machine signs records."""
        if not self._dirty or self._say_at > self._desk.now.monotonic_s:
            return
        self._dirty = False
        self._say_at = self._desk.now.monotonic_s + limits.SESSIONS_RECORD_INTERVAL_S * self._desk.scale
        self._say(*fitting(self._mine))

    # --- the others' ----------------------------------------------------------------------------------------------

    def heard(self, record: SessionsRecord) -> None:
        """A newer list of another machine, checked."""
        machine = MachineId(record.machine)
        self._others[machine] = record
        self._desk.notify("sessions", {"machine": machine, "open": len(record.sessions) + record.more})

    def forget(self, machine: MachineId) -> None:
        """That machine's key is given up."""
        self._others.pop(machine, None)

    def of(self, machine: MachineId) -> SessionsRecord | None:
        """What another machine said last, whatever became of it since."""
        return self._others.get(machine)

    def machines(self) -> list[MachineId]:
        """The others that ever told of sessions."""
        return sorted(self._others)
