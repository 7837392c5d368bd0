"""Opening: what is foreign, newer or damaged is refused untouched; what is older is copied, then migrated."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.sqlite import SqliteStore
from roosync_p2p.adapters.sqlite.schema import APPLICATION_ID, MIGRATIONS, Migration
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.errors import StoreError
from tests.conformance.store_rows import entry, mail

NOW = len(MIGRATIONS)
NEXT = Migration(number=NOW + 1, statements=("CREATE TABLE later (x INTEGER)", "INSERT INTO later VALUES (7)"))
AFTER_NEXT = Migration(number=NOW + 2, statements=("ALTER TABLE later ADD COLUMN y INTEGER",))
BROKEN = Migration(number=NOW + 2, statements=("CREATE TABLE half (x INTEGER)", "INSERT INTO nowhere VALUES (1)"))
PAGE = 4096


def filled(database: Path) -> None:
    """A store with a few hundred entries, closed."""
    store = SqliteStore.open(database)
    store.commit([MetaRow(key="start", value=b"1")])
    for number in range(1, 301):
        store.commit(mail(number))
    store.close()


def refusal(database: Path) -> StoreError:
    """Opening is refused and leaves the file as it was."""
    before = database.read_bytes()
    with pytest.raises(StoreError) as caught:
        SqliteStore.open(database)
    assert database.read_bytes() == before
    assert caught.value.remedy
    assert str(database) in caught.value.message
    return caught.value


def tables_of(database: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_a_new_database_carries_our_mark_and_version_and_is_owner_only(database: Path) -> None:
    SqliteStore.open(database).close()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (MIGRATIONS[-1].number,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert [path.name for path in database.parent.glob("node.db*")] == ["node.db"]
    if os.name == "posix":
        assert database.stat().st_mode & 0o077 == 0


def test_the_log_beside_an_open_database_is_owner_only_too(database: Path) -> None:
    if os.name != "posix":
        pytest.skip("mode bits are POSIX")
    store = SqliteStore.open(database)
    store.commit(mail(1))
    assert {path.name: path.stat().st_mode & 0o077 for path in database.parent.glob("node.db*")} == {
        "node.db": 0,
        "node.db-wal": 0,
        "node.db-shm": 0,
    }
    store.close()


def test_a_half_made_database_of_a_cut_off_start_is_made_anew(database: Path) -> None:
    database.with_name("node.db.new").write_bytes(b"half")
    SqliteStore.open(database).close()
    assert not database.with_name("node.db.new").exists()


def test_a_missing_database_is_not_made_when_it_is_expected(database: Path) -> None:
    with pytest.raises(StoreError) as caught:
        SqliteStore.open(database, create=False)
    assert caught.value.code == "store_missing"
    assert not database.exists()


def test_a_log_without_its_database_is_not_buried_under_a_new_one(database: Path) -> None:
    database.with_name("node.db-wal").write_bytes(b"the only copy of something")
    with pytest.raises(StoreError) as caught:
        SqliteStore.open(database)
    assert caught.value.code == "store_corrupt"
    assert not database.exists()
    assert database.with_name("node.db-wal").read_bytes() == b"the only copy of something"


def test_the_writing_connection_syncs_every_commit(database: Path) -> None:
    store = SqliteStore.open(database)
    assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def test_readers_cannot_write(database: Path) -> None:
    store = SqliteStore.open(database)
    with store._readers.lend() as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM meta")
    store.close()


def test_idle_readers_are_bounded(database: Path) -> None:
    store = SqliteStore.open(database)
    with contextlib.ExitStack() as lent:
        for _ in range(limits.STORE_IDLE_READERS_MAX + 3):
            lent.enter_context(store._readers.lend())
    assert len(store._readers._idle) == limits.STORE_IDLE_READERS_MAX
    store.close()


def test_a_read_that_outlives_the_store_ends_in_peace(database: Path) -> None:
    store = SqliteStore.open(database)
    store.commit([MetaRow(key="start", value=b"1")])
    with store._readers.lend() as connection:
        store.close()
        assert connection.execute("SELECT count(*) FROM meta").fetchone() == (1,)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


# --- refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 8192, b"SQLite format 3\x00"])
def test_what_is_no_database_is_refused(database: Path, content: bytes) -> None:
    database.write_bytes(content)
    error = refusal(database)
    assert error.code == "store_corrupt"
    assert "damaged" in error.message


def test_a_database_of_another_program_is_refused(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE theirs (x INTEGER)")
    assert refusal(database).code == "store_foreign"
    assert not database.with_name("node.db-wal").exists()


def test_a_newer_database_is_refused_naming_both_versions(database: Path) -> None:
    SqliteStore.open(database, migrations=[*MIGRATIONS, NEXT]).close()
    error = refusal(database)
    assert error.code == "store_newer"
    assert f"version {NOW + 1}" in error.message
    assert f"up to {NOW}" in error.message
    assert f"node.db.before-{NOW + 1}" in error.remedy


def test_a_truncated_database_is_refused(database: Path) -> None:
    filled(database)
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.truncate(size // 2 // PAGE * PAGE)
    assert refusal(database).code == "store_corrupt"


def test_a_page_of_garbage_is_found_wherever_it_is_in_use(database: Path) -> None:
    filled(database)
    whole = database.read_bytes()
    for page in range(1, len(whole) // PAGE, 7):
        database.write_bytes(whole[: page * PAGE] + bytes(range(256)) * (PAGE // 256) + whole[(page + 1) * PAGE :])
        assert refusal(database).code == "store_corrupt", f"page {page + 1}"
    database.write_bytes(whole)
    SqliteStore.open(database).close()


def test_flipped_bits_in_the_head_of_a_page_are_found(database: Path) -> None:
    filled(database)
    whole = bytearray(database.read_bytes())
    whole[3 * PAGE] ^= 0xFF  # the kind of the fourth page
    database.write_bytes(whole)
    assert refusal(database).code == "store_corrupt"


@pytest.mark.parametrize("table", ["places", "log_items", "state"])
def test_of_a_large_file_the_tables_a_core_starts_from_are_checked(
    database: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    filled(database)
    monkeypatch.setattr(limits, "STORE_QUICK_CHECK_BYTES_MAX", 1)
    SqliteStore.open(database).close()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    with database.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xff" * 64)
    assert refusal(database).code == "store_corrupt"


def test_the_full_check_finds_an_index_that_disagrees_with_its_table(database: Path) -> None:
    filled(database)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, '(message_id)', '(subject)') WHERE name = 'messages_by_id'"
        )
        connection.commit()
    store = SqliteStore.open(database)
    with pytest.raises(StoreError) as caught:
        store.check()
    store.close()
    assert caught.value.code == "store_corrupt"


# --- migrated -------------------------------------------------------------------------------------------------------


def test_a_migration_is_preceded_by_a_copy_that_opens_as_it_was(database: Path) -> None:
    filled(database)
    store = SqliteStore.open(database, migrations=[*MIGRATIONS, NEXT, AFTER_NEXT])
    assert store.facts().migrated == (NOW + 1, NOW + 2)
    assert store.facts().version == NOW + 2
    assert store.entry(entry(300).id) == entry(300)
    store.close()
    assert "later" in tables_of(database)
    copy = database.with_name(f"node.db.before-{NOW + 1}")
    if os.name == "posix":
        assert copy.stat().st_mode & 0o077 == 0
    old = SqliteStore.open(copy)
    assert old.facts().version == NOW
    assert old.entry(entry(300).id) == entry(300)
    old.close()


def test_the_copy_holds_what_is_in_the_log_only(database: Path, tmp_path: Path) -> None:
    store = SqliteStore.open(database)
    store.commit(mail(1))
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("node.db", "node.db-wal"):
        (killed / name).write_bytes((tmp_path / name).read_bytes())
    store.close()
    SqliteStore.open(killed / "node.db", migrations=[*MIGRATIONS, NEXT]).close()
    old = SqliteStore.open(killed / f"node.db.before-{NOW + 1}")
    assert old.entry(entry(1).id) == entry(1)
    old.close()


def test_a_migration_that_fails_leaves_the_version_before_it(database: Path) -> None:
    filled(database)
    with pytest.raises(StoreError, match="migrating"):
        SqliteStore.open(database, migrations=[*MIGRATIONS, NEXT, BROKEN])
    assert "half" not in tables_of(database)
    store = SqliteStore.open(database, migrations=[*MIGRATIONS, NEXT])
    assert store.facts().migrated == ()
    assert store.entry(entry(300).id) == entry(300)
    store.close()


def test_nothing_is_copied_when_nothing_is_migrated(database: Path) -> None:
    filled(database)
    SqliteStore.open(database).close()
    assert [path.name for path in database.parent.glob("node.db*")] == ["node.db"]


def test_the_numbers_of_the_migrations_count_up_from_one() -> None:
    assert [migration.number for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))
