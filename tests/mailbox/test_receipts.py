"""Receipts: what a reader says about messages, within bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.mailbox.receipts import Receipt, ReceiptItem, decode_receipt
from tests.helpers.trust import accepted_or_documented, refused_with


def _item(message: bytes = bytes(32), workspace: str = "", time_ms: int = 0) -> ReceiptItem:
    return ReceiptItem(message=message, workspace=workspace, time_ms=time_ms)


def test_a_receipt_is_read_as_it_was_written() -> None:
    receipt = Receipt(read=[_item(), _item(bytes([1]) * 32, "écurie", 1_768_435_200_000)])
    assert decode_receipt(encode(receipt)) == receipt


@pytest.mark.parametrize(
    "item",
    [
        _item(message=bytes(31)),
        _item(message=bytes(33)),
        _item(workspace="x" * (limits.WORKSPACE_CHARS_MAX + 1)),
        _item(time_ms=-1),
        _item(time_ms=limits.WALL_MS_MAX + 1),
    ],
    ids=str,
)
def test_an_item_that_breaks_a_bound_is_refused(item: ReceiptItem) -> None:
    refused_with("bad_receipt", lambda: decode_receipt(encode(Receipt(read=[_item(), item]))))


def test_more_items_than_the_bound_are_refused() -> None:
    many = Receipt(read=[_item()] * (limits.RECEIPT_IDS_MAX + 1))
    refused_with("bad_receipt", lambda: decode_receipt(encode(many)))


def test_the_largest_receipt_fits_the_body_of_an_entry() -> None:
    largest = _item(workspace="\U0001f680" * limits.WORKSPACE_CHARS_MAX, time_ms=limits.WALL_MS_MAX)
    assert len(encode(Receipt(read=[largest] * limits.RECEIPT_IDS_MAX))) <= limits.ENTRY_BODY_BYTES_MAX


@given(st.binary(max_size=200))
def test_any_bytes_are_a_receipt_or_a_documented_error(data: bytes) -> None:
    accepted_or_documented(lambda: decode_receipt(data))
