"""Records: typed, bounded, open to newer fields, and errors that name the field."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.codec.canonical import Value, pack
from roosync_p2p.codec.records import Record, decode, encode, from_value, to_value
from roosync_p2p.ids import MachineId
from tests.helpers.trust import accepted_or_documented, refused_with


class _Inner(Record, frozen=True, kw_only=True):
    name: str
    data: bytes = b""


class _Sample(Record, frozen=True, kw_only=True):
    machine: MachineId
    counter: Annotated[int, msgspec.Meta(ge=0)]
    inner: _Inner | None = None
    items: tuple[_Inner, ...] = ()
    table: dict[str, int] = msgspec.field(default_factory=dict)


_FULL = _Sample(
    machine=MachineId("myia-ai-01"),
    counter=7,
    inner=_Inner(name="é", data=b"\xff\x00"),
    items=(_Inner(name="a"), _Inner(name="b", data=b"x")),
    table={"z": 1, "a": 2},
)


def test_a_record_survives() -> None:
    assert decode(encode(_FULL), _Sample) == _FULL
    assert from_value(to_value(_FULL), _Sample) == _FULL


def test_a_field_with_its_default_is_left_out() -> None:
    short = _Sample(machine=MachineId("myia-ai-01"), counter=0)
    assert encode(short) == pack({"counter": 0, "machine": "myia-ai-01"})
    assert decode(encode(short), _Sample) == short


def test_bytes_stay_bytes_and_are_not_taken_for_text() -> None:
    assert to_value(_Inner(name="a", data=b"\xff")) == {"name": "a", "data": b"\xff"}
    refused_with("bad_field", lambda: decode(pack({"name": "a", "data": "text"}), _Inner))
    refused_with("bad_field", lambda: decode(pack({"name": b"a"}), _Inner))


def test_fields_of_a_newer_version_have_no_effect() -> None:
    value = {"counter": 7, "machine": "myia-ai-01", "colour": "red"}
    assert decode(pack(value), _Sample) == _Sample(machine=MachineId("myia-ai-01"), counter=7)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"machine": "m"}, "counter"),
        ({"machine": "m", "counter": "7"}, "$.counter"),
        ({"machine": "m", "counter": True}, "$.counter"),
        ({"machine": "m", "counter": -1}, "$.counter"),
        ({"machine": None, "counter": 7}, "$.machine"),
        ({"machine": "m", "counter": 7, "inner": {}}, "$.inner"),
        ({"machine": "m", "counter": 7, "items": [{"name": "a"}, {"name": 1}]}, "$.items[1].name"),
        ({"machine": "m", "counter": 7, "table": {"a": "b"}}, "$.table"),
        ([], "_Sample"),
        (None, "_Sample"),
    ],
    ids=str,
)
def test_an_error_names_the_field(value: Value, field: str) -> None:
    error = refused_with("bad_field", lambda: decode(pack(value), _Sample))
    assert field in error.message


def test_bytes_that_are_not_canonical_are_refused_before_they_are_a_record() -> None:
    refused_with("not_canonical", lambda: decode(b"\xde\x00\x00", _Sample))
    refused_with("oversized", lambda: decode(encode(_FULL), _Sample, size_max=8))


_names = st.text(max_size=10)
_inners = st.builds(_Inner, name=_names, data=st.binary(max_size=20))


@given(
    st.builds(
        _Sample,
        machine=_names.map(MachineId),
        counter=st.integers(0, 2**64 - 1),
        inner=st.none() | _inners,
        items=st.lists(_inners, max_size=3).map(tuple),
        table=st.dictionaries(_names, st.integers(-(2**63), 2**63), max_size=3),
    )
)
def test_every_record_survives(record: _Sample) -> None:
    """Invariant: encoding and decoding are inverse."""
    assert decode(encode(record), _Sample) == record


_leaves = st.none() | st.booleans() | st.integers(-10, 10) | st.text(max_size=5) | st.binary(max_size=5)
_keys = st.sampled_from(["machine", "counter", "inner", "items", "table", "name", "data", "more"])
_shapes = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=5),
    max_leaves=12,
)


@given(_shapes)
def test_any_value_is_a_record_or_a_documented_error(value: Value) -> None:
    """Invariant: accepted, or a documented error."""
    accepted_or_documented(lambda: decode(pack(value), _Sample))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_a_documented_error(data: bytes) -> None:
    """Invariant: accepted, or a documented error."""
    accepted_or_documented(lambda: decode(data, _Sample))


_BUILT_LATE = """
import sys
import roosync_p2p.node.run
from roosync_p2p.core import wire
from roosync_p2p.errors import MalformedError

built = []
def watch(frame, event, _arg):
    if event == "call" and "msgspec" in frame.f_code.co_filename:
        built.append(frame.f_code.co_name)

def decode():
    del built[:]
    sys.setprofile(watch)
    try:
        wire.decode_frame(wire.encode_frame(wire.AskHears(machine="alice")))
    finally:
        sys.setprofile(None)
    return bool(built)

if sys.argv[1] == "prepared":
    wire.prepare_frames()
print(decode())
"""


@pytest.mark.parametrize(("how", "late"), [("prepared", False), ("not", True)])
def test_what_is_built_at_the_first_use_of_a_type_is_built_before_two_threads_could_do_it(how: str, late: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BUILT_LATE, how], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == str(late)
