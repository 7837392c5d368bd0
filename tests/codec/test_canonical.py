"""Canonical msgpack: one value, one encoding, and nothing else is accepted."""

from __future__ import annotations

import struct

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.codec.canonical import Value, pack, unpack
from roosync_p2p.errors import MalformedError
from tests.helpers.trust import accepted_or_documented, refused_with

_scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=40) | st.binary(max_size=300)
values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, "c0"),
        (False, "c2"),
        (True, "c3"),
        (0, "00"),
        (127, "7f"),
        (128, "cc80"),
        (256, "cd0100"),
        (65_536, "ce00010000"),
        (2**32, "cf0000000100000000"),
        (2**64 - 1, "cfffffffffffffffff"),
        (-1, "ff"),
        (-32, "e0"),
        (-33, "d0df"),
        (-129, "d1ff7f"),
        (-32_769, "d2ffff7fff"),
        (-(2**63), "d38000000000000000"),
        ("", "a0"),
        ("é", "a2c3a9"),
        (b"", "c400"),
        ([], "90"),
        ({}, "80"),
        ({"b": 1, "a": 2}, "82a16102a16201"),
        ({"é": 1, "z": 2}, "82a17a02a2c3a901"),
        ([1, [2]], "92019102"),
    ],
    ids=repr,
)
def test_a_value_has_exactly_this_encoding(value: Value, data: str) -> None:
    assert pack(value).hex() == data
    assert unpack(bytes.fromhex(data)) == value


def test_a_tuple_is_a_list_on_the_wire() -> None:
    assert pack((1, (2,))) == pack([1, [2]])


@pytest.mark.parametrize(
    "data",
    [
        "cc01",
        "cd0001",
        "ce00000001",
        "cf0000000000000001",
        "d0ff",
        "d001",
        "d1ffff",
        "d3ffffffffffffffff",
        "d90161",
        "da000161",
        "c5000161",
        "c600000000",
        "dc0000",
        "dd00000000",
        "de0000",
        "82a16201a16102",
        "82a16101a16102",
    ],
    ids=[
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "int8 negative",
        "int8 positive",
        "int16",
        "int64",
        "str8",
        "str16",
        "bin16",
        "bin32",
        "array16",
        "array32",
        "map16",
        "unsorted",
        "duplicate key",
    ],
)
def test_another_encoding_of_an_allowed_value_is_refused(data: str) -> None:
    refused_with("not_canonical", lambda: unpack(bytes.fromhex(data)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x92\x01",
        b"\x00\x00",
        struct.pack(">Bf", 0xCA, 1.0),
        struct.pack(">Bd", 0xCB, 1.0),
        b"\xa1\xff",
        b"\xa3\xed\xa0\x80",
        b"\x81\x01\x02",
        b"\x81\xc4\x01a\x02",
        b"\x81\xc0\x02",
        b"\x81\x90\x02",
        b"\xd4\x01\x00",
        b"\xc7\x00\x01",
        b"\xd6\xff\x00\x00\x00\x01",
    ],
    ids=[
        "nothing",
        "the unused byte",
        "cut off",
        "more than one value",
        "float32",
        "float64",
        "bad UTF-8",
        "a surrogate",
        "number as key",
        "bytes as key",
        "nil as key",
        "list as key",
        "extension",
        "empty extension",
        "timestamp",
    ],
)
def test_what_is_no_allowed_value_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        unpack(data)


def test_nesting_has_a_bound_for_both_directions() -> None:
    deepest = b"\x91" * limits.NESTING_DEPTH_MAX + b"\xc0"
    assert pack(unpack(deepest)) == deepest
    refused_with("too_deep", lambda: unpack(b"\x91" + deepest))
    refused_with("too_deep", lambda: unpack(b"\x81\xa1a" * 300 + b"\xc0"))
    value: Value = None
    for _ in range(limits.NESTING_DEPTH_MAX + 1):
        value = [value]
    refused_with("too_deep", lambda: pack(value))


@pytest.mark.parametrize("data", [b"\x91" * 100_000, b"\x81\xa1a" * 100_000, b"\xdd\x00\x0f\xff\xff" * 400])
def test_hostile_nesting_is_a_documented_error(data: bytes) -> None:
    with pytest.raises(MalformedError):
        unpack(data)


@pytest.mark.parametrize("data", ["ddffffffff", "dfffffffff", "dbffffffff", "c6ffffffff", "c9ffffffff01"])
def test_a_length_that_the_bytes_do_not_hold_is_refused(data: str) -> None:
    with pytest.raises(MalformedError):
        unpack(bytes.fromhex(data))


def test_the_bound_is_on_the_bytes_and_before_parsing() -> None:
    data = pack(bytes(100))
    assert unpack(data, size_max=len(data)) == bytes(100)
    refused_with("oversized", lambda: unpack(data, size_max=len(data) - 1))
    refused_with("oversized", lambda: unpack(bytes(limits.FRAME_BYTES_MAX + 1)))


@pytest.mark.parametrize(
    "value", [1.0, 2**64, -(2**63) - 1, {1: 2}, {"a": {b"b": 1}}, {1}, object(), "\ud800", {"\ud800": 1}]
)
def test_values_that_have_no_encoding_are_refused(value: object) -> None:
    with pytest.raises(MalformedError):
        pack(value)


@given(values)
def test_every_value_survives(value: Value) -> None:
    """Invariant: decoding gives the value back, and encoding that gives the bytes back."""
    data = pack(value)
    assert unpack(data) == value
    assert pack(unpack(data)) == data


@given(values)
def test_the_order_in_which_a_map_was_filled_does_not_matter(value: Value) -> None:
    """Invariant: equal values have equal encodings."""
    assert pack(_reversed(value)) == pack(value)


@given(st.binary(max_size=80))
def test_any_bytes_are_accepted_unchanged_or_a_documented_error(data: bytes) -> None:
    """Invariant: accepted and then the only encoding of its value, or a documented error."""
    try:
        value = unpack(data)
    except MalformedError:
        return
    assert pack(value) == data


@given(values, st.data())
def test_damaged_bytes_are_accepted_or_a_documented_error(value: Value, draw: st.DataObject) -> None:
    """Invariant: accepted, or a documented error, for every damage to real bytes."""
    data = bytearray(pack(value))
    at = draw.draw(st.integers(0, len(data) - 1))
    data[at] = draw.draw(st.integers(0, 255))
    accepted_or_documented(lambda: unpack(bytes(data)))
    accepted_or_documented(lambda: unpack(bytes(data[:at])))


@given(st.recursive(_scalars | st.floats(), lambda inner: st.lists(inner, max_size=4), max_leaves=10))
def test_what_the_library_writes_itself_is_accepted_or_a_documented_error(value: object) -> None:
    """Invariant: accepted, or a documented error, for everything the library can write."""
    accepted_or_documented(lambda: unpack(msgpack.packb(value)))


def _reversed(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(list(value))}
    if isinstance(value, list):
        return [_reversed(item) for item in value]
    return value
