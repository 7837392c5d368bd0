"""Tables of the mailbox beside messages and receipts: arrivals, amendments, words, what is cited (store.md §3.5, §3.6).

The index of words is an ordinary table of FTS5 with the texts in it: it costs the disk as much as the bodies, and can
never disagree with them because of a text that was gone when it was to be taken out.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Final

from roosync_p2p.adapters.sqlite.connect import transaction
from roosync_p2p.adapters.sqlite.mapping import MESSAGE_COLUMNS, message_row
from roosync_p2p.core.mail_rows import (
    AmendmentRow,
    AttachmentRow,
    BodyDropRow,
    Cited,
    FetchedRow,
    KeptRow,
    MailRow,
    WatchRow,
    WordsRow,
)
from roosync_p2p.core.ports import SearchPage, SearchQuery
from roosync_p2p.core.rows import DeliveryRow
from roosync_p2p.core.store_rules import Term, format_cursor, parse_cursor, queried_limit, searched_terms
from roosync_p2p.ids import EntryId, MachineId

__all__ = [
    "amendments_of",
    "cited_messages",
    "fetched_rows",
    "is_kept",
    "sealed_messages",
    "search_page",
    "watches",
    "write_arrival",
    "write_mail_row",
]

_AMENDMENT_COLUMNS: Final = (
    "amendments.entry, amendments.message, amendments.author, amendments.session, amendments.incarnation,"
    " amendments.sequence, amendments.time_ms"
)
# An amendment counts if author and session are those of the message.
_COUNTING: Final = (
    " FROM amendments JOIN messages ON messages.entry = amendments.message AND messages.author = amendments.author"
    " AND messages.session = amendments.session WHERE amendments.message = ?"
)


# --- writing ------------------------------------------------------------------------------------------------------


def write_arrival(connection: sqlite3.Connection, *, message_no: int, rank: int, row: DeliveryRow) -> None:
    """A message is in an inbox for the first time, with what the inbox is filtered by."""
    connection.execute(
        "INSERT INTO deliveries (rank, message_no, workspace, status, arrived_ms, changed_ms, author, thread_id, type,"
        " priority, sent_ms) SELECT ?, no, ?, ?, ?, ?, author, thread_id, type, priority, time_ms FROM messages"
        " WHERE no = ?",
        (rank, row.workspace, row.status, row.arrived_ms, row.changed_ms, message_no),
    )
    connection.execute(
        "INSERT OR IGNORE INTO delivery_tags (tag, status, rank)"
        " SELECT value, ?, ? FROM messages, json_each(messages.tags) WHERE no = ?",
        (row.status, rank, message_no),
    )


def write_mail_row(connection: sqlite3.Connection, row: MailRow) -> None:
    """Writes one row inside the caller's transaction."""
    match row:
        case KeptRow(entry=entry, kept=True):
            connection.execute("INSERT OR IGNORE INTO kept (entry) VALUES (?)", (entry,))
        case KeptRow(entry=entry):
            connection.execute("DELETE FROM kept WHERE entry = ?", (entry,))
        case AmendmentRow():
            connection.execute(
                "INSERT OR IGNORE INTO amendments (entry, message, author, session, incarnation, sequence, time_ms)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (row.entry, row.message, row.author, row.session, row.incarnation, row.sequence, row.time_ms),
            )
        case WordsRow():
            _write_words(connection, row)
        case WatchRow(entry=entry, data=None):
            connection.execute("DELETE FROM watches WHERE entry = ?", (entry,))
        case WatchRow(entry=entry, data=data):
            connection.execute("INSERT OR REPLACE INTO watches (entry, data) VALUES (?, ?)", (entry, data))
        case AttachmentRow():
            connection.execute(
                "INSERT OR IGNORE INTO attachments (message, number, digest, size) VALUES (?, ?, ?, ?)",
                (row.message, row.number, row.digest, row.size),
            )
        case FetchedRow():
            connection.execute(
                "INSERT OR IGNORE INTO fetched (message, machine) VALUES (?, ?)", (row.message, row.machine)
            )
        case BodyDropRow(message=message):
            _drop_bodies(connection, message)


def _write_words(connection: sqlite3.Connection, row: WordsRow) -> None:
    found = connection.execute(
        "SELECT no, subject, tags FROM messages WHERE entry = ? AND author = ? AND session = ?",
        (row.message, row.author, row.session),
    ).fetchone()
    if found is None:
        return
    number, subject, tags = found
    place = (row.incarnation, row.sequence)
    known = connection.execute("SELECT incarnation, sequence FROM words WHERE rowid = ?", (number,)).fetchone()
    if known is not None and tuple(known) >= place:
        return
    if known is not None:
        connection.execute("DELETE FROM words WHERE rowid = ?", (number,))
    connection.execute(
        "INSERT INTO words (rowid, subject, body, tags, incarnation, sequence)"
        " SELECT ?, ?, ?, group_concat(value, char(10)), ?, ? FROM json_each(?)",
        (number, subject, row.body, *place, tags),
    )


