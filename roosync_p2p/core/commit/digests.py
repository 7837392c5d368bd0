"""Alarms: states that should be equal and are not (docs/protocol/ordering.md §3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from roosync_p2p.core.commit.applier import Applier
from roosync_p2p.core.commit.recheck import Recheck
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.rows import Loaded
from roosync_p2p.ids import Epoch, MachineId
from roosync_p2p.liveness.heartbeat import Heartbeat

__all__ = ["Digests"]

DIVERGED: Final = "ledger_diverged"
ALARMS_MAX: Final = 32  # machines that differ; one is alarm enough


class Digests:
    """Compares what others say of their state, and what this disk holds, with what this node applied.

    Args:
        applier: as it was loaded, before it applies anything.

    Attributes:
        recheck: of the commits on this disk.
        alarms: warnings by what they are about: code, message, details.
    """

    def __init__(self, desk: Desk, applier: Applier, loaded: Loaded, *, epoch: Callable[[], Epoch]) -> None:
        self._desk = desk
        self._applier = applier
        self._epoch = epoch
        self.alarms: dict[str, tuple[str, str, dict[str, object]]] = {}
        self.recheck = Recheck(desk, applier, loaded, changed=self.commits_changed)
        if applier.alarm is not None:
            self.changed_on_disk(*applier.alarm)

    def changed_on_disk(self, applied: bytes, found: bytes) -> None:
        """The pairs on this disk do not give the digest that was applied."""
        self._raise(
            "disk",
            "ledger_changed",
            f"this disk changed the ledger's state: {applied.hex()[:16]}… was applied, {found.hex()[:16]}… was found; "
            "everything is applied again from the log",
            {"applied": applied.hex(), "found": found.hex()},
        )

    def commits_changed(self, number: int, applied: bytes, found: bytes, unreadable: int | None) -> None:
        """The commits on this disk, read again, do not give the digest that they had when they were applied.

        Args:
            number: the newest of them.
            unreadable: the first of those that could not be read.
        """
        where = "" if unreadable is None else f" (it cannot be read behind commit {unreadable - 1})"
        self._raise(
            "disk:commits",  # no machine is called like that
            "commits_changed",
            f"this disk changed the commit log up to commit {number}: {applied.hex()[:16]}… was applied, "
            f"{found.hex()[:16]}… was found{where}; the next start applies everything again from the log",
            {"number": number, "applied": applied.hex(), "found": found.hex(), "unreadable": unreadable},
        )

    def new_epoch(self) -> None:
        """What differed in another epoch means nothing in this one, and this disk's commits are being cut."""
        self.recheck.stop()
        self.alarms = {about: alarm for about, alarm in self.alarms.items() if alarm[0] != DIVERGED}

    def compare(self, heartbeat: Heartbeat) -> None:
        """What another machine's heartbeat says of its state. In another epoch a number is another commit."""
        if heartbeat.epoch != self._epoch():
            return
        told = [(heartbeat.commit_size, heartbeat.commit_digest), heartbeat.commit_mark or (None, None)]
        for number, digest in told:
            mine = None if number is None else self._applier.digest_at(number)
            if mine is None or digest is None or number is None:
                continue
            if mine != digest:
                self._differs(MachineId(heartbeat.machine), number, mine, digest)
                return

    def _differs(self, machine: MachineId, number: int, mine: bytes, theirs: bytes) -> None:
        self._raise(
            machine,
            DIVERGED,
            f"after commit {number} the state of {machine} is {theirs.hex()[:16]}… and this machine's "
            f"{mine.hex()[:16]}…: one of the two is wrong, and neither vouches for its own",
            {"machine": machine, "number": number, "mine": mine.hex(), "theirs": theirs.hex()},
        )

    def _raise(self, about: str, code: str, message: str, details: dict[str, object]) -> None:
        if about in self.alarms or len(self.alarms) >= ALARMS_MAX:
            return
        self.alarms[about] = (code, message, details)
        self._desk.count(f"alarm.{code}")
        self._desk.notify("alarm", {"code": code, "message": message, **details})
