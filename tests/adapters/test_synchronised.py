"""Synchronised folders are known by their names, variables and markers, on every platform."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest

from roosync_p2p.adapters.synchronised import refuse_synchronised, synchroniser_of
from roosync_p2p.errors import InputFault


def nothing(_: PurePath) -> bool:
    return False


def program_of(path: PurePath, environ: dict[str, str] | None = None) -> str | None:
    found = synchroniser_of(path, environ or {}, nothing)
    return found and found[0]


@pytest.mark.parametrize(
    ("path", "program"),
    [
        (r"C:\Users\u\OneDrive\roosync", "OneDrive"),
        (r"C:\Users\u\OneDrive - Contoso SA\x\roosync", "OneDrive"),
        (r"G:\My Drive\roosync", "Google Drive"),
        (r"G:\Mon Drive\Synchro\roosync", "Google Drive"),
        (r"G:\Drive partagés\équipe\roosync", "Google Drive"),
        (r"C:\Users\u\Google Drive\roosync", "Google Drive"),
        (r"C:\Users\u\AppData\Local\Google\DriveFS\1234\content_cache", "Google Drive"),
        (r"C:\Users\u\DROPBOX\roosync", "Dropbox"),
        (r"C:\Users\u\Dropbox (Work)\roosync", "Dropbox"),
        (r"C:\Users\u\iCloudDrive\roosync", "iCloud Drive"),
        (r"C:\Users\u\Nextcloud2\roosync", "Nextcloud"),
        (r"G:\Mon Drive\MyIA\.shared-state", "the shared folder of RooSync"),
    ],
)
def test_names_on_windows(path: str, program: str) -> None:
    assert program_of(PureWindowsPath(path)) == program


@pytest.mark.parametrize(
    ("path", "program"),
    [
        ("/Users/u/Library/CloudStorage/OneDrive-Personal/roosync", "OneDrive"),
        ("/Users/u/Library/CloudStorage/GoogleDrive-u@x.fr/Mon Drive/roosync", "Google Drive"),
        ("/Users/u/Library/CloudStorage/Unheard-of/roosync", "a cloud provider of macOS"),
        ("/Users/u/Library/Mobile Documents/com~apple~CloudDocs/roosync", "iCloud Drive"),
        (unicodedata.normalize("NFD", "/Volumes/GoogleDrive/Drive partagés/roosync"), "Google Drive"),
        ("/home/u/Dropbox/roosync", "Dropbox"),
        ("/mnt/c/Users/u/OneDrive/roosync", "OneDrive"),
        ("/mnt/g/Mon Drive/roosync", "Google Drive"),
        ("/home/u/ownCloud/roosync", "Nextcloud"),
    ],
)
def test_names_on_macos_linux_and_wsl(path: str, program: str) -> None:
    assert program_of(PurePosixPath(path)) == program


@pytest.mark.parametrize(
    "path",
    [
        PureWindowsPath(r"C:\Users\u\AppData\Local\roosync"),
        PureWindowsPath(r"D:\my drives\roosync"),
        PurePosixPath("/home/onedriver/.local/share/roosync"),
        PurePosixPath("/Users/u/Library/Application Support/roosync"),
        PurePosixPath("/srv/dropboxes/roosync"),
        PurePosixPath("/"),
    ],
)
def test_ordinary_folders_are_left_alone(path: PurePath) -> None:
    assert program_of(path, {"OneDrive": "", "APPDATA": r"C:\Users\u\AppData\Roaming"}) is None


def test_a_renamed_onedrive_is_known_by_its_variable() -> None:
    environ = {"OneDriveCommercial": r"D:\Société", "ROOSYNC_SHARED_PATH": ""}
    assert program_of(PureWindowsPath(r"d:\société\roosync"), environ) == "OneDrive"
    assert program_of(PureWindowsPath(r"D:\Sociétés\roosync"), environ) is None


def test_the_roaming_profile_and_our_own_shared_folder_are_refused_too() -> None:
    environ = {"APPDATA": r"C:\Users\u\AppData\Roaming", "ROOSYNC_SHARED_PATH": r"E:\common"}
    assert program_of(PureWindowsPath(r"C:\Users\u\AppData\Roaming\roosync"), environ) == "a roaming Windows profile"
    assert program_of(PureWindowsPath(r"E:\common\homes"), environ) == "the shared folder of RooSync"


def test_a_marker_in_any_folder_above_is_found() -> None:
    marker = PurePosixPath("/srv/shared/.stfolder")
    found = synchroniser_of(PurePosixPath("/srv/shared/a/b"), {}, lambda path: path == marker)
    assert found == ("Syncthing", PurePosixPath("/srv/shared"))


def test_a_link_into_a_synchronised_folder_is_followed(tmp_path: Path) -> None:
    synced = tmp_path / "synced"
    (synced / ".stfolder").mkdir(parents=True)
    link = tmp_path / "link"
    try:
        link.symlink_to(synced, target_is_directory=True)
    except OSError:
        pytest.skip("this user may not make symbolic links")
    with pytest.raises(InputFault) as caught:
        refuse_synchronised(link / "home", {})
    assert caught.value.code == "home_synchronised"
    assert caught.value.details["program"] == "Syncthing"


def test_a_home_elsewhere_is_accepted(tmp_path: Path) -> None:
    refuse_synchronised(tmp_path / "home", {})
