"""The port over a real directory: temporary file, replace, retries within a bound, and one word for each failure.

Every call blocks for as long as the file system does, so it runs in the folder's own thread
(:mod:`~roosync_p2p.adapters.shared_folder.worker`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from roosync_p2p import limits
from roosync_p2p.adapters.shared_folder.paths import is_safe, local_path, temporary_name
from roosync_p2p.adapters.shared_folder.writing import ask, fault_code
from roosync_p2p.core.ports import FolderItem
from roosync_p2p.errors import FolderError

__all__ = ["Directory"]

R = TypeVar("R")

_SHARING: Final = frozenset({5, 32, 33})  # Windows: access denied while scanned, sharing violation, lock violation
_DENIED: Final = 5  # retried like the others, because a scanned file answers so; after that it is what it says
_BUSY: Final = frozenset({errno.EBUSY, errno.ETXTBSY, errno.EAGAIN, errno.EINTR})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_READ_ONLY: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR})


class Directory:
    """A :class:`~roosync_p2p.core.ports.Folder` at a place of the file system.

    Args:
        root: the directory that is synchronised; it is never made here.
        sleep: how a retry waits.
    """

    def __init__(self, root: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._root = root
        self._sleep = sleep
        self._number = 0

    @property
    def root(self) -> Path:
        """Where it is."""
        return self._root

    def items(self, path: str) -> list[FolderItem]:
        """See the port. Names that no part of ours could have are left out; a link is no file of ours."""
        try:
            found = self._tried(lambda: self._list(path), path)
        except FileNotFoundError:
            return []
        return found

    def read(self, path: str, *, bytes_max: int) -> bytes | None:
        """See the port."""
        try:
            return self._tried(lambda: self._read(path, bytes_max), path)
        except FileNotFoundError:
            return None

    def read_at(self, path: str, offset: int, count: int) -> bytes | None:
        """See the port."""
        try:
            return self._tried(lambda: self._read(path, count, offset), path)
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes) -> None:
        """See the port: into a temporary file of this machine's part, then in the place of the old one."""
        self.write_pieces(path, [data])

    def write_pieces(self, path: str, pieces: Iterable[bytes]) -> None:
        """See the port. ``pieces`` is walked again when another program held the file meanwhile."""
        self._require_root()
        self._number += 1
        target = local_path(self._root, path)
        part = local_path(self._root, temporary_name(path, self._number % limits.FOLDER_TEMPORARY_MAX))
        try:
            self._tried(lambda: _write(part, pieces), path)
            self._tried(lambda: _replace(part, target), path)
        except FileNotFoundError as error:
            raise _unmounted(self._root) from error
        finally:
            with contextlib.suppress(OSError):
                os.unlink(part)  # noqa: PTH108 - may be an extended path of Windows

    def delete(self, path: str) -> None:
        """See the port."""
        self._require_root()
        with contextlib.suppress(FileNotFoundError):
            self._tried(lambda: os.unlink(local_path(self._root, path)), path)  # noqa: PTH108 - as above

    def check_writing(self, path: str) -> None:
        """See the port. Asked is the directory itself, or the nearest above it that is there."""
        place = Path(local_path(self._root, path))
        try:
            while place != self._root and not place.is_dir():
                place = place.parent
            code = fault_code(ask(place))
        except OSError:  # nothing is said
            return
        if code == "folder_full":
            raise _full(self._root)
        if code == "folder_read_only":
            raise _read_only(self._root, f"this user may not make files in {place}")

    # --- inside ---------------------------------------------------------------------------------------------------

    def _require_root(self) -> None:
        if not self._tried(self._root.is_dir, "."):
            raise _unmounted(self._root)

    def _list(self, path: str) -> list[FolderItem]:
        with os.scandir(local_path(self._root, path)) as entries:
            return sorted((_item(entry) for entry in entries if is_safe(entry.name)), key=lambda item: item.name)

    def _read(self, path: str, bytes_max: int, offset: int = 0) -> bytes:
        # Not opened before it is known to be a file: opening a pipe would wait for its other end.
        place = local_path(self._root, path)
        if not stat.S_ISREG(os.lstat(place).st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a file", place)
        with open(place, "rb", buffering=0) as file:  # noqa: PTH123 - may be an extended path of Windows
            file.seek(offset)
            data = bytearray()
            while len(data) < bytes_max and (more := file.read(bytes_max - len(data))):
                data += more
            return bytes(data)

    def _tried(self, call: Callable[[], R], path: str) -> R:
        """Calls, again while another program holds the file, within a bound.

        Raises:
            FileNotFoundError: it is not there.
            FolderError: what else is wrong, in one word.
        """
        wait_s = limits.FOLDER_SHARING_FIRST_S
        waited_s = 0.0
        while True:
            try:
                return call()
            except OSError as error:
                if not _held(error) or waited_s >= limits.FOLDER_SHARING_S:
                    raise _explained(error, self._root, path) from error
            self._sleep(wait_s)
            waited_s += wait_s
            wait_s = min(2 * wait_s, limits.FOLDER_SHARING_S)


def _item(entry: os.DirEntry[str]) -> FolderItem:
    try:
        folder = entry.is_dir(follow_symlinks=False)
        size = 0 if folder else entry.stat(follow_symlinks=False).st_size
    except OSError:  # it went away, or is a placeholder that cannot be asked now: reading it will tell
        return FolderItem(name=entry.name)
    return FolderItem(name=entry.name, size=size, folder=folder)


def _write(part: str, pieces: Iterable[bytes]) -> None:
    os.makedirs(os.path.dirname(part), exist_ok=True)  # noqa: PTH103, PTH120 - may be an extended path of Windows
    with open(part, "wb") as file:  # noqa: PTH123 - as above
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())


def _replace(part: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120 - as above
    os.replace(part, target)  # noqa: PTH105 - as above


def _held(error: OSError) -> bool:
    return getattr(error, "winerror", None) in _SHARING or error.errno in _BUSY


def _unmounted(root: Path) -> FolderError:
    return FolderError(
        f"the shared folder {root} is not there",
        code="folder_unmounted",
        remedy="start the program that synchronises it, or correct [folder] path",
    )


def _full(root: Path) -> FolderError:
    return FolderError(
        f"the shared folder {root} is full; nothing of it was changed",
        code="folder_full",
        remedy="free space there, or in the account of the program that synchronises it",
    )


def _read_only(root: Path, said: str) -> FolderError:
    return FolderError(
        f"the shared folder {root} may not be written: {said}",
        code="folder_read_only",
        remedy="give this user the right to write there, or sign in to the program that synchronises it",
    )


def _explained(error: OSError, root: Path, path: str) -> OSError | FolderError:
    said = error.strerror or str(error)
    if _held(error) and getattr(error, "winerror", None) != _DENIED:
        return FolderError(f"another program holds {path} open: {said}", code="folder_busy", remedy="nothing, or wait")
    if error.errno in _ABSENT:
        return FileNotFoundError(error.errno, said, path)
    if error.errno in _FULL:
        return _full(root)
    if error.errno in _READ_ONLY:
        return _read_only(root, said)
    return FolderError(
        f"the shared folder {root} fails: {said}", code="folder_failing", remedy="see what the drive's program says"
    )
