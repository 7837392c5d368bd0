"""Spans of time on a command line."""

from __future__ import annotations

import pytest

from roosync_p2p.api.durations import parse_duration_s
from roosync_p2p.errors import UsageError

_DAY_S = 24 * 3600


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("24h", _DAY_S), ("7d", 7 * _DAY_S), (" 1 H ", 3600)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration_s(text, longest_s=30 * _DAY_S) == seconds


@pytest.mark.parametrize("text", ["", "h", "1", "1w", "-1h", "1.5h", "0m", "31d", "9999999999d", "١h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError):
        parse_duration_s(text, longest_s=30 * _DAY_S)
