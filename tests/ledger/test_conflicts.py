"""Two decisions in each other's way: noted at proposal, in effect at approval, by the strategy in force."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.decision_bodies import Action, DecisionArchive, DecisionRevise
from roosync_p2p.ledger.lifecycle import Phase
from tests.ledger.deciding import (
    approve,
    baseline,
    decided,
    merge,
    propose,
    put,
    reject,
    removal,
    report,
    resolve,
    set_baseline,
    start,
)
from tests.ledger.history import A, B, C, D, History
from tests.ledger.stories import MODEL, applied_on, conflicted, story, strategy


@pytest.fixture
def history() -> History:
    return History(B, C)


def test_the_story_is_told_to_both_authors_with_what_it_would_undo(history: History) -> None:
    first, second = story(history)
    event = next(event for event in history.events if event.name == "decision.conflict")
    assert set(event.to) >= {A, C}
    assert event.detail["decision"] == second
    assert event.detail["conflicts"] == [{"decision": first, "in_effect": True, "resources": [MODEL]}]


def test_the_story_by_hand_waits_for_a_person(history: History) -> None:
    first, second = story(history)
    assert approve(history, A, second).outcome.detail["state"] == "conflicted"
    assert decided(history, first).state is Phase.IN_PROGRESS


def test_the_story_where_the_fleet_wins(history: History) -> None:
    strategy(history, {"file:": "auto-remote"})
    first, second = story(history)
    assert approve(history, A, second).outcome.detail["superseded_by"] == first
    assert decided(history, second).state is Phase.SUPERSEDED
    assert decided(history, first).state is Phase.IN_PROGRESS


def test_the_story_where_the_proposer_wins_undoes_the_first_where_it_was_applied(history: History) -> None:
    strategy(history, {MODEL: "auto-local"})
    first, second = story(history)
    assert approve(history, A, second).outcome.detail["state"] == "approved"
    beaten = decided(history, first)
    assert (beaten.state, beaten.superseded_by) == (Phase.SUPERSEDED, second)
    assert beaten.targets[A].rollback == "wanted"
    assert beaten.targets[B].state == "rolled_back"
    assert history.told("decision.rollback") == [{"decision": first, "machine": A}]
    assert start(history, B, first).outcome.reason == "wrong_state"
    assert report(history, A, first, "rolled_back").outcome.accepted
    assert decided(history, first).targets[A].state == "rolled_back"


def test_in_doubt_the_most_careful_strategy_counts(history: History) -> None:
    strategy(history, {"*": "auto-local", "file:other": "auto-remote"})
    first = propose(history, A, put(MODEL, 1), put("file:other", 1), approve=True)
    second = propose(history, C, put(MODEL, 2), put("file:other", 2), based_on=0)
    assert approve(history, A, second).outcome.detail["superseded_by"] == first


def test_a_proposal_overrides_only_towards_manual(history: History) -> None:
    strategy(history, {"*": "auto-remote"})
    propose(history, A, put(MODEL, 1), approve=True)
    by_hand = propose(history, C, put(MODEL, 2), based_on=0, strategy="manual")
    assert approve(history, A, by_hand).outcome.detail["state"] == "conflicted"
    wishful = propose(history, C, put(MODEL, 3), based_on=0, strategy="auto-local")
    assert approve(history, A, wishful).outcome.detail["state"] == "superseded"


def test_an_earlier_proposal_that_asked_for_manual_gets_it(history: History) -> None:
    strategy(history, {"*": "auto-local"})
    propose(history, A, put(MODEL, 1), approve=True, strategy="manual")
    second = propose(history, C, put(MODEL, 2), based_on=0)
    assert approve(history, A, second).outcome.detail["state"] == "conflicted"


def test_an_unknown_strategy_is_read_as_manual_with_a_warning(history: History) -> None:
    strategy(history, {"*": "newest-wins"})
    propose(history, A, put(MODEL, 1), approve=True)
    second = propose(history, C, put(MODEL, 2), based_on=0)
    assert approve(history, A, second).outcome.detail["state"] == "conflicted"
    assert history.told("policy.unknown_strategy")[-1]["names"] == ["newest-wins"]


def test_an_unknown_word_in_a_proposal_is_manual_with_a_warning(history: History) -> None:
    decision = propose(history, B, put(MODEL, 1), strategy="intelligent")
    assert decided(history, decision).manual is True


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (put("file:a", 1), put("file:a", 2)),
        (put("file:a", 1), removal("file:a")),
        (put("file:a/b", 1), removal("file:a")),
        (put("file:a", {}), put("file:a/b#/x", 1)),
        (put("file:a#/x", 1), put("file:a#/x/y", 1)),
        (merge("file:a", {"x": {"y": 1}}), put("file:a#/x/y", 2)),
        (merge("file:a", {"x": None}), merge("file:a", {"x": {"y": 1}})),
        (put("file:a", 1), put("file:a", True)),
        (
            Action(op="run", resource="action:update", name="update"),
            Action(op="run", resource="action:update", name="x"),
        ),
        (Action(op="file", resource="file:a", value=b"one"), Action(op="file", resource="file:a", value=b"two")),
    ],
    ids=str,
)
def test_what_overlaps_with_different_content_conflicts(history: History, first: Action, second: Action) -> None:
    for one, other in ((first, second), (second, first)):
        decision = propose(history, B, one, based_on=0)
        rival = propose(history, C, other, based_on=0)
        assert rival in decided(history, decision).conflicts_with


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (put("file:a", 1), put("file:a", 1)),
        (put("file:a", 1), put("file:ab", 2)),
        (put("file:a", 1), put("env:a", 2)),
        (put("file:a#/x", 1), put("file:a#/xy", 2)),
        (put("file:a#/x", 1), put("file:a/x", 2)),
        (merge("file:a", {"x": 1}), merge("file:a", {"y": 2})),
        (merge("file:a", {"x": {}}), put("file:a#/x/y", 2)),
        (merge("file:a", {"x": {"y": 1}}), put("file:a#/x/y", 1)),
    ],
    ids=str,
)
def test_what_does_not_overlap_or_is_the_same_does_not(history: History, first: Action, second: Action) -> None:
    for one, other in ((first, second), (second, first)):
        propose(history, B, one, based_on=0)
        assert decided(history, propose(history, C, other, based_on=0)).conflicts_with == ()
        assert not history.told("decision.conflict")
        history = History(B, C)


def test_without_a_common_target_there_is_no_conflict(history: History) -> None:
    propose(history, B, put(MODEL, 1), targets=(B,))
    assert decided(history, propose(history, C, put(MODEL, 2), targets=(C,), based_on=0)).conflicts_with == ()


def test_who_knew_the_other_does_not_conflict_with_it(history: History) -> None:
    first = propose(history, B, put(MODEL, 1))
    second = propose(history, C, put(MODEL, 2))  # based on all before it
    assert decided(history, second).conflicts_with == ()
    approve(history, A, first)
    assert approve(history, A, second).outcome.detail["state"] == "approved"


def test_a_pending_decision_supersedes_nothing(history: History) -> None:
    strategy(history, {"*": "auto-local"})
    first = propose(history, B, put(MODEL, 1), based_on=0)
    second = propose(history, C, put(MODEL, 2), based_on=0)
    approve(history, A, second)
    assert decided(history, first).state is Phase.PENDING
    assert approve(history, A, first).outcome.detail["state"] == "approved"
    assert decided(history, second).state is Phase.SUPERSEDED


def test_what_was_put_away_still_counts(history: History) -> None:
    first = propose(history, A, put(MODEL, 1), targets=(A,), approve=True)
    applied_on(history, first, A)
    assert history.say(A, "decision.archive", DecisionArchive(decision=first)).outcome.accepted
    second = propose(history, C, put(MODEL, 2), targets=(A,), based_on=0)
    assert decided(history, second).conflicts_with == (first,)


def test_what_was_rejected_does_not(history: History) -> None:
    first = propose(history, A, put(MODEL, 1))
    reject(history, A, first)
    assert decided(history, propose(history, C, put(MODEL, 2), based_on=0)).conflicts_with == ()


# --- resolving ----------------------------------------------------------------------------------------------------


def test_a_conflict_is_resolved_for_the_later(history: History) -> None:
    first, second = conflicted(history)
    assert resolve(history, A, second, second).outcome.detail["state"] == "approved"
    assert decided(history, first).superseded_by == second
    assert decided(history, first).targets[A].rollback == "wanted"


def test_a_conflict_is_resolved_for_the_earlier(history: History) -> None:
    first, second = conflicted(history)
    assert resolve(history, A, second, first).outcome.detail["superseded_by"] == first
    assert decided(history, first).state is Phase.IN_PROGRESS


def test_a_third_takes_the_place_of_both_when_it_takes_effect(history: History) -> None:
    first, second = conflicted(history)
    third = propose(history, B, put(MODEL, "medium"))
    assert resolve(history, A, second, third).outcome.accepted
    assert decided(history, second).superseded_by == third
    assert decided(history, first).state is Phase.IN_PROGRESS
    assert approve(history, A, third).outcome.detail["state"] == "approved"
    assert decided(history, first).superseded_by == third
    assert decided(history, first).targets[A].rollback == ""  # the third stands in its place


def test_a_third_that_knew_only_one_of_them_resolves_nothing(history: History) -> None:
    third = propose(history, B, put(MODEL, "medium"))
    _, second = conflicted(history)
    assert resolve(history, A, second, third).outcome.reason == "not_based_on_both"


def test_nobody_resolves_for_its_own_unless_it_is_the_only_approver(history: History) -> None:
    history.join(D, "approver", "member")
    seen = history.number
    first = propose(history, C, put(MODEL, 1))
    approve(history, A, first)
    second = propose(history, D, put(MODEL, 2), based_on=seen)
    approve(history, A, second)
    assert resolve(history, D, second, second).outcome.reason == "own_decision"
    assert resolve(history, A, second, second).outcome.accepted


def test_a_conflicted_decision_can_be_edited_until_it_fits(history: History) -> None:
    _, second = conflicted(history)
    body = DecisionRevise(
        decision=second,
        revision=decided(history, second).hash,
        title="now I know",
        targets=("all",),
        actions=(put(MODEL, "medium"),),
        based_on=history.number,
    )
    assert history.say(C, "decision.revise", body).outcome.accepted
    assert approve(history, A, second).outcome.detail["state"] == "approved"


# --- the baseline -------------------------------------------------------------------------------------------------


def test_stale_changes_of_other_places_merge(history: History) -> None:
    set_baseline(history, A, {"a": 1}, 0, approve=True)
    patches: list[tuple[MachineId, Any]] = [(B, {"b": {"x": 1}}), (C, {"b": {"y": 2}, "c": 3})]
    for machine, patch in patches:
        approve(history, A, set_baseline(history, machine, patch, 1))
    assert baseline(history) == {"a": 1, "b": {"x": 1, "y": 2}, "c": 3}


def test_stale_changes_of_the_same_place_conflict(history: History) -> None:
    set_baseline(history, A, {"a": 1}, 0, approve=True)
    approve(history, A, set_baseline(history, B, {"a": 2}, 1))
    late = set_baseline(history, C, {"a": 3}, 1)
    assert approve(history, A, late).outcome.detail["state"] == "conflicted"
    assert baseline(history) == {"a": 2}
    assert resolve(history, A, late, late).outcome.detail["state"] == "applied"
    assert baseline(history) == {"a": 3}


def test_a_proposal_that_was_seen_but_not_in_the_edited_version_is_not_overwritten_unseen(history: History) -> None:
    pending = set_baseline(history, B, {"a": 1}, 0)
    set_baseline(history, A, {"z": 1}, 0, approve=True)  # version 1, made after the proposal
    stale = set_baseline(history, C, {"a": 2}, 1)
    approve(history, A, pending)
    assert approve(history, A, stale).outcome.detail["state"] == "conflicted"


def test_a_change_that_changed_nothing_is_in_the_way_of_nobody_who_read_what_it_confirmed(history: History) -> None:
    set_baseline(history, A, {"a": 1}, 0, approve=True)
    confirmed = set_baseline(history, A, {"a": 1}, 1, approve=True)
    assert (decided(history, confirmed).state, decided(history, confirmed).version) == (Phase.APPLIED, 0)
    late = set_baseline(history, B, {"a": 2}, 1)
    assert decided(history, late).conflicts_with == ()
    assert approve(history, A, late).outcome.detail["state"] == "applied"
    assert baseline(history) == {"a": 2}


def test_a_change_that_changed_nothing_is_in_the_way_of_who_read_less(history: History) -> None:
    set_baseline(history, A, {"z": 1}, 0, approve=True)
    set_baseline(history, A, {"a": 1}, 1, approve=True)
    confirmed = set_baseline(history, A, {"a": 1}, 2, approve=True)
    late = set_baseline(history, B, {"a": 2}, 1)
    assert confirmed in decided(history, late).conflicts_with
    assert approve(history, A, late).outcome.detail["state"] == "conflicted"


def test_the_removal_of_what_never_was_is_in_the_way_of_nobody_who_read_a_version(history: History) -> None:
    set_baseline(history, A, {"a": None}, 0, approve=True)
    set_baseline(history, A, {"z": 1}, 0, approve=True)
    late = set_baseline(history, B, {"a": 1}, 1)
    assert approve(history, A, late).outcome.detail["state"] == "applied"


def test_where_the_proposer_wins_only_what_it_left_alone_is_undone(history: History) -> None:
    strategy(history, {"baseline:": "auto-local"})
    set_baseline(history, A, {"a": 1, "b": 1, "c": 1}, 0, approve=True)
    first = set_baseline(history, B, {"a": 2, "b": 2}, 1)
    approve(history, A, first)
    set_baseline(history, A, {"b": 3}, 2, approve=True)
    second = set_baseline(history, C, {"a": 4}, 1)
    assert approve(history, A, second).outcome.detail["state"] == "applied"
    assert decided(history, first).superseded_by == second
    assert baseline(history) == {"a": 4, "b": 3, "c": 1}


def test_a_winner_that_cannot_be_applied_undoes_nobody(history: History) -> None:
    strategy(history, {"*": "auto-local"})
    set_baseline(history, A, {"a": 1}, 0, approve=True)
    first = set_baseline(history, B, {"a": 2}, 1)
    approve(history, A, first)
    second = propose(history, C, put("baseline:fleet#/a/b/c", 1), based_on=0)
    assert approve(history, A, second).outcome.detail["state"] == "failed"
    assert decided(history, second).reason == "bad_pointer"
    assert decided(history, first).state is Phase.APPLIED
    assert baseline(history) == {"a": 2}
