"""The messages of consensus in bytes and back, and what is refused as one."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.consensus.items import Noop, encode_item, make_item
from roosync_p2p.consensus.messages import (
    Append,
    AppendAnswer,
    Message,
    TimeoutNow,
    VoteAnswer,
    VoteRequest,
    decode_message,
    encode_message,
)
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import Epoch, LogIndex, Term
from tests.consensus.cluster import batch, seat

HEAD: dict[str, Any] = {"epoch": Epoch(1), "term": Term(5), "to": seat("aa1").store, "by": seat("bb1").store}
ITEMS = (make_item(LogIndex(4), Term(2), Noop()), make_item(LogIndex(5), Term(5), batch("x", "y")))
APPEND = Append(
    **HEAD,
    prev_index=LogIndex(3),
    prev_term=Term(2),
    commit=LogIndex(4),
    round=6,
    items=ITEMS,
)
MESSAGES: list[Message] = [
    VoteRequest(**HEAD, last_index=LogIndex(3), last_term=Term(2), pre=True, transfer=False),
    VoteAnswer(**HEAD, granted=True, pre=False, record=b"signed"),
    VoteAnswer(**HEAD, granted=False, pre=True),
    APPEND,
    msgspec.structs.replace(APPEND, items=()),
    AppendAnswer(
        **HEAD,
        ok=False,
        match=LogIndex(3),
        hint_index=LogIndex(2),
        hint_term=Term(1),
        commit=LogIndex(1),
        round=6,
    ),
    TimeoutNow(**HEAD),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_from_its_bytes(message: Message) -> None:
    assert decode_message(encode_message(message)) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_each_field_is_needed_but_the_record_of_a_vote(message: Message) -> None:
    value = unpack(encode_message(message))
    assert isinstance(value, list)
    shorter = pack(value[:-1])
    if isinstance(message, VoteAnswer):
        assert decode_message(shorter) == msgspec.structs.replace(message, record=b"")
    else:
        with pytest.raises(MalformedError):
            decode_message(shorter)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_fields_of_a_newer_version_are_passed_over(message: Message) -> None:
    value = unpack(encode_message(message))
    assert isinstance(value, list)
    assert decode_message(pack([*value, "new"])) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_costs_few_bytes_besides_its_items(message: Message) -> None:
    assert len(encode_message(msgspec.structs.replace(message))) < 150


def append_value(**changes: object) -> list[object]:
    """The values of an Append on the wire, some of them changed."""
    fields: dict[str, object] = {
        "tag": 3,
        "epoch": 1,
        "term": 5,
        "to": bytes(16),
        "by": bytes(16),
        "prev_index": 3,
        "prev_term": 2,
        "commit": 1,
        "round": 0,
        "items": [encode_item(Term(2), Noop())],
    }
    return list({**fields, **changes}.values())


MALFORMED: list[tuple[str, dict[str, object]]] = [
    ("an unknown kind", {"tag": 6}),
    ("a short store id", {"to": bytes(15)}),
    ("an index below zero", {"prev_index": -1}),
    ("an index beyond all", {"commit": 2**63}),
    ("a term that is a truth", {"term": True}),
    ("too many items", {"items": [encode_item(Term(2), Noop())] * (limits.APPEND_ITEMS_MAX + 1)}),
    ("an item that is none", {"items": [b"\x90"]}),
    ("a term that falls", {"items": [encode_item(Term(3), Noop()), encode_item(Term(2), Noop())]}),
    ("a term below that of the item before", {"items": [encode_item(Term(1), Noop())]}),
    ("an item newer than its leader", {"items": [encode_item(Term(6), Noop())]}),
    ("an item before newer than its leader", {"prev_term": 6, "items": []}),
]


@pytest.mark.parametrize(("what", "changes"), MALFORMED, ids=[what for what, _ in MALFORMED])
def test_what_is_no_message_is_refused(what: str, changes: dict[str, object]) -> None:
    assert isinstance(decode_message(pack(append_value())), Append)
    with pytest.raises(MalformedError):
        decode_message(pack(append_value(**changes)))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_documented_error(data: bytes) -> None:
    """Invariant: decoded, or MalformedError."""
    with contextlib.suppress(MalformedError):
        decode_message(data)


@given(st.sampled_from(MESSAGES), st.integers(min_value=0), st.integers(min_value=0, max_value=255))
def test_a_message_with_one_byte_changed_is_a_message_or_a_documented_error(
    message: Message, place: int, byte: int
) -> None:
    """Invariant: decoded to what encodes to the same bytes, or MalformedError."""
    data = bytearray(encode_message(message))
    data[place % len(data)] = byte
    try:
        again = encode_message(decode_message(bytes(data)))
    except MalformedError:
        return
    assert again == bytes(data)


def test_the_largest_append_that_a_leader_fills_fits_the_bound() -> None:
    largest = limits.APPEND_BYTES_TARGET + limits.LOG_ITEM_BYTES_MAX + 5 * limits.APPEND_ITEMS_MAX + 150
    assert largest <= limits.CONSENSUS_MESSAGE_BYTES_MAX < limits.FRAME_BYTES_MAX
