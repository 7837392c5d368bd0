"""The heartbeat's schema and bounds: accepted, or an error that names the field."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.errors import MalformedError
from roosync_p2p.liveness.heartbeat import Health, Heartbeat, precedence, validate
from tests.liveness.driver import heartbeat


def full() -> Heartbeat:
    return heartbeat(
        addresses=("192.0.2.7:47600", "[2001:db8::7]:47600", "poste-été.local:1"),
        heads=(("ledger", 1, 0), ("mail", 1, 4012), ("mail", 2, 3)),
        commit_size=10,
        commit_digest=bytes(32),
        version="0.1.0",
        awake_since_ms=1_769_999_000_000,
        health=Health(loop_lag_ms=3, disk_lag_ms=0, clock_offset_ms=-250, folder_lag_ms=48_000),
    )


def test_a_full_heartbeat_survives_the_wire_and_is_within_its_bound() -> None:
    data = encode(full())
    assert len(data) < limits.HEARTBEAT_BYTES_MAX
    assert validate(decode(data, Heartbeat)) == full()


def test_heartbeats_are_ordered_by_start_and_then_counter() -> None:
    assert precedence(heartbeat(start=2, counter=0)) > precedence(heartbeat(start=1, counter=99))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("start", 0),
        ("start", 2**63),
        ("counter", -1),
        ("wall_ms", -1),
        ("wall_ms", limits.WALL_MS_MAX + 1),
        ("awake_since_ms", -1),
        ("interval_ms", 99),
        ("interval_ms", 300_001),
        ("commit_size", -1),
        ("rules", -1),
        ("boot", bytes(15)),
        ("commit_digest", bytes(31)),
        ("version", "x" * 65),
        ("version", "1\n2"),
        ("addresses", ("192.0.2.7",)),
        ("addresses", (":47600",)),
        ("addresses", ("[]:47600",)),
        ("addresses", ("h:0",)),
        ("addresses", ("h:65536",)),
        ("addresses", ("h:٣",)),
        ("addresses", ("h h:1",)),
        ("addresses", ("h" * 300 + ":1",)),
        ("addresses", ("h:1",) * 17),
        ("heads", (("other", 1, 1),)),
        ("heads", (("mail", 0, 1),)),
        ("heads", (("mail", 1, -1),)),
        ("heads", (("mail", 1, 1), ("mail", 1, 2))),
        ("heads", tuple(("mail", number, 1) for number in range(1, 66))),
        ("health.loop_lag_ms", Health(loop_lag_ms=-1)),
        ("health.disk_lag_ms", Health(disk_lag_ms=limits.HEARTBEAT_LAG_MS_MAX + 1)),
        ("health.folder_lag_ms", Health(folder_lag_ms=-1)),
        ("health.clock_offset_ms", Health(clock_offset_ms=2**60)),
    ],
)
def test_a_field_out_of_bounds_is_an_error_that_names_it(field: str, value: object) -> None:
    with pytest.raises(MalformedError) as caught:
        validate(msgspec.structs.replace(heartbeat(), **{field.partition(".")[0]: value}))
    assert caught.value.details["field"] == field
    assert caught.value.code in ("bad_heartbeat", "oversized")


@pytest.mark.parametrize("machine", ["Node-B", "all", "x", " node-b"])
def test_a_machine_id_that_is_not_canonical_is_refused(machine: str) -> None:
    with pytest.raises(MalformedError) as caught:
        validate(heartbeat(machine))
    assert caught.value.code == "bad_machine_id"


@pytest.mark.parametrize("field", ["start", "boot", "counter", "wall_ms", "interval_ms"])
def test_a_missing_field_is_an_error(field: str) -> None:
    value = unpack(encode(full()))
    assert isinstance(value, dict)
    del value[field]
    with pytest.raises(MalformedError, match=field):
        decode(pack(value), Heartbeat)


@given(
    numbers=st.lists(st.integers(-(2**63), 2**64 - 1), min_size=4, max_size=4),
    addresses=st.lists(st.text(max_size=20), max_size=3),
    boot=st.binary(max_size=20),
)
def test_any_heartbeat_is_accepted_or_a_documented_error(numbers: list[int], addresses: list[str], boot: bytes) -> None:
    start, counter, wall_ms, interval_ms = numbers
    beat = heartbeat(
        start=start, counter=counter, wall_ms=wall_ms, interval_ms=interval_ms, boot=boot, addresses=tuple(addresses)
    )
    code = ""
    try:
        validate(beat)
    except MalformedError as error:
        code = error.code
    assert code in ("", "bad_heartbeat", "oversized")
