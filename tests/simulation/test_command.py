"""``python -m roosync_p2p.simulation``, as it is called."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from roosync_p2p.simulation import __main__ as simulation_main
from roosync_p2p.simulation.__main__ import main
from roosync_p2p.simulation.checkers.violation import Violation
from roosync_p2p.simulation.large import Report
from roosync_p2p.simulation.runner import run_seed
from roosync_p2p.simulation.world import Outcome, Plan


def test_seeds_are_run_and_summed_up() -> None:
    result = CliRunner().invoke(main, ["--seeds", "1", "--first", "4", "-v"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("seed 4 ")
    assert "1 seeds, " in result.output
    assert "messages acknowledged" in result.output
    assert "all promises were kept" in result.output


def test_a_mutant_that_is_found_is_exit_code_one() -> None:
    result = CliRunner().invoke(main, ["--seeds", "8", "--first", "4", "--mutant", "send-before-persist"])
    assert result.exit_code == 1, result.output
    assert "found after" in result.output
    again = result.output.rpartition("replay: python -m roosync_p2p.simulation ")[2].split()
    replayed = CliRunner().invoke(main, again)
    assert replayed.exit_code == 1, replayed.output
    assert replayed.output.partition(", by ")[2] == result.output.partition(", by ")[2]


def test_a_scenario_is_played(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text("fleet alpha beta\nstart all\nrun 3\nexpect alpha sees beta online\n")
    bad.write_text("fleet alpha beta\nstart all\nrun 3\nexpect alpha sees beta offline\n")
    assert CliRunner().invoke(main, ["--scenario", str(good)]).exit_code == 0
    result = CliRunner().invoke(main, ["--scenario", str(bad)])
    assert result.exit_code == 1
    assert "line 4" in result.output
    good.write_text("fleet alpha beta\nexplode alpha\n")
    assert "line 2" in CliRunner().invoke(main, ["--scenario", str(good)]).output


def test_a_failing_world_of_a_long_run_is_replayed_with_its_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[range, Plan | None]] = []

    def fails(seeds: range, *, plan: Plan | None, jobs: int) -> Iterator[Outcome]:
        del jobs
        ran.append((seeds, plan))
        outcome = run_seed(seeds[-1], plan=Plan.of_hours(0.01, 2))
        yield dataclasses.replace(outcome, violations=(Violation(checker="made up", at_s=0.0, text="by the test"),))

    monkeypatch.setattr(simulation_main, "run_seeds", fails)
    result = CliRunner().invoke(main, ["--hours", "10", "--machines", "2", "--first", "7"])
    assert result.exit_code == 1
    again = result.output.partition("replay: python -m roosync_p2p.simulation ")[2].splitlines()[0].split()
    CliRunner().invoke(main, again)
    assert [seeds for seeds, _ in ran] == [range(7, 10), range(9, 10)]
    assert ran[0][1] == ran[1][1]


def test_hours_are_a_number() -> None:
    assert CliRunner().invoke(main, ["--hours", "nan"]).exit_code == 2


def test_hours_are_cut_into_worlds() -> None:
    result = CliRunner().invoke(main, ["--hours", "0.05", "--machines", "2"])
    assert result.exit_code == 0, result.output
    assert "virtual hours" in result.output


@pytest.mark.parametrize(
    "options",
    [
        ["--seeds", "2", "--hours", "1"],
        ["--mutant", "no-pre-vote", "--hours", "1"],
        ["--machines", "2", "--seeds", "1"],
    ],
)
def test_what_excludes_each_other_is_refused(options: list[str]) -> None:
    result = CliRunner().invoke(main, options)
    assert (result.exit_code, "exclude each other" in result.output) == (2, True)


def test_a_large_fleet_is_run_and_its_cost_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures of a run are shown; a broken promise is exit code 1."""
    ran: list[tuple[int, int]] = []
    figures = Report(
        members=100,
        violations=(),
        voters=5,
        links=(20, 30),
        together_s=4.0,
        sent_bytes=(20_000.0, 30_000.0),
        received_bytes=(21_000.0, 23_000.0),
        kinds={"Beat": 3.0, "relayed Beat": 1.0},
        cpu=0.02,
        spread_s=0.3,
        committed_s=0.5,
        killed_s=(0.1, 2.3),
        slept_s=(4.8, 6.0),
        back_s=1.0,
        virtual_s=60.0,
        took_s=1.0,
    )

    class Ran:
        def __init__(self, members: int, seed: int) -> None:
            ran.append((members, seed))

        def run(self) -> Report:
            broken = Violation(checker="made up", at_s=0.0, text="by the test")
            return figures if len(ran) == 1 else dataclasses.replace(figures, violations=(broken,))

    monkeypatch.setattr(simulation_main, "LargeFleet", Ran)
    good = CliRunner().invoke(main, ["--members", "100", "--first", "7"])
    assert good.exit_code == 0
    assert ran == [(100, 7)]
    assert "100 members, 5 voters" in good.output
    assert "sent at rest   mean 25000, max 30000" in good.output
    assert "received       mean 22000, max 23000" in good.output
    assert "Beat 75%" in good.output
    bad = CliRunner().invoke(main, ["--members", "100"])
    assert bad.exit_code == 1
    assert "by the test" in bad.output


@pytest.mark.parametrize("other", [["--seeds", "1"], ["--hours", "1"], ["--machines", "3"]])
def test_a_large_fleet_is_a_run_of_its_own(other: list[str]) -> None:
    assert CliRunner().invoke(main, ["--members", "100", *other]).exit_code == 2
