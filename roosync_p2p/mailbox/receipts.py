"""What a recipient says about messages: the body of a ``receipt`` entry (docs/protocol/messages.md §3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.records import Record, decode
from roosync_p2p.errors import MalformedError

__all__ = [
    "ACTED",
    "ANSWERS",
    "DECLINED",
    "EXPIRED",
    "FETCHED",
    "KIND",
    "READ",
    "AnswerItem",
    "Receipt",
    "ReceiptItem",
    "Said",
    "decode_receipt",
    "said_in",
]

KIND: Final = "receipt"
EXPIRED: Final = "expired"
READ: Final = "read"
FETCHED: Final = "fetched"  # of the machine, not of a person: all that the message brings along is on its disk
ACTED: Final = "acted"
DECLINED: Final = "declined"
ANSWERS: Final = (ACTED, DECLINED)


class ReceiptItem(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One message (by its entry id) in one of the reader's inboxes ("" the machine's own), and when it was read."""

    message: bytes
    workspace: str
    time_ms: int


class AnswerItem(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The same for a message that was acted on or declined, with what was said about that."""

    message: bytes
    workspace: str
    time_ms: int
    note: str


class Receipt(Record, frozen=True, kw_only=True):
    """What became of messages since the last receipt.

    Attributes:
        read: they were read.
        acted, declined: somebody did what they ask for, or says that nobody will.
        expired: they came, or lay unread, until their time was over; nobody was shown them.
        fetched: all their attachments are on the disk of this machine; the workspace is empty.
    """

    read: list[ReceiptItem]
    acted: tuple[AnswerItem, ...] = ()
    declined: tuple[AnswerItem, ...] = ()
    expired: tuple[ReceiptItem, ...] = ()
    fetched: tuple[ReceiptItem, ...] = ()


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One fact of a receipt."""

    message: bytes
    workspace: str
    time_ms: int
    state: str
    note: str = ""


def said_in(receipt: Receipt) -> Iterator[Said]:
    """The facts of a receipt, one by one."""
    plain: tuple[tuple[str, Sequence[ReceiptItem]], ...] = (
        (EXPIRED, receipt.expired),
        (READ, receipt.read),
        (FETCHED, receipt.fetched),
    )
    for state, items in plain:
        for item in items:
            yield Said(message=item.message, workspace=item.workspace, time_ms=item.time_ms, state=state)
    answers: tuple[tuple[str, Sequence[AnswerItem]], ...] = ((ACTED, receipt.acted), (DECLINED, receipt.declined))
    for state, answered in answers:
        for answer in answered:
            yield Said(
                message=answer.message,
                workspace=answer.workspace,
                time_ms=answer.time_ms,
                state=state,
                note=answer.note,
            )


def decode_receipt(body: bytes) -> Receipt:
    """A receipt from elsewhere.

    Raises:
        MalformedError: it does not parse, or breaks a bound.
    """
    receipt = decode(body, Receipt, size_max=limits.ENTRY_BODY_BYTES_MAX)
    said = list(said_in(receipt))
    if len(said) > limits.RECEIPT_IDS_MAX or any(
        len(item.message) != 32
        or len(item.workspace) > limits.WORKSPACE_CHARS_MAX
        or not 0 <= item.time_ms <= limits.WALL_MS_MAX
        or len(item.note) > limits.NOTE_CHARS_MAX
        for item in said
    ):
        raise MalformedError("a receipt breaks its bounds", code="bad_receipt")
    return receipt
