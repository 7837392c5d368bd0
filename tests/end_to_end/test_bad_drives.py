"""Drives that are full, read-only, away, or do not answer: it is told, the rest goes on, and a node still ends.

Real mounts, as root on Linux. Here a full and a read-only one, one that was taken away, and one that blocks in the
kernel. What takes longer is by hand (``ROOSYNC_TEST_DRIVES=all``), and so are the figures: ``long_runs drives``.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from roosync_p2p import limits
from tests.helpers.by_hand import by_hand
from tests.helpers.fleet import Fleet, Machine, until
from tests.helpers.mounts import (
    freezable,
    freezable_missing,
    mounts_missing,
    passthrough,
    passthrough_missing,
    small,
)

Report = Callable[[str, object], None]

ALL: Final = os.environ.get("ROOSYNC_TEST_DRIVES", "") == "all"
TOLD_S: Final = 10 * 2 * limits.FOLDER_CADENCE_S
ENDS_S: Final = 3.0
PATIENCE: Final = 10

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(mounts_missing()), reason=mounts_missing() or "available")]
_PASSTHROUGH: Final = pytest.mark.skipif(bool(passthrough_missing()), reason=passthrough_missing() or "available")
_FREEZABLE: Final = pytest.mark.skipif(bool(freezable_missing()), reason=freezable_missing() or "available")
_BY_HAND: Final = pytest.mark.skipif(not ALL, reason="takes minutes; ROOSYNC_TEST_DRIVES=all runs it")


def _start(fleet: Fleet, folders: dict[str, Path]) -> list[Machine]:
    """All nodes, linked over loopback, each with its own folder, those with the founder's marker in them."""
    machines = list(fleet.machines.values())
    alice = machines[0]
    alice.start("--folder", str(folders["alice"]))
    until((folders["alice"] / "p2p/v1/fleet").exists, 50, what="the founder makes the marker", shown=fleet.report)
    for machine in machines[1:]:
        if machine.name not in folders:
            continue
        marker = folders[machine.name] / "p2p/v1/fleet"
        marker.parent.mkdir(parents=True, exist_ok=True)
        if not marker.exists():
            shutil.copy(folders["alice"] / "p2p/v1/fleet", marker)
        machine.start("--folder", str(folders[machine.name]), "--peer", alice.listen)
    fleet.until_linked()
    for machine in fleet.running():
        until(_has_folder(machine), 50, what="it has its folder", shown=fleet.report)
    return fleet.running()


def _has_folder(machine: Machine) -> Callable[[], bool]:
    return lambda: machine.client.status()["folder"]["state"] in ("ok", "alone")


def _told(fleet: Fleet, machine: Machine, code: str) -> float:
    return until(lambda: code in machine.warnings(), TOLD_S, what=f"{machine.name}: {code}", shown=fleet.report)


def _delivered(fleet: Fleet, sender: Machine, to: Machine, subject: str) -> None:
    sender.client.send(to.name, subject, "corps")
    until(
        lambda: any(row["subject"] == subject for row in to.inbox()),
        50,
        what=f"{subject} arrives",
        shown=fleet.report,
    )


def test_a_full_a_read_only_and_a_lost_drive_are_told_and_links_go_on(record_property: Report, tmp_path: Path) -> None:
    # nobody ever heard dora: what is sent to her is written into the folder at once
    with (
        Fleet.found("alice", "berta", "carla", "dora") as fleet,
        small(tmp_path / "full") as full,
        small(tmp_path / "read only") as locked,
        small(tmp_path / "away") as away,
    ):
        folders = {"alice": full.root, "berta": locked.root, "carla": away.root}
        alice, berta, carla = _start(fleet, folders)
        full.stop()
        locked.read_only()
        away.take_away()
        alice.client.send("dora", "n'a pas de place", "corps")
        berta.client.send("dora", "ne s'écrit pas", "corps")
        took = {"full": _told(fleet, alice, "folder_full")}
        took["read-only"] = _told(fleet, berta, "folder_read_only")
        took["away"] = _told(fleet, carla, "folder_unmounted")
        for what, seconds in took.items():
            record_property(f"{what}, told after", round(seconds, 2))
            print(f"{what}: told after {seconds:.2f} s")
        _delivered(fleet, alice, berta, "par le lien")
        _delivered(fleet, berta, carla, "par l'autre lien")
        assert not list(away.root.iterdir())
        if not ALL:
            return
        full.go_on()
        until(lambda: not alice.warnings().keys() & {"folder_full"}, 50, what="it is over", shown=fleet.report)


