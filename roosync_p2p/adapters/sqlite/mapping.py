"""Rows of the database as the core's rows, and the columns that each is read from."""

from __future__ import annotations

import json
from typing import Any, Final, TypeAlias

from roosync_p2p.core.rows import (
    AddressRow,
    CommitRow,
    DeliveryRow,
    EntryRow,
    ForkRow,
    IdempotencyRow,
    InviteRow,
    LogItemRow,
    MemberRow,
    MessageRow,
    OrderKeyRow,
    PendingRow,
    ReceiptRow,
    RecordRow,
)

__all__ = [
    "COMMIT_COLUMNS",
    "ENTRY_COLUMNS",
    "MESSAGE_COLUMNS",
    "Columns",
    "address_row",
    "commit_row",
    "commit_values",
    "delivery_row",
    "entry_row",
    "fork_row",
    "idempotency_row",
    "invite_row",
    "log_item_row",
    "member_row",
    "message_row",
    "message_values",
    "order_key_row",
    "pending_row",
    "receipt_row",
    "record_row",
]

Columns: TypeAlias = tuple[Any, ...]  # what sqlite3 returns; we wrote it, and the tables declare the types

ENTRY_COLUMNS: Final = (
    "chains.author, chains.incarnation, chains.chain, entries.sequence, entries.id, entries.kind, entries.header,"
    " entries.body, entries.received_ms"
)
MESSAGE_COLUMNS: Final = (
    "messages.entry, messages.message_id, messages.author, messages.workspace, messages.time_ms,"
    " messages.recipients, messages.subject, messages.type, messages.priority, messages.tags, messages.thread_id,"
    " messages.in_reply_to, messages.expires_ms, messages.ack_by_ms, messages.escalate, messages.session,"
    " messages.sealed"
)
COMMIT_COLUMNS: Final = "number, log_index, time_ms, epoch, entry, author, kind, accepted, reason, leaf, detail"


def entry_row(columns: Columns) -> EntryRow:
    """From ``ENTRY_COLUMNS``."""
    author, incarnation, chain, sequence, identity, kind, header, body, received_ms = columns
    return EntryRow(
        author=author,
        incarnation=incarnation,
        chain=chain,
        sequence=sequence,
        id=identity,
        kind=kind,
        header=header,
        body=body,
        received_ms=received_ms,
    )


def message_row(columns: Columns) -> MessageRow:
    """From ``MESSAGE_COLUMNS``."""
    entry, message_id, author, workspace, time_ms, to, subject, type_, priority, tags, *rest = columns
    thread_id, in_reply_to, expires_ms, ack_by_ms, escalate, session, sealed = rest
    return MessageRow(
        entry=entry,
        message_id=message_id,
        author=author,
        workspace=workspace,
        time_ms=time_ms,
        to=tuple(json.loads(to)),
        subject=subject,
        type=type_,
        priority=priority,
        tags=tuple(json.loads(tags)),
        thread_id=thread_id,
        in_reply_to=in_reply_to,
        expires_ms=expires_ms,
        ack_by_ms=ack_by_ms,
        escalate=escalate,
        session=session,
        sealed=bool(sealed),
    )


def message_values(row: MessageRow) -> Columns:
    """To ``MESSAGE_COLUMNS``."""
    return (
        row.entry,
        row.message_id,
        row.author,
        row.workspace,
        row.time_ms,
        json.dumps(row.to, ensure_ascii=False),
        row.subject,
        row.type,
        row.priority,
        json.dumps(row.tags, ensure_ascii=False),
        row.thread_id,
        row.in_reply_to,
        row.expires_ms,
        row.ack_by_ms,
        row.escalate,
        row.session,
        row.sealed,
    )


def delivery_row(columns: Columns) -> DeliveryRow:
    """From entry, workspace, status, arrived_ms, changed_ms."""
    entry, workspace, status, arrived_ms, changed_ms = columns
    return DeliveryRow(entry=entry, workspace=workspace, status=status, arrived_ms=arrived_ms, changed_ms=changed_ms)


def receipt_row(columns: Columns) -> ReceiptRow:
    """From message, reader, workspace, state, time_ms, note."""
    message, reader, workspace, state, time_ms, note = columns
    return ReceiptRow(message=message, reader=reader, workspace=workspace, state=state, time_ms=time_ms, note=note)


def member_row(columns: Columns) -> MemberRow:
    """From machine, key_id, leaf, issuer."""
    machine, key_id, leaf, issuer = columns
    return MemberRow(machine=machine, key_id=key_id, leaf=leaf, issuer=issuer)


def record_row(columns: Columns) -> RecordRow:
    """From kind, author, subject, start, counter, envelope."""
    kind, author, subject, start, counter, envelope = columns
    return RecordRow(kind=kind, author=author, subject=subject, start=start, counter=counter, envelope=envelope)


def fork_row(columns: Columns) -> ForkRow:
    """From author, incarnation, chain, sequence, first, second."""
    author, incarnation, chain, sequence, first, second = columns
    return ForkRow(author=author, incarnation=incarnation, chain=chain, sequence=sequence, first=first, second=second)


def idempotency_row(columns: Columns) -> IdempotencyRow:
    """From key, request, entry, message_id."""
    key, request, entry, message_id = columns
    return IdempotencyRow(key=key, request=request, entry=entry, message_id=message_id)


def invite_row(columns: Columns) -> InviteRow:
    """From invite_id, data."""
    invite_id, data = columns
    return InviteRow(invite_id=invite_id, data=data)


def pending_row(columns: Columns) -> PendingRow:
    """From number, kind, body."""
    number, kind, body = columns
    return PendingRow(number=number, kind=kind, body=body)


def address_row(columns: Columns) -> AddressRow:
    """From machine, address, seen_ms."""
    machine, address, seen_ms = columns
    return AddressRow(machine=machine, address=address, seen_ms=seen_ms)


def log_item_row(columns: Columns) -> LogItemRow:
    """From number, term, data."""
    number, term, data = columns
    return LogItemRow(index=number, term=term, data=data)


def commit_row(columns: Columns) -> CommitRow:
    """From ``COMMIT_COLUMNS``."""
    number, log_index, time_ms, epoch, entry, author, kind, accepted, reason, leaf, detail = columns
    return CommitRow(
        number=number,
        index=log_index,
        time_ms=time_ms,
        epoch=epoch,
        entry=entry,
        author=author,
        kind=kind,
        accepted=bool(accepted),
        reason=reason,
        detail=detail,
        leaf=leaf,
    )


def commit_values(row: CommitRow) -> Columns:
    """To ``COMMIT_COLUMNS``."""
    return (
        row.number,
        row.index,
        row.time_ms,
        row.epoch,
        row.entry,
        row.author,
        row.kind,
        row.accepted,
        row.reason,
        row.leaf,
        row.detail,
    )


def order_key_row(columns: Columns) -> OrderKeyRow:
    """From key, request, entry."""
    key, request, entry = columns
    return OrderKeyRow(key=key, request=request, entry=entry)
