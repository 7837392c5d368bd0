"""Messages as the local API shows them, from rows (docs/protocol/api.md §4.1). Nothing is read here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from roosync_p2p.clock import rfc3339
from roosync_p2p.core.ports import InboxItem
from roosync_p2p.core.rows import CommitRow, DeliveryRow, EntryRow, MessageRow, ReceiptRow
from roosync_p2p.entries.entry import stored_entry
from roosync_p2p.errors import MalformedError, StoreError
from roosync_p2p.ids import Address, EntryId, MachineId
from roosync_p2p.mailbox.amendments import Amendment, decode_amendment
from roosync_p2p.mailbox.attachments import Attachment
from roosync_p2p.mailbox.message import MessageBody, decode_message
from roosync_p2p.node.sealing import Opened

__all__ = [
    "amendment_of",
    "attachments_in",
    "commit_view",
    "inbox_line",
    "message_view",
    "receipt_views",
    "status_in",
    "text_of",
]

B = TypeVar("B")


def message_view(row: MessageRow, status: str, opened: Opened | None = None) -> dict[str, Any]:
    """A message without its body, as a line of an inbox has it; ``opened``: what is in a sealed one."""
    inside = None if opened is None else opened.text
    return {
        "id": row.message_id,
        "from": str(Address(row.author, row.workspace)),
        "to": list(row.to),
        "subject": row.subject if inside is None else inside.subject,
        "type": row.type,
        "priority": row.priority,
        "tags": list(row.tags if inside is None else inside.tags),
        "thread_id": row.thread_id,
        "in_reply_to": row.in_reply_to,
        "status": status,
        "time": rfc3339(row.time_ms),
        "verified": True,
        "signer": row.author,
        "expires": rfc3339(row.expires_ms) if row.expires_ms else None,
        "ack_by": rfc3339(row.ack_by_ms) if row.ack_by_ms else None,
        "sealed": row.sealed,
        "seal_problem": "" if opened is None else opened.problem,
    }


def inbox_line(item: InboxItem, opened: Opened | None = None) -> dict[str, Any]:
    """One message in one inbox."""
    return {**message_view(item.message, item.delivery.status, opened), "workspace": item.delivery.workspace or None}


def receipt_views(receipts: Iterable[ReceiptRow]) -> list[dict[str, Any]]:
    """Who said what about a message."""
    return [
        {
            "machine": receipt.reader,
            "workspace": receipt.workspace or None,
            "state": receipt.state,
            "time": rfc3339(receipt.time_ms),
            "note": receipt.note,
        }
        for receipt in receipts
    ]


def commit_view(row: CommitRow) -> dict[str, Any]:
    """A commit that a message cites, with its outcome."""
    return {
        "number": row.number,
        "kind": row.kind,
        "author": row.author,
        "time": rfc3339(row.time_ms),
        "outcome": {"accepted": row.accepted, "reason": row.reason},
    }


def status_in(deliveries: Iterable[DeliveryRow], workspace: str | None) -> str:
    """Its status in the workspace's inbox, else in the machine's own, else in any; ``sent`` if it is in none."""
    boxes = {delivery.workspace: delivery.status for delivery in deliveries}
    return boxes.get(workspace or "") or boxes.get("") or next(iter(boxes.values()), "sent")


def text_of(row: MessageRow, entry: EntryRow | None) -> str | None:
    """The text that was signed, None once retention dropped it.

    Raises:
        StoreError: ``store_corrupt``: the disk holds another one.
    """
    message = _message(row, entry)
    return None if message is None else message.body


def attachments_in(row: MessageRow, entry: EntryRow | None) -> tuple[Attachment, ...]:
    """What the message brings along; nothing once retention dropped it.

    Raises:
        StoreError: ``store_corrupt``: the disk holds another one.
    """
    message = _message(row, entry)
    return () if message is None else message.attachments


def _message(row: MessageRow, entry: EntryRow | None) -> MessageBody | None:
    found = _signed(row, entry, row.entry, decode_message)
    if found is None:
        return None
    author, message = found
    if (author, message.subject) != (row.author, row.subject):
        raise _changed(row, "its line in the inbox is not the one that was signed")
    return message


def amendment_of(row: MessageRow, entry: EntryRow | None, named: EntryId) -> Amendment | None:
    """The amendment that was signed, None once retention dropped it; ``named``: its entry.

    Raises:
        StoreError: ``store_corrupt``: the disk holds another one.
    """
    found = _signed(row, entry, named, decode_amendment)
    if found is None:
        return None
    author, amendment = found
    if (author, amendment.session, amendment.message) != (row.author, row.session, row.entry):
        raise _changed(row, "one of its amendments is not the one that was signed")
    return amendment


def _signed(
    row: MessageRow, entry: EntryRow | None, named: EntryId, decode: Callable[[bytes], B]
) -> tuple[MachineId, B] | None:
    """Author and content of an entry, if it still is what was signed."""
    if entry is None or entry.body is None:
        return None
    try:
        kept, content = stored_entry(entry.header, entry.body), decode(entry.body)
    except MalformedError as error:
        raise _changed(row, error.message) from error
    if kept.id != named:
        raise _changed(row, "its header is not the one that was signed")
    return kept.author, content


def _changed(row: MessageRow, cause: str) -> StoreError:
    return StoreError(
        f"{row.message_id} of {row.author} was changed on this machine's disk: {cause}; it is not shown",
        code="store_corrupt",
        remedy="check the disk with `roosync doctor`; ask the sender, or put back a copy of node.db that you trust",
        details={"id": row.message_id, "cause": cause},
    )
