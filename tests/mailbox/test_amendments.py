"""Amendments: another body for a message, within bounds."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.mailbox.amendments import Amendment, decode_amendment
from tests.helpers.trust import accepted_or_documented, refused_with

AMENDMENT = Amendment(message=bytes(32), body="Déployer 1.4.1", reason="1.4 est cassé", session="s")


def test_an_amendment_is_read_as_it_was_written() -> None:
    assert decode_amendment(encode(AMENDMENT)) == AMENDMENT


@pytest.mark.parametrize(
    "changes",
    [
        {"message": bytes(31)},
        {"reason": "x" * (limits.NOTE_CHARS_MAX + 1)},
        {"session": "x" * (limits.SESSION_CHARS_MAX + 1)},
    ],
    ids=str,
)
def test_an_amendment_that_breaks_a_bound_is_refused(changes: dict[str, object]) -> None:
    refused_with("bad_amendment", lambda: decode_amendment(encode(msgspec.structs.replace(AMENDMENT, **changes))))


@given(st.binary(max_size=200))
def test_any_bytes_are_an_amendment_or_a_documented_error(data: bytes) -> None:
    accepted_or_documented(lambda: decode_amendment(data))
