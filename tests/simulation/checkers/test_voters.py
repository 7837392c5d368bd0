"""The checker of voters finds two changes in one, changes that should have been void, and wrong beliefs."""

from __future__ import annotations

from roosync_p2p.simulation.checkers.voters import VoterChecker

A, AB, ABC = frozenset("a"), frozenset("ab"), frozenset("abc")


def test_one_seat_at_a_time_is_well_and_a_stale_change_has_no_effect() -> None:
    checker = VoterChecker()
    assert checker.committed(1, 0, A, 1.0) == []
    assert checker.committed(3, 1, AB, 1.0) == []
    assert checker.committed(5, 1, frozenset("ac"), 1.0) == []
    assert (checker.changes, checker.void, checker.voters) == (1, 1, AB)
    assert checker.believes("alpha", 3, AB, 2.0) == []


def test_two_seats_at_once_are_found() -> None:
    checker = VoterChecker()
    checker.committed(1, 0, A, 1.0)
    (found,) = checker.committed(3, 1, ABC, 1.0)
    assert found.text == "item 3 changes 2 voters at once: b, c"


def test_who_follows_a_stale_change_is_found() -> None:
    checker = VoterChecker()
    checker.committed(1, 0, A, 1.0)
    checker.committed(3, 1, AB, 1.0)
    checker.committed(5, 1, frozenset("ac"), 1.0)
    (found,) = checker.believes("alpha", 5, frozenset("ac"), 2.0)
    assert found.text == "alpha takes a, c for the voters since item 5; it is a, b since 3"


def test_an_epoch_begins_with_one_voter_however_many_there_were() -> None:
    checker = VoterChecker()
    checker.committed(1, 0, A, 1.0)
    checker.committed(3, 1, AB, 1.0)
    checker.committed(5, 3, ABC, 1.0)
    assert checker.committed(7, 5, frozenset("c"), 2.0, begins=True) == []
    assert len(checker.committed(9, 7, AB, 2.0, begins=True)) == 1
