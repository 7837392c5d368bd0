"""What a person writes on the command line."""

from __future__ import annotations

from roosync_p2p.admin.arguments import parse_fleet_argument
from roosync_p2p.admin.examples import EXAMPLE_TIME_S
from roosync_p2p.admin.lines import columns

_DAY_S = 24 * 3600


def test_a_fleet_id_is_read_as_people_copy_it() -> None:
    assert parse_fleet_argument(" AB:" + "ab" * 30 + " ab ") == bytes.fromhex("ab" * 32)


def test_columns_neutralise_what_steers_a_terminal() -> None:
    assert columns([("a", "b"), ("\x1b[2J", "c")]) == ["a        b", "\\x1b[2J  c"]


def test_the_examples_are_dated_at_the_start_of_a_year() -> None:
    assert EXAMPLE_TIME_S % _DAY_S == 0
