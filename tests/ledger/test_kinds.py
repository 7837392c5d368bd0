"""The authority table, and the page that shows it."""

from __future__ import annotations

import json

import msgspec
import pytest

from roosync_p2p.ledger.bodies import ConfigPublish
from roosync_p2p.ledger.decision_views import configs_view, policies_view
from roosync_p2p.ledger.kinds import KINDS, Who
from roosync_p2p.ledger.policies import POLICIES
from tests.house.floors import ROOT
from tests.ledger.history import A, B, C, D, History

PAGE = (ROOT / "docs" / "protocol" / "ledger.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_page_says_who_may_author_it(kind: str) -> None:
    assert f"| `{kind}` | {KINDS[kind].who.value} | §" in PAGE


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_the_page_says_what_the_policy_is(name: str) -> None:
    policy = POLICIES[name]
    assert f"| `{name}` | `{json.dumps(policy.default)}` | {policy.meaning} |" in PAGE
    assert policy.fits(policy.default)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_field_of_a_body_is_bounded(kind: str) -> None:
    """Whatever text or bytes or list a body holds has a largest length, or a few allowed values."""
    unbounded = {
        field.name
        for field in msgspec.structs.fields(KINDS[kind].body)
        if str(field.type) in {"<class 'str'>", "<class 'bytes'>"} or str(field.type).startswith("tuple[")
    }
    known = {"machine", "admitted_by", "roles", "leaf", "issuer", "grant", "store", "countersignature"}
    assert unbounded <= known, "judged by trust, or by the rule"


# Who is refused by the table alone, whatever the body; A is issuer and approver, B approver, C plain, D an observer.
_REFUSED = {
    Who.EVERYBODY: (),
    Who.MEMBER: (D,),
    Who.CARRIER: (D,),
    Who.ISSUER: (B, C, D),
    Who.APPROVER: (C, D),
    Who.GOVERNOR: (C, D),
    Who.APPROVER_OR_PERSON: (D,),
    Who.TARGET: (D,),
}


@pytest.fixture(scope="module")
def fleet() -> History:
    history = History(C)
    history.join(B, "approver", "member")
    history.join(D, "observer")
    return history


@pytest.mark.parametrize("kind", sorted(kind for kind, row in KINDS.items() if row.who is not Who.FOUNDER and row.rule))
def test_who_may_not_author_it_is_refused_before_the_body_is_read(fleet: History, kind: str) -> None:
    for machine in (A, B, C, D):
        outcome = fleet.say(machine, kind, b"no body at all").outcome
        assert not outcome.accepted
        assert (outcome.reason == "no_authority") == (machine in _REFUSED[KINDS[kind].who]), machine


def test_published_versions_are_counted_per_machine_and_target_and_the_oldest_leave_the_state() -> None:
    history = History(B, C)
    for number in range(70):
        body = ConfigPublish(target="roo", sha256=bytes([number]) * 32, size=number)
        assert history.say(B, "config.publish", body).outcome.detail["version"] == number + 1
    history.say(C, "config.publish", ConfigPublish(target="roo", sha256=bytes(32), size=1))
    shown = configs_view(history.state)["versions"]
    assert isinstance(shown, list)
    assert [view["version"] for view in shown if view["machine"] == B] == list(range(7, 71))
    assert [view["version"] for view in shown if view["machine"] == C] == [1]


def test_policies_are_shown_with_their_defaults() -> None:
    shown = policies_view(History(B).state)["policies"]
    assert isinstance(shown, list)
    assert {view["name"]: view["value"] for view in shown} == {name: p.default for name, p in POLICIES.items()}
