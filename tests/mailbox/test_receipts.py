"""Receipts: what a reader says about messages, within bounds."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.records import encode
from roosync_p2p.mailbox.receipts import AnswerItem, Receipt, ReceiptItem, decode_receipt, said_in
from tests.helpers.trust import accepted_or_documented, refused_with


def _item(message: bytes = bytes(32), workspace: str = "", time_ms: int = 0) -> ReceiptItem:
    return ReceiptItem(message=message, workspace=workspace, time_ms=time_ms)


def _answer(note: str = "fait", message: bytes = bytes(32)) -> AnswerItem:
    return AnswerItem(message=message, workspace="", time_ms=0, note=note)


def test_a_receipt_is_read_as_it_was_written() -> None:
    receipt = Receipt(
        read=[_item(), _item(bytes([1]) * 32, "écurie", 1_768_435_200_000)],
        acted=(_answer(),),
        declined=(_answer("pas avant lundi"),),
        expired=(_item(),),
    )
    assert decode_receipt(encode(receipt)) == receipt
    states = [(said.state, said.note) for said in said_in(receipt)]
    assert states == [("expired", ""), ("read", ""), ("read", ""), ("acted", "fait"), ("declined", "pas avant lundi")]


def test_a_receipt_of_an_older_program_says_what_was_read() -> None:
    older = pack({"read": [[bytes(32), "", 5]]})
    assert encode(Receipt(read=[_item(time_ms=5)])) == older
    assert [said.state for said in said_in(decode_receipt(older))] == ["read"]


def test_a_state_of_a_newer_program_has_no_effect() -> None:
    newer = pack({"read": [], "snoozed": [[bytes(32), "", 5]]})
    assert list(said_in(decode_receipt(newer))) == []


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


@pytest.mark.parametrize("bad", [_answer("x" * (limits.NOTE_CHARS_MAX + 1)), _answer(message=bytes(31))], ids=str)
@pytest.mark.parametrize("state", ["acted", "declined"])
def test_an_answer_that_breaks_a_bound_is_refused(bad: AnswerItem, state: str) -> None:
    receipt = msgspec.structs.replace(Receipt(read=[]), **{state: (_answer(), bad)})
    refused_with("bad_receipt", lambda: decode_receipt(encode(receipt)))


def test_the_bound_is_for_all_items_together() -> None:
    half = limits.RECEIPT_IDS_MAX // 2
    many = Receipt(read=[_item()] * half, acted=(_answer(),) * half, expired=(_item(),))
    refused_with("bad_receipt", lambda: decode_receipt(encode(many)))


def test_as_many_answers_as_are_put_into_one_receipt_fit_the_body_of_an_entry() -> None:
    longest = AnswerItem(
        message=bytes(32),
        workspace="\U0001f680" * limits.WORKSPACE_CHARS_MAX,
        time_ms=limits.WALL_MS_MAX,
        note="\U0001f680" * limits.NOTE_CHARS_MAX,
    )
    largest = Receipt(read=[], declined=(longest,) * limits.RECEIPT_NOTES_MAX)
    assert len(encode(largest)) <= limits.ENTRY_BODY_BYTES_MAX


def test_more_items_than_the_bound_are_refused() -> None:
    many = Receipt(read=[_item()] * (limits.RECEIPT_IDS_MAX + 1))
    refused_with("bad_receipt", lambda: decode_receipt(encode(many)))


def test_the_largest_receipt_fits_the_body_of_an_entry() -> None:
    largest = _item(workspace="\U0001f680" * limits.WORKSPACE_CHARS_MAX, time_ms=limits.WALL_MS_MAX)
    assert len(encode(Receipt(read=[largest] * limits.RECEIPT_IDS_MAX))) <= limits.ENTRY_BODY_BYTES_MAX


@given(st.binary(max_size=200))
def test_any_bytes_are_a_receipt_or_a_documented_error(data: bytes) -> None:
    accepted_or_documented(lambda: decode_receipt(data))
