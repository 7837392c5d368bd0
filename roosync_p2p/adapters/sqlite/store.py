"""The durable store of a node: one SQLite database in the home (docs/protocol/store.md)."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from roosync_p2p import limits
from roosync_p2p.adapters.sqlite import opening, order_read, read
from roosync_p2p.adapters.sqlite.aged import aged_messages
from roosync_p2p.adapters.sqlite.connect import ReaderPool, connect_writer, transaction
from roosync_p2p.adapters.sqlite.faults import explaining
from roosync_p2p.adapters.sqlite.inbox import inbox_page
from roosync_p2p.adapters.sqlite.mailbox import amendments_of, is_kept, sealed_messages, search_page
from roosync_p2p.adapters.sqlite.schema import MIGRATIONS, Migration
from roosync_p2p.adapters.sqlite.write import RowWriter
from roosync_p2p.core.mail_rows import AmendmentRow
from roosync_p2p.core.ports import Aged, AgedQuery, InboxPage, InboxQuery, SearchPage, SearchQuery
from roosync_p2p.core.rows import (
    CommitRow,
    DeliveryRow,
    EntryRow,
    IdempotencyRow,
    InviteRow,
    Loaded,
    LogItemRow,
    MessageRow,
    OrderKeyRow,
    ReceiptRow,
    Row,
)
from roosync_p2p.errors import StoreError
from roosync_p2p.ids import Chain, CommitNumber, EntryId, LogIndex, MachineId, MessageId

__all__ = ["SqliteStore", "StoreFacts"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What a diagnosis shows about the store. Sizes in bytes."""

    path: Path
    version: int
    migrated: tuple[int, ...]  # the migrations that this opening applied
    sqlite_version: str
    database_bytes: int
    log_bytes: int


