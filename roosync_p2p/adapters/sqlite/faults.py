"""SQLite's errors as ours: what happened, what is kept, what helps (docs/protocol/store.md §6).

Mapped by the primary result code, which is stable; the text of SQLite's messages is only passed on as a detail.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from roosync_p2p.errors import StoreError

__all__ = ["corrupt", "explain", "explain_os", "explaining"]

_DISK_ALMOST_FULL_BYTES: Final = 256 * 1024  # SQLite reports a full disk as a plain I/O error in some places

_CODES: Final = {
    sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_BUSY: "store_locked",
    sqlite3.SQLITE_LOCKED: "store_locked",
    sqlite3.SQLITE_CORRUPT: "store_corrupt",
    sqlite3.SQLITE_NOTADB: "store_corrupt",
    sqlite3.SQLITE_READONLY: "store_readonly",
    sqlite3.SQLITE_PERM: "store_readonly",
    sqlite3.SQLITE_AUTH: "store_readonly",
}
_WORDS: Final = {
    "disk_full": "the disk or quota is full",
    "store_locked": "another program holds the database locked",
    "store_corrupt": "the database is damaged",
    "store_readonly": "the database cannot be written",
    "store_io": "the disk reported an error",
}
_REMEDIES: Final = {
    "disk_full": "free some space on that disk; the node goes on by itself afterwards",
    "store_locked": "close what has the file open (a database browser, a backup, an antivirus scan); it is tried again",
    "store_corrupt": (
        "keep the file, and put back a copy that you trust together with its -wal file, or move both away: the node"
        " then begins a new incarnation and fetches from the other machines what they have"
    ),
    "store_readonly": "let the user who runs the node write the file and its folder",
    "store_io": "check the disk and its cable or mount, and that the folder still exists; then start the node again",
}


def explain(error: sqlite3.Error, path: Path, doing: str) -> StoreError:
    """The StoreError for an error of SQLite. ``doing`` completes "while", such as "writing"."""
    result = getattr(error, "sqlite_errorcode", None)
    code = "store_io" if result is None else _CODES.get(result & 0xFF, "store_io")
    if code == "store_io" and _is_full(path):
        code = "disk_full"
    return _fault(code, path, doing, f"{getattr(error, 'sqlite_errorname', 'no code')}: {error}")


def explain_os(error: OSError, path: Path, doing: str) -> StoreError:
    """The StoreError for an error of the operating system at the database file or a copy of it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        code = "disk_full"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        code = "store_readonly"
    else:
        code = "store_io"
    return _fault(code, path, doing, str(error))


def corrupt(path: Path, finding: str) -> StoreError:
    """The StoreError for a file that cannot be the whole database of a node."""
    return _fault("store_corrupt", path, "checking it", finding)


@contextlib.contextmanager
def explaining(path: Path, doing: str) -> Iterator[None]:
    """Runs a block whose errors of SQLite and the operating system leave as StoreError.

    What is the fault of our own statements (a constraint, a wrong number of parameters) passes unchanged.
    """
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise
    except sqlite3.Error as error:
        raise explain(error, path, doing) from error
    except OSError as error:
        raise explain_os(error, path, doing) from error


def _fault(code: str, path: Path, doing: str, cause: str) -> StoreError:
    return StoreError(
        f"{_WORDS[code]}: {path} while {doing} ({cause}); what was acknowledged before is kept, nothing was added",
        code=code,
        remedy=_REMEDIES[code],
        details={"path": str(path), "cause": cause},
    )


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _DISK_ALMOST_FULL_BYTES
    except OSError:
        return False
