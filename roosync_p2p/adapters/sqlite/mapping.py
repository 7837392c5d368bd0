"""Rows of the database as the core's rows, and the columns that each is read from."""

from __future__ import annotations

import json
from typing import Any, Final, TypeAlias

from roosync_p2p.core.rows import (
    AddressRow,
    DeliveryRow,
    EntryRow,
    ForkRow,
    IdempotencyRow,
    InviteRow,
    MemberRow,
    MessageRow,
    PendingRow,
    ReceiptRow,
    RecordRow,
)

__all__ = [
    "ENTRY_COLUMNS",
    "MESSAGE_COLUMNS",
    "Columns",
    "address_row",
    "delivery_row",
    "entry_row",
    "fork_row",
    "idempotency_row",
    "invite_row",
    "member_row",
    "message_row",
    "message_values",
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
    " messages.in_reply_to"
)


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
    entry, message_id, author, workspace, time_ms, to, subject, type_, priority, tags, thread_id, in_reply_to = columns
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
    )


def delivery_row(columns: Columns) -> DeliveryRow:
    """From entry, workspace, status, arrived_ms, changed_ms."""
    entry, workspace, status, arrived_ms, changed_ms = columns
    return DeliveryRow(entry=entry, workspace=workspace, status=status, arrived_ms=arrived_ms, changed_ms=changed_ms)


def receipt_row(columns: Columns) -> ReceiptRow:
    """From message, reader, workspace, state, time_ms."""
    message, reader, workspace, state, time_ms = columns
    return ReceiptRow(message=message, reader=reader, workspace=workspace, state=state, time_ms=time_ms)


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
