"""The checker of elections finds two leaders, two votes, votes that no disk knows, and leaders lost for nothing."""

from __future__ import annotations

import pytest

from roosync_p2p.simulation.checkers.elections import Deposed, ElectionChecker

THREE = frozenset({"a", "b", "c"})
LOST = Deposed(leader="a", term=(0, 1), newer=(0, 2), handed_over=False, well_for_s=9.0)


def test_one_leader_a_term_is_well_and_a_second_is_found() -> None:
    checker = ElectionChecker()
    assert checker.leads("a", (0, 1), 1.0) == []
    assert checker.leads("b", (0, 2), 2.0) == []
    assert checker.leads("c", (1, 1), 2.0) == []  # of another epoch
    (found,) = checker.leads("c", (0, 2), 3.0)
    assert found.text == "c leads term 2, which b leads"
    assert (checker.elections, checker.leader_changes) == (4, 2)


def test_a_vote_is_repeated_and_never_changed() -> None:
    checker = ElectionChecker()
    for _ in range(2):
        assert checker.voted("b", (0, 3), "a", 1.0, on_disk=((0, 3), "a")) == []
    assert checker.voted("b", (0, 4), "c", 1.0, on_disk=((0, 4), "c")) == []
    (found,) = checker.voted("b", (0, 3), "c", 2.0, on_disk=((0, 4), "c"))
    assert "voted for a" in found.text


@pytest.mark.parametrize("on_disk", [((0, 2), "a"), ((0, 3), None), ((0, 3), "c")])
def test_a_vote_that_a_crash_would_forget_is_found(on_disk: tuple[tuple[int, int], str | None]) -> None:
    (found,) = ElectionChecker().voted("b", (0, 3), "a", 1.0, on_disk=on_disk)
    assert "its disk says" in found.text


def test_a_leader_that_all_could_hear_is_lost_only_to_one_whom_a_majority_wanted() -> None:
    checker = ElectionChecker()
    checker.campaigned("c", (0, 2), THREE, handed_over=False)
    assert len(checker.deposed(LOST, 5.0)) == 1
    checker.pre_voted("b", (0, 2), "c")
    assert checker.deposed(LOST, 5.0) == []


def test_a_leader_that_was_cut_off_or_handed_over_may_be_lost() -> None:
    checker = ElectionChecker()
    checker.campaigned("c", (0, 2), THREE, handed_over=False)
    lost = {"leader": "a", "term": (0, 1), "newer": (0, 2)}
    assert checker.deposed(Deposed(**lost, handed_over=False, well_for_s=1.0), 5.0) == []  # type: ignore[arg-type]  # the rest
    assert checker.deposed(Deposed(**lost, handed_over=True, well_for_s=9.0), 5.0) == []  # type: ignore[arg-type]  # the rest
    checker.campaigned("b", (0, 2), THREE, handed_over=True)
    assert checker.deposed(LOST, 5.0) == []
