"""Whether a path lies in a folder that some program copies to other computers.

Found by the names that the programs give their folders on Windows, macOS and Linux, by the variables that OneDrive
sets, and by markers in the directories above. A folder that was renamed and carries no marker is not found; nothing
here asks the programs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Final

from roosync_p2p.errors import InputFault

__all__ = ["refuse_synchronised", "synchroniser_of"]

# Whole names of one directory, compared without case. French and German installations translate Google's.
_NAMES: Final = {
    "OneDrive": r"onedrive( - .+|-.+)?",
    "Google Drive": (
        r"(my|google) drive( \(.+\))?|googledrive(-.+)?|drivefs|mon drive|meine ablage|mi unidad|il mio drive"
        r"|(geteilte|shared) (ablagen|drives)|drive partagés|\.shortcut-targets-by-id"
    ),
    "Dropbox": r"dropbox( \(.+\)|-.+)?",
    "iCloud Drive": r"icloud ?drive( \(.+\))?|mobile documents|com~apple~clouddocs",
    "Nextcloud": r"(nextcloud|owncloud)\d*",
    "MEGA": r"megasync( \(.+\))?",
    "Proton Drive": r"proton ?drive(-.+)?",
    "pCloud": r"pcloud ?drive",
    "Box": r"box sync|box-box",
    "a cloud provider of macOS": r"cloudstorage",
    "the shared folder of RooSync": r"\.shared-state",
}
_PATTERNS: Final = {program: re.compile(pattern) for program, pattern in _NAMES.items()}

_MARKERS: Final = {
    ".stfolder": "Syncthing",
    ".dropbox.cache": "Dropbox",
    ".nextcloudsync.log": "Nextcloud",
    ".owncloudsync.log": "ownCloud",
    ".tmp.drivedownload": "Google Drive",
}
_VARIABLES: Final = {
    "OneDrive": "OneDrive",
    "OneDriveConsumer": "OneDrive",
    "OneDriveCommercial": "OneDrive",
    "ROOSYNC_SHARED_PATH": "the shared folder of RooSync",
    "APPDATA": "a roaming Windows profile",
}


def refuse_synchronised(path: Path, environ: Mapping[str, str]) -> None:
    """Returns if no synchroniser is found above ``path``, neither as it is written nor where it leads.

    Raises:
        InputFault: ``home_synchronised``, naming the program and the folder; nothing was made.
    """
    for seen in dict.fromkeys((path.absolute(), path.resolve())):
        found = synchroniser_of(seen, environ, _exists)
        if found is not None:
            program, folder = found
            raise InputFault(
                f"{path} lies in {folder}, which {program} copies to other computers; a node's database and keys"
                " must stay on this one",
                code="home_synchronised",
                remedy="choose a home outside it: --home DIR, or ROOSYNC_HOME",
                details={"path": str(path), "folder": str(folder), "program": program},
            )


def synchroniser_of(
    path: PurePath, environ: Mapping[str, str], exists: Callable[[PurePath], bool]
) -> tuple[str, PurePath] | None:
    """Which program synchronises ``path``, and from which folder down; pure, for paths of any platform.

    Args:
        path: absolute.
        environ: the environment.
        exists: whether a file or directory is there.
    """
    return next(_findings(path, environ, exists), None)


def _findings(
    path: PurePath, environ: Mapping[str, str], exists: Callable[[PurePath], bool]
) -> Iterator[tuple[str, PurePath]]:
    folders = [folder for folder in (path, *path.parents) if folder.name]
    for folder in folders:
        name = unicodedata.normalize("NFC", folder.name).casefold()
        yield from ((program, folder) for program, pattern in _PATTERNS.items() if pattern.fullmatch(name))
    for variable, program in _VARIABLES.items():
        root = environ.get(variable, "").strip()
        if root and path.is_relative_to(type(path)(root)):
            yield program, type(path)(root)
    for folder in folders:
        yield from ((program, folder) for marker, program in _MARKERS.items() if exists(folder / marker))


def _exists(path: PurePath) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # a directory above that may not be looked into holds no marker that we could read
        return False
