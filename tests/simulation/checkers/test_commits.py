"""The checker of commits finds numbers, states, answers and reads that should not be."""

from __future__ import annotations

import dataclasses

import pytest

from roosync_p2p.simulation.checkers.commits import Answered, Commit, CommitChecker, Progress
from roosync_p2p.simulation.checkers.violation import Violation

ANSWER = Answered(
    member="alpha", entry="e1", number=1, accepted=True, reason="", asked_s=1.0, answered_s=2.0, on_disk=True
)


def commit(number: int, entry: str | None = None, *, reason: str = "", time_ms: int = 5) -> Commit:
    return Commit(
        number=number,
        index=number,
        time_ms=time_ms,
        epoch=0,
        entry=f"e{number}" if entry is None else entry,
        kind="claim.acquire",
        accepted=not reason,
        reason=reason,
        detail=b"",
        leaf=b"",
    )


def text(found: list[Violation]) -> str:
    (one,) = found
    return one.text


def test_the_same_numbers_everywhere_are_well() -> None:
    checker = CommitChecker()
    for member in ("alpha", "beta"):
        assert checker.applied(member, commit(1), 1.0) == []
        assert checker.applied(member, commit(2, ""), 1.0) == []
        assert checker.applied(member, commit(3, ""), 1.0) == []  # voter changes have no entry
    assert checker.crashed("beta", 1, 2.0) == []
    assert checker.applied("beta", commit(2, ""), 2.0) == []  # again, after a crash


def test_a_gap_another_content_and_time_that_goes_back_are_found() -> None:
    checker = CommitChecker()
    checker.applied("alpha", commit(1, time_ms=9), 1.0)
    assert "applies number 3 after 1" in text(checker.applied("alpha", commit(3), 1.0))
    differs = text(checker.applied("beta", commit(1, reason="claim_held", time_ms=9), 1.0))
    assert "accepted True and False" in differs
    assert "reason '' and 'claim_held'" in differs
    assert "time goes back" in text(checker.applied("beta", commit(2, time_ms=8), 1.0))


def test_an_entry_with_two_numbers_is_found() -> None:
    checker = CommitChecker()
    checker.applied("alpha", commit(1, "e1"), 1.0)
    assert "gives e1 number 2; it has 1" in text(checker.applied("alpha", commit(2, "e1"), 1.0))


@pytest.mark.parametrize("field", ["digest", "tree"])
def test_different_states_or_trees_after_one_number_are_found(field: str) -> None:
    checker = CommitChecker()
    progress = Progress(number=4, index=5, digest=b"d", tree=b"t")
    assert checker.progressed("alpha", progress, 1.0) == []
    assert checker.progressed("beta", dataclasses.replace(progress, index=6), 1.0) == []  # an item without a number
    other = Progress(number=4, index=5, digest=b"x", tree=b"t")
    if field == "tree":
        other = Progress(number=4, index=5, digest=b"d", tree=b"x")
    assert "after number 4 alpha and beta have different" in text(checker.progressed("beta", other, 1.0))


def test_what_was_told_is_on_the_disk_that_a_crash_leaves() -> None:
    checker = CommitChecker()
    checker.told("alpha", 3)
    assert checker.crashed("alpha", 3, 1.0) == []
    assert "its disk holds 2" in text(checker.crashed("alpha", 2, 1.0))
    checker.forget("alpha")
    assert checker.crashed("alpha", 2, 1.0) == []


def test_an_answer_is_behind_everything_that_was_known_when_it_was_asked_for() -> None:
    checker = CommitChecker()
    assert checker.answered(dataclasses.replace(ANSWER, number=5)) == []
    during = dataclasses.replace(ANSWER, entry="e4", number=4, asked_s=1.5, answered_s=3.0)
    assert checker.answered(during) == []
    after = dataclasses.replace(ANSWER, entry="e3", number=3, asked_s=2.5, answered_s=3.0)
    assert "5 was known before" in text(checker.answered(after))


def test_an_answer_has_its_item_on_the_disk_of_whoever_gives_it() -> None:
    checker = CommitChecker()
    assert "no item of the log on its disk" in text(checker.answered(dataclasses.replace(ANSWER, on_disk=False)))


def test_a_read_shows_what_was_known_unless_it_says_that_it_may_not() -> None:
    checker = CommitChecker()
    checker.answered(dataclasses.replace(ANSWER, number=5))
    assert checker.read("beta", 5, stale=False, asked_s=2.1, at_s=2.2) == []
    assert checker.read("beta", 4, stale=False, asked_s=1.9, at_s=2.2) == []  # answered while it was read
    assert checker.read("beta", 4, stale=True, asked_s=2.1, at_s=2.2) == []
    assert "reads as of 4" in text(checker.read("beta", 4, stale=False, asked_s=2.1, at_s=2.2))
    assert (checker.reads, checker.stale_reads) == (4, 1)


def test_what_users_were_told_is_in_the_log_at_the_end() -> None:
    checker = CommitChecker()
    checker.applied("alpha", commit(1), 1.0)
    checker.answered(ANSWER)
    assert checker.finish({"alpha": 1}, 9.0) == []
    assert "has applied 0" in text(checker.finish({"beta": 0}, 9.0))
    checker.answered(dataclasses.replace(ANSWER, reason="late", accepted=False, answered_s=2.5, asked_s=1.0))
    assert "another outcome of number 1" in text(checker.finish({}, 9.0))
    lost = CommitChecker()
    lost.applied("alpha", commit(1, "other"), 1.0)
    lost.answered(ANSWER)
    assert "which is another" in text(lost.finish({}, 9.0))


def test_another_log_is_the_same_up_to_its_base_and_may_differ_behind_it() -> None:
    checker = CommitChecker()
    for number in (1, 2, 3):
        assert checker.applied("alpha", commit(number), 1.0) == []
    for number in (1, 3):
        checker.answered(dataclasses.replace(ANSWER, entry=f"e{number}", number=number))
    other = checker.up_to(2)
    assert other.applied("alpha", commit(3, "another"), 2.0) == []
    assert "differs" in text(other.applied("beta", commit(2, "another one"), 2.0))
    assert other.newest_answered(9.0) == 1  # what was told behind the base is given up


def test_whoever_goes_back_applies_again_from_anywhere_and_then_in_order() -> None:
    checker = CommitChecker()
    for number in (1, 2, 3):
        checker.applied("alpha", commit(number), 1.0)
    checker.cut("alpha")
    assert checker.applied("alpha", commit(1), 2.0) == []
    assert "applies number 3 after 1" in text(checker.applied("alpha", commit(3), 2.0))
