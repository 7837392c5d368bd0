"""The checker of replication finds logs that contradict each other, and leaders that count what nobody said."""

from __future__ import annotations

from roosync_p2p.simulation.checkers.replication import ReplicationChecker
from roosync_p2p.simulation.checkers.violation import Violation

A, B, C = (1, b"a"), (1, b"b"), (2, b"c")


def filled(**logs: list[tuple[int, bytes]]) -> ReplicationChecker:
    checker = ReplicationChecker()
    for member, items in logs.items():
        assert checker.found(member, items, 0.0) == []
    return checker


def text(found: list[Violation]) -> str:
    (one,) = found
    return one.text


def test_logs_that_differ_only_where_terms_do_are_well() -> None:
    checker = filled(alpha=[A, B], beta=[A, C])
    assert checker.cut("alpha", 2, 1.0) == []
    assert checker.appended("alpha", 2, C, 1.0) == []
    assert (checker.cuts, checker.cut_items) == (1, 1)


def test_one_place_and_term_with_two_contents_is_found() -> None:
    assert "one thing at alpha" in text(filled(alpha=[A, B]).appended("beta", 1, (1, b"x"), 1.0))


def test_an_item_behind_another_past_is_found() -> None:
    checker = filled(alpha=[A, C], beta=[(2, b"x")])
    assert "stands behind term 1 at alpha, 2 at beta" in text(checker.appended("beta", 2, C, 1.0))


def test_a_gap_is_found() -> None:
    assert "writes item 3 behind item 1" in text(filled(alpha=[A]).appended("alpha", 3, C, 1.0))


def test_what_is_committed_stays_at_its_place() -> None:
    checker = filled(alpha=[A, B], beta=[A, B])
    assert checker.committed("alpha", 2, B, (0, 1), 1.0) == []
    assert checker.committed("beta", 2, B, (0, 1), 1.0) == []
    assert "where alpha committed" in text(checker.committed("beta", 2, C, (0, 2), 2.0))
    assert "alpha knows to be committed" in text(checker.cut("beta", 2, 2.0))


def test_a_leader_has_everything_that_was_committed_before_it() -> None:
    checker = filled(alpha=[A, B], beta=[A])
    checker.committed("alpha", 2, B, (0, 1), 1.0)
    assert checker.leads("alpha", (0, 2), 2.0) == []
    assert "without item 2" in text(checker.leads("beta", (0, 2), 2.0))
    # Elected before, and told late: the one that committed it leads a later term.
    assert checker.leads("beta", (0, 1), 2.0) == []


def test_what_is_acknowledged_is_on_the_disk_and_what_is_counted_was_acknowledged() -> None:
    checker = filled(alpha=[A, B])
    assert checker.acknowledged("b", "a", (0, 2), 2, 1.0, on_disk=B) == []
    assert "its disk does not" in text(checker.acknowledged("b", "a", (0, 2), 3, 1.0, on_disk=None))
    assert checker.counts("a", (0, 2), "b", 3, 1.0) == []
    assert "acknowledged 3" in text(checker.counts("a", (0, 2), "b", 4, 1.0))
    assert "acknowledged 0" in text(checker.counts("a", (0, 3), "b", 2, 1.0))  # of an older term


def test_the_committed_log_ends_at_its_first_gap() -> None:
    checker = ReplicationChecker()
    checker.committed("alpha", 1, A, (0, 1), 1.0)
    checker.committed("alpha", 3, C, (0, 2), 1.0)
    assert checker.committed_items() == [b"a"]
    assert checker.highest_committed() == 3
