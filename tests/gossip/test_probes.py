"""The folder's lag is measured by nonces that come back, on one clock; silence of all is noticed after two rounds."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.gossip.probes import Echo, Probes
from roosync_p2p.ids import MachineId

A, B, C = (MachineId(f"machine-{letter}") for letter in "abc")


def _nonce(number: int) -> bytes:
    return number.to_bytes(16, "big")


def _echo(machine: MachineId, number: int, held_s: float) -> Echo:
    return Echo(machine=machine, nonce=_nonce(number), held_ms=round(held_s * 1000))


def test_half_of_a_round_less_the_time_it_was_held_is_the_lag() -> None:
    probes = Probes()
    probes.wrote(_nonce(1), 100.0)
    made_s = probes.saw(B, nonce=_nonce(9), cadence_s=60, echo=_echo(A, 1, 50.0), at_s=170.0)
    assert probes.lag_s == 10.0
    assert made_s == 150.0  # it held our nonce for fifty seconds, so it was made after that


def test_without_an_echo_nothing_is_measured_and_nothing_proved() -> None:
    probes = Probes()
    assert probes.saw(B, nonce=_nonce(9), cadence_s=60, echo=None, at_s=170.0) is None
    assert probes.saw(B, nonce=_nonce(8), cadence_s=60, echo=_echo(A, 77, 1.0), at_s=180.0) is None
    assert probes.lag_s is None


def test_a_machine_that_claims_to_have_held_it_too_long_measures_nothing() -> None:
    probes = Probes()
    probes.wrote(_nonce(1), 100.0)
    assert probes.saw(B, nonce=_nonce(9), cadence_s=60, echo=_echo(A, 1, 1_000.0), at_s=170.0) == 100.0
    assert probes.lag_s is None


def test_what_is_said_of_others_is_their_newest_nonce_and_its_age() -> None:
    probes = Probes()
    probes.saw(C, nonce=_nonce(3), cadence_s=60, echo=None, at_s=10.0)
    probes.saw(B, nonce=_nonce(2), cadence_s=60, echo=None, at_s=11.0)
    assert probes.echoes(12.5) == [_echo(B, 2, 1.5), _echo(C, 3, 2.5)]
    probes.forget(C)
    assert [echo.machine for echo in probes.echoes(12.5)] == [B]


def test_a_sudden_lag_counts_at_once_and_a_single_slow_file_is_forgotten_in_time() -> None:
    probes = Probes()
    for _ in range(10):
        probes.measured(5.0)
    probes.measured(1_800.0)
    assert probes.lag_s == 1_800.0
    probes.measured(6.0)
    assert probes.lag_s == 6.0
    assert probes.late_s == 1_800.0
    for _ in range(limits.FOLDER_LAG_SAMPLES):
        probes.measured(6.0)
    assert probes.late_s == 6.0


def test_the_folder_is_stale_when_everybody_missed_two_rounds_and_not_before() -> None:
    probes = Probes()
    assert not probes.overdue(1e9)
    assert probes.overdue_at() is None
    probes.saw(B, nonce=_nonce(2), cadence_s=60, echo=None, at_s=0.0)
    probes.saw(C, nonce=_nonce(3), cadence_s=300, echo=None, at_s=0.0)
    assert not probes.overdue(2 * 300.0)
    due_s = probes.overdue_at()
    assert due_s is not None
    assert probes.overdue(due_s)
    assert probes.overdue(2 * 60 + limits.FOLDER_LOOK_S, among=(B,))
    assert probes.newest_s() == 0.0


def test_own_nonces_are_bounded() -> None:
    probes = Probes()
    for number in range(limits.FOLDER_NONCES_KEPT + 1):
        probes.wrote(_nonce(number), float(number))
    assert probes.saw(B, nonce=_nonce(9), cadence_s=60, echo=_echo(A, 0, 0.0), at_s=170.0) is None
    assert probes.saw(B, nonce=_nonce(8), cadence_s=60, echo=_echo(A, 1, 0.0), at_s=170.0) == 1.0