def _drop_bodies(connection: sqlite3.Connection, message: EntryId) -> None:
    amended = [entry for (entry,) in connection.execute(f"SELECT amendments.entry{_COUNTING}", (message,))]
    for entry in (message, *amended):
        connection.execute("UPDATE entries SET body = NULL WHERE id = ?", (entry,))
    connection.execute("UPDATE messages SET dropped = 1 WHERE entry = ?", (message,))
    connection.execute("DELETE FROM attachments WHERE message = ?", (message,))
    connection.execute("DELETE FROM fetched WHERE message = ?", (message,))
    connection.execute("UPDATE words SET body = '' WHERE rowid = (SELECT no FROM messages WHERE entry = ?)", (message,))


# --- reading ------------------------------------------------------------------------------------------------------


def watches(connection: sqlite3.Connection) -> tuple[WatchRow, ...]:
    """What this machine waits to hear, by entry."""
    found = connection.execute("SELECT entry, data FROM watches ORDER BY entry")
    return tuple(WatchRow(entry=entry, data=data) for entry, data in found)


def cited_messages(connection: sqlite3.Connection) -> tuple[Cited, ...]:
    """The messages that cite blobs, by entry."""
    found = connection.execute(
        "SELECT message, author, recipients, time_ms, expires_ms, digest, size FROM attachments"
        " JOIN messages ON messages.entry = attachments.message ORDER BY message, number"
    )
    blobs: dict[EntryId, list[tuple[bytes, int]]] = {}
    heads: dict[EntryId, tuple[MachineId, str, int, int]] = {}
    for message, author, to, time_ms, expires_ms, digest, size in found:
        blobs.setdefault(message, []).append((digest, size))
        heads[message] = (author, to, time_ms, expires_ms)
    return tuple(
        Cited(
            message=message,
            author=author,
            to=tuple(json.loads(to)),
            time_ms=time_ms,
            expires_ms=expires_ms,
            blobs=tuple(blobs[message]),
        )
        for message, (author, to, time_ms, expires_ms) in heads.items()
    )


def fetched_rows(connection: sqlite3.Connection) -> tuple[FetchedRow, ...]:
    """Who has everything that a message cites, by entry, then machine."""
    found = connection.execute("SELECT message, machine FROM fetched ORDER BY message, machine")
    return tuple(FetchedRow(message=message, machine=machine) for message, machine in found)


def sealed_messages(connection: sqlite3.Connection) -> list[EntryId]:
    """Sealed messages with a body."""
    return [
        entry
        for (entry,) in connection.execute("SELECT entry FROM messages WHERE sealed = 1 AND dropped = 0 ORDER BY entry")
    ]


def is_kept(connection: sqlite3.Connection, message: EntryId) -> bool:
    """Whether a user asked to keep it for good."""
    return connection.execute("SELECT 1 FROM kept WHERE entry = ?", (message,)).fetchone() is not None


def amendments_of(connection: sqlite3.Connection, message: EntryId) -> list[AmendmentRow]:
    """The amendments of a message that count, in the order of its author's chain."""
    statement = (
        f"SELECT {_AMENDMENT_COLUMNS}{_COUNTING} ORDER BY amendments.incarnation, amendments.sequence, amendments.entry"
    )
    return [
        AmendmentRow(
            entry=entry,
            message=of,
            author=author,
            session=session,
            incarnation=incarnation,
            sequence=sequence,
            time_ms=time_ms,
        )
        for entry, of, author, session, incarnation, sequence, time_ms in connection.execute(statement, (message,))
    ]


def search_page(connection: sqlite3.Connection, query: SearchQuery) -> SearchPage:
    """One page of what holds the words, of one moment.

    Raises:
        UsageError: the query's words, cursor or limit are none.
    """
    limit, below = queried_limit(query), parse_cursor(query.before)
    match = " AND ".join(map(_phrase, searched_terms(query.words)))
    statement = (
        f"SELECT messages.no, {MESSAGE_COLUMNS} FROM words CROSS JOIN messages ON messages.no = words.rowid"  # noqa: S608
        " WHERE words MATCH ? AND words.rowid < ? AND (messages.author = ? OR EXISTS"
        " (SELECT 1 FROM deliveries WHERE message_no = messages.no)) ORDER BY words.rowid DESC LIMIT ?"
    )
    with transaction(connection):
        found = connection.execute(statement, (match, below, query.mine, limit + 1)).fetchall()
    return SearchPage(
        messages=tuple(message_row(columns[1:]) for columns in found[:limit]),
        next=format_cursor(found[limit - 1][0]) if len(found) > limit else None,
    )


def _phrase(term: Term) -> str:
    """Tokens are letters and digits only, so nothing in them can end the quotes."""
    return f'"{" ".join(term.tokens)}"{" *" if term.prefix else ""}'
