"""Spans of time on a command line."""

from __future__ import annotations

import pytest

from roosync_p2p.api.durations import parse_duration_s, parse_moment
from roosync_p2p.clock import parse_rfc3339
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


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-15", "2026-01-15T00:00:00.000Z"),
        (" 2026-01-15T10:15:30+01:00 ", "2026-01-15T09:15:30.000Z"),
        ("2026-01-15T09:15:30Z", "2026-01-15T09:15:30.000Z"),
        ("2h", "2026-01-15T07:15:30.000Z"),
        ("1D", "2026-01-14T09:15:30.000Z"),
    ],
)
def test_a_moment_is_a_date_a_time_or_so_long_ago(text: str, moment: str) -> None:
    assert parse_moment(text, now_ms=parse_rfc3339("2026-01-15T09:15:30Z")) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-01-15T09:15:30", "400d", "0s"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_moment(text, now_ms=0)
