"""What a system says of writing, for all platforms; and that asking the one here writes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roosync_p2p.adapters.shared_folder.directory import Directory
from roosync_p2p.adapters.shared_folder.writing import Said, ask, fault_code
from roosync_p2p.errors import FolderError

PART = "p2p/v1/machine-a"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (Said(total=100, free=1, files_total=10, files_free=1), None),
        (Said(total=100, free=0), "folder_full"),  # Windows, or the account's quota there
        (Said(total=100, free=50, files_total=10, files_free=0), "folder_full"),  # no room for one more name
        (Said(total=100, free=50, files_total=0, files_free=0), None),  # btrfs, FAT: no table of files
        (Said(total=0, free=0), None),  # a program's file system that knows no sizes
        (Said(read_only=True, total=100, free=50), "folder_read_only"),
        (Said(permitted=False, total=100, free=50), "folder_read_only"),
        (Said(read_only=True, total=100, free=0), "folder_read_only"),  # such as a CD: it is full, and that is no news
    ],
)
def test_what_it_says_has_one_word(said: Said, code: str | None) -> None:
    assert fault_code(said) == code


def test_a_healthy_directory_may_be_written_and_nothing_was(tmp_path: Path) -> None:
    assert fault_code(ask(tmp_path)) is None
    Directory(tmp_path).check_writing(PART)
    assert list(tmp_path.iterdir()) == []


def test_what_the_system_says_becomes_the_word_of_the_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / PART).mkdir(parents=True)
    asked: list[Path] = []

    def said(place: Path) -> Said:
        asked.append(place)
        return Said(total=10, free=0)

    monkeypatch.setattr("roosync_p2p.adapters.shared_folder.directory.ask", said)
    with pytest.raises(FolderError) as caught:
        Directory(tmp_path).check_writing(PART)
    assert caught.value.code == "folder_full"
    assert caught.value.remedy
    assert asked == [tmp_path / PART]
    with pytest.raises(FolderError):
        Directory(tmp_path).check_writing("p2p/v1/machine-b/tmp")
    assert asked[1] == tmp_path / "p2p/v1"  # the nearest that is there


def test_a_system_that_says_nothing_is_no_fault(tmp_path: Path) -> None:
    Directory(tmp_path / "absent").check_writing(PART)


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_part_without_the_right_to_write_is_read_only(tmp_path: Path) -> None:
    part = tmp_path / PART
    part.mkdir(parents=True)
    part.chmod(0o500)
    with pytest.raises(FolderError) as caught:
        Directory(tmp_path).check_writing(PART)
    assert caught.value.code == "folder_read_only"