@by_hand
def test_a_full_and_a_read_only_drive_are_told_at_rest_too(record_property: Report, tmp_path: Path) -> None:
    # all are linked and nothing is sent: the next files are due after minutes
    with (
        Fleet.found("alice", "berta") as fleet,
        small(tmp_path / "full") as full,
        small(tmp_path / "read only") as locked,
    ):
        alice, berta = _start(fleet, {"alice": full.root, "berta": locked.root})
        beats = [full.root / "p2p/v1/alice/heartbeat", locked.root / "p2p/v1/berta/heartbeat"]
        for beat in beats:
            until(beat.exists, 50, what="its first file is written", shown=fleet.report)
        before = [beat.read_bytes() for beat in beats]
        full.stop()
        locked.read_only()
        took = {"full": _told(fleet, alice, "folder_full"), "read-only": _told(fleet, berta, "folder_read_only")}
        for what, seconds in took.items():
            record_property(f"{what} at rest, told after", round(seconds, 2))
            print(f"{what} at rest: told after {seconds:.2f} s")
        assert [beat.read_bytes() for beat in beats] == before, "a file was written: this was no rest"
        if not ALL:
            return
        full.go_on()
        locked.writable()
        for machine in (alice, berta):
            until(_has_folder(machine), TOLD_S, what="it is over", shown=fleet.report)


@_BY_HAND
@_PASSTHROUGH
def test_a_node_ends_and_starts_while_its_drive_does_not_answer(record_property: Report, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with Fleet.found("alice", "berta") as fleet, passthrough(source, tmp_path / "drive") as drive:
        alice, berta = _start(fleet, {"alice": source, "berta": drive.root})
        drive.stop()
        time.sleep(limits.FOLDER_LOOK_S + 1)  # it is being looked into by now
        for how in ("down", "SIGTERM"):
            began = time.monotonic()
            if how == "down":
                berta.run("down")
                code = berta.wait_end(PATIENCE * ENDS_S)
            else:
                code = berta.stop()
            ended_s = time.monotonic() - began
            assert code == 0
            took_s = berta.start("--folder", str(drive.root), "--peer", alice.listen)
            fleet.until_linked()
            _delivered(fleet, alice, berta, f"après {how}")
            record_property(f"{how}: ended after", round(ended_s, 2))
            print(f"{how}: ended after {ended_s:.2f} s, ready again after {took_s:.2f} s")


@_FREEZABLE
def test_a_write_that_no_signal_ends_keeps_neither_the_command_nor_the_next_node(
    record_property: Report, tmp_path: Path
) -> None:
    with Fleet.found("alice", "berta") as fleet, freezable(tmp_path / "image", tmp_path / "drive") as drive:
        (alice,) = _start(fleet, {"alice": drive.root})
        drive.stop()
        alice.client.send("berta", "ne s'écrit pas", "corps")
        until(lambda: _stuck(alice.pid), 50, what="its thread waits in the kernel", shown=fleet.report)
        began = time.monotonic()
        alice.run("down")
        took_s = time.monotonic() - began
        record_property("down returns after", round(took_s, 2))
        print(f"down returns after {took_s:.2f} s")
        # The system keeps what is left of the process until the write ends; nothing of the node is in it.
        again = fleet.add("alice", home=alice.home, listen=alice.listen)
        (fleet.path / "alice.ready1").unlink()
        again.start("--folder", str(drive.root))
        until(lambda: again.client.status()["phase"] == "ready", 50, what="the next node is ready", shown=fleet.report)
        drive.go_on()
        assert alice.wait_end() == 0


def _stuck(pid: int) -> bool:
    """Whether a thread of a process is in uninterruptible sleep (Linux)."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "stat").read_text().rpartition(")")[2].split()[0] == "D":
            return True
    return False


@_BY_HAND
@_PASSTHROUGH
def test_a_drive_that_blocks_is_told_and_links_go_on(record_property: Report, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with Fleet.found("alice", "berta") as fleet, passthrough(source, tmp_path / "drive") as drive:
        alice, berta = _start(fleet, {"alice": source, "berta": drive.root})
        drive.stop()
        took_s = _told(fleet, berta, "folder_blocked")
        record_property("told after", round(took_s, 2))
        print(f"blocked: told after {took_s:.1f} s")
        assert took_s <= 2 * limits.FOLDER_CADENCE_S
        _delivered(fleet, alice, berta, "par le lien")
        _delivered(fleet, berta, alice, "et retour")
        drive.go_on()
        until(lambda: "folder_blocked" not in berta.warnings(), 50, what="it is over", shown=fleet.report)


@_BY_HAND
def test_a_drive_that_became_a_local_directory_is_told(record_property: Report, tmp_path: Path) -> None:
    with Fleet.found("alice", "berta", "carla") as fleet, small(tmp_path / "drive", kib=4_096) as drive:
        alice, berta = _start(fleet, {"alice": tmp_path / "drive", "berta": tmp_path / "drive"})
        until(lambda: alice.client.status()["folder"]["lag_s"] is not None, 300, what="its lag is measured")
        until(lambda: berta.client.status()["folder"]["lag_s"] is not None, 300, what="its lag is measured")
        copy = tmp_path / "copy"
        shutil.copytree(drive.root, copy)
        drive.take_away()
        shutil.copytree(copy, drive.root, dirs_exist_ok=True)  # all is there, and nobody else sees it
        assert berta.running
        took_s = _told(fleet, alice, "folder_not_shared")
        record_property("told after", round(took_s, 1))
        print(f"silently local: told after {took_s:.0f} s")
