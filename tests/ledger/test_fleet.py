"""Epochs, commit time, voters, rules."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p.ids import Epoch
from roosync_p2p.ledger.bodies import ClaimAcquire, PolicySet, RulesActivate, RulesSupport, VotersPrefer
from roosync_p2p.ledger.fleet import active_rules, epoch_of, preferred_voters, voters_of
from roosync_p2p.ledger.lifecycle import Phase
from roosync_p2p.ledger.policies import policy_value
from roosync_p2p.ledger.views import claim_view, fleet_view
from roosync_p2p.trust.statements import Recovery, TimeReset
from tests.ledger.deciding import approve, decided
from tests.ledger.history import FLEET, START_MS, A, B, C, D, History, serial


@pytest.fixture
def history() -> History:
    return History(B, C)


def recovery(history: History, **changed: Any) -> Recovery:
    fields = {
        "epoch": 1,
        "machine": B,
        "store": bytes(16),
        "size": history.number,
        "root_hash": bytes(32),
        "dead": (A,),
        "serial": serial(1),
    }
    return Recovery(**{**fields, **changed})


def test_voters_are_noted_whoever_they_are(history: History) -> None:
    history.voters(B, A)
    assert [machine for machine, _ in voters_of(history.state)] == [A, B]
    assert history.told("voters.changed")[-1] == {"voters": [A, B], "before": [A]}


# --- epochs -------------------------------------------------------------------------------------------------------


def test_a_recovery_begins_an_epoch_with_one_voter(history: History) -> None:
    history.epoch = Epoch(1)
    assert history.carry(B, "fleet.recover", recovery(history), epoch=1).outcome.accepted
    state = epoch_of(history.state)
    assert state is not None
    assert (state.epoch, state.machine, state.dead) == (1, B, (A,))
    assert [machine for machine, _ in voters_of(history.state)] == [B]
    assert fleet_view(history.state, FLEET.root)["epoch"] == 1


def test_what_was_written_in_an_older_epoch_gets_its_number_and_no_effect(history: History) -> None:
    old = history.author(C).write("claim.acquire", b"\x83\xa4name\xa1x\xa7session\xa1s\xa6ttl_ms\xcd\xea\x60")
    history.epoch = Epoch(1)
    history.carry(B, "fleet.recover", recovery(history), epoch=1)
    assert history.commit(old).outcome.reason == "old_epoch"
    claim = ClaimAcquire(name="x", ttl_ms=60_000, session="s", epoch=1)
    assert history.say(C, "claim.acquire", claim).outcome.accepted


def test_what_was_written_for_a_later_epoch_has_no_effect_either(history: History) -> None:
    assert history.say(C, "rules.support", RulesSupport(version=1, epoch=1)).outcome.reason == "wrong_epoch"


@pytest.mark.parametrize(("reason", "changed"), [("wrong_epoch", {"epoch": 2}), ("wrong_base", {"size": 1})], ids=str)
def test_a_recovery_for_another_log_is_refused(history: History, reason: str, changed: dict[str, Any]) -> None:
    history.epoch = Epoch(1)
    assert history.carry(B, "fleet.recover", recovery(history, **changed), epoch=1).outcome.reason == reason


def test_an_epoch_begins_once(history: History) -> None:
    history.epoch = Epoch(1)
    history.carry(B, "fleet.recover", recovery(history), epoch=1)
    second = recovery(history, machine=C, serial=serial(2))
    assert history.carry(C, "fleet.recover", second, epoch=1).outcome.reason == "wrong_epoch"


# --- time ---------------------------------------------------------------------------------------------------------


def test_after_a_time_reset_no_claim_outlives_its_length(history: History) -> None:
    history.wait(365 * 24 * 3600)
    history.say(B, "claim.acquire", ClaimAcquire(name="x", ttl_ms=60_000, session="s"))
    history.say(C, "claim.acquire", ClaimAcquire(name="x", ttl_ms=60_000, session="s", queue=True))
    assert history.carry(A, "time.reset", TimeReset(time_ms=START_MS, serial=serial(1))).outcome.accepted
    assert history.told("time.reset")[-1]["time_ms"] == START_MS
    assert claim_view(history.state, "x", time_ms=START_MS + 59_999) is not None
    assert claim_view(history.state, "x", time_ms=START_MS + 60_000) is None
    history.time_ms = START_MS + 60_000
    history.voters(A)
    assert history.told("claim.granted")[-1]["holder"] == {"machine": C, "workspace": "", "session": "s"}


# --- rules --------------------------------------------------------------------------------------------------------


def test_rules_are_activated_when_every_voter_supports_them_and_an_approver_agrees(history: History) -> None:
    history.voters(A, B)
    history.say(A, "rules.support", RulesSupport(version=2))
    refused = history.say(A, "rules.activate", RulesActivate(version=2)).outcome
    assert (refused.reason, refused.detail["missing"]) == ("not_supported", [B])
    history.say(B, "rules.support", RulesSupport(version=3))
    assert history.say(A, "rules.activate", RulesActivate(version=2)).outcome.detail["state"] == "pending"
    assert active_rules(history.state) == 1


def test_a_voter_that_came_meanwhile_and_lacks_them_stops_the_activation(history: History) -> None:
    history.say(A, "rules.support", RulesSupport(version=2))
    decision = history.say(A, "rules.activate", RulesActivate(version=2)).outcome.detail["id"]
    history.voters(A, C)
    outcome = approve(history, A, str(decision)).outcome
    assert (outcome.detail["state"], outcome.detail["reason"]) == ("failed", "not_supported")


def test_rules_are_not_activated_twice_nor_backwards(history: History) -> None:
    assert history.say(A, "rules.activate", RulesActivate(version=1)).outcome.reason == "already_active"


def test_a_program_that_lacks_the_rules_in_force_does_not_go_on(history: History) -> None:
    history.say(A, "rules.support", RulesSupport(version=2))
    body = RulesActivate(version=2, approve=True)
    assert history.say(A, "rules.activate", body).outcome.detail["state"] == "applied"
    assert active_rules(history.state) == 2
    with pytest.raises(AssertionError, match="lacks the rules"):
        history.say(A, "rules.support", RulesSupport(version=2))


# --- wishes and policies ------------------------------------------------------------------------------------------


def test_a_wish_about_voters_takes_an_approval(history: History) -> None:
    assert history.say(B, "voters.prefer", VotersPrefer(machines=(B,))).outcome.reason == "no_authority"
    assert history.say(A, "voters.prefer", VotersPrefer(machines=(D,))).outcome.reason == "unknown_target"
    assert history.say(A, "voters.prefer", VotersPrefer(machines=(C, B), approve=True)).outcome.accepted
    assert preferred_voters(history.state) == (C, B)


@pytest.mark.parametrize(
    ("reason", "name", "value"),
    [
        ("unknown_policy", "no.such", b"1"),
        ("bad_policy_value", "approvals.decisions", b"0"),
        ("bad_policy_value", "approvals.decisions", b"true"),
        ("bad_policy_value", "approvals.decisions", b'"1"'),
        ("bad_policy_value", "conflict.strategy", b'{"nothing":"manual"}'),
        ("bad_policy_value", "conflict.strategy", b'{"*":1}'),
        ("bad_policy_value", "retention.archive", b'"burn"'),
        ("not_canonical", "approvals.decisions", b" 1"),
        ("bad_json", "approvals.decisions", b"{"),
    ],
)
def test_a_policy_with_one_lie_is_refused(history: History, reason: str, name: str, value: bytes) -> None:
    assert history.say(A, "policy.set", PolicySet(name=name, value=value)).outcome.reason == reason


def test_a_plain_member_sets_no_policy(history: History) -> None:
    assert history.say(B, "policy.set", PolicySet(name="voters.most", value=b"3")).outcome.reason == "no_authority"


def test_a_policy_is_set_and_goes_back_to_its_default(history: History) -> None:
    for value, shown in ((b"3", 3), (b"", 5)):
        history.say(A, "policy.set", PolicySet(name="voters.most", value=value))
        decision = f"D{history.number}"
        assert decided(history, decision).state is Phase.PENDING
        assert approve(history, A, decision).outcome.detail["state"] == "applied"
        assert policy_value(history.state, "voters.most") == shown
