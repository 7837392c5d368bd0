"""Why a claim or a decision waits, in virtual time: for a holder, for approvers, for targets, for a quorum."""

from __future__ import annotations

from typing import Any

from roosync_p2p.core.why.claim import claim_facts, claim_waits
from roosync_p2p.core.why.decision import decision_facts, decision_waits
from roosync_p2p.core.why.quorum import quorum
from roosync_p2p.ledger.decision_bodies import Action, DecisionApprove, DecisionPropose, DecisionReport, DecisionStart
from roosync_p2p.ledger.decision_state import decision_of
from roosync_p2p.ledger.documents import canonical_json
from tests.helpers.ordered_fleet import OrderedFleet, acquire, release

_ASKED = {"id": "0" * 64, "kind": "claim.acquire", "asked_at": "", "claim": "x", "decision": None}


def _claim(fleet: OrderedFleet, at: str, *asked: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    core = fleet.member(at).node()
    facts = claim_facts(core, "x", asked)
    return facts, claim_waits(core, facts)


def _propose(fleet: OrderedFleet, author: str, value: str, *, based_on: int = 3) -> str:
    action = Action(op="set", resource="config:ci.json#/python", value=canonical_json(value))
    body = DecisionPropose(title=value, targets=("all",), actions=(action,), based_on=based_on)
    outcome = fleet.done(author, "decision.propose", body)["outcome"]
    assert outcome["accepted"], outcome
    return str(outcome["detail"]["id"])


def _approve(fleet: OrderedFleet, name: str, decision: str) -> None:
    found = decision_of(fleet.log(name).state, decision)
    assert found is not None
    fleet.done(name, "decision.approve", DecisionApprove(decision=decision, revision=found.hash))


def _decision(fleet: OrderedFleet, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    core = fleet.member("alpha").node()
    facts = decision_facts(core, name, ())
    assert facts is not None
    return facts, decision_waits(core, facts)


def test_a_free_name_waits_for_nothing_and_a_held_one_for_its_holder() -> None:
    fleet = OrderedFleet("alpha", "beta")
    facts, waits = _claim(fleet, "alpha")
    assert (facts["held"], facts["queue"], waits) == (False, [], [])
    token = fleet.done("beta", "claim.acquire", acquire("x"))["commit_number"]
    fleet.done("alpha", "claim.acquire", acquire("x", queue=True))
    facts, waits = _claim(fleet, "alpha")
    assert (facts["held"], facts["token"], facts["holder"]["machine"]) == (True, token, "beta")
    assert (facts["machine"]["state"], [row["machine"] for row in facts["queue"]]) == ("online", ["alpha"])
    assert waits == [{"code": "holder", "machine": "beta", "until": facts["expires_at"]}]
    fleet.done("beta", "claim.release", release("x"))
    assert _claim(fleet, "alpha")[0]["holder"]["machine"] == "alpha"


def test_a_claim_that_ran_out_with_somebody_in_line_waits_for_the_next_commit() -> None:
    fleet = OrderedFleet("alpha", "beta")
    fleet.done("beta", "claim.acquire", acquire("x", ttl_s=4.0))
    fleet.done("alpha", "claim.acquire", acquire("x", queue=True))
    fleet.run(4)
    facts, waits = _claim(fleet, "alpha")
    assert (facts["held"], facts["expired_at"]) == (False, facts["expires_at"])
    assert waits == [{"code": "next_commit", "machine": "alpha"}]


def test_an_undecided_request_names_the_voters_that_are_missing_with_the_age_of_their_evidence() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    fleet.run(10)
    for name in ("beta", "gamma"):
        fleet.member(name).crash()
    fleet.run(10)
    facts, (wait,) = _claim(fleet, "alpha", _ASKED)
    assert (wait["code"], wait["state"]) == ("undecided", "no_quorum")
    assert (wait["missing"], wait["there"], wait["needed"]) == (["beta", "gamma"], 1, 2)
    voters = {row["machine"]: row for row in facts["quorum"]["voters"]}
    assert {name: row["there"] for name, row in voters.items()} == {"alpha": True, "beta": False, "gamma": False}
    assert voters["beta"]["state"] == "offline"
    assert 9 < voters["beta"]["evidence"]["age_s"] < 13
    assert facts["quorum"]["leader"] in (None, "alpha")


def test_with_a_majority_there_nobody_is_named_as_missing() -> None:
    fleet = OrderedFleet("alpha", "beta")
    found = quorum(fleet.member("beta").node())
    assert (found["missing"], found["leader"], found["needed"], found["state"]) == ([], "alpha", 1, "deciding")


def test_a_proposal_waits_for_its_approvers_and_once_approved_for_its_targets() -> None:
    fleet = OrderedFleet("alpha", "beta")
    name = _propose(fleet, "beta", "3.13")
    facts, (wait,) = _decision(fleet, name)
    assert (facts["state"], wait["code"], wait["count"], wait["approvers"]) == ("pending", "approvals", 1, ["alpha"])
    assert [(row["machine"], row["state"]) for row in facts["approvers"]] == [("alpha", "online")]
    _approve(fleet, "alpha", name)
    facts, (wait,) = _decision(fleet, name)
    assert (facts["state"], wait) == ("approved", {"code": "targets", "machines": ["alpha", "beta"]})
    fleet.member("beta").crash()
    found = decision_of(fleet.log("alpha").state, name)
    assert found is not None
    fleet.done("alpha", "decision.start", DecisionStart(decision=name, revision=found.hash, attempt=1))
    fleet.done("alpha", "decision.report", DecisionReport(decision=name, attempt=1, result="applied"))
    fleet.run(10)
    facts, (wait,) = _decision(fleet, name)
    assert wait == {"code": "targets", "machines": ["beta"]}
    assert {row["machine"]: (row["phase"], row["state"]) for row in facts["targets"]} == {
        "alpha": ("applied", "online"),
        "beta": ("waiting", "offline"),
    }


def test_a_decision_in_conflict_waits_for_a_person_and_names_the_other() -> None:
    fleet = OrderedFleet("alpha", "beta")
    first, second = _propose(fleet, "beta", "3.13"), _propose(fleet, "alpha", "3.14")
    for name in (first, second):
        _approve(fleet, "alpha", name)
    facts, (wait,) = _decision(fleet, second)
    assert (facts["state"], wait) == ("conflicted", {"code": "resolution", "decisions": [first]})
    assert facts["conflicts"] == [{"id": first, "state": "approved", "title": "3.13"}]


def test_of_a_decision_that_there_is_not_nothing_is_told() -> None:
    assert decision_facts(OrderedFleet("alpha").member("alpha").node(), "D99", ()) is None
