"""The reads of the store but the inbox and the order.

One statement or one snapshot each, on a connection that cannot write.
"""

from __future__ import annotations

import contextlib
import sqlite3

from roosync_p2p.adapters.sqlite.connect import transaction
from roosync_p2p.adapters.sqlite.mailbox import cited_messages, fetched_rows, watches
from roosync_p2p.adapters.sqlite.mapping import (
    ENTRY_COLUMNS,
    MESSAGE_COLUMNS,
    address_row,
    delivery_row,
    entry_row,
    fork_row,
    idempotency_row,
    invite_row,
    member_row,
    message_row,
    pending_row,
    receipt_row,
    record_row,
)
from roosync_p2p.adapters.sqlite.order_read import last_commit, whole_log, whole_state
from roosync_p2p.core.rows import (
    ChainHeads,
    DeliveryRow,
    EntryRow,
    IdempotencyRow,
    InviteRow,
    Loaded,
    MessageRow,
    ReceiptRow,
)
from roosync_p2p.core.store_rules import PromiseBroken
from roosync_p2p.ids import Chain, CommitNumber, EntryId, MachineId, MessageId

__all__ = [
    "deliveries_of",
    "entry_by_id",
    "idempotency_of",
    "invite_rows",
    "load",
    "mail_bytes",
    "message_of",
    "messages_by_id",
    "receipts_of",
    "run_of_entries",
    "thread_of",
]


def load(connection: sqlite3.Connection) -> Loaded:
    """Everything a core starts from, of one moment.

    Raises:
        PromiseBroken: a chain or the log has a gap.
    """
    execute = connection.execute
    with transaction(connection):
        last = last_commit(connection)
        return Loaded(
            meta=dict(execute("SELECT key, value FROM meta")),
            members=tuple(
                map(member_row, execute("SELECT machine, key_id, leaf, issuer FROM members ORDER BY machine"))
            ),
            chains=_chains(connection),
            records=tuple(
                map(
                    record_row,
                    execute(
                        "SELECT kind, author, subject, start, counter, envelope FROM records"
                        " ORDER BY kind, author, subject"
                    ),
                )
            ),
            forks=tuple(
                map(
                    fork_row,
                    execute(
                        "SELECT author, incarnation, chain, sequence, first, second FROM forks"
                        " ORDER BY author, incarnation, chain, sequence, first, second"
                    ),
                )
            ),
            invites=tuple(invite_rows(connection)),
            pending=tuple(map(pending_row, execute("SELECT number, kind, body FROM pending ORDER BY number"))),
            addresses=tuple(
                map(
                    address_row,
                    execute("SELECT machine, address, seen_ms FROM addresses ORDER BY machine, seen_ms DESC, address"),
                )
            ),
            log=whole_log(connection),
            state=whole_state(connection),
            commits=last.number if last else CommitNumber(0),
            last_commit=last,
            watches=watches(connection),
            cited=cited_messages(connection),
            fetched=fetched_rows(connection),
        )


def run_of_entries(
    connection: sqlite3.Connection,
    key: tuple[MachineId, int, Chain],
    first: int,
    *,
    count_max: int,
    bytes_max: int,
) -> list[EntryRow]:
    """Entries of one chain from ``first`` to the next gap or bound; at least one if it is there."""
    statement = (
        f"SELECT {ENTRY_COLUMNS} FROM chains"  # noqa: S608 - the columns are a constant of ours
        " JOIN places ON places.chain_no = chains.no JOIN entries ON entries.no = places.entry_no"
        " WHERE chains.author = ? AND chains.incarnation = ? AND chains.chain = ? AND places.sequence >= ?"
        " ORDER BY places.sequence LIMIT ?"
    )
    found: list[EntryRow] = []
    size = 0
    # Closed at once when a bound ends it early: an open cursor would hold the snapshot, and the log would grow.
    with contextlib.closing(connection.execute(statement, (*key, first, max(count_max, 1)))) as cursor:
        for row in map(entry_row, cursor):
            size += len(row.header) + len(row.body or b"")
            if row.sequence != first + len(found) or (found and size > bytes_max):
                break
            found.append(row)
    return found


def entry_by_id(connection: sqlite3.Connection, entry: EntryId) -> EntryRow | None:
    """One entry of a chain."""
    found = connection.execute(
        f"SELECT {ENTRY_COLUMNS} FROM entries JOIN chains ON chains.no = entries.chain_no"  # noqa: S608 - a constant
        " WHERE entries.id = ?",
        (entry,),
    ).fetchone()
    return entry_row(found) if found else None


