"""What people hear of the shared folder: its state, how late it is, what is wrong and what helps (folder.md §5)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from roosync_p2p import limits
from roosync_p2p.liveness.verdicts import Path

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["FolderAlarm", "FolderState", "folder_state", "folder_status", "folder_warnings", "not_shared"]

FolderState = str  # one word: ok, alone, opening, blocked, stale, not_shared, or what a FolderError says

_REMEDIES: Final = {
    "folder_blocked": "see whether the program that synchronises it hangs; links and everything else go on",
    "folder_not_shared": "see whether the drive is still mounted there, and whether its program is signed in and runs",
    "folder_stale": "see whether the program that synchronises it runs, here and on the other machines",
}


def folder_state(core: NodeCore) -> FolderState:
    """The state in one word."""
    folder = core.folder
    if folder.blocked_s > 0:
        return "blocked"
    if folder.fault is not None:
        return folder.fault.code.removeprefix("folder_")
    if not folder.looked_into:
        return "opening"
    if not_shared(core):
        return "not_shared"
    probes = folder.beacons.probes
    if probes.overdue(core.desk.now.monotonic_s):
        return "stale"
    return "alone" if probes.newest_s() is None else "ok"


def not_shared(core: NodeCore) -> list[str]:
    """Machines that a link shows to live and to use a folder, and whose files do not come: is it the same one?"""
    folder, now = core.folder, core.desk.now
    if folder.path is None:
        return []
    probes = folder.beacons.probes
    missed_s = limits.FOLDER_PROBES_MISSED * limits.FOLDER_CADENCE_REST_S
    missing = []
    for machine in folder.reaches.others():
        beat = core.presence.latest(machine)
        verdict = core.presence.liveness.verdict(machine, now)
        linked = verdict.evidence.path in (Path.DIRECT, Path.RELAYED) and verdict.state == "online"
        if beat is None or not linked or beat.heartbeat.health.folder_lag_ms is None:
            continue
        never = not probes.knows(machine) and now.monotonic_s >= folder.reaches.opened_s + missed_s
        if never or probes.overdue(now.monotonic_s, among=(machine,)):
            missing.append(str(machine))
    return missing


def folder_status(core: NodeCore) -> dict[str, object] | None:
    """The ``folder`` of ``status``; None without one."""
    folder = core.folder
    if folder.path is None:
        return None
    lag_s = folder.beacons.probes.lag_s
    return {
        "path": folder.path,
        "state": folder_state(core),
        "lag_s": None if lag_s is None else round(lag_s, 1),
        "machines": folder.others_seen,
        "quarantined": folder.quarantine.kept,
        "writes_per_minute": round(folder.budget.per_minute(core.desk.now.monotonic_s), 2),
    }


def folder_warnings(core: NodeCore) -> list[dict[str, object]]:
    """What is wrong with it, and what helps."""
    folder = core.folder
    if folder.path is None:
        return []
    state = folder_state(core)
    found = []
    if state == "blocked":
        found.append(("folder_blocked", f"the shared folder has not answered for {folder.blocked_s:.0f} s"))
    elif folder.fault is not None:
        return [{"code": folder.fault.code, "message": folder.fault.message, "remedy": folder.fault.remedy}]
    elif state == "not_shared":
        names = ", ".join(not_shared(core))
        found.append(("folder_not_shared", f"what {names} writes to its shared folder does not come to this one"))
    elif state == "stale":
        found.append(("folder_stale", "nothing new has come through the shared folder for two rounds"))
    return [{"code": code, "message": message, "remedy": _REMEDIES[code]} for code, message in found]


class FolderAlarm:
    """Tells people once when the folder blocks, stands still or is another one, and when that is over.

    What a job answers, a full or lost drive, the part that gets the answer tells itself.
    """

    def __init__(self, core: NodeCore) -> None:
        self._core = core
        self._told: object = None
        self._at_s = -math.inf

    def tick(self) -> None:
        """Looks at the state, now and then: it is asked at every input."""
        folder, now_s = self._core.folder, self._core.desk.now.monotonic_s
        if folder.path is None or now_s < self._at_s + limits.FOLDER_PLAN_S:
            return
        self._at_s = now_s
        if folder.fault is not None:
            self._told = None
            return
        warned = next(iter(folder_warnings(self._core)), None)
        code = None if warned is None else warned["code"]
        if code == self._told:
            return
        self._told = code
        if warned is None:
            self._core.desk.notify("folder", {"ok": True})
        else:
            self._core.desk.notify("folder", {"ok": False, "code": code, "message": warned["message"]})
