"""Every text scenario goes as it is told, and the language says what it does not understand."""

from __future__ import annotations

from pathlib import Path

import pytest

from roosync_p2p.errors import UsageError
from roosync_p2p.simulation.scenario import play, play_file

SCENARIOS = sorted((Path(__file__).parents[1] / "scenarios").glob("*.txt"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_it_goes_as_told(path: Path) -> None:
    assert play_file(path).failures == ()


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 20


def test_an_expectation_that_is_not_met_names_its_line_and_what_is_the_case() -> None:
    result = play("fleet alpha beta\nstart all\nrun 5\nexpect alpha sees beta offline  # it is not\n")
    (failure,) = result.failures
    assert failure.startswith("line 4: expect alpha sees beta offline")
    assert "alpha sees online, direct" in failure
    assert any("link: machine beta" in line for line in result.log)


def test_never_looks_at_everything_that_was_told() -> None:
    text = "fleet alpha beta\nstart all\nrun 6\nkill beta\nrun 2\nstart beta\nrun 8\n"
    assert play(text + "expect never offline alpha").failures == ()
    assert len(play(text + "expect never offline beta").failures) == 1
    assert play(text + "expect never offline beta by beta").failures == ()


@pytest.mark.parametrize(
    "line",
    [
        "dance alpha",
        "start delta",
        "run soon",
        "expect alpha dances",
        "send alpha beta m1",
        "copy alpha",
        "restore alpha x",
    ],
)
def test_a_line_that_is_not_understood_is_an_error_that_names_it(line: str) -> None:
    with pytest.raises(UsageError, match="line 2"):
        play(f"fleet alpha beta\n{line}\n")


def test_the_fleet_comes_first() -> None:
    with pytest.raises(UsageError, match="line 1"):
        play("start all\n")