def messages_by_id(connection: sqlite3.Connection, message_id: MessageId) -> list[MessageRow]:
    """The messages of that id, ordered by entry."""
    return _messages(connection, "message_id = ? ORDER BY entry", message_id)


def message_of(connection: sqlite3.Connection, entry: EntryId) -> MessageRow | None:
    """The message of one entry."""
    found = _messages(connection, "entry = ?", entry)
    return found[0] if found else None


def thread_of(connection: sqlite3.Connection, thread_id: str) -> list[MessageRow]:
    """The messages of a thread, oldest first by their senders' clocks."""
    return _messages(connection, "thread_id = ? ORDER BY time_ms, entry", thread_id)


def deliveries_of(connection: sqlite3.Connection, entry: EntryId) -> list[DeliveryRow]:
    """The deliveries of one message, ordered by workspace."""
    found = connection.execute(
        "SELECT messages.entry, deliveries.workspace, status, arrived_ms, changed_ms FROM messages"
        " JOIN deliveries ON deliveries.message_no = messages.no WHERE messages.entry = ?"
        " ORDER BY deliveries.workspace",
        (entry,),
    )
    return list(map(delivery_row, found))


def receipts_of(connection: sqlite3.Connection, entry: EntryId) -> list[ReceiptRow]:
    """The receipts for one message, ordered by reader and workspace."""
    found = connection.execute(
        "SELECT message, reader, workspace, state, time_ms, note FROM receipts WHERE message = ?"
        " ORDER BY reader, workspace",
        (entry,),
    )
    return list(map(receipt_row, found))


def idempotency_of(connection: sqlite3.Connection, key: str) -> IdempotencyRow | None:
    """The remembered answer to a request key."""
    found = connection.execute(
        "SELECT key, request, entry, message_id FROM idempotency WHERE key = ?", (key,)
    ).fetchone()
    return idempotency_row(found) if found else None


def mail_bytes(connection: sqlite3.Connection) -> dict[MachineId, int]:
    """The bytes of each author's mail: headers, bodies, and files with every message that cites them.

    Every entry is looked at, without reading its body.
    """
    found = connection.execute(
        "SELECT author, sum(length(header) + coalesce(length(body), 0)) FROM entries"
        " JOIN chains ON chains.no = entries.chain_no WHERE chains.chain = 'mail' GROUP BY author"
    )
    result = {MachineId(author): int(size) for author, size in found}
    files = connection.execute(
        "SELECT author, sum(size) FROM attachments"
        " JOIN messages ON messages.entry = attachments.message GROUP BY author"
    )
    for author, size in files:
        result[MachineId(author)] = result.get(MachineId(author), 0) + int(size)
    return result


def invite_rows(connection: sqlite3.Connection) -> list[InviteRow]:
    """The invites, ordered by id."""
    return list(map(invite_row, connection.execute("SELECT invite_id, data FROM invites ORDER BY invite_id")))


def _messages(connection: sqlite3.Connection, condition: str, value: str | bytes) -> list[MessageRow]:
    statement = f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE {condition}"  # noqa: S608 - constants of this module
    return list(map(message_row, connection.execute(statement, (value,))))


def _chains(connection: sqlite3.Connection) -> tuple[ChainHeads, ...]:
    chains = connection.execute(
        "SELECT author, incarnation, chain, no FROM chains WHERE EXISTS"
        " (SELECT 1 FROM places WHERE chain_no = chains.no)"
        " ORDER BY author, incarnation, chain"
    ).fetchall()
    return tuple(
        ChainHeads(author=author, incarnation=incarnation, chain=chain, floor=floor, ids=ids)
        for author, incarnation, chain, number in chains
        for floor, ids in [_ids(connection, number)]
    )


def _ids(connection: sqlite3.Connection, chain_no: int) -> tuple[int, bytes]:
    floor, last, count = connection.execute(
        "SELECT min(sequence), max(sequence), count(*) FROM places WHERE chain_no = ?", (chain_no,)
    ).fetchone()
    if count == 0 or last - floor + 1 != count:
        raise PromiseBroken(f"chain {chain_no} has a gap: {count} entries from {floor} to {last}")
    ids = connection.execute("SELECT id FROM places WHERE chain_no = ? ORDER BY sequence", (chain_no,))
    return floor, b"".join(identity for (identity,) in ids)
