"""The tables of ``node.db``, as numbered migrations in one list (docs/protocol/store.md §4).

A migration that was released is never edited: the next change is the next number. Its statements run in one
transaction with the new ``user_version``, so a database is at one version or at the other.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable, Mapping
from typing import Final

from roosync_p2p.adapters.sqlite.filling import fill_attachments, fill_words

__all__ = ["APPLICATION_ID", "CORE_TABLES", "MIGRATIONS", "Migration"]

APPLICATION_ID: Final = 0x526F6F53  # "RooS", in the file's header: a database of another program is refused


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """The step from version ``number - 1`` to ``number``.

    ``fill`` runs after the statements, in their transaction: what SQL alone cannot make of the rows that are there.
    """

    number: int
    statements: tuple[str, ...]
    fill: Callable[[sqlite3.Connection], None] | None = None


_FIRST: Final = Migration(
    number=1,
    statements=(
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        # A chain's author is written once, here; its places hold nothing but ids, so that a start reads 100,000 of
        # them without touching the pages of the headers and bodies.
        """CREATE TABLE chains (
            no INTEGER PRIMARY KEY, author TEXT NOT NULL, incarnation INTEGER NOT NULL, chain TEXT NOT NULL,
            UNIQUE (author, incarnation, chain))""",
        """CREATE TABLE places (
            chain_no INTEGER NOT NULL, sequence INTEGER NOT NULL, id BLOB NOT NULL, entry_no INTEGER NOT NULL,
            PRIMARY KEY (chain_no, sequence)) WITHOUT ROWID""",
        """CREATE TABLE entries (
            no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, chain_no INTEGER NOT NULL, sequence INTEGER NOT NULL,
            kind TEXT NOT NULL, received_ms INTEGER NOT NULL, header BLOB NOT NULL, body BLOB)""",
        """CREATE TABLE members (
            machine TEXT PRIMARY KEY, key_id BLOB NOT NULL, leaf BLOB NOT NULL, issuer BLOB NOT NULL)""",
        """CREATE TABLE records (
            kind TEXT NOT NULL, author TEXT NOT NULL, subject TEXT NOT NULL, start INTEGER NOT NULL,
            counter INTEGER NOT NULL, envelope BLOB NOT NULL, PRIMARY KEY (kind, author, subject))""",
        """CREATE TABLE forks (
            author TEXT NOT NULL, incarnation INTEGER NOT NULL, chain TEXT NOT NULL, sequence INTEGER NOT NULL,
            digest BLOB NOT NULL, first BLOB NOT NULL, second BLOB NOT NULL,
            PRIMARY KEY (author, incarnation, chain, sequence, digest))""",
        """CREATE TABLE messages (
            no INTEGER PRIMARY KEY, entry BLOB NOT NULL UNIQUE, message_id TEXT NOT NULL, author TEXT NOT NULL,
            workspace TEXT, time_ms INTEGER NOT NULL, recipients TEXT NOT NULL, subject TEXT NOT NULL,
            type TEXT NOT NULL, priority TEXT NOT NULL, tags TEXT NOT NULL, thread_id TEXT NOT NULL,
            in_reply_to TEXT)""",
        "CREATE INDEX messages_by_id ON messages (message_id)",
        "CREATE INDEX messages_by_thread ON messages (thread_id)",
        # The primary key is the rank (docs/protocol/store.md §3.3), so every index below ends with it and a page is
        # a backward walk. Author and thread are the message's, repeated for the filters of the inbox.
        """CREATE TABLE deliveries (
            rank INTEGER PRIMARY KEY, message_no INTEGER NOT NULL, workspace TEXT NOT NULL, status TEXT NOT NULL,
            arrived_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, author TEXT NOT NULL, thread_id TEXT NOT NULL,
            UNIQUE (message_no, workspace))""",
        "CREATE INDEX deliveries_by_status ON deliveries (status)",
        "CREATE INDEX deliveries_by_workspace ON deliveries (workspace, status)",
        "CREATE INDEX deliveries_by_author ON deliveries (author, status)",
        "CREATE INDEX deliveries_by_thread ON deliveries (thread_id, status)",
        # Counting 100,000 unread messages for every page would cost more than the page.
        "CREATE TABLE unread_counts (workspace TEXT PRIMARY KEY, unread INTEGER NOT NULL) WITHOUT ROWID",
        """CREATE TRIGGER delivery_arrives AFTER INSERT ON deliveries WHEN new.status = 'unread' BEGIN
            INSERT INTO unread_counts VALUES (new.workspace, 1)
                ON CONFLICT (workspace) DO UPDATE SET unread = unread + 1;
        END""",
        """CREATE TRIGGER delivery_changes AFTER UPDATE OF status ON deliveries
            WHEN (old.status = 'unread') <> (new.status = 'unread') BEGIN
            INSERT INTO unread_counts VALUES (new.workspace, 1) ON CONFLICT (workspace)
                DO UPDATE SET unread = unread + CASE new.status WHEN 'unread' THEN 1 ELSE -1 END;
        END""",
        """CREATE TRIGGER delivery_goes AFTER DELETE ON deliveries WHEN old.status = 'unread' BEGIN
            UPDATE unread_counts SET unread = unread - 1 WHERE workspace = old.workspace;
        END""",
        """CREATE TABLE receipts (
            message BLOB NOT NULL, reader TEXT NOT NULL, workspace TEXT NOT NULL, state TEXT NOT NULL,
            step INTEGER NOT NULL, time_ms INTEGER NOT NULL, PRIMARY KEY (message, reader, workspace)) WITHOUT ROWID""",
        """CREATE TABLE idempotency (
            key TEXT PRIMARY KEY, request BLOB NOT NULL, entry BLOB NOT NULL,
            message_id TEXT NOT NULL) WITHOUT ROWID""",
        "CREATE TABLE invites (invite_id BLOB PRIMARY KEY, data BLOB NOT NULL)",
        "CREATE TABLE pending (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL)",
        """CREATE TABLE addresses (
            machine TEXT NOT NULL, address TEXT NOT NULL, seen_ms INTEGER NOT NULL,
            PRIMARY KEY (machine, address)) WITHOUT ROWID""",
    ),
)

_ORDER: Final = Migration(
    number=2,
    statements=(
        "CREATE TABLE log_items (number INTEGER PRIMARY KEY, term INTEGER NOT NULL, data BLOB NOT NULL)",
        "CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        # The one column without a bound of its own is the last, so that leaves are read without following its pages.
        """CREATE TABLE commits (
            number INTEGER PRIMARY KEY, log_index INTEGER NOT NULL, time_ms INTEGER NOT NULL, epoch INTEGER NOT NULL,
            entry BLOB, author TEXT, kind TEXT NOT NULL, accepted INTEGER NOT NULL, reason TEXT NOT NULL,
            leaf BLOB NOT NULL, detail BLOB NOT NULL)""",
        "CREATE INDEX commits_by_entry ON commits (entry) WHERE entry IS NOT NULL",
        """CREATE TABLE order_keys (
            key TEXT PRIMARY KEY, request BLOB NOT NULL, entry BLOB NOT NULL) WITHOUT ROWID""",
        "CREATE TABLE side_entries (id BLOB PRIMARY KEY, header BLOB NOT NULL, body BLOB NOT NULL)",
    ),
)

_MAILBOX: Final = Migration(
    number=3,
    statements=(
        "ALTER TABLE receipts ADD COLUMN note TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE messages ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE messages ADD COLUMN ack_by_ms INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE messages ADD COLUMN escalate TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE messages ADD COLUMN session TEXT NOT NULL DEFAULT ''",
        # Repeated from the message for the filters of the inbox, as author and thread are.
        "ALTER TABLE deliveries ADD COLUMN type TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE deliveries ADD COLUMN priority TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE deliveries ADD COLUMN sent_ms INTEGER NOT NULL DEFAULT 0",
        """UPDATE deliveries SET (type, priority, sent_ms) =
            (SELECT type, priority, time_ms FROM messages WHERE no = message_no)""",
        "CREATE INDEX deliveries_by_type ON deliveries (type, status)",
        "CREATE INDEX deliveries_by_priority ON deliveries (priority, status)",
        "CREATE INDEX deliveries_by_time ON deliveries (status, sent_ms)",
        """CREATE TABLE delivery_tags (
            tag TEXT NOT NULL, status TEXT NOT NULL, rank INTEGER NOT NULL,
            PRIMARY KEY (tag, status, rank)) WITHOUT ROWID""",
        "CREATE INDEX delivery_tags_by_rank ON delivery_tags (rank)",
        """INSERT OR IGNORE INTO delivery_tags SELECT value, status, rank FROM deliveries
            JOIN messages ON messages.no = message_no, json_each(messages.tags)""",
        """CREATE TRIGGER delivery_tags_follow AFTER UPDATE OF status ON deliveries
            WHEN old.status <> new.status BEGIN
            UPDATE delivery_tags SET status = new.status WHERE rank = new.rank;
        END""",
        # For retention, which looks at the oldest first and must not look at what it is done with.
        "CREATE INDEX deliveries_by_change ON deliveries (status, changed_ms)",
        "ALTER TABLE messages ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX messages_by_age ON messages (time_ms) WHERE dropped = 0",
        "CREATE TABLE kept (entry BLOB PRIMARY KEY) WITHOUT ROWID",
        """CREATE TABLE amendments (
            entry BLOB PRIMARY KEY, message BLOB NOT NULL, author TEXT NOT NULL, session TEXT NOT NULL,
            incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL, time_ms INTEGER NOT NULL)""",
        "CREATE INDEX amendments_by_message ON amendments (message)",
        "CREATE TABLE watches (entry BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID",
        """CREATE VIRTUAL TABLE words USING fts5 (
            subject, body, tags, incarnation UNINDEXED, sequence UNINDEXED,
            tokenize = 'unicode61 remove_diacritics 2')""",
    ),
    fill=fill_words,
)

_ATTACHMENTS: Final = Migration(
    number=4,
    statements=(
        """CREATE TABLE attachments (
            message BLOB NOT NULL, number INTEGER NOT NULL, digest BLOB NOT NULL, size INTEGER NOT NULL,
            PRIMARY KEY (message, number)) WITHOUT ROWID""",
        """CREATE TABLE fetched (
            message BLOB NOT NULL, machine TEXT NOT NULL, PRIMARY KEY (message, machine)) WITHOUT ROWID""",
        "ALTER TABLE messages ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0",
    ),
    fill=fill_attachments,
)

MIGRATIONS: Final[tuple[Migration, ...]] = (_FIRST, _ORDER, _MAILBOX, _ATTACHMENTS)

# What a core starts from, and since which version: checked at every start, also when the whole file is too large to be
# read then. Of the commits a core reads only the last.
CORE_TABLES: Final[Mapping[str, int]] = {
    "meta": 1,
    "chains": 1,
    "places": 1,
    "members": 1,
    "records": 1,
    "forks": 1,
    "invites": 1,
    "pending": 1,
    "addresses": 1,
    "log_items": 2,
    "state": 2,
    "watches": 3,
    "attachments": 4,
    "fetched": 4,
}
