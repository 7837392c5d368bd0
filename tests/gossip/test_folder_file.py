"""Files of the shared folder say by themselves whether they are whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.errors import MalformedError, PeerFault, StaleError
from roosync_p2p.gossip.folder_file import HEADER_BYTES, unwrap, wrap

BODY = b"what a machine has to say" * 10


def test_a_whole_file_gives_its_body() -> None:
    assert unwrap(wrap(BODY), size_max=1000) == BODY
    assert unwrap(wrap(b""), size_max=0) == b""


@pytest.mark.parametrize("size", [0, 1, 16, 17, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 100])
def test_a_file_that_is_cut_off_is_partial(size: int) -> None:
    with pytest.raises(StaleError) as caught:
        unwrap(wrap(BODY)[:size], size_max=1000)
    assert caught.value.code == "partial"


@pytest.mark.parametrize(
    "data",
    [
        bytes(len(BODY) + HEADER_BYTES),
        wrap(BODY)[:-10] + bytes(10),
        wrap(BODY) + b"more",
        b"\xef\xbb\xbf" + wrap(BODY),
        b"a desktop.ini",
    ],
)
def test_a_file_with_holes_or_of_somebody_else_is_bad(data: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        unwrap(data, size_max=1000)
    assert caught.value.code == "bad_file"


def test_a_file_that_says_it_is_huge_is_refused_before_it_is_read() -> None:
    with pytest.raises(MalformedError) as caught:
        unwrap(wrap(BODY)[: HEADER_BYTES + 1], size_max=len(BODY) - 1)
    assert caught.value.code == "oversized"


@given(st.binary(max_size=200), st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_any_bytes_give_a_body_or_a_documented_error(body: bytes, at: int, other: bytes) -> None:
    """Accepted, or a PeerFault; and a changed file never gives another body."""
    data = wrap(body)
    changed = data[:at] + other + data[at + len(other) :]
    try:
        assert unwrap(changed, size_max=1000) == body
    except PeerFault:
        assert changed != data
