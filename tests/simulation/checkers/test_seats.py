"""The checker of seats finds a majority given away, and seats that move to and fro."""

from __future__ import annotations

import dataclasses

from roosync_p2p.simulation.checkers.seats import ANSWERED_S, DISTURBED_S, MOVES_MAX, SeatChecker, Step

STEP = Step(
    leader="a",
    machine="c",
    adds=True,
    voters=frozenset({"a", "b", "c"}),
    answered_s={"b": 0.2},
    clear=frozenset({"a", "b", "c"}),
)


def found(**changed: object) -> int:
    return len(SeatChecker().stepped(dataclasses.replace(STEP, **changed), 1.0))  # type: ignore[arg-type]  # by name


def test_a_majority_that_answered_a_moment_ago_may_go_on() -> None:
    assert found() == 0
    assert found(voters=frozenset({"a"}), answered_s={}) == 0


def test_a_majority_that_was_given_away_is_found() -> None:
    assert found(answered_s={}) == 1
    assert found(answered_s={"b": ANSWERED_S + 0.1}) == 1
    assert found(voters=frozenset({"a", "c"})) == 1


def test_over_a_way_that_was_not_well_an_answer_may_be_older() -> None:
    assert found(answered_s={"b": DISTURBED_S - 0.1}, clear=frozenset({"a"})) == 0
    assert found(answered_s={"b": DISTURBED_S + 0.1}, clear=frozenset({"a"})) == 1


def test_a_seat_that_moves_to_and_fro_is_found_in_quiet() -> None:
    checker = SeatChecker()
    for _ in range(MOVES_MAX + 1):
        assert checker.stepped(STEP, 1.0) == []
    checker.quiet(quiet=True)
    for _ in range(MOVES_MAX):
        assert checker.stepped(STEP, 2.0) == []
    assert len(checker.stepped(STEP, 2.0)) == 1
    checker.quiet(quiet=False)
    assert checker.stepped(STEP, 3.0) == []


def test_an_even_number_of_voters_is_no_rest() -> None:
    assert [bool(SeatChecker().unrest(voters)) for voters in (1, 2, 3, 4)] == [False, True, False, True]
