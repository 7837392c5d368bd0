"""Writing rows inside a transaction: one small function a row type, by the rules of docs/protocol/store.md §3.

The caller has begun the transaction, and rolls it back when anything here raises; then it calls ``forget``.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence

from roosync_p2p import limits
from roosync_p2p.adapters.sqlite.mailbox import write_arrival, write_mail_row
from roosync_p2p.adapters.sqlite.mapping import message_values
from roosync_p2p.adapters.sqlite.order_write import write_order_row
from roosync_p2p.core.mail_rows import (
    AmendmentRow,
    AttachmentRow,
    BodyDropRow,
    FetchedRow,
    KeptRow,
    WatchRow,
    WordsRow,
)
from roosync_p2p.core.rows import (
    AddressRow,
    ChainCutRow,
    ChainFloorRow,
    DeliveryRow,
    EntryRow,
    ForkRow,
    IdempotencyRow,
    InviteRow,
    MemberRow,
    MessageRow,
    MetaRow,
    PendingRow,
    ReceiptRow,
    RecordRow,
    Row,
)
from roosync_p2p.core.store_rules import IMPORTANT_BASE, SHOWN_KINDS, PromiseBroken, rank_base, receipt_step
from roosync_p2p.ids import Chain, MachineId

__all__ = ["RowWriter"]


class RowWriter:
    """Puts rows into the tables through the one writing connection.

    Remembers the numbers of chains and the last rank of an arrival, which only this connection changes.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._chain_numbers: dict[tuple[MachineId, int, Chain], int] = {}
        self._last_ranks: dict[int, int] = {}

    def forget(self) -> None:
        """Drops what is remembered, after a rollback undid it."""
        self._chain_numbers.clear()
        self._last_ranks.clear()

    def write(self, rows: Sequence[Row]) -> None:
        """Writes all rows in order, but messages first, because deliveries refer to them.

        Raises:
            PromiseBroken: the rows contradict each other or what is kept.
            sqlite3.Error: the database refused.
        """
        for row in rows:
            if isinstance(row, MessageRow):
                self._message(row)
        for row in rows:
            self._write_one(row)

    def _write_one(self, row: Row) -> None:
        match row:
            case EntryRow():
                self._entry(row)
            case ChainCutRow():
                self._cut_chain(row)
            case ChainFloorRow():
                self._raise_floor(row)
            case MetaRow():
                self._meta(row)
            case RecordRow():
                self._record(row)
            case MessageRow():
                pass  # written before, see write
            case DeliveryRow():
                self._delivery(row)
            case ReceiptRow():
                self._receipt(row)
            case MemberRow():
                self._member(row)
            case ForkRow():
                self._fork(row)
            case IdempotencyRow():
                self._idempotency(row)
            case InviteRow():
                self._invite(row)
            case PendingRow():
                self._pending(row)
            case AddressRow():
                self._address(row)
            case KeptRow() | AmendmentRow() | WordsRow() | WatchRow() | BodyDropRow() | AttachmentRow() | FetchedRow():
                write_mail_row(self._connection, row)
            case _:
                write_order_row(self._connection, row)

    # --- entries ------------------------------------------------------------------------------------------------

    def _entry(self, row: EntryRow) -> None:
        chain = self._chain_number(row)
        inserted = self._execute(
            "INSERT INTO entries (id, chain_no, sequence, kind, received_ms, header, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO NOTHING",
            (row.id, chain, row.sequence, row.kind, row.received_ms, row.header, row.body),
        )
        number = inserted.lastrowid
        if inserted.rowcount == 0:
            found = self._execute("SELECT no, chain_no, sequence FROM entries WHERE id = ?", (row.id,))
            number, *place = found.fetchone()
            if place != [chain, row.sequence]:
                raise PromiseBroken(f"an entry that is kept at {place} appears again at {(chain, row.sequence)}")
        placed = self._execute(
            "INSERT INTO places (chain_no, sequence, id, entry_no) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (chain_no, sequence) DO UPDATE SET id = excluded.id WHERE id = excluded.id",
            (chain, row.sequence, row.id, number),
        )
        if placed.rowcount == 0:
            raise PromiseBroken(f"a second entry for {(row.author, row.incarnation, row.chain, row.sequence)}")

    def _cut_chain(self, row: ChainCutRow) -> None:
        """The entries stay in their table, with their bodies: only their places in the chain are given up."""
        self._execute("DELETE FROM places WHERE chain_no = ? AND sequence >= ?", (self._chain_number(row), row.first))

    def _raise_floor(self, row: ChainFloorRow) -> None:
        """What a user may look up stays in its table; the rest had its effect when it came."""
        below = (self._chain_number(row), row.first)
        self._execute(
            "DELETE FROM entries WHERE no IN (SELECT entry_no FROM places WHERE chain_no = ? AND sequence < ?)"
            " AND kind NOT IN (?, ?)",
            (*below, *SHOWN_KINDS),
        )
        self._execute("DELETE FROM places WHERE chain_no = ? AND sequence < ?", below)

    def _chain_number(self, row: EntryRow | ChainCutRow | ChainFloorRow) -> int:
        key = (row.author, row.incarnation, row.chain)
        number = self._chain_numbers.get(key)
        if number is None:
            self._execute(
                "INSERT INTO chains (author, incarnation, chain) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", key
            )
            found = self._execute("SELECT no FROM chains WHERE author = ? AND incarnation = ? AND chain = ?", key)
            number = int(found.fetchone()[0])
            self._chain_numbers[key] = number
        return number

    def _fork(self, row: ForkRow) -> None:
        digest = hashlib.sha256(len(row.first).to_bytes(8, "big") + row.first + row.second).digest()
        self._execute(
            "INSERT INTO forks (author, incarnation, chain, sequence, digest, first, second)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (row.author, row.incarnation, row.chain, row.sequence, digest, row.first, row.second),
        )

    # --- messages -----------------------------------------------------------------------------------------------

    def _message(self, row: MessageRow) -> None:
        self._execute(
            "INSERT INTO messages (entry, message_id, author, workspace, time_ms, recipients, subject, type, priority,"
            " tags, thread_id, in_reply_to, expires_ms, ack_by_ms, escalate, session, sealed)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (entry) DO NOTHING",
            message_values(row),
        )

    def _delivery(self, row: DeliveryRow) -> None:
        message = self._execute("SELECT no, priority FROM messages WHERE entry = ?", (row.entry,)).fetchone()
        if message is None:
            raise PromiseBroken("a delivery of a message that is not kept")
        number, priority = message
        known = self._execute(
            "UPDATE deliveries SET status = ?, changed_ms = ? WHERE message_no = ? AND workspace = ?",
            (row.status, row.changed_ms, number, row.workspace),
        )
        if known.rowcount == 0:
            write_arrival(self._connection, message_no=number, rank=self._next_rank(rank_base(priority)), row=row)

    def _next_rank(self, base: int) -> int:
        last = self._last_ranks.get(base)
        if last is None:
            found = self._execute(
                "SELECT max(rank) FROM deliveries WHERE rank >= ? AND rank < ?", (base, base + (IMPORTANT_BASE - 1))
            )
            last = found.fetchone()[0] or base
        self._last_ranks[base] = last + 1
        return last + 1

    def _receipt(self, row: ReceiptRow) -> None:
        self._execute(
            "INSERT INTO receipts (message, reader, workspace, state, step, time_ms, note) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (message, reader, workspace) DO UPDATE SET state = excluded.state, step = excluded.step,"
            " time_ms = excluded.time_ms, note = excluded.note WHERE excluded.step > step",
            (row.message, row.reader, row.workspace, row.state, receipt_step(row.state), row.time_ms, row.note),
        )

    def _idempotency(self, row: IdempotencyRow) -> None:
        self._execute(
            "INSERT INTO idempotency (key, request, entry, message_id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (row.key, row.request, row.entry, row.message_id),
        )

    # --- small facts --------------------------------------------------------------------------------------------

    def _meta(self, row: MetaRow) -> None:
        if row.value is None:
            self._execute("DELETE FROM meta WHERE key = ?", (row.key,))
        else:
            self._execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (row.key, row.value))

    def _member(self, row: MemberRow) -> None:
        self._execute(
            "INSERT OR REPLACE INTO members (machine, key_id, leaf, issuer) VALUES (?, ?, ?, ?)",
            (row.machine, row.key_id, row.leaf, row.issuer),
        )

    def _record(self, row: RecordRow) -> None:
        self._execute(
            "INSERT INTO records (kind, author, subject, start, counter, envelope) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (kind, author, subject) DO UPDATE SET start = excluded.start, counter = excluded.counter,"
            " envelope = excluded.envelope WHERE (excluded.start, excluded.counter) > (start, counter)",
            (row.kind, row.author, row.subject, row.start, row.counter, row.envelope),
        )

    def _invite(self, row: InviteRow) -> None:
        if row.data is None:
            self._execute("DELETE FROM invites WHERE invite_id = ?", (row.invite_id,))
        else:
            self._execute("INSERT OR REPLACE INTO invites (invite_id, data) VALUES (?, ?)", (row.invite_id, row.data))

    def _pending(self, row: PendingRow) -> None:
        if row.body is None:
            self._execute("DELETE FROM pending WHERE number = ?", (row.number,))
        else:
            self._execute(
                "INSERT OR REPLACE INTO pending (number, kind, body) VALUES (?, ?, ?)", (row.number, row.kind, row.body)
            )

    def _address(self, row: AddressRow) -> None:
        self._execute(
            "INSERT INTO addresses (machine, address, seen_ms) VALUES (?, ?, ?) ON CONFLICT (machine, address)"
            " DO UPDATE SET seen_ms = excluded.seen_ms WHERE excluded.seen_ms > seen_ms",
            (row.machine, row.address, row.seen_ms),
        )
        self._execute(
            "DELETE FROM addresses WHERE machine = ? AND address NOT IN"
            " (SELECT address FROM addresses WHERE machine = ? ORDER BY seen_ms DESC, address LIMIT ?)",
            (row.machine, row.machine, limits.ADDRESSES_PER_MACHINE_MAX),
        )
