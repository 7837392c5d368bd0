"""The question to be dialled back, and the report: bounded, and open for newer versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.records import encode
from roosync_p2p.errors import MalformedError
from roosync_p2p.trust.dial_back import DialBack, DialledBack, decode_dial_back, decode_dialled_back
from tests.helpers.trust import accepted_or_documented


def test_both_messages_come_back_as_they_were_sent() -> None:
    question, report = DialBack(port=47_600), DialledBack(outcome="refused", host="2001:db8::7")
    assert decode_dial_back(encode(question)) == question
    assert decode_dialled_back(encode(report)) == report


def test_fields_and_outcomes_of_newer_versions_are_taken() -> None:
    assert decode_dial_back(pack({"kind": "join.dial_back", "port": 1, "udp_port": 2})).port == 1
    report = pack({"kind": "join.dialled_back", "outcome": "throttled", "host": "", "after_ms": 7})
    assert decode_dialled_back(report).outcome == "throttled"


@pytest.mark.parametrize("port", [0, -1, 65_536, "22", None, True])
def test_what_is_no_port_is_refused(port: object) -> None:
    with pytest.raises(MalformedError):
        decode_dial_back(pack({"kind": "join.dial_back", "port": port}))


@pytest.mark.parametrize(
    "fields", [{"outcome": ""}, {"outcome": "x" * 33}, {"host": "h" * 254}, {"host": None}, {"kind": "join.answer"}]
)
def test_a_report_out_of_its_bounds_is_refused(fields: dict[str, object]) -> None:
    legal = {"kind": "join.dialled_back", "outcome": "connected", "host": "192.0.2.7"}
    with pytest.raises(MalformedError):
        decode_dialled_back(pack({**legal, **fields}))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_documented_error(data: bytes) -> None:
    """Invariant: accepted, or a documented error."""
    accepted_or_documented(lambda: decode_dial_back(data))
    accepted_or_documented(lambda: decode_dialled_back(data))
