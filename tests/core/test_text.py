"""Text that people and their editors write."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.core.text import decode_text
from roosync_p2p.errors import UsageError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_french_text_survives_every_encoding(encoding: str) -> None:
    assert decode_text("déjà vu : œuvre\n".encode(encoding)) == "déjà vu : œuvre\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_recognised_by_its_first_letter(encoding: str) -> None:
    assert decode_text("deux étés".encode(encoding)) == "deux étés"


def test_other_bytes_are_refused_and_named() -> None:
    with pytest.raises(UsageError, match="the body is neither"):
        decode_text(b"caf\xe9", what="the body")


@given(st.binary(max_size=40))
def test_any_bytes_are_text_or_a_documented_error(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        assert isinstance(decode_text(data), str)
