"""Nodes in virtual time on a real directory, in which a synchroniser and people leave what they always leave.

No link is possible between them, so whatever one knows of the other it has from the files.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.shared_folder.directory import Directory
from roosync_p2p.adapters.shared_folder.opening import Candidates, found_folder
from roosync_p2p.core.folder.reading import check_marker
from roosync_p2p.errors import FolderError
from roosync_p2p.gossip.folder_paths import MARKER, heartbeat_path
from roosync_p2p.ids import FleetId, MachineId
from tests.helpers.folder_fleet import FolderFleet

A, B = MachineId("machine-a"), MachineId("machine-b")
FLEET = FleetId(bytes(32))


@pytest.fixture
def fleet(tmp_path: Path) -> FolderFleet:
    """Two nodes that have met in the directory."""
    fleet = FolderFleet("ab", start=False)
    found_folder(tmp_path, fleet.fleet.keys.fleet)
    for member in fleet.fleet.members.values():
        member.drive = Directory(tmp_path, sleep=lambda _: None)
        member.start()
    fleet.until_s(lambda: all(len(member.node().members()) == 2 for member in fleet.fleet.members.values()), 60)
    return fleet


def _shown(fleet: FolderFleet) -> tuple[int, int]:
    beat = fleet.member("b").node().presence.latest(A)
    assert beat is not None
    return beat.heartbeat.start, beat.heartbeat.counter


def test_the_newest_modification_time_does_not_win_and_newer_data_is_not_lost(
    fleet: FolderFleet, tmp_path: Path
) -> None:
    place = tmp_path / heartbeat_path(A)
    older = place.read_bytes()
    fleet.send("a", "b", "one")
    fleet.run(90)
    newer, known = place.read_bytes(), _shown(fleet)
    assert newer != older
    fleet.member("a").crash()
    place.write_bytes(older)
    os.utime(place, (4_000_000_000, 4_000_000_000))  # in the year 2096
    fleet.run(30)
    assert _shown(fleet) == known
    assert fleet.counted("b", "folder.rolled_back") > 0
    assert place.read_bytes() == older  # it is not ours to put right

    fleet.member("a").start()
    fleet.send("a", "b", "two")
    for _ in range(40):
        fleet.run(1)
        for path in (tmp_path / "p2p/v1/machine-a").rglob("*"):
            os.utime(path, (0, 0))  # whatever comes is older than all before
    assert fleet.subjects("b") == ["one", "two"]
    assert _shown(fleet) > known


def _droppings(part: Path) -> dict[Path, bytes]:
    """What lies about in synchronised folders, beside files and directories of ours."""
    (beat,) = part.glob("heartbeat")
    segment = next(part.glob("entries/1/*.seg"))
    names = ["desktop.ini", ".DS_Store", "Thumbs.db", "~$heartbeat", ".~lock.heartbeat#", "Icon\r"]
    names += ["heartbeat (1)", "heartbeat - Copy", "heartbeat (myia's conflicted copy 2026-01-15)", "HEARTBEAT"]
    names += ["Heartbeat", "con", "NUL.seg", "aux.txt", "heartbeat.tmp", "héartbeat", "heartbeat.", "heartbeat "]
    stem, suffix = segment.stem, segment.suffix
    copies = [f"{stem} (1){suffix}", f"{stem} - Copy{suffix}", f"{stem}{suffix.upper()}", f"{stem.upper()}{suffix}"]
    made = {part / name: beat.read_bytes() for name in names}
    made |= {segment.parent / name: segment.read_bytes() for name in [*copies, "~$x", "desktop.ini"]}
    made |= {part / ".tmp.driveupload" / "17": b"half", part / "entries" / "desktop.ini": b"[.ShellClassInfo]"}
    made |= {part / "entries" / "1 (1)" / segment.name: segment.read_bytes()}
    made |= {part.parent / part.name.upper() / "heartbeat": beat.read_bytes(), part.parent / "desktop.ini": b""}
    return made


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let a test make names that Windows does not allow")
def test_what_lies_about_is_counted_left_as_it_is_and_harms_nobody(fleet: FolderFleet, tmp_path: Path) -> None:
    fleet.send("a", "b", "one")
    fleet.run(5)
    made = _droppings(tmp_path / "p2p/v1/machine-a")
    for path, data in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    fleet.send("a", "b", "two")
    fleet.send("b", "a", "back")
    fleet.until_s(lambda: fleet.subjects("b") == ["one", "two"] and fleet.subjects("a") == ["back"], 60)
    fleet.run(60)
    assert {path: path.read_bytes() for path in made} == made
    assert fleet.counted("b", "folder.foreign") >= 8  # names that no platform allows are not even counted
    assert fleet.folder_status("b")["quarantined"] == 0
    assert fleet.folder_status("b")["state"] == "ok"
    assert fleet.subjects("b") == ["one", "two"]


class _Scanned(OSError):
    """What Windows says of a file that an antivirus, an editor or the sync client has open."""

    def __init__(self, winerror: int) -> None:
        super().__init__(errno.EACCES, "in use")
        self.winerror = winerror


@pytest.mark.parametrize("winerror", [5, 32, 33])
@pytest.mark.parametrize("call", ["replace", "unlink", "open"])
def test_a_sharing_violation_of_windows_is_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, winerror: int, call: str
) -> None:
    waits: list[float] = []
    folder = Directory(tmp_path, sleep=waits.append)
    folder.write(heartbeat_path(A), b"before")
    left = [3]
    module = __import__("builtins") if call == "open" else os
    real = getattr(module, call)

    def held(*args: object, **more: object) -> object:
        if str(args[0]).endswith((".part", "heartbeat")) and left[0]:
            left[0] -= 1
            raise _Scanned(winerror)
        return real(*args, **more)

    monkeypatch.setattr(module, call, held)
    match call:
        case "replace":
            folder.write(heartbeat_path(A), b"after")
        case "unlink":
            folder.delete(heartbeat_path(A))
        case _:
            assert folder.read(heartbeat_path(A), bytes_max=9) == b"before"
    monkeypatch.undo()
    assert (left[0], len(waits)) == (0, 3)
    kept = {"replace": b"after", "unlink": None, "open": b"before"}[call]
    assert folder.read(heartbeat_path(A), bytes_max=9) == kept
    assert sum(waits) <= limits.FOLDER_SHARING_S


def test_one_file_that_is_held_open_keeps_no_other_one_back(fleet: FolderFleet) -> None:
    real = fleet.member("b").drive
    assert isinstance(real, Directory)

    class Held(Directory):
        """As if the heartbeat of machine-a were open elsewhere all the time."""

        def read(self, path: str, *, bytes_max: int) -> bytes | None:
            """See the port."""
            if path == heartbeat_path(A):
                raise FolderError("another program holds it open", code="folder_busy")
            return super().read(path, bytes_max=bytes_max)

    fleet.member("b").crash()
    fleet.member("b").drive = Held(real.root)
    fleet.member("b").start()
    fleet.send("a", "b", "one")
    fleet.until_s(lambda: fleet.subjects("b") == ["one"], 60)
    assert fleet.counted("b", "folder.unreadable") == 1
    assert fleet.warnings("b") == set()


@pytest.fixture
def drives(tmp_path: Path) -> Callable[[str], Path]:
    return lambda letter: tmp_path / letter / "Mon Drive"


def test_a_drive_whose_letter_changes_is_found_under_the_other(drives: Callable[[str], Path]) -> None:
    drives("G").mkdir(parents=True)
    found_folder(drives("G"), FLEET)
    folder = Candidates([drives("G"), drives("H")], FLEET)
    check_marker(folder, FLEET)
    folder.write(heartbeat_path(A), b"one")
    drives("H").parent.mkdir()
    drives("G").rename(drives("H"))
    drives("G").mkdir()  # the letter is another drive's now
    check_marker(folder, FLEET)
    folder.write(heartbeat_path(A), b"two")
    assert folder.root == drives("H")
    assert (drives("H") / heartbeat_path(A)).read_bytes() == b"two"
    assert list(drives("G").iterdir()) == []


def test_a_mount_that_comes_back_empty_is_not_the_folder_and_nothing_is_written_there(
    fleet: FolderFleet, tmp_path: Path
) -> None:
    away = tmp_path.with_name("away")
    tmp_path.rename(away)
    tmp_path.mkdir()
    fleet.send("a", "b", "meanwhile")
    fleet.run(60)
    assert list(tmp_path.iterdir()) == []
    assert fleet.warnings("a") == {"folder_unmounted"}
    tmp_path.rmdir()
    away.rename(tmp_path)
    fleet.until_s(lambda: fleet.subjects("b") == ["meanwhile"], 60)
    assert fleet.warnings("a") == set()
    assert (tmp_path / MARKER).exists()
