"""The life of a decision: revisions, approvals by machines and persons, expiry, archive."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from roosync_p2p.codec import records
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.bodies import PolicySet, RequestWithdraw
from roosync_p2p.ledger.decision_bodies import Action, DecisionArchive, DecisionPropose, DecisionRevise
from roosync_p2p.ledger.decision_views import decision_view, decisions_view
from roosync_p2p.ledger.lifecycle import Phase
from roosync_p2p.trust.statements import MemberRoles, PersonKey, PersonRemoval
from tests.helpers.trust import key_from
from tests.ledger.deciding import approve, baseline, decided, propose, put, reject, report, signed, start
from tests.ledger.history import FLEET, A, B, C, D, History, serial

ANNE = key_from("anne")


@pytest.fixture
def history() -> History:
    return History(B, C)


def add_person(history: History, name: str = "anne", number: int = 1) -> None:
    statement = PersonKey(person=name, key=key_from(name).public.raw, serial=serial(number))
    assert history.carry(A, "person.add", statement).outcome.accepted


def revised(history: History, decision: str, *actions: Action, **more: Any) -> Any:
    body = DecisionRevise(
        decision=decision,
        revision=more.pop("revision", decided(history, decision).hash),
        title="an edit",
        targets=("all",),
        actions=actions or (put("file:settings.json#/model", "small"),),
        based_on=history.number,
        **more,
    )
    return history.say(more.pop("machine", B), "decision.revise", body).outcome


def test_all_is_fixed_to_the_register_of_its_number(history: History) -> None:
    decision = propose(history, B)
    history.join(D)
    assert sorted(decided(history, decision).targets) == [A, B, C]


def test_one_approval_is_enough_and_then_the_targets_have_it(history: History) -> None:
    decision = propose(history, B)
    assert approve(history, A, decision).outcome.detail["state"] == "approved"
    for machine in (A, B, C):
        assert start(history, machine, decision).outcome.accepted
        assert report(history, machine, decision, "applied", backup=True).outcome.accepted
    assert decided(history, decision).state is Phase.APPLIED


def test_a_plain_member_approves_nothing(history: History) -> None:
    decision = propose(history, B)
    assert approve(history, C, decision).outcome.reason == "no_authority"


def test_the_only_approver_approves_its_own_and_that_is_shown(history: History) -> None:
    decision = propose(history, A)
    outcome = approve(history, A, decision).outcome
    assert (outcome.accepted, outcome.detail["own"]) == (True, True)
    view = decision_view(history.state, decision, FLEET.root)
    assert view is not None
    assert view["self_approved"] is True


def test_an_author_may_approve_with_its_proposal_where_it_may_at_all(history: History) -> None:
    decision = propose(history, A, approve=True)
    assert decided(history, decision).state is Phase.APPROVED
    decision = propose(history, B, approve=True)
    assert decided(history, decision).state is Phase.PENDING


def test_once_there_are_two_approvers_nobody_approves_its_own(history: History) -> None:
    history.join(D, "approver", "member")
    decision = propose(history, A, approve=True)
    assert decided(history, decision).state is Phase.PENDING
    assert approve(history, A, decision).outcome.reason == "own_decision"
    assert approve(history, D, decision).outcome.accepted


def test_the_policy_says_how_many_approvals_are_needed(history: History) -> None:
    history.join(D, "approver", "member")
    set_policy(history, "approvals.decisions", b"2")
    decision = propose(history, B)
    assert approve(history, A, decision).outcome.detail["state"] == "pending"
    assert approve(history, A, decision).outcome.detail["state"] == "pending"
    assert approve(history, D, decision).outcome.detail["state"] == "approved"


def set_policy(history: History, name: str, value: bytes) -> None:
    proposed = history.say(A, "policy.set", PolicySet(name=name, value=value)).outcome
    assert proposed.accepted, proposed
    approver = D if D in history.authors else A
    assert approve(history, approver, f"D{history.number}").outcome.detail["state"] == "applied"


def test_approvals_of_who_is_no_approver_any_more_do_not_count(history: History) -> None:
    history.join(D, "approver", "member")
    set_policy(history, "approvals.decisions", b"2")
    decision = propose(history, B)
    approve(history, D, decision)
    roles = MemberRoles(machine=D, roles=("member",), serial=serial(1))
    assert history.carry(B, "member.roles", roles).outcome.accepted
    assert approve(history, A, decision).outcome.detail["approved_by"] == [A]
    assert decided(history, decision).state is Phase.PENDING


def test_an_edit_voids_approvals_and_takes_another_hash(history: History) -> None:
    history.join(D, "approver", "member")
    set_policy(history, "approvals.decisions", b"2")
    decision = propose(history, B)
    first = decided(history, decision).hash
    approve(history, A, decision)
    assert revised(history, decision).accepted
    assert decided(history, decision).approvals == ()
    assert decided(history, decision).hash != first
    assert approve(history, D, decision, revision=first).outcome.reason == "stale_revision"


def test_an_edit_back_is_still_another_revision(history: History) -> None:
    decision = propose(history, B)
    hashes = {decided(history, decision).hash}
    for value in ("a", "b", "a"):
        assert revised(history, decision, put("file:x", value)).accepted
        hashes.add(decided(history, decision).hash)
    assert len(hashes) == 4


def test_only_the_author_edits_and_only_what_it_has_seen(history: History) -> None:
    decision = propose(history, C)
    assert revised(history, decision).reason == "not_the_author"
    decision = propose(history, B)
    assert revised(history, decision, revision=bytes(32)).reason == "stale_revision"
    approve(history, A, decision)
    assert revised(history, decision).reason == "wrong_state"


def test_one_rejection_ends_it(history: History) -> None:
    decision = propose(history, B)
    assert reject(history, A, decision, reason="no").outcome.accepted
    assert decided(history, decision).state is Phase.REJECTED
    assert approve(history, A, decision).outcome.reason == "wrong_state"


def test_the_author_takes_back_what_is_pending_and_nothing_later(history: History) -> None:
    decision = propose(history, B)
    asked = decided(history, decision).entry
    assert history.say(C, "request.withdraw", RequestWithdraw(entry=asked)).outcome.reason == "too_late"
    assert history.say(B, "request.withdraw", RequestWithdraw(entry=asked)).outcome.detail["decision"] == decision
    assert decided(history, decision).state is Phase.REJECTED
    approved = propose(history, B)
    approve(history, A, approved)
    asked = decided(history, approved).entry
    assert history.say(B, "request.withdraw", RequestWithdraw(entry=asked)).outcome.reason == "too_late"


def test_what_nobody_approves_expires_by_commit_time(history: History) -> None:
    decision = propose(history, B, expires_ms=history.time_ms + 1_000)
    history.wait(1)
    assert approve(history, A, decision).outcome.reason == "wrong_state"
    assert decided(history, decision).state is Phase.EXPIRED
    assert history.told("decision.expired") == [{"decision": decision}]


def test_it_expires_after_a_month_by_default(history: History) -> None:
    decision = propose(history, B)
    history.wait(30 * 24 * 3600 - 1)
    history.voters(A)
    assert decided(history, decision).state is Phase.PENDING
    history.wait(1)
    history.voters(A)
    assert decided(history, decision).state is Phase.EXPIRED


def test_a_finished_decision_is_put_away_without_its_contents(history: History) -> None:
    decision = propose(history, B)
    archive = DecisionArchive(decision=decision)
    assert history.say(B, "decision.archive", archive).outcome.reason == "wrong_state"
    reject(history, A, decision)
    assert history.say(C, "decision.archive", archive).outcome.reason == "no_authority"
    assert history.say(B, "decision.archive", archive).outcome.accepted
    state = decided(history, decision)
    assert (state.state, state.was, state.actions) == (Phase.ARCHIVED, Phase.REJECTED, ())


@pytest.mark.parametrize(
    ("reason", "changed"),
    [
        ("unknown_target", {"targets": ("nobody-here",)}),
        ("unknown_target", {"targets": ()}),
        ("nothing_to_do", {"actions": ()}),
        ("bad_based_on", {"based_on": 1_000}),
        ("bad_resource", {"actions": (put("file:../escape", 1),)}),
        ("bad_resource", {"actions": (put("file:a//b", 1),)}),
        ("reserved_resource", {"actions": (put("policy:fleet#/approvals.decisions", 1),)}),
        ("bad_action", {"actions": (Action(op="file", resource="baseline:fleet", value=b"x"),)}),
        ("bad_action", {"actions": (Action(op="set", resource="file:x", value=b"1", name="x"),)}),
        ("bad_action", {"actions": (Action(op="run", resource="action:x"),)}),
        ("not_canonical", {"actions": (Action(op="set", resource="file:x", value=b"1.0"),)}),
        ("bad_field", {"severity": "URGENT"}),
        ("bad_field", {"title": ""}),
    ],
    ids=str,
)
def test_a_proposal_with_one_lie_is_refused(history: History, reason: str, changed: dict[str, Any]) -> None:
    fields = {"title": "x", "targets": ("all",), "actions": (put("file:x", 1),), "based_on": history.number}
    body = records.encode(DecisionPropose(**{**fields, **changed}))
    assert history.say(B, "decision.propose", body).outcome.reason == reason


# --- persons ------------------------------------------------------------------------------------------------------


def test_once_a_person_exists_only_persons_count(history: History) -> None:
    decision = propose(history, B)
    add_person(history)
    assert approve(history, A, decision).outcome.reason == "needs_person"
    outcome = approve(history, C, decision, person=signed(history, ANNE, "anne", decision)).outcome
    assert outcome.detail["state"] == "approved"
    assert outcome.detail["approved_by"] == ["anne"]


def test_a_machines_earlier_approval_does_not_count_beside_persons(history: History) -> None:
    set_policy(history, "approvals.decisions", b"2")
    decision = propose(history, B)
    approve(history, A, decision)
    add_person(history)
    outcome = approve(history, C, decision, person=signed(history, ANNE, "anne", decision)).outcome
    assert (outcome.detail["state"], outcome.detail["approved_by"]) == ("pending", ["anne"])


def test_a_person_may_approve_what_their_own_machine_proposed(history: History) -> None:
    add_person(history)
    decision = propose(history, A)
    outcome = approve(history, A, decision, person=signed(history, ANNE, "anne", decision)).outcome
    assert outcome.detail["own"] is False
    assert decided(history, decision).state is Phase.APPROVED


@pytest.mark.parametrize("lie", ["verdict", "decision", "person", "key", "time"])
def test_a_persons_signature_is_for_one_verdict_on_one_revision(history: History, lie: str) -> None:
    add_person(history)
    add_person(history, "bert", 2)
    decision, other = propose(history, B), propose(history, B)
    good = signed(history, ANNE, "anne", decision, not_after_ms=history.time_ms)
    bad = {
        "verdict": signed(history, ANNE, "anne", decision, "reject"),
        "decision": signed(history, ANNE, "anne", other),
        "person": signed(history, ANNE, "bert", decision),
        "key": signed(history, key_from("bert"), "anne", decision),
        "time": msgspec.structs.replace(good, not_after_ms=0),
    }[lie]
    assert approve(history, C, decision, person=bad).outcome.reason == "bad_signature"
    assert approve(history, C, decision, person=good).outcome.accepted


def test_a_persons_approval_of_an_earlier_revision_is_void(history: History) -> None:
    add_person(history)
    decision = propose(history, B)
    old = signed(history, ANNE, "anne", decision)
    assert revised(history, decision).accepted
    assert approve(history, C, decision, person=old).outcome.reason == "bad_signature"


def test_a_persons_approval_can_run_out_before_it_is_ordered(history: History) -> None:
    add_person(history)
    decision = propose(history, B)
    late = signed(history, ANNE, "anne", decision, not_after_ms=history.time_ms - 1)
    assert approve(history, C, decision, person=late).outcome.reason == "too_late"


def test_a_person_who_was_removed_approves_no_more(history: History) -> None:
    add_person(history)
    decision = propose(history, B)
    verdict = signed(history, ANNE, "anne", decision)
    assert history.carry(A, "person.remove", PersonRemoval(person="anne", serial=serial(9))).outcome.accepted
    assert approve(history, C, decision, person=verdict).outcome.reason == "unknown_person"
    assert approve(history, A, decision).outcome.accepted


# --- views --------------------------------------------------------------------------------------------------------


def test_the_list_of_decisions_has_what_scripts_rely_on(history: History) -> None:
    decision = propose(history, B, put("file:settings.json#/model", "large"), targets=(C,))
    shown = decisions_view(history.state, FLEET.root)["decisions"]
    assert isinstance(shown, list)
    (view,) = shown
    assert view["id"] == decision
    assert view["state"] == "pending"
    assert view["author"] == B
    assert view["targets"][C]["state"] == "waiting"
    assert {"title", "severity", "based_on", "conflicts_with", "commit_number"} <= set(view)


def test_a_decision_on_the_baseline_alone_is_applied_at_once(history: History) -> None:
    decision = propose(history, B, put("baseline:fleet#/model", "large"))
    assert approve(history, A, decision).outcome.detail["state"] == "applied"
    assert baseline(history) == {"model": "large"}


def test_a_machine_id_is_no_decision(history: History) -> None:
    assert decision_view(history.state, MachineId("nothing"), FLEET.root) is None
