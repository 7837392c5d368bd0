"""Databases of earlier versions, as their programs left them, become today's without losing a row."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sqlite3
from pathlib import Path

import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.sqlite import SqliteStore
from roosync_p2p.adapters.sqlite.connect import connect_reader
from roosync_p2p.adapters.sqlite.opening import require_migrated
from roosync_p2p.adapters.sqlite.schema import MIGRATIONS
from roosync_p2p.codec.records import encode
from roosync_p2p.core.ports import InboxQuery, SearchQuery
from roosync_p2p.core.rows import ReceiptRow
from roosync_p2p.errors import StoreError
from roosync_p2p.mailbox.attachments import Attachment
from roosync_p2p.mailbox.message import MessageBody
from tests.conformance.order_rows import commit, item
from tests.conformance.store_rows import AUTHORS, CHAINS, entry, entry_id, mail, message

ID = "msg-20260115T091530-00000"
VERSION_1 = Path(__file__).with_name("version_1.sql")

# Version 1 had no order: what is new is empty.
NEW_IN_2 = {"log_items", "state", "commits", "order_keys", "side_entries"}


@pytest.fixture
def version_1(database: Path) -> Path:
    """A database that the program of version 1 wrote and closed."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.executescript(VERSION_1.read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")
    return database


def dumped(database: Path) -> list[str]:
    """Tables, indexes, triggers and rows, as text."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())


def user_version(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        return int(version)


def test_the_first_migration_still_makes_the_tables_of_version_1(version_1: Path, tmp_path: Path) -> None:
    SqliteStore.open(tmp_path / "fresh.db", migrations=MIGRATIONS[:1]).close()
    schema = [line for line in dumped(version_1) if not line.startswith("INSERT")]
    assert [line for line in dumped(tmp_path / "fresh.db") if not line.startswith("INSERT")] == schema


def test_a_database_of_version_1_gains_the_tables_of_the_order_and_nothing_else(version_1: Path) -> None:
    before = set(dumped(version_1))
    SqliteStore.open(version_1, migrations=MIGRATIONS[:2]).close()
    gained = set(dumped(version_1)) - before
    assert before <= set(dumped(version_1))
    assert all(any(name in line for name in NEW_IN_2) for line in gained), gained


def test_a_database_of_version_1_keeps_every_row(version_1: Path) -> None:
    store = SqliteStore.open(version_1)
    assert store.facts().migrated == (2, 3, 4)
    loaded = store.load()
    assert loaded.meta == {"start": b"7", "store": bytes(range(16))}
    assert [(heads.author, len(heads.ids) // 32) for heads in loaded.chains] == [(AUTHORS[0], 3), (AUTHORS[1], 2)]
    assert [len(rows) for rows in (loaded.members, loaded.records, loaded.forks)] == [1, 1, 1]
    assert [len(rows) for rows in (loaded.invites, loaded.pending, loaded.addresses)] == [1, 1, 1]
    assert (len(loaded.log), loaded.state, loaded.commits, loaded.last_commit) == (0, (), 0, None)
    assert store.entry(entry(3).id) == entry(3)
    assert [row.body for row in store.entries(AUTHORS[1], 1, CHAINS[1], 1, count_max=9, bytes_max=99)] == [
        b"body",
        None,
    ]
    assert store.inbox(InboxQuery()).unread == 3
    assert store.receipts(entry(1).id) == [
        ReceiptRow(message=entry(1).id, reader=AUTHORS[1], workspace="", state="read", time_ms=5)
    ]
    answer = store.idempotency("k")
    assert answer is not None
    assert answer.message_id == message(1).message_id
    store.check()
    store.close()


def test_a_migrated_database_takes_old_and_new_rows(version_1: Path) -> None:
    store = SqliteStore.open(version_1)
    store.commit([*mail(4), item(1), commit(1, entry(4).id)])
    store.close()
    store = SqliteStore.open(version_1)
    assert store.facts().migrated == ()
    assert store.commit_of(entry(4).id) == commit(1, entry(4).id)
    assert store.ordered_entries([entry(1).id, entry_id("none")]) == {entry(1).id: (b"header 1", b"body")}
    assert store.inbox(InboxQuery()).unread == 4
    store.close()


def test_the_copy_made_before_is_what_the_program_of_version_1_left(version_1: Path) -> None:
    before = dumped(version_1)
    SqliteStore.open(version_1).close()
    copy = version_1.with_name("node.db.before-2")
    assert user_version(copy) == 1
    assert dumped(copy) == before
    if os.name == "posix":
        assert copy.stat().st_mode & 0o077 == 0
    old = SqliteStore.open(copy, migrations=MIGRATIONS[:1])  # the older program again
    assert old.facts().migrated == ()
    assert old.entry(entry(3).id) == entry(3)
    old.commit([entry(4)])
    old.close()


def test_what_a_killed_program_of_version_1_left_in_its_log_is_migrated_and_copied_too(
    version_1: Path, tmp_path: Path
) -> None:
    running = SqliteStore.open(version_1, migrations=MIGRATIONS[:1])
    running.commit([entry(4)])
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("node.db", "node.db-wal"):
        (killed / name).write_bytes((tmp_path / name).read_bytes())
    running.close()
    store = SqliteStore.open(killed / "node.db")
    assert store.entry(entry(4).id) == entry(4)
    store.close()
    old = SqliteStore.open(killed / "node.db.before-2", migrations=MIGRATIONS[:1])
    assert old.entry(entry(4).id) == entry(4)
    old.close()


def test_a_large_database_of_version_1_is_checked_by_its_own_tables(
    version_1: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STORE_QUICK_CHECK_BYTES_MAX", 1)
    store = SqliteStore.open(version_1)
    assert store.facts().migrated == (2, 3, 4)
    store.close()


def test_a_reader_beside_an_older_node_is_told_to_restart_it(version_1: Path) -> None:
    with contextlib.closing(connect_reader(version_1, busy_timeout_s=0.0)) as connection:
        with pytest.raises(StoreError) as caught:
            require_migrated(connection, version_1, 2)
        assert caught.value.code == "store_older"
        assert "roosync up" in caught.value.remedy
        require_migrated(connection, version_1, 1)
    assert user_version(version_1) == 1


# --- the mailbox of version 3 ---------------------------------------------------------------------------------------


@pytest.fixture
def version_2(database: Path) -> Path:
    """A database that the program of version 2 closed: two messages with words, one without a body, one torn."""
    bodies = {
        1: encode(MessageBody(id=f"{ID}1", to=["all"], subject="Sujet", body="Réunion à l'écurie")),
        2: encode(MessageBody(id=f"{ID}2", to=["all"], subject="Sujet", body="autre", tags=("été",))),
        3: None,
        4: b"torn",
    }
    store = SqliteStore.open(database, migrations=MIGRATIONS[:2])
    store.commit([dataclasses.replace(entry(number), body=body) for number, body in bodies.items()])
    store.close()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        for number in bodies:
            tags = '["été"]' if number == 2 else "[]"
            connection.execute(
                "INSERT INTO messages (no, entry, message_id, author, workspace, time_ms, recipients, subject, type,"
                " priority, tags, thread_id, in_reply_to) VALUES (?, ?, ?, ?, NULL, ?, '[\"all\"]', 'Sujet', 'task',"
                " 'HIGH', ?, 't', NULL)",
                (number, entry(number).id, f"{ID}{number}", AUTHORS[0], 1000 + number, tags),
            )
            connection.execute(
                "INSERT INTO deliveries VALUES (?, ?, '', ?, 5, 6, ?, 't')",
                (number, number, "read" if number == 4 else "unread", AUTHORS[0]),
            )
        connection.execute(
            "INSERT INTO receipts (message, reader, workspace, state, step, time_ms) VALUES (?, ?, '', 'read', 1, 9)",
            (entry(1).id, AUTHORS[1]),
        )
        connection.commit()
    return database


def test_the_words_of_messages_that_were_there_are_found(version_2: Path) -> None:
    store = SqliteStore.open(version_2)
    assert store.facts().migrated == (3, 4)

    def found(words: str) -> list[str]:
        return [row.message_id[-1] for row in store.search(SearchQuery(words=words, mine=AUTHORS[1])).messages]

    assert found("reunion ecurie") == ["1"]
    assert found("ete") == ["2"]
    assert found("sujet") == ["2", "1"]
    store.check()
    store.close()
    assert user_version(version_2.with_name("node.db.before-3")) == 2


def test_messages_that_were_there_are_filtered_by_what_is_new(version_2: Path) -> None:
    store = SqliteStore.open(version_2)

    def found(**filters: object) -> list[str]:
        page = store.inbox(dataclasses.replace(InboxQuery(status="all"), **filters))  # type: ignore[arg-type]  # by name
        return [item.message.message_id[-1] for item in page.items]

    assert found(type="task", priority="HIGH") == ["4", "3", "2", "1"]
    assert found(type="text") == []
    assert found(tag="été") == ["2"]
    assert found(since_ms=1002, until_ms=1004) == ["3", "2"]
    assert [row.note for row in store.receipts(entry(1).id)] == [""]
    assert store.load().watches == ()
    store.close()


# Version 3 let attachments be, as any field that it did not know; they count from the migration on.


def test_what_messages_cite_is_noted_where_an_older_program_kept_them(database: Path) -> None:
    cited = MessageBody(
        id=f"{ID}1",
        to=["machine-b"],
        subject="s",
        body="b",
        attachments=(Attachment(name="a", size=5, sha256=bytes(32)),),
    )
    old = SqliteStore.open(database, migrations=MIGRATIONS[:3])
    plain = dataclasses.replace(
        entry(2), kind="message", body=encode(MessageBody(id=f"{ID}2", to=["all"], subject="s", body=""))
    )
    rows = [dataclasses.replace(entry(1), kind="message", body=encode(cited)), plain]
    # The program of version 3 wrote no column that came later.
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert "sealed" not in [row[1] for row in connection.execute("PRAGMA table_info(messages)")]
    old.commit(rows)
    old.close()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        for number, row in enumerate(rows, 1):
            connection.execute(
                "INSERT INTO messages (entry, message_id, author, time_ms, recipients, subject, type, priority, tags,"
                " thread_id) VALUES (?, ?, ?, ?, '[\"machine-b\"]', 's', 'text', 'LOW', '[]', 't')",
                (row.id, f"{ID}{number}", row.author, number),
            )
        connection.commit()
    store = SqliteStore.open(database)
    assert store.facts().migrated == (4,)
    loaded = store.load()
    assert [(one.message, one.to, one.blobs) for one in loaded.cited] == [
        (rows[0].id, ("machine-b",), ((bytes(32), 5),))
    ]
    assert loaded.fetched == ()
    store.close()
    assert user_version(database.with_name("node.db.before-4")) == 3
