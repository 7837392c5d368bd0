"""What a recipient says about messages: the body of a ``receipt`` entry (docs/protocol/messages.md §3)."""

from __future__ import annotations

from typing import Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.records import Record, decode
from roosync_p2p.errors import MalformedError

__all__ = ["KIND", "READ", "Receipt", "ReceiptItem", "decode_receipt"]

KIND: Final = "receipt"
READ: Final = "read"


class ReceiptItem(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One message (by its entry id) in one of the reader's inboxes ("" the machine's own), and when it was read."""

    message: bytes
    workspace: str
    time_ms: int


class Receipt(Record, frozen=True, kw_only=True):
    """Messages that were read since the last receipt."""

    read: list[ReceiptItem]


def decode_receipt(body: bytes) -> Receipt:
    """A receipt from elsewhere.

    Raises:
        MalformedError: it does not parse, or breaks a bound.
    """
    receipt = decode(body, Receipt, size_max=limits.ENTRY_BODY_BYTES_MAX)
    if len(receipt.read) > limits.RECEIPT_IDS_MAX or any(
        len(item.message) != 32
        or len(item.workspace) > limits.WORKSPACE_CHARS_MAX
        or not 0 <= item.time_ms <= limits.WALL_MS_MAX
        for item in receipt.read
    ):
        raise MalformedError("a receipt breaks its bounds", code="bad_receipt")
    return receipt
