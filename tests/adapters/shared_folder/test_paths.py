"""Paths of the folder on each platform, all of them tried on every platform."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest

from roosync_p2p.adapters.shared_folder.paths import is_safe, local_path, temporary_name
from roosync_p2p.errors import MalformedError


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "a/b", "a\\b", "a:b", "a*", "a?", 'a"', "a<", "a>", "a|", "a\0", "a\n", "a.", "a ", " a"),
        *("con", "NUL", "aux.txt", "com1", "LPT9.seg", "com¹", "conin$", "~$x", "é", "x" * 256),
    ],
)
def test_a_name_that_is_not_legal_everywhere_is_no_name(name: str) -> None:
    assert not is_safe(name)
    if "/" in name:
        return  # in a path it is two names
    with pytest.raises(MalformedError) as caught:
        local_path(PurePosixPath("/share"), f"p2p/v1/{name}/x")
    assert caught.value.code == "bad_path"


@pytest.mark.parametrize("name", ["heartbeat", "mail-1-3.seg", "myia-ai-01", "0-1-9.seg", "console", "com10", "1.part"])
def test_names_of_ours_are_legal(name: str) -> None:
    assert is_safe(name)


def test_a_path_is_put_below_the_directory() -> None:
    assert local_path(PurePosixPath("/mnt/Mon Drive"), "p2p/v1/fleet") == "/mnt/Mon Drive/p2p/v1/fleet"
    assert local_path(PureWindowsPath("G:/Mon Drive"), "p2p/v1/fleet") == "G:\\Mon Drive\\p2p\\v1\\fleet"


def test_a_long_path_of_windows_is_extended() -> None:
    deep = "/".join(["d" * 50] * 5)
    drive = local_path(PureWindowsPath("G:/share"), deep)
    assert drive.startswith("\\\\?\\G:\\share\\")
    network = local_path(PureWindowsPath("//server/share"), deep)
    assert network.startswith("\\\\?\\UNC\\server\\share\\")
    again = local_path(PureWindowsPath("\\\\?\\G:\\share"), deep)
    assert again.startswith("\\\\?\\G:\\share\\")
    assert not local_path(PurePosixPath("/share"), deep).startswith("\\")


def test_a_temporary_file_lies_in_the_part_of_its_writer() -> None:
    assert temporary_name("p2p/v1/machine-a/entries/1/mail-1-3.seg", 4) == "p2p/v1/machine-a/tmp/4.part"
    assert temporary_name("p2p/v1/fleet", 4) == "p2p/v1/fleet.part"
