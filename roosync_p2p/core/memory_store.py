"""The store as dictionaries: the public fake that the simulation and the core's tests run on.

Two layers, as on a disk: what is synced, which reads see and a crash keeps, and batches that were written and not
synced, which a crash loses from some point on. ``snapshot`` and ``restore`` copy a disk and put an old one back.
The rules of each row are those of docs/protocol/store.md §3; ``tests/conformance`` holds both stores to them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from roosync_p2p.core.mail_rows import AmendmentRow
from roosync_p2p.core.memory_tables import Tables
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

__all__ = ["MemoryStore", "Snapshot"]


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of a disk, opaque to the holder; it can be restored any number of times."""

    tables: Tables


class MemoryStore:
    """A :class:`~roosync_p2p.core.ports.Store` in memory, with the failures of a disk at hand.

    Attributes:
        fault: while set, ``commit`` and ``sync`` raise it and make nothing durable: a full disk that a test chooses.
    """

    def __init__(self) -> None:
        self.fault: StoreError | None = None
        self._tables = Tables()
        self._unsynced: list[tuple[Row, ...]] = []
        self._closed = False

    # --- writing ------------------------------------------------------------------------------------------------

    def commit(self, rows: Sequence[Row]) -> None:
        """Makes these rows durable, and with them everything written before; all or none.

        Raises:
            StoreError: the fault that was set, or ``store_closed``; nothing was written.
            PromiseBroken: the rows contradict what is kept; nothing of them was written.
        """
        self.sync()
        self._tables.check(rows)
        self._tables.apply(rows)

    def write(self, rows: Sequence[Row]) -> None:
        """Hands one batch to the disk without waiting: not durable, and not to be read, until ``sync``."""
        self._require_open()
        self._unsynced.append(tuple(rows))

    def sync(self) -> int:
        """Makes everything written durable; returns how many batches that were.

        Raises:
            StoreError: the fault that was set, or ``store_closed``; the batches are still unsynced.
        """
        self._require_open()
        if self.fault is not None:
            raise self.fault
        count = len(self._unsynced)
        while self._unsynced:
            self._tables.check(self._unsynced[0])
            self._tables.apply(self._unsynced.pop(0))
        return count

    @property
    def unsynced(self) -> int:
        """How many written batches a crash could lose now."""
        return len(self._unsynced)

    # --- what happens to disks ----------------------------------------------------------------------------------

    def crash(self, keep: int | None = None) -> int:
        """The computer loses power: of the unsynced batches the first ``keep`` survive, or none.

        The store is open again afterwards, as the next start finds it. Returns how many batches were lost.
        """
        survivors = self._unsynced[: keep or 0]
        lost = len(self._unsynced) - len(survivors)
        self._unsynced = []
        for rows in survivors:
            self._tables.check(rows)
            self._tables.apply(rows)
        self._closed = False
        return lost

    def snapshot(self) -> Snapshot:
        """A copy of what is durable now."""
        return Snapshot(self._tables.copy())

    def restore(self, snapshot: Snapshot) -> None:
        """Puts a copied disk in place of this one; what was unsynced is gone. The store is open afterwards."""
        self._tables = snapshot.tables.copy()
        self._unsynced = []
        self._closed = False

    def close(self) -> None:
        """Ends the use of the store without a sync; safe to call twice."""
        self._unsynced = []
        self._closed = True

    def reopen(self) -> None:
        """The same disk at the next start of a node that had closed it."""
        self._closed = False

    # --- reading ------------------------------------------------------------------------------------------------

    def load(self) -> Loaded:
        """Everything a core starts from.

        Raises:
            StoreError: the store is closed (``store_closed``).
            PromiseBroken: a chain or the log has a gap.
        """
        self._require_open()
        return self._tables.load()

    def entries(
        self, author: MachineId, incarnation: int, chain: Chain, first: int, *, count_max: int, bytes_max: int
    ) -> list[EntryRow]:
        """Entries from sequence ``first`` on, without a gap; at least one if there is one, whatever its size."""
        self._require_open()
        return self._tables.run((author, incarnation, chain), first, count_max, bytes_max)

    def entry(self, entry: EntryId) -> EntryRow | None:
        """One entry by its id."""
        self._require_open()
        return self._tables.entries.get(entry)

    def messages(self, message_id: MessageId) -> list[MessageRow]:
        """All messages of that id, ordered by entry."""
        self._require_open()
        return sorted(self._tables.by_message_id.get(message_id, ()), key=lambda row: row.entry)

    def message(self, entry: EntryId) -> MessageRow | None:
        """One message by its entry."""
        self._require_open()
        return self._tables.messages.get(entry)

    def thread(self, thread_id: str) -> list[MessageRow]:
        """The messages of a thread, oldest first by their senders' clocks."""
        self._require_open()
        return sorted(self._tables.by_thread.get(thread_id, ()), key=lambda row: (row.time_ms, row.entry))

    def deliveries(self, entry: EntryId) -> list[DeliveryRow]:
        """In which inboxes of this machine the message is, ordered by workspace."""
        self._require_open()
        return self._tables.deliveries_of(entry)

    def receipts(self, entry: EntryId) -> list[ReceiptRow]:
        """What recipients said about the message, ordered by reader and workspace."""
        self._require_open()
        rows = self._tables.receipts.get(entry, {}).values()
        return sorted(rows, key=lambda row: (row.reader, row.workspace))

    def inbox(self, query: InboxQuery) -> InboxPage:
        """One page of this machine's inboxes; ``unread`` counts all of the inboxes looked into.

        Raises:
            UsageError: the query's cursor, status or limit is none.
        """
        self._require_open()
        return self._tables.inbox(query)

    def search(self, query: SearchQuery) -> SearchPage:
        """One page of what holds the words.

        Raises:
            UsageError: the query's words, cursor or limit are none.
        """
        self._require_open()
        tables = self._tables
        return tables.mail.search(query, tables.messages, lambda entry: bool(tables.ranks.get(entry)))

    def amendments(self, message: EntryId) -> list[AmendmentRow]:
        """The amendments of a message that count, in the order of its author's chain."""
        self._require_open()
        return self._tables.mail.counting(message, self._tables.messages)

    def kept(self, message: EntryId) -> bool:
        """Whether a user asked to keep it for good."""
        self._require_open()
        return message in self._tables.mail.kept

    def mail_bytes(self) -> dict[MachineId, int]:
        """How many bytes are kept of each author's mail: headers, bodies, and the files that messages cite."""
        self._require_open()
        return self._tables.mail_bytes()

    def sealed(self) -> list[EntryId]:
        """Sealed messages with a body, by entry."""
        self._require_open()
        dropped = self._tables.mail.dropped
        return sorted(entry for entry, row in self._tables.messages.items() if row.sealed and entry not in dropped)

    def aged(self, query: AgedQuery) -> Aged:
        """Messages whose time is over, the oldest change or message first."""
        self._require_open()
        return self._tables.aged(query)

    def idempotency(self, key: str) -> IdempotencyRow | None:
        """The remembered answer to a request key."""
        self._require_open()
        return self._tables.idempotency.get(key)

    def invites(self) -> list[InviteRow]:
        """The invites of this issuer, ordered by id."""
        self._require_open()
        return self._tables.invite_rows()

    def ordered_entries(self, ids: Iterable[EntryId]) -> dict[EntryId, tuple[bytes, bytes]]:
        """Header and body of each, in a chain or beside the chains; what is missing or has no body is left out."""
        self._require_open()
        return self._tables.ordered_entries(ids)

    def commits(self, first: CommitNumber, count_max: int) -> list[CommitRow]:
        """What became of the numbers from ``first`` on, ascending."""
        self._require_open()
        return self._tables.order.commit_rows(first, count_max)

    def commit_of(self, entry: EntryId) -> CommitRow | None:
        """What became of an entry; of several numbers that name it, the lowest."""
        self._require_open()
        return self._tables.order.commit_of(entry)

    def leaves(self, first: CommitNumber, count_max: int) -> list[bytes]:
        """The leaf of number ``first + i`` at place ``i``; ends where a number is missing."""
        self._require_open()
        return self._tables.order.leaves(first, count_max)

    def order_key(self, key: str) -> OrderKeyRow | None:
        """The entry that an ordered request became."""
        self._require_open()
        return self._tables.order.order_keys.get(key)

    def log_items(self, first: LogIndex, count_max: int, bytes_max: int) -> list[LogItemRow]:
        """Items of the log from ``first`` on, without a gap; at least one if there is one, whatever its size."""
        self._require_open()
        return self._tables.order.log_run(first, count_max, bytes_max)

    def _require_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed; nothing was read or written", code="store_closed")
