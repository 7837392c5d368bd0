"""A real directory behind the port: its promises, and one word for everything that such a directory does."""

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
from roosync_p2p.core.ports import Folder
from roosync_p2p.errors import FolderError, InputFault, MalformedError
from roosync_p2p.gossip.folder_paths import MARKER
from roosync_p2p.ids import FleetId
from tests.conformance.folder_suite import HEARTBEAT, SEGMENT, FolderSuite

FLEET, OTHER = FleetId(bytes(32)), FleetId(bytes([1]) * 32)


class TestPort(FolderSuite):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Callable[[], Folder]:
        return lambda: Directory(tmp_path)


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def folder(tmp_path: Path, waits: list[float]) -> Directory:
    return Directory(tmp_path, sleep=waits.append)


def test_nothing_is_left_of_temporary_files(folder: Directory, tmp_path: Path) -> None:
    for number in range(40):
        folder.write(HEARTBEAT, str(number).encode())
    assert list((tmp_path / "p2p/v1/machine-a/tmp").iterdir()) == []


def test_a_sharing_violation_is_retried_within_a_bound(
    folder: Directory, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [OSError(errno.EBUSY, "held by an antivirus")] * 3
    replace = os.replace

    def held(source: str, target: str) -> None:
        if failures:
            raise failures.pop()
        replace(source, target)

    monkeypatch.setattr(os, "replace", held)
    folder.write(HEARTBEAT, b"at last")
    assert folder.read(HEARTBEAT, bytes_max=9) == b"at last"
    assert len(waits) == 3

    failures.extend([OSError(errno.EBUSY, "held for ever")] * 1_000)
    with pytest.raises(FolderError) as caught:
        folder.write(HEARTBEAT, b"never")
    assert caught.value.code == "folder_busy"
    assert sum(waits) < 4 * limits.FOLDER_SHARING_S
    assert folder.read(HEARTBEAT, bytes_max=9) == b"at last"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "folder_full"),
        (errno.EDQUOT, "folder_full"),
        (errno.EROFS, "folder_read_only"),
        (errno.EACCES, "folder_read_only"),
        (errno.EIO, "folder_failing"),
    ],
)
def test_each_failure_has_its_word_and_a_remedy(
    folder: Directory, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    folder.write(HEARTBEAT, b"before")

    def fails(_source: str, _target: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(FolderError) as caught:
        folder.write(HEARTBEAT, b"after")
    assert caught.value.code == code
    assert caught.value.remedy
    assert folder.read(HEARTBEAT, bytes_max=9) == b"before"


def test_a_directory_that_is_not_there_is_never_made(tmp_path: Path) -> None:
    folder = Directory(tmp_path / "not mounted")
    assert folder.items("p2p/v1") == []
    assert folder.read(HEARTBEAT, bytes_max=9) is None
    with pytest.raises(FolderError) as written:
        folder.write(HEARTBEAT, b"x")
    with pytest.raises(FolderError) as deleted:
        folder.delete(HEARTBEAT)
    assert written.value.code == deleted.value.code == "folder_unmounted"
    assert not (tmp_path / "not mounted").exists()


def test_names_of_others_are_not_listed_and_hostile_paths_not_opened(folder: Directory, tmp_path: Path) -> None:
    folder.write(HEARTBEAT, b"x")
    for name in ("~$heartbeat", "Ünïcode", "trailing."):
        (tmp_path / "p2p/v1/machine-a" / name).write_bytes(b"")
    assert [item.name for item in folder.items("p2p/v1/machine-a") if not item.folder] == ["heartbeat"]
    with pytest.raises(MalformedError):
        folder.read("p2p/v1/../../etc/passwd", bytes_max=9)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no pipes in directories")
def test_a_pipe_or_a_link_in_the_place_of_a_file_is_none(folder: Directory, tmp_path: Path) -> None:
    place = tmp_path / "p2p/v1/machine-a"
    place.mkdir(parents=True)
    os.mkfifo(place / "heartbeat")
    assert folder.read(HEARTBEAT, bytes_max=9) is None
    (place / "heartbeat").unlink()
    (tmp_path / "secret").write_bytes(b"secret")
    (place / "heartbeat").symlink_to(tmp_path / "secret")
    assert folder.read(HEARTBEAT, bytes_max=9) is None


def test_the_first_directory_with_the_marker_is_used_and_another_when_that_vanishes(tmp_path: Path) -> None:
    first, second = tmp_path / "G", tmp_path / "H"
    for place in (first, second):
        place.mkdir()
    found_folder(second, FLEET)
    folder = Candidates([tmp_path / "absent", first, second], FLEET)
    check_marker(folder, FLEET)
    assert folder.root == second
    second.rename(tmp_path / "I")
    with pytest.raises(FolderError) as caught:
        check_marker(folder, FLEET)
    assert caught.value.code == "folder_unmounted"
    found_folder(first, FLEET)
    check_marker(folder, FLEET)
    folder.write(SEGMENT, b"x")
    assert (first / SEGMENT).exists()


def test_an_empty_directory_becomes_the_folder_only_for_its_founder_and_only_once(tmp_path: Path) -> None:
    with pytest.raises(FolderError):
        check_marker(Candidates([tmp_path], FLEET), FLEET)
    founder = Candidates([tmp_path], FLEET, founds=True)
    check_marker(founder, FLEET)
    (tmp_path / MARKER).unlink()  # what is mounted now is not the folder
    with pytest.raises(FolderError):
        check_marker(founder, FLEET)
    assert not (tmp_path / MARKER).exists()


def test_a_folder_of_another_fleet_is_left_alone(tmp_path: Path) -> None:
    found_folder(tmp_path, FLEET)
    found_folder(tmp_path, FLEET)
    with pytest.raises(FolderError) as caught:
        found_folder(tmp_path, OTHER)
    assert caught.value.code == "folder_other_fleet"
    with pytest.raises(InputFault) as missing:
        found_folder(tmp_path / "nowhere", FLEET)
    assert missing.value.code == "folder_missing"


def test_a_marker_with_a_bom_is_the_marker(tmp_path: Path) -> None:
    found_folder(tmp_path, FLEET)
    marker = tmp_path / MARKER
    marker.write_bytes(b"\xef\xbb\xbf" + marker.read_bytes().replace(b"\n", b"\r\n"))
    check_marker(Directory(tmp_path), FLEET)
