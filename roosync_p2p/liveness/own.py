"""This machine in its own view: online, unless another program speaks under its id."""

from __future__ import annotations

from roosync_p2p.clock import Now
from roosync_p2p.ids import BootId, MachineId
from roosync_p2p.liveness.heartbeat import Heartbeat
from roosync_p2p.liveness.starts import Place, Starts
from roosync_p2p.liveness.track import Conflict
from roosync_p2p.liveness.verdicts import Change, Evidence, Heard, Path, Reason, State, Verdict

__all__ = ["OwnIdentity"]


class OwnIdentity:
    """Watches what others pass on under this machine's id."""

    def __init__(self, me: MachineId) -> None:
        self._me = me
        self._starts = Starts()
        self._conflict: Conflict | None = None

    def started(self, *, start: int, boot: BootId, now: Now) -> None:
        """The numbers of this start, before the first heartbeat is sent."""
        self._starts.begin(start=start, boot=boot, wall_ms=now.wall_ms, now=now)

    def heard(self, heartbeat: Heartbeat, *, direct: bool, now: Now) -> tuple[Heard, Change | None]:
        """One of this machine's heartbeats came from elsewhere: an echo, an old one, or somebody else's."""
        if not self._starts.start:
            return Heard.DUPLICATE, None
        if heartbeat.start > self._starts.start:
            # Its start number is newer than mine, and I still run.
            return Heard.CONFLICT, self.contradicted(Conflict(Reason.OLD_START_ADVANCES, None))
        place = self._starts.place(heartbeat, direct=direct, now=now)
        if place is Place.CONFLICT:
            assert self._starts.conflict is not None
            return Heard.CONFLICT, self.contradicted(Conflict(self._starts.conflict, None))
        return (Heard.STALE if place is Place.OLD_START else Heard.DUPLICATE), None

    def contradicted(self, conflict: Conflict) -> Change | None:
        """Two things use this id; the change to tell, once."""
        before, self._conflict = self._conflict, conflict
        return None if before is not None else Change(before=State.ONLINE, after=self.verdict(), comebacks=0)

    def settled(self) -> Change | None:
        """The conflict is over; the change to tell."""
        before, self._conflict = self._conflict, None
        return None if before is None else Change(before=State.CONFLICT, after=self.verdict(), comebacks=0)

    def verdict(self) -> Verdict:
        """This machine's verdict on itself."""
        here = Evidence(path=Path.DIRECT, age_s=0.0)
        if self._conflict is not None:
            return Verdict(machine=self._me, state=State.CONFLICT, evidence=here, reason=self._conflict.reason)
        return Verdict(machine=self._me, state=State.ONLINE, evidence=here, reason=Reason.SELF)
