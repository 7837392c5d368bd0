"""What a person writes on the command line."""

from __future__ import annotations

import pytest

from roosync_p2p.admin.arguments import parse_duration_s, parse_fleet_argument
from roosync_p2p.admin.examples import EXAMPLE_TIME_S
from roosync_p2p.admin.lines import columns
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


def test_a_fleet_id_is_read_as_people_copy_it() -> None:
    assert parse_fleet_argument(" AB:" + "ab" * 30 + " ab ") == bytes.fromhex("ab" * 32)


def test_columns_neutralise_what_steers_a_terminal() -> None:
    assert columns([("a", "b"), ("\x1b[2J", "c")]) == ["a        b", "\\x1b[2J  c"]


def test_the_examples_are_dated_at_the_start_of_a_year() -> None:
    assert EXAMPLE_TIME_S % _DAY_S == 0
