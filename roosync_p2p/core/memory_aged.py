"""Messages whose time is over, in the in-memory store: every message is looked at, the naive twin of an index."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from roosync_p2p.core.memory_mail import MailTables
from roosync_p2p.core.ports import Aged, AgedQuery
from roosync_p2p.core.rows import DeliveryRow, EntryRow, MessageRow, ReceiptRow
from roosync_p2p.ids import EntryId, MachineId

__all__ = ["aged_messages"]

_ANSWERS = ("acted", "declined")


def aged_messages(
    query: AgedQuery,
    messages: Mapping[EntryId, MessageRow],
    entries: Mapping[EntryId, EntryRow],
    delivered: Mapping[int, DeliveryRow],
    receipts: Callable[[EntryId], Mapping[tuple[MachineId, str], ReceiptRow]],
    mail: MailTables,
) -> Aged:
    """What a query finds; ``delivered`` by rank."""

    def exempt(message: MessageRow) -> bool:
        return message.entry in mail.kept or message.message_id in query.cited

    def answered(message: MessageRow, workspace: str | None) -> bool:
        """By anybody; with a workspace, by this machine there."""
        return message.type != "task" or any(
            receipt.state in _ANSWERS
            for (reader, box), receipt in receipts(message.entry).items()
            if workspace is None or (reader, box) == (query.mine, workspace)
        )

    def droppable(message: MessageRow) -> bool:
        boxes = [row for row in delivered.values() if row.entry == message.entry]
        entry = entries.get(message.entry)
        old = (
            all(row.status == "archived" and row.changed_ms <= query.archived_ms for row in boxes)
            if boxes
            else entry is not None and entry.received_ms <= query.elsewhere_ms
        )
        if any(row.message == message.entry and row.time_ms > query.archived_ms for row in mail.amendments.values()):
            return False
        return old and message.time_ms <= query.archived_ms and answered(message, None) and not exempt(message)

    inboxes = [
        (rank, messages[row.entry], row)
        for rank, row in delivered.items()
        if not exempt(messages[row.entry]) and answered(messages[row.entry], row.workspace)
    ]
    archive = sorted(
        (row.changed_ms, rank) for rank, _, row in inboxes if row.status == "read" and row.changed_ms <= query.read_ms
    )
    expire = sorted(
        (message.time_ms, rank)
        for rank, message, row in inboxes
        if row.status == "unread" and message.time_ms <= query.unread_ms and row.arrived_ms <= query.shown_ms
    )
    drop = [message for message in messages.values() if message.entry not in mail.dropped and droppable(message)]
    drop.sort(key=lambda message: message.time_ms)  # stable: in the order in which they came
    return Aged(
        archive=tuple(delivered[rank] for _, rank in archive[: query.limit]),
        expire=tuple((messages[delivered[rank].entry].author, delivered[rank]) for _, rank in expire[: query.limit]),
        drop=tuple(message.entry for message in drop[: query.limit]),
    )
