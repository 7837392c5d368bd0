"""Opening the database file: made whole or not at all, recognised, checked, migrated (docs/protocol/store.md §4, §5).

1. A missing file is built beside its place and renamed into it, so an empty or half-made one is never legitimate.
2. The header is read as bytes before SQLite opens anything: what is foreign, newer or cut is refused untouched.
3. A read-only connection checks the structure.
4. A copy is made before the first pending migration, then each migration is one transaction.

The caller holds the home's lock: nobody else opens the file meanwhile.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from roosync_p2p import limits
from roosync_p2p.adapters.sqlite.connect import connect_reader, transaction
from roosync_p2p.adapters.sqlite.faults import corrupt, explaining
from roosync_p2p.adapters.sqlite.schema import APPLICATION_ID, CORE_TABLES, Migration
from roosync_p2p.errors import StoreError

__all__ = ["Header", "check_structure", "create", "migrate", "read_header", "require_migrated", "require_ours"]

_MAGIC: Final = b"SQLite format 3\x00"
_HEADER_BYTES: Final = 100
_FINDINGS_MAX: Final = 20  # findings of one check that are reported; one is enough to refuse


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the first bytes of the file say, see https://sqlite.org/fileformat.html §1.3."""

    application_id: int
    user_version: int


def create(path: Path, migrations: Sequence[Migration]) -> None:
    """Makes an empty store at ``path``, where nothing is, readable by the owner alone.

    Raises:
        StoreError: it could not be made, or a log without its database is there; nothing is at ``path``.
    """
    if _log_of(path).exists():
        raise corrupt(path, f"the database is gone, but its log {_log_of(path).name} is there")
    fresh = path.with_name(path.name + ".new")
    with explaining(path, "creating it"):
        fresh.unlink(missing_ok=True)  # of an attempt that was cut off
        _journal_of(fresh).unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
            with transaction(connection, "BEGIN IMMEDIATE"):
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                _apply(connection, migrations)
            connection.execute("PRAGMA journal_mode = WAL")
        fresh.rename(path)
        _sync_directory(path.parent)


def read_header(path: Path) -> Header:
    """Reads the header without SQLite, so that the file stays as it is.

    Raises:
        StoreError: the file is no SQLite database, or is cut (``store_corrupt``); it cannot be read.
    """
    with explaining(path, "opening it"), path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
        size = os.fstat(file.fileno()).st_size
    if len(head) < _HEADER_BYTES or not head.startswith(_MAGIC):
        raise corrupt(path, f"it does not begin like an SQLite database; {size} bytes")
    return Header(
        application_id=int.from_bytes(head[68:72], "big"), user_version=int.from_bytes(head[60:64], "big", signed=True)
    )


def require_ours(path: Path, header: Header, newest: int) -> None:
    """Refuses a database of another program, or of a newer version of this one.

    Raises:
        StoreError: ``store_foreign`` or ``store_newer``; the file is as it was.
    """
    if header.application_id != APPLICATION_ID:
        raise StoreError(
            f"{path} is a database of another program; it was not touched",
            code="store_foreign",
            remedy="move it away, or choose another home with --home",
            details={"path": str(path), "application_id": header.application_id},
        )
    if header.user_version > newest:
        raise StoreError(
            f"{path} has version {header.user_version}, and this program knows versions up to {newest};"
            " it was not touched",
            code="store_newer",
            remedy=f"install the newer roosync-p2p again, or put back {path.name}.before-{newest + 1} if nothing was"
            " written since",
            details={"path": str(path), "version": header.user_version, "known": newest},
        )


def require_migrated(connection: sqlite3.Connection, path: Path, newest: int) -> None:
    """Refuses a database that an older program has open, for a reader beside it, which cannot migrate.

    Raises:
        StoreError: ``store_older``.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < newest:
        raise StoreError(
            f"{path} has version {version} and this program reads version {newest}: an older node runs on it",
            code="store_older",
            remedy="`roosync down`, then `roosync up`: the newer program brings the database up to date as it starts",
            details={"path": str(path), "version": version, "known": newest},
        )


def check_structure(path: Path, *, busy_timeout_s: float, full: bool = False) -> None:
    """Checks the structure of the file, read-only.

    A file of up to ``limits.STORE_QUICK_CHECK_BYTES_MAX`` is read whole; of a larger one the tables that a core
    starts from. Neither reads the bytes inside a row: those are covered by hashes and signatures, where they are
    used. ``full`` compares every index with its table as well, whatever the size.

    Raises:
        StoreError: the findings (``store_corrupt``), or that it could not be read.
    """
    with (
        explaining(path, "checking it"),
        contextlib.closing(connect_reader(path, busy_timeout_s=busy_timeout_s)) as connection,
    ):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        checks = _checks(path, version, full=full)
        findings = [finding for pragma in checks for (finding,) in connection.execute(pragma)]
    if bad := [finding for finding in findings if finding != "ok"]:
        raise corrupt(path, "; ".join(bad))


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> list[int]:
    """Brings the database to the last migration; returns the numbers applied.

    Raises:
        StoreError: a copy or a migration failed; the database is at the version before that migration.
    """
    with explaining(path, "migrating it"):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        pending = [migration for migration in migrations if migration.number > version]
        if pending:
            _copy(connection, path.with_name(f"{path.name}.before-{pending[0].number}"))
        for migration in pending:
            with transaction(connection, "BEGIN IMMEDIATE"):
                _apply(connection, [migration])
        if pending:  # so that the file's header, which is read before SQLite opens it, tells the version
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return [migration.number for migration in pending]


def _apply(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    for migration in migrations:
        for statement in migration.statements:
            connection.execute(statement)
        if migration.fill is not None:
            migration.fill(connection)
        connection.execute(f"PRAGMA user_version = {migration.number}")


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    """Copies the whole database, log included, to ``target``; an older copy of the same name is replaced."""
    fresh = target.with_name(target.name + ".new")
    fresh.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as copy:
        connection.backup(copy)
    fresh.replace(target)
    _sync_directory(target.parent)


def _checks(path: Path, version: int, *, full: bool) -> list[str]:
    if full:
        return [f"PRAGMA integrity_check({_FINDINGS_MAX})"]
    if path.stat().st_size <= limits.STORE_QUICK_CHECK_BYTES_MAX:
        return [f"PRAGMA quick_check({_FINDINGS_MAX})"]
    return [f"PRAGMA quick_check({table})" for table, since in CORE_TABLES.items() if since <= version]


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _journal_of(path: Path) -> Path:
    return path.with_name(path.name + "-journal")


def _sync_directory(directory: Path) -> None:
    if os.name == "posix":  # Windows has no such call, and keeps the rename in its own log
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
