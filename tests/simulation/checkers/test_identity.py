"""The identity checker wants copied and rolled-back homes flagged, and every fork seen."""

from __future__ import annotations

from roosync_p2p.simulation.checkers.identity import IdentityChecker, Knowledge

PLACE = ("beta", 1, "mail", 3)


def node(member: str, entry: str, *conflicts: str) -> Knowledge:
    return Knowledge(member=member, entries={PLACE: entry}, conflicts=frozenset(conflicts))


def test_what_had_to_be_noticed_and_was_not_is_found() -> None:
    checker = IdentityChecker()
    checker.must_notice("beta", "its home was copied")
    assert len(checker.finish([], 9.0)) == 1
    checker.flagged("beta", "conflict")
    assert checker.finish([], 9.0) == []
    assert checker.flags("beta") == {"conflict"}


def test_a_rolled_back_machine_that_writes_on_is_found() -> None:
    checker = IdentityChecker()
    assert len(checker.restarted("beta", phase="ready", incarnation=1, before=1, at_s=9.0)) == 1
    assert len(checker.restarted("beta", phase="conflict", incarnation=1, before=1, at_s=9.0)) == 1
    assert checker.restarted("beta", phase="ready", incarnation=2, before=1, at_s=9.0) == []
    assert checker.restarted("beta", phase="waiting", incarnation=1, before=1, at_s=9.0) == []


def test_two_entries_for_one_place_without_a_conflict_shown_by_everybody_are_found() -> None:
    checker = IdentityChecker()
    assert checker.finish([node("alpha", "e"), node("gamma", "e")], 9.0) == []
    assert len(checker.finish([node("alpha", "e", "beta"), node("gamma", "other")], 9.0)) == 1
    assert checker.finish([node("alpha", "e", "beta"), node("gamma", "other", "beta")], 9.0) == []


def test_a_machine_in_conflict_whose_home_is_whole_is_found() -> None:
    checker = IdentityChecker()
    assert checker.innocent([node("alpha", "e")], frozenset(), 9.0) == []
    assert checker.innocent([node("alpha", "e", "beta")], frozenset({"beta"}), 9.0) == []
    assert len(checker.innocent([node("alpha", "e", "beta")], frozenset(), 9.0)) == 1
