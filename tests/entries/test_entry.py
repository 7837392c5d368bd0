"""One signed entry: every field has a bound, and the body is the one that was signed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.records import encode, to_value
from roosync_p2p.entries.entry import CHAIN_START, MAIL, Entry, Header, check_body, read_entry, write_entry
from roosync_p2p.errors import PeerFault, SignatureFault
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import seal, verify
from tests.helpers.cores import NOW, A, Actor, B, directory, identity
from tests.helpers.trust import accepted_or_documented, refused_with


def _written(**changes: Any) -> Entry:
    own = identity(B)
    given: dict[str, Any] = {
        "fleet": own.fleet,
        "author": B,
        "incarnation": 1,
        "chain": MAIL,
        "sequence": 1,
        "previous": None,
        "time_ms": NOW.wall_ms,
        "kind": CHAIN_START,
        "body": b"body",
    }
    return write_entry(own.key, **(given | changes))


def _sealed(payload: bytes) -> bytes:
    own = identity(B)
    return seal(own.key, context=contexts.ENTRY, fleet=own.fleet, author=B, payload=payload)


def _read(raw: bytes, body: bytes | None = None) -> Entry:
    size_max = limits.ENTRY_HEADER_BYTES_MAX
    return read_entry(verify(raw, context=contexts.ENTRY, directory=directory(B), size_max=size_max), body)


def _lie(**changes: Any) -> bytes:
    """A header with one lie in it, signed by the author."""
    return _sealed(encode(msgspec.structs.replace(_written().header, **changes)))


def test_an_entry_is_read_as_it_was_written() -> None:
    entry = _written()
    assert _read(entry.raw, b"body") == entry


def test_without_its_body_an_entry_has_the_same_id() -> None:
    entry = _written()
    assert (_read(entry.raw).id, _read(entry.raw).body) == (entry.id, None)


def test_the_largest_body_is_written() -> None:
    body = bytes(limits.ENTRY_BODY_BYTES_MAX)
    entry = _written(body=body)
    assert _read(entry.raw, body).header.size == len(body)


def test_a_larger_body_is_not_written() -> None:
    refused_with("oversized", lambda: _written(body=bytes(limits.ENTRY_BODY_BYTES_MAX + 1)))


@pytest.mark.parametrize("body", [b"", b"Body", b"body ", b"bod"])
def test_another_body_than_the_signed_one_is_refused(body: bytes) -> None:
    refused_with("wrong_body", lambda: check_body(_written().header, body))


@pytest.mark.parametrize(
    "changes",
    [
        {"author": A},
        {"chain": "news"},
        {"chain": ""},
        {"incarnation": 0},
        {"incarnation": -1},
        {"incarnation": limits.INCARNATION_MAX + 1},
        {"sequence": 0},
        {"sequence": limits.NUMBER_MAX + 1, "kind": "note", "previous": bytes(32)},
        {"time_ms": -1},
        {"time_ms": limits.WALL_MS_MAX + 1},
        {"previous": bytes(32)},
        {"sequence": 2, "kind": "note", "previous": b""},
        {"sequence": 2, "kind": "note", "previous": bytes(31)},
        {"sequence": 2, "kind": CHAIN_START, "previous": bytes(32)},
        {"kind": "note"},
        {"sequence": 2, "previous": bytes(32), "kind": "Not a kind"},
        {"sequence": 2, "previous": bytes(32), "kind": "x" * 65},
        {"sequence": 2, "previous": bytes(32), "kind": ""},
        {"body": bytes(31)},
        {"size": -1},
        {"size": limits.ENTRY_BODY_BYTES_MAX + 1},
    ],
    ids=str,
)
def test_a_signed_header_that_breaks_a_bound_is_refused(changes: dict[str, Any]) -> None:
    refused_with("bad_header", lambda: _read(_lie(**changes)))


@pytest.mark.parametrize("field", list(Header.__struct_fields__))
def test_a_header_without_one_of_its_fields_is_refused(field: str) -> None:
    value = to_value(_written().header)
    assert isinstance(value, dict)
    del value[field]
    refused_with("bad_field", lambda: _read(_sealed(pack(value))))


@pytest.mark.parametrize("field", list(Header.__struct_fields__))
def test_a_header_with_a_field_of_another_type_is_refused(field: str) -> None:
    value = to_value(_written().header)
    assert isinstance(value, dict)
    refused_with("bad_field", lambda: _read(_sealed(pack({**value, field: [value[field]]}))))


def test_a_field_of_a_newer_version_has_no_effect_and_stays_in_the_id() -> None:
    value = to_value(_written().header)
    assert isinstance(value, dict)
    newer = _read(_sealed(pack({**value, "mood": "good"})))
    assert newer.header == _written().header
    assert newer.id != _written().id


def test_an_unknown_kind_is_as_good_as_any() -> None:
    entry = _written(sequence=2, previous=_written().id, kind="vote.of-the_future.9")
    assert _read(entry.raw, b"body") == entry


def test_a_header_signed_for_another_purpose_is_no_entry() -> None:
    own = identity(B)
    payload = encode(_written().header)
    raw = seal(own.key, context=contexts.FRONTIER, fleet=own.fleet, author=B, payload=payload)
    with pytest.raises(SignatureFault) as caught:
        _read(raw)
    assert caught.value.code == "wrong_context"


def test_an_entry_of_another_author_does_not_verify_under_this_name() -> None:
    raw = seal(
        identity(A).key,
        context=contexts.ENTRY,
        fleet=identity(A).fleet,
        author=B,
        payload=encode(_written().header),
    )
    refused_with("unknown_key", lambda: _read(raw))


def test_two_bodies_of_the_same_text_in_two_places_are_two_entries() -> None:
    actor = Actor(B)
    one, two, three = actor.mail(3)
    assert len({one.id, two.id, three.id}) == 3


@given(st.binary(max_size=400))
def test_any_signed_payload_is_an_entry_or_a_documented_error(payload: bytes) -> None:
    accepted_or_documented(lambda: _read(_sealed(payload)))


@given(st.integers(0, 2**32), st.integers(0, 255))
def test_a_tampered_envelope_is_never_read_as_another_entry(where: int, value: int) -> None:
    raw = bytearray(_written().raw)
    raw[where % len(raw)] = value
    if bytes(raw) == _written().raw:
        return
    with pytest.raises(PeerFault):
        _read(bytes(raw))
