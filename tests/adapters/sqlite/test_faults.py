"""A commit that fails: what was acknowledged stays, the words say why, and the next attempt can succeed."""

from __future__ import annotations

import contextlib
import errno
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from roosync_p2p.adapters.sqlite import SqliteStore
from roosync_p2p.adapters.sqlite.faults import explain, explain_os, explaining
from roosync_p2p.core.ports import InboxQuery
from roosync_p2p.core.rows import Row
from roosync_p2p.errors import StoreError
from tests.conformance.store_rows import AUTHORS, entry, mail


@pytest.fixture
def store(database: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(database, busy_timeout_s=0.0)
    store.commit(mail(1))
    yield store
    store.close()


def large(number: int) -> list[Row]:
    return [entry(number, body=bytes(200_000))]


def fails_with(store: SqliteStore, code: str, rows: list[Row]) -> None:
    with pytest.raises(StoreError) as caught:
        store.commit(rows)
    assert caught.value.code == code
    assert caught.value.remedy
    assert "kept" in caught.value.message


def works_again(store: SqliteStore, rows: list[Row]) -> None:
    """The same rows are taken now, and what was acknowledged before is there."""
    assert store.entry(entry(2).id) is None
    store.commit(rows)
    store.commit(mail(3))
    assert len(store.load().chains[0].ids) == 3 * 32
    assert store.inbox(InboxQuery()).unread == 2
    store.check()


def test_a_full_database_refuses_and_goes_on_when_there_is_space(store: SqliteStore) -> None:
    (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
    store._writer.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    fails_with(store, "disk_full", large(2))
    store._writer.execute("PRAGMA max_page_count = 1000000").fetchall()
    works_again(store, large(2))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=False).returncode
    ):
        pytest.skip("a tmpfs cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.root
def test_a_full_disk_refuses_and_goes_on_when_there_is_space(small_disk: Path) -> None:
    store = SqliteStore.open(small_disk / "node.db")
    store.commit(mail(1))
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(small_disk).free < 4096
    fails_with(store, "disk_full", large(2))
    assert store.entry(entry(1).id) == entry(1)
    filler.unlink()
    works_again(store, large(2))
    store.close()


@pytest.mark.root
def test_a_store_that_cannot_be_made_on_a_full_disk_leaves_nothing(small_disk: Path) -> None:
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    with pytest.raises(StoreError) as caught:
        SqliteStore.open(small_disk / "node.db")
    assert caught.value.code == "disk_full"
    assert not (small_disk / "node.db").exists()
    filler.unlink()
    SqliteStore.open(small_disk / "node.db").close()


def test_a_locked_database_refuses_and_goes_on_afterwards(store: SqliteStore, database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        fails_with(store, "store_locked", large(2))
        other.execute("ROLLBACK")
    works_again(store, large(2))


def test_a_readonly_database_refuses_and_goes_on_afterwards(store: SqliteStore) -> None:
    store._writer.execute("PRAGMA query_only = ON")
    fails_with(store, "store_readonly", large(2))
    store._writer.execute("PRAGMA query_only = OFF")
    works_again(store, large(2))


def test_a_failed_first_entry_of_a_chain_does_not_leave_a_chain_number_behind(store: SqliteStore) -> None:
    (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
    store._writer.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    other = entry(1, AUTHORS[1])
    fails_with(store, "disk_full", [other, *large(2)])
    store._writer.execute("PRAGMA max_page_count = 1000000").fetchall()
    store.commit([other])
    assert store.entry(other.id) == other


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (sqlite3.SQLITE_FULL, "disk_full"),
        (sqlite3.SQLITE_BUSY, "store_locked"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "store_locked"),
        (sqlite3.SQLITE_LOCKED, "store_locked"),
        (sqlite3.SQLITE_IOERR_FSYNC, "store_io"),
        (sqlite3.SQLITE_CANTOPEN, "store_io"),
        (sqlite3.SQLITE_CORRUPT, "store_corrupt"),
        (sqlite3.SQLITE_CORRUPT_VTAB, "store_corrupt"),
        (sqlite3.SQLITE_NOTADB, "store_corrupt"),
        (sqlite3.SQLITE_READONLY, "store_readonly"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "store_readonly"),
    ],
)
def test_every_result_of_sqlite_has_its_code(tmp_path: Path, result: int, code: str) -> None:
    error = sqlite3.OperationalError("words of SQLite")
    error.sqlite_errorcode = result
    error.sqlite_errorname = "SQLITE_X"
    explained = explain(error, tmp_path / "node.db", "writing")
    assert explained.code == code
    assert explained.remedy
    assert explained.details["cause"] == "SQLITE_X: words of SQLite"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EACCES, "store_readonly"),
        (errno.EROFS, "store_readonly"),
        (errno.EIO, "store_io"),
    ],
)
def test_every_error_of_the_system_has_its_code(tmp_path: Path, number: int, code: str) -> None:
    assert explain_os(OSError(number, "words"), tmp_path / "node.db", "writing").code == code


def test_a_mistake_in_our_own_statements_is_not_the_environments_fault(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.ProgrammingError), explaining(tmp_path / "node.db", "writing"):
        raise sqlite3.ProgrammingError("wrong number of bindings")