class SqliteStore:
    """A :class:`~roosync_p2p.core.ports.Store` on disk.

    Made by :meth:`open`. Reads come from any thread; commits too, one at a time. The caller holds the home's lock,
    so that no second process writes, and closes the store.
    """

    def __init__(
        self, path: Path, writer: sqlite3.Connection, *, busy_timeout_s: float, version: int, migrated: Sequence[int]
    ) -> None:
        """For :meth:`open`."""
        self._path = path
        self._writer = writer
        self._rows = RowWriter(writer)
        self._readers = ReaderPool(path, busy_timeout_s=busy_timeout_s)
        self._busy_timeout_s = busy_timeout_s
        self._version = version
        self._migrated = tuple(migrated)
        self._write_lock = threading.Lock()
        self._closed = False

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool = True,
        busy_timeout_s: float = limits.STORE_BUSY_TIMEOUT_S,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> SqliteStore:
        """Opens the store after recognising, checking and if need be migrating it; makes it when it is missing.

        Args:
            path: the database file, in an existing directory.
            create: whether a missing database is made; else it is an error.
            busy_timeout_s: how long a locked database is waited for.
            migrations: all versions this program knows, numbered from 1.

        Raises:
            StoreError: ``store_missing``, ``store_corrupt``, ``store_foreign``, ``store_newer``, ``store_locked``,
                ``store_readonly``, ``disk_full`` or ``store_io``; the file is not changed by a refusal.
        """
        if not path.exists():
            if not create:
                raise StoreError(
                    f"there is no store at {path}", code="store_missing", remedy="start the node once with `roosync up`"
                )
            opening.create(path, migrations)
        opening.require_ours(path, opening.read_header(path), migrations[-1].number)
        opening.check_structure(path, busy_timeout_s=busy_timeout_s)
        with explaining(path, "opening it"):
            writer = connect_writer(path, busy_timeout_s=busy_timeout_s)
        try:
            migrated = opening.migrate(writer, path, migrations)
        except BaseException:
            writer.close()
            raise
        return cls(path, writer, busy_timeout_s=busy_timeout_s, version=migrations[-1].number, migrated=migrated)

    def commit(self, rows: Sequence[Row]) -> None:
        """Makes the rows durable, all or none; returns when they survive a power cut.

        Raises:
            StoreError: nothing was written (``disk_full``, ``store_locked``, ``store_readonly``, ``store_io``,
                ``store_closed``). The store stays usable: the same rows can be tried again.
            PromiseBroken: the rows contradict what is kept; nothing was written.
        """
        with self._write_lock, explaining(self._path, "writing"):
            if self._closed:
                raise StoreError("the store is closed; nothing was written", code="store_closed")
            try:
                with transaction(self._writer, "BEGIN IMMEDIATE"):
                    self._rows.write(rows)
            except BaseException:
                self._rows.forget()
                raise

    def check(self) -> None:
        """Compares every index with its table, for a diagnosis; reads the whole file, and takes as long.

        Raises:
            StoreError: the findings (``store_corrupt``).
        """
        opening.check_structure(self._path, busy_timeout_s=self._busy_timeout_s, full=True)

    def facts(self) -> StoreFacts:
        """Versions and sizes, for a diagnosis."""
        log = self._path.with_name(self._path.name + "-wal")
        with explaining(self._path, "looking at it"):
            return StoreFacts(
                path=self._path,
                version=self._version,
                migrated=self._migrated,
                sqlite_version=sqlite3.sqlite_version,
                database_bytes=self._path.stat().st_size,
                log_bytes=log.stat().st_size if log.exists() else 0,
            )

    def close(self) -> None:
        """Releases the store; safe to call twice. Waits for a commit that is under way."""
        self._readers.close()  # first: the last connection to close tidies the log, and a reader cannot
        with self._write_lock:
            self._closed = True
            self._writer.close()

    # --- reading ------------------------------------------------------------------------------------------------

    def load(self) -> Loaded:
        """Everything a core starts from.

        Raises:
            StoreError: the store is corrupt (``store_corrupt``).
            PromiseBroken: a chain or the log has a gap.
        """
        with self._reading() as connection:
            return read.load(connection)

    def entries(
        self, author: MachineId, incarnation: int, chain: Chain, first: int, *, count_max: int, bytes_max: int
    ) -> list[EntryRow]:
        """Entries from sequence ``first`` on, without a gap; at least one if there is one, whatever its size."""
        with self._reading() as connection:
            return read.run_of_entries(
                connection, (author, incarnation, chain), first, count_max=count_max, bytes_max=bytes_max
            )

    def entry(self, entry: EntryId) -> EntryRow | None:
        """One entry by its id."""
        with self._reading() as connection:
            return read.entry_by_id(connection, entry)

    def messages(self, message_id: MessageId) -> list[MessageRow]:
        """All messages of that id, ordered by entry."""
        with self._reading() as connection:
            return read.messages_by_id(connection, message_id)

    def message(self, entry: EntryId) -> MessageRow | None:
        """One message by its entry."""
        with self._reading() as connection:
            return read.message_of(connection, entry)

    def thread(self, thread_id: str) -> list[MessageRow]:
        """The messages of a thread, oldest first by their senders' clocks."""
        with self._reading() as connection:
            return read.thread_of(connection, thread_id)

    def deliveries(self, entry: EntryId) -> list[DeliveryRow]:
        """In which inboxes of this machine the message is, ordered by workspace."""
        with self._reading() as connection:
            return read.deliveries_of(connection, entry)

    def receipts(self, entry: EntryId) -> list[ReceiptRow]:
        """What recipients said about the message, ordered by reader and workspace."""
        with self._reading() as connection:
            return read.receipts_of(connection, entry)

    def inbox(self, query: InboxQuery) -> InboxPage:
        """One page of this machine's inboxes; ``unread`` counts all of the inboxes looked into.

        Raises:
            UsageError: the query's cursor, status or limit is none.
        """
        with self._reading() as connection:
            return inbox_page(connection, query)

    def search(self, query: SearchQuery) -> SearchPage:
        """One page of what holds the words.

        Raises:
            UsageError: the query's words, cursor or limit are none.
        """
        with self._reading() as connection:
            return search_page(connection, query)

    def amendments(self, message: EntryId) -> list[AmendmentRow]:
        """The amendments of a message that count, in the order of its author's chain."""
        with self._reading() as connection:
            return amendments_of(connection, message)

    def kept(self, message: EntryId) -> bool:
        """Whether a user asked to keep it for good."""
        with self._reading() as connection:
            return is_kept(connection, message)

    def mail_bytes(self) -> dict[MachineId, int]:
        """How many bytes are kept of each author's mail: headers, bodies, and the files that messages cite."""
        with self._reading() as connection:
            return read.mail_bytes(connection)

    def sealed(self) -> list[EntryId]:
        """Sealed messages with a body, by entry."""
        with self._reading() as connection:
            return sealed_messages(connection)

    def aged(self, query: AgedQuery) -> Aged:
        """Messages whose time is over, the oldest change or message first."""
        with self._reading() as connection:
            return aged_messages(connection, query)

    def idempotency(self, key: str) -> IdempotencyRow | None:
        """The remembered answer to a request key."""
        with self._reading() as connection:
            return read.idempotency_of(connection, key)

    def invites(self) -> list[InviteRow]:
        """The invites of this issuer, ordered by id."""
        with self._reading() as connection:
            return read.invite_rows(connection)

    def ordered_entries(self, ids: Iterable[EntryId]) -> dict[EntryId, tuple[bytes, bytes]]:
        """Header and body of each, in a chain or beside the chains; what is missing or has no body is left out."""
        with self._reading() as connection:
            return order_read.ordered_entries(connection, ids)

    def commits(self, first: CommitNumber, count_max: int) -> list[CommitRow]:
        """What became of the numbers from ``first`` on, ascending."""
        with self._reading() as connection:
            return order_read.commit_rows(connection, first, count_max)

    def commit_of(self, entry: EntryId) -> CommitRow | None:
        """What became of an entry; of several numbers that name it, the lowest."""
        with self._reading() as connection:
            return order_read.commit_of(connection, entry)

    def leaves(self, first: CommitNumber, count_max: int) -> list[bytes]:
        """The leaf of number ``first + i`` at place ``i``; ends where a number is missing."""
        with self._reading() as connection:
            return order_read.leaves_of(connection, first, count_max)

    def order_key(self, key: str) -> OrderKeyRow | None:
        """The entry that an ordered request became."""
        with self._reading() as connection:
            return order_read.order_key_of(connection, key)

    def log_items(self, first: LogIndex, count_max: int, bytes_max: int) -> list[LogItemRow]:
        """Items of the log from ``first`` on, without a gap; at least one if there is one, whatever its size."""
        with self._reading() as connection:
            return order_read.log_run(connection, first, count_max, bytes_max)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with explaining(self._path, "reading"), self._readers.lend() as connection:
            yield connection
