"""``python -m roosync_p2p.simulation``, as it is called."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from roosync_p2p.simulation.__main__ import main


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


def test_hours_are_cut_into_worlds() -> None:
    result = CliRunner().invoke(main, ["--hours", "0.05", "--machines", "2"])
    assert result.exit_code == 0, result.output
    assert "virtual hours" in result.output
