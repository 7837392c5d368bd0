"""The shared folder's limits grow with its lag, and its silence counts only beside what it brought of others."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.folder import FolderSense

B, C, D = (MachineId(f"machine-{letter}") for letter in "bcd")


def _sense(*, lag_s: float = 5.0, late_s: float = 8.0) -> FolderSense:
    sense = FolderSense()
    sense.measured(lag_s=lag_s, late_s=late_s, stalled=False)
    return sense


def test_the_limits_are_three_and_five_minutes_and_the_lag() -> None:
    sense = _sense()
    sense.announced(B, limits.FOLDER_CADENCE_S)
    assert sense.suspect_s(B) == 185.0
    assert sense.offline_s(B) == 310.0


def test_the_limit_is_never_less_than_the_announced_cadence_and_three_of_the_worst_lags() -> None:
    sense = _sense(lag_s=10.0, late_s=200.0)
    sense.announced(B, limits.FOLDER_CADENCE_REST_S)
    assert sense.offline_s(B) == limits.FOLDER_CADENCE_REST_S + 600.0
    assert sense.suspect_s(B) < sense.offline_s(B)


def test_with_half_an_hour_of_lag_the_limit_is_over_an_hour() -> None:
    assert _sense(lag_s=1_800.0, late_s=1_800.0).offline_s(B) >= 3_900.0


def test_silence_of_one_is_proved_by_what_another_wrote_a_whole_limit_later() -> None:
    sense = _sense()
    sense.shows(B, 100.0)
    sense.shows(C, 100.0 + sense.offline_s(B) - 1.0)
    assert not sense.proves_gone(B, 100.0)
    sense.shows(C, 100.0 + sense.offline_s(B))
    assert sense.proves_gone(B, 100.0)
    assert not sense.proves_gone(C, 100.0 + sense.offline_s(B))


def test_nobody_else_in_the_folder_proves_nothing() -> None:
    sense = _sense()
    sense.shows(B, 100.0)
    assert not sense.proves_gone(B, 100.0)


def test_a_machine_that_never_used_the_folder_is_not_missed_there() -> None:
    sense = _sense()
    sense.shows(C, 10_000.0)
    assert not sense.uses(D)
    assert not sense.proves_gone(D, 0.0)


def test_a_file_that_comes_late_does_not_make_the_newest_older() -> None:
    sense = _sense()
    sense.shows(B, 0.0)
    sense.shows(C, 1_000.0)
    sense.shows(C, 10.0)
    assert sense.proves_gone(B, 0.0)
    sense.forget(C)
    assert not sense.proves_gone(B, 0.0)
