"""Which directory is the shared folder: the first of the candidates that holds this fleet's marker.

A directory without the marker is not the folder: an unmounted drive often leaves an empty one behind, and what is
written there nobody sees. The marker is made once, by the fleet's founder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from roosync_p2p.adapters.shared_folder.directory import Directory
from roosync_p2p.core.folder.reading import check_marker, marker_bytes
from roosync_p2p.core.ports import FolderItem
from roosync_p2p.errors import FolderError, InputFault
from roosync_p2p.gossip.folder_paths import MARKER, ROOT
from roosync_p2p.ids import FleetId

__all__ = ["Candidates", "found_folder", "require_directory"]


class Candidates:
    """A folder that is one of several directories, chosen anew whenever the chosen one is not the folder any more.

    Args:
        paths: in the order of preference.
        fleet: whose marker counts.
        founds: make the marker where none of them has one, in the first that is an empty place for it.
    """

    def __init__(self, paths: Sequence[Path], fleet: FleetId, *, founds: bool = False) -> None:
        assert paths
        self._folders = [Directory(path) for path in paths]
        self._fleet = fleet
        self._founds = founds
        self._chosen = self._folders[0]

    @property
    def root(self) -> Path:
        """The directory in use."""
        return self._chosen.root

    def items(self, path: str) -> list[FolderItem]:
        """See the port."""
        return self._chosen.items(path)

    def read(self, path: str, *, bytes_max: int) -> bytes | None:
        """See the port; reading the marker, which every job begins with, chooses the directory."""
        if path == MARKER:
            self._choose()
        return self._chosen.read(path, bytes_max=bytes_max)

    def write(self, path: str, data: bytes) -> None:
        """See the port."""
        self._chosen.write(path, data)

    def read_at(self, path: str, offset: int, count: int) -> bytes | None:
        """See the port."""
        return self._chosen.read_at(path, offset, count)

    def write_pieces(self, path: str, pieces: Iterable[bytes]) -> None:
        """See the port."""
        self._chosen.write_pieces(path, pieces)

    def delete(self, path: str) -> None:
        """See the port."""
        self._chosen.delete(path)

    def check_writing(self, path: str) -> None:
        """See the port."""
        self._chosen.check_writing(path)

    def _choose(self) -> None:
        for folder in [self._chosen, *self._folders]:
            try:
                check_marker(folder, self._fleet)
            except FolderError:
                continue
            self._chosen = folder
            self._founds = False  # what was there once and is gone is unmounted
            return
        if self._founds:
            self._found()

    def _found(self) -> None:
        for folder in self._folders:
            if folder.root.is_dir() and not folder.items(ROOT):
                folder.write(MARKER, marker_bytes(self._fleet))
                self._chosen, self._founds = folder, False
                return


def found_folder(path: Path, fleet: FleetId) -> None:
    """Makes a directory the shared folder of a fleet; it stays so if it is already.

    Raises:
        InputFault: ``folder_missing``: there is no such directory.
        FolderError: it belongs to another fleet, or cannot be written.
    """
    require_directory(path)
    folder = Directory(path)
    if not folder.read(MARKER, bytes_max=1):
        folder.write(MARKER, marker_bytes(fleet))
    check_marker(folder, fleet)


def require_directory(path: Path) -> None:
    """Returns if the directory is there: it is never made, because a drive that is away leaves nothing behind.

    Raises:
        InputFault: ``folder_missing``.
    """
    if not path.is_dir():
        raise InputFault(
            f"there is no directory {path}; nothing was changed",
            code="folder_missing",
            remedy="name the directory that is synchronised",
        )
