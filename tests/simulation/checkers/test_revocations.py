"""The checker of revocations finds everything that somebody revoked could still do, and cuts that differ."""

from __future__ import annotations

from roosync_p2p.simulation.checkers.revocations import Cut, Holding, RevocationChecker

CUT = Cut(ledger=(1, 2), mail=(1, 5))


def heard() -> RevocationChecker:
    checker = RevocationChecker()
    checker.planned("gamma")
    assert checker.heard("alpha", "gamma", CUT, 9.0) == []
    return checker


def holding(member: str = "alpha", **other: object) -> Holding:
    plain: dict[str, object] = {"cut": CUT, "heads": {(1, "mail"): 5}, "commits": (), "removed": True}
    return Holding(member=member, **(plain | other))  # type: ignore[arg-type]


def test_a_revocation_that_nobody_may_say_is_found() -> None:
    assert len(RevocationChecker().heard("alpha", "gamma", CUT, 9.0)) == 1


def test_a_cut_only_falls_until_the_disk_is_an_older_one() -> None:
    checker = heard()
    lower, higher = Cut(ledger=(1, 2), mail=(1, 4)), Cut(ledger=(1, 3), mail=(1, 5))
    assert checker.heard("alpha", "gamma", lower, 9.0) == []
    assert len(checker.heard("alpha", "gamma", higher, 9.0)) == 1
    checker.forgets("alpha")
    assert not checker.knows("alpha", "gamma")
    assert checker.heard("alpha", "gamma", higher, 9.0) == []


def test_an_entry_behind_the_cut_is_found_at_who_has_heard() -> None:
    checker = heard()
    assert checker.took("alpha", ("gamma", 1, "mail", 5), 9.0) == []
    assert len(checker.took("alpha", ("gamma", 1, "mail", 6), 9.0)) == 1
    assert len(checker.took("alpha", ("gamma", 1, "ledger", 3), 9.0)) == 1
    assert len(checker.took("alpha", ("gamma", 2, "mail", 1), 9.0)) == 1
    assert checker.took("beta", ("gamma", 1, "mail", 6), 9.0) == []
    assert checker.took("alpha", ("delta", 1, "mail", 6), 9.0) == []


def test_a_record_a_heartbeat_a_link_and_a_verdict_are_found_at_who_has_heard() -> None:
    checker = heard()
    assert len(checker.took_record("alpha", "gamma", "frontier", 9.0)) == 1
    assert len(checker.remembers("alpha", "gamma", 9.0)) == 1
    assert len(checker.linked("alpha", "gamma", 9.0)) == 1
    assert len(checker.judged("alpha", "gamma", "online", 9.0)) == 1
    assert checker.judged("alpha", "gamma", "unknown", 9.0) == []
    assert checker.linked("beta", "gamma", 9.0) == []
    assert checker.remembers("beta", "gamma", 9.0) == []
    assert checker.judged("beta", "gamma", "online", 9.0) == []
    assert checker.took_record("beta", "gamma", "frontier", 9.0) == []


def test_at_the_end_all_have_heard_the_same_count_the_same_and_removed_it() -> None:
    checker = heard()
    assert checker.finish("gamma", [holding(), holding("beta")], 9.0) == []
    assert len(checker.finish("gamma", [holding(), holding("beta", cut=None)], 9.0)) == 1
    other = Cut(ledger=(1, 2), mail=(1, 7))
    assert len(checker.finish("gamma", [holding(), holding("beta", cut=other)], 9.0)) == 1
    assert len(checker.finish("gamma", [holding(heads={(1, "mail"): 6})], 9.0)) == 1
    assert len(checker.finish("gamma", [holding(commits=("e",))], 9.0)) == 1
    assert len(checker.finish("gamma", [holding(removed=False)], 9.0)) == 1
