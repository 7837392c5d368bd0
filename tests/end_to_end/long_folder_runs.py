"""Long runs with a shared folder, started by ``long_runs``: what a fleet at rest writes, and drives that go wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.helpers.copier import Copier
from tests.helpers.fleet import Fleet, Machine, until
from tests.helpers.mounts import Drive, freezable, mounts_missing, passthrough, passthrough_missing, small
from tests.helpers.netlab import Lab, netlab_missing

__all__ = ["drives", "lag", "rest"]

PORT: Final = 47600
SIX: Final = ("alice", "berta", "carla", "dora", "emile", "fanny")
SETTLED_S: Final = 60.0  # what was written for those who came last is there by then
RATIO_MAX: Final = 1.2
TOLD_S: Final = 700.0  # two probe periods of a fleet at rest, and a little
BATCH: Final = 100


def rest(seconds: float) -> int:
    """Six machines, all linked, a common folder, no traffic: writes for each machine and minute, counted twice."""
    with tempfile.TemporaryDirectory() as place, Fleet.found(*SIX) as fleet:
        folder = Path(place) / "Mon Drive"
        folder.mkdir()
        machines = fleet.start_all(options=("--folder", str(folder)))
        fleet.until_linked()
        time.sleep(SETTLED_S)
        before = {machine.name: machine.counters() for machine in machines}
        began = time.monotonic()
        seen: Counter[str] = Counter()
        held = _files(folder)
        while time.monotonic() < began + seconds:
            time.sleep(0.5)
            now = _files(folder)
            for path in now.keys() | held.keys():
                if now.get(path) != held.get(path):
                    seen[path.split("/")[2]] += 1
            held = now
        minutes = (time.monotonic() - began) / 60
        worst = 0.0
        for machine in machines:
            after = machine.counters()
            wrote = _changes(after) - _changes(before[machine.name])
            shown = machine.client.status()["folder"]["writes_per_minute"]
            worst = max(worst, wrote / minutes, seen[machine.name] / minutes)
            print(
                f"{machine.name}: {wrote / minutes:.2f} writes a minute by its own count, "
                f"{seen[machine.name] / minutes:.2f} seen in the folder, {shown} in its status"
            )
        print(f"{minutes:.1f} minutes, {len(held)} files; the most of one machine: {worst:.2f} a minute")
        return 0 if worst <= 1 else 1


def _changes(counters: dict[str, int]) -> int:
    return counters.get("folder.writes", 0) + counters.get("folder.removed", 0)


def _files(folder: Path) -> dict[str, tuple[int, int, int]]:
    found = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            facts = path.stat()
            if path.is_file() and path.parent.name != "tmp":
                found[path.relative_to(folder).as_posix()] = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
    return found


def lag(seconds: float, lag_s: float) -> int:
    """Three machines whose network is cut and whose folder is so late: nobody may be called offline."""
    if why := netlab_missing():
        print(why)
        return 2
    names = SIX[:3]
    with tempfile.TemporaryDirectory() as place, Lab(len(names)) as lab:
        wraps = [functools.partial(lab.argv, number) for number in range(len(names))]
        listens = [f"{lab.address(number)}:{PORT}" for number in range(len(names))]
        with (
            Fleet.found(*names, wraps=wraps, listens=listens) as fleet,
            Copier(Path(place), names, lag_s=(0.8 * lag_s, lag_s)) as shared,
        ):
            machines = list(fleet.machines.values())
            peers: list[str] = []
            for machine in machines:
                marker = shared.of(machine.name) / "p2p/v1/fleet"
                if peers:
                    until(marker.exists, 2 * lag_s, what="the marker comes")
                machine.start("--folder", str(shared.of(machine.name)), *peers)
                peers += ["--peer", machine.listen]
            fleet.until_linked()
            time.sleep(2 * lag_s)
            recorders = [machine.record() for machine in machines]
            for number in range(len(names)):
                lab.unplug(number)
            message = machines[0].client.send(names[1], "Par le dossier", "corps")["id"]
            began = time.monotonic()
            time.sleep(seconds)
            states = Counter(
                str(seen.event.data["state"]) for recorder in recorders for seen in recorder.all("verdict")
            )
            print(f"{time.monotonic() - began:.0f} s without a link, the folder {lag_s:g} s late: {dict(states)}")
            for machine in machines:
                print(f"{machine.name}: {machine.states()}, lag {machine.client.status()['folder']['lag_s']} s")
            arrived = sum(row["id"] == message for row in machines[1].inbox())
            print(f"the message arrived {arrived} times")
            return 0 if not states["offline"] and arrived == 1 else 1


# --- drives ---------------------------------------------------------------------------------------------------------


def drives(count: int, rounds: int, only: str) -> int:
    """Each way in which a drive fails: after how long it is told, and how late messages over links are meanwhile.

    A computer that does other things too has good and bad minutes: where a drive can be mended, good and bad drive
    take turns, and the p99 are those of all turns together. With some hundred messages a turn the p99 are those of
    three or four, and two turns with the same good drive differ by more than what is allowed: it takes thousands.
    """
    if why := mounts_missing() or passthrough_missing():
        print(why)
        return 2
    failed = False
    for fault in _FAULTS:
        if only not in fault.what:
            continue
        with tempfile.TemporaryDirectory() as place, _drive(fault.make, Path(place)) as drive:
            turns = _one_drive(Path(place), drive, fault, count, rounds)
        before, during = (_p99([took for turn in turns for took in one(turn)]) for one in (_good, _bad))
        failed |= during / before > RATIO_MAX
        shown = ", ".join(f"{_p99(turn.good) * 1000:.1f} | {_p99(turn.bad) * 1000:.1f}" for turn in turns)
        print(
            f"{fault.what}: told after {turns[0].told_s:.1f} s; p99 {before * 1000:.1f} ms before, "
            f"{during * 1000:.1f} ms during, ratio {during / before:.2f} (each turn: {shown})",
            flush=True,
        )
    return 1 if failed else 0


@dataclasses.dataclass(frozen=True, slots=True)
class _Fault:
    what: str
    code: str
    make: str
    break_it: Callable[[Drive], None]
    mend_it: Callable[[Drive], None] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Turn:
    """Seconds until it was told, and those of each message with a good and with a bad drive."""

    told_s: float
    good: list[float]
    bad: list[float]


def _good(turn: _Turn) -> list[float]:
    return turn.good


def _bad(turn: _Turn) -> list[float]:
    return turn.bad


def _p99(took: list[float]) -> float:
    return statistics.quantiles(took, n=100)[98]


@contextlib.contextmanager
def _drive(make: str, place: Path) -> Iterator[Drive]:
    if make == "small":
        with small(place / "drive") as drive:
            yield drive
    elif make == "freezable":
        with freezable(place / "image", place / "drive") as drive:
            yield drive
    else:
        (place / "source").mkdir()
        with passthrough(place / "source", place / "drive") as drive:
            yield drive


def _become_local(drive: Drive) -> None:
    copy = drive.root.parent / "copy"
    shutil.copytree(drive.root, copy)
    drive.take_away()
    shutil.copytree(copy, drive.root, dirs_exist_ok=True)


_FAULTS: Final = (
    _Fault("unmounted", "folder_unmounted", "small", Drive.take_away),
    _Fault("read-only", "folder_read_only", "small", Drive.read_only, Drive.writable),
    _Fault("full", "folder_full", "small", Drive.stop, Drive.go_on),
    _Fault("blocked, by a program that hangs", "folder_blocked", "passthrough", Drive.stop, Drive.go_on),
    _Fault("blocked, in the kernel", "folder_blocked", "freezable", Drive.stop, Drive.go_on),
    _Fault("silently local", "folder_not_shared", "passthrough", _become_local),
)


def _one_drive(place: Path, drive: Drive, fault: _Fault, count: int, rounds: int) -> list[_Turn]:
    """The turns of one kind of drive.

    The third machine is a member that never ran: while nobody knows whether it is awake, the cadence is the fast one.
    """
    shared = place / "source" if (place / "source").exists() else drive.root
    turns: list[_Turn] = []
    with Fleet.found("alice", "berta", "carla") as fleet:
        fleet.let_send()
        alice, berta = (fleet.machines[name] for name in ("alice", "berta"))
        alice.start("--folder", str(shared))
        until((drive.root / "p2p/v1/fleet").exists, 50, what="the marker", shown=fleet.report)
        berta.start("--folder", str(drive.root), "--peer", alice.listen)
        fleet.until_linked()
        for machine in (alice, berta):
            until(_measured(machine), 300, what="the folder's lag is measured", shown=fleet.report)
        _exchange(alice, berta, BATCH)  # warm
        while len(turns) < rounds:
            good = _exchange(alice, berta, count // rounds)
            fault.break_it(drive)
            told_s = until(lambda: fault.code in berta.warnings(), TOLD_S, what=fault.code, shown=fleet.report)
            turns.append(_Turn(told_s, good, _exchange(alice, berta, count // rounds)))
            if fault.mend_it is None:
                return turns
            fault.mend_it(drive)
            until(lambda: not _wrong(alice) | _wrong(berta), TOLD_S, what="it is mended", shown=fleet.report)
    return turns


def _wrong(machine: Machine) -> set[str]:
    return {code for code in machine.warnings() if code.startswith("folder")}


def _measured(machine: Machine) -> Callable[[], bool]:
    return lambda: machine.client.status()["folder"]["lag_s"] is not None


def _exchange(alice: Machine, berta: Machine, count: int) -> list[float]:
    """From the call that sends a message to the recipient's event, both ways in turn; in seconds."""
    took: list[float] = []
    for batch in range(max(2, count // BATCH)):
        source, target = (alice, berta) if batch % 2 == 0 else (berta, alice)
        with target.record() as events:
            for number in range(BATCH):
                began = time.monotonic()
                source.client.send(target.name, f"n° {batch}.{number}", "corps")
                seen = events.wait("message", within_s=60, since_s=began, subject=f"n° {batch}.{number}")
                took.append(seen.at_s - began)
    return took
