"""What targets do: attempts that are taken once, reports, rollback from each machine's own backup."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.bodies import MemberLeave
from roosync_p2p.ledger.decision_bodies import DecisionArchive, DecisionRollback
from roosync_p2p.ledger.lifecycle import Phase
from roosync_p2p.ledger.outcomes import Applied
from tests.ledger.deciding import approve, baseline, decided, propose, put, report, resolve, start
from tests.ledger.history import A, B, C, D, History


@pytest.fixture
def history() -> History:
    return History(B, C)


@pytest.fixture
def decision(history: History) -> str:
    """Approved, for B and C."""
    name = propose(history, B, targets=(B, C))
    approve(history, A, name)
    return name


def roll_back(history: History, machine: MachineId, decision: str, *machines: MachineId) -> Applied:
    return history.say(machine, "decision.rollback", DecisionRollback(decision=decision, machines=machines))


def test_of_two_processes_that_take_one_attempt_the_second_is_refused(history: History, decision: str) -> None:
    assert start(history, B, decision, session="one").outcome.accepted
    refused = start(history, B, decision, session="two").outcome
    assert (refused.reason, refused.detail["session"]) == ("attempt_taken", "one")


def test_the_next_attempt_waits_for_the_end_of_the_last(history: History, decision: str) -> None:
    start(history, B, decision)
    assert start(history, B, decision, attempt=2).outcome.reason == "wrong_attempt"
    report(history, B, decision, "failed", note="interrupted")
    assert start(history, B, decision, attempt=3).outcome.reason == "wrong_attempt"
    assert start(history, B, decision, attempt=2).outcome.accepted


def test_nobody_applies_what_is_not_approved_or_not_for_it(history: History) -> None:
    pending = propose(history, B, targets=(B,))
    assert start(history, B, pending).outcome.reason == "wrong_state"
    approve(history, A, pending)
    assert start(history, C, pending).outcome.reason == "not_a_target"
    assert start(history, B, pending, revision=bytes(32)).outcome.reason == "stale_revision"


def test_a_target_that_failed_three_retries_is_failed_alone(history: History, decision: str) -> None:
    for attempt in range(1, limits.DECISION_ATTEMPTS_MAX + 1):
        assert start(history, B, decision, attempt=attempt).outcome.accepted
        assert report(history, B, decision, "failed", attempt=attempt).outcome.accepted
    assert decided(history, decision).targets[B].state == "failed"
    assert decided(history, decision).state is Phase.IN_PROGRESS
    start(history, C, decision)
    report(history, C, decision, "applied")
    assert decided(history, decision).targets[C].state == "applied"
    assert decided(history, decision).state is Phase.FAILED


def test_a_failure_that_no_retry_helps_is_final(history: History, decision: str) -> None:
    start(history, B, decision)
    report(history, B, decision, "failed", final=True)
    assert decided(history, decision).targets[B].state == "failed"


def test_a_person_may_try_again_after_all_retries(history: History, decision: str) -> None:
    start(history, C, decision)
    report(history, C, decision, "applied")
    start(history, B, decision)
    report(history, B, decision, "failed", final=True)
    assert decided(history, decision).state is Phase.FAILED
    assert start(history, B, decision, attempt=2).outcome.accepted
    report(history, B, decision, "applied", attempt=2)
    assert decided(history, decision).state is Phase.APPLIED


@pytest.mark.parametrize("result", ["applied", "failed", "in_progress", "rolled_back"])
def test_a_report_belongs_to_an_attempt_that_was_taken(history: History, decision: str, result: str) -> None:
    assert report(history, B, decision, result).outcome.reason == "wrong_attempt"
    start(history, B, decision)
    assert report(history, B, decision, result, attempt=2).outcome.reason == "wrong_attempt"
    assert report(history, A, decision, result).outcome.reason == "not_a_target"
    assert report(history, B, decision, result).outcome.accepted


def test_what_is_applied_is_not_reported_otherwise_later(history: History, decision: str) -> None:
    start(history, B, decision)
    report(history, B, decision, "applied")
    for result in ("applied", "failed", "in_progress"):
        assert report(history, B, decision, result).outcome.reason == "wrong_state"


def test_rolling_back_asks_each_machine_that_applied_it(history: History, decision: str) -> None:
    start(history, B, decision)
    report(history, B, decision, "applied", backup=True)
    assert roll_back(history, A, decision).outcome.accepted
    state = decided(history, decision)
    assert (state.targets[B].rollback, state.targets[C].state) == ("wanted", "rolled_back")
    assert history.told("decision.rollback") == [{"decision": decision, "machine": B}]
    assert start(history, C, decision).outcome.reason == "wrong_attempt"
    report(history, B, decision, "rolled_back")
    assert decided(history, decision).state is Phase.ROLLED_BACK


def test_a_rollback_that_failed_is_shown(history: History, decision: str) -> None:
    start(history, B, decision)
    report(history, B, decision, "applied", backup=True)
    roll_back(history, A, decision, B)
    assert report(history, B, decision, "failed", note="no such file").outcome.accepted
    target = decided(history, decision).targets[B]
    assert (target.state, target.rollback, target.note) == ("applied", "failed", "no such file")


def test_a_target_rolls_back_for_itself_and_for_nobody_else(history: History, decision: str) -> None:
    start(history, B, decision)
    report(history, B, decision, "applied", backup=True)
    assert roll_back(history, C, decision, B).outcome.reason == "no_authority"
    assert roll_back(history, B, decision).outcome.reason == "no_authority"
    assert roll_back(history, B, decision, B).outcome.accepted
    assert roll_back(history, A, decision, D).outcome.reason == "unknown_target"


def test_after_thirty_days_nothing_is_rolled_back(history: History, decision: str) -> None:
    for machine in (B, C):
        start(history, machine, decision)
        report(history, machine, decision, "applied", backup=True)
    history.wait(30 * 24 * 3600)
    assert roll_back(history, A, decision, B).outcome.accepted
    history.wait(1)
    assert roll_back(history, A, decision, C).outcome.reason == "too_late"


def test_what_was_never_applied_has_nothing_to_undo(history: History) -> None:
    pending = propose(history, B)
    assert roll_back(history, A, pending).outcome.reason == "wrong_state"
    approve(history, A, pending)
    assert roll_back(history, A, pending).outcome.detail["state"] == "rolled_back"
    assert roll_back(history, A, pending).outcome.reason == "wrong_state"


def test_rolling_back_undoes_the_baseline_at_once(history: History) -> None:
    name = propose(history, B, put("baseline:fleet#/model", "large"), put("file:x", 1), targets=(B,))
    approve(history, A, name)
    start(history, B, name)
    report(history, B, name, "applied", backup=True)
    assert baseline(history) == {"model": "large"}
    roll_back(history, A, name)
    assert baseline(history) == {}
    assert decided(history, name).state is Phase.APPLIED  # until B has undone its part
    report(history, B, name, "rolled_back")
    assert decided(history, name).state is Phase.ROLLED_BACK


def test_nobody_waits_for_a_target_that_left(history: History, decision: str) -> None:
    start(history, B, decision)
    report(history, B, decision, "applied")
    assert decided(history, decision).state is Phase.IN_PROGRESS
    assert history.say(C, "member.leave", MemberLeave()).outcome.accepted
    assert decided(history, decision).targets[C].state == "gone"
    assert decided(history, decision).state is Phase.APPLIED


def test_a_decision_whose_targets_all_left_before_its_approval_has_failed(history: History) -> None:
    name = propose(history, B, targets=(C,))
    history.say(C, "member.leave", MemberLeave())
    assert approve(history, A, name).outcome.detail["state"] == "failed"


def test_who_beat_an_archived_decision_still_gets_it_undone(history: History, decision: str) -> None:
    for machine in (B, C):
        start(history, machine, decision)
        report(history, machine, decision, "applied", backup=True)
    assert history.say(B, "decision.archive", DecisionArchive(decision=decision)).outcome.accepted
    rival = propose(history, C, put("file:settings.json#/model", "small"), targets=(B,), based_on=0, strategy="manual")
    approve(history, A, rival)
    assert resolve(history, A, rival, rival).outcome.accepted
    assert decided(history, decision).state is Phase.ARCHIVED
    assert decided(history, decision).superseded_by == rival
    assert report(history, B, decision, "rolled_back").outcome.accepted
