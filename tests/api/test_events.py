"""Events on the stream: encoder and decoder are each other's inverse."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.api.events import KEEPALIVE, Event, EventDecoder, encode_event
from roosync_p2p.errors import MalformedError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)
EVENTS = st.builds(
    Event,
    id=st.integers(min_value=0, max_value=2**53),
    type=st.from_regex(r"[a-z]+\.[a-z]+", fullmatch=True),
    data=st.dictionaries(st.text(max_size=9) | st.just("time"), JSON, max_size=3),
    time=st.just("2026-01-15T09:15:30.000Z"),
)


@given(st.lists(EVENTS, max_size=4), st.integers(min_value=1, max_value=50))
def test_events_come_back_whole_however_the_stream_is_cut(events: list[Event], size: int) -> None:
    stream = KEEPALIVE + b"".join(encode_event(event) + KEEPALIVE for event in events)
    decoder = EventDecoder()
    pieces = (stream[start : start + size] for start in range(0, len(stream), size))
    assert [event for piece in pieces for event in decoder.feed(piece)] == events


@given(st.binary(max_size=80))
def test_any_bytes_are_events_or_a_documented_error(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        assert all(isinstance(event, Event) for event in EventDecoder().feed(data + b"\n\n"))


def test_an_event_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(MalformedError, match="too long"):
        list(EventDecoder().feed(b"data: " + b"x" * limits.API_BODY_BYTES_MAX))
