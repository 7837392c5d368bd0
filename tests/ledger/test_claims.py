"""Claims: one holder, fencing tokens, expiry by commit time, the line of those who wait."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.bodies import (
    ClaimRelease,
    ClaimRenew,
    ClaimSteal,
    Fence,
    MemberLeave,
    RequestWithdraw,
    RulesSupport,
)
from roosync_p2p.ledger.outcomes import Applied
from roosync_p2p.ledger.views import claim_view, claims_view
from tests.ledger.history import A, B, C, History
from tests.ledger.stories import NAME, acquire


def release(history: History, machine: MachineId, session: str = "s1", **more: Any) -> Applied:
    return history.say(machine, "claim.release", ClaimRelease(name=NAME, session=session, **more))


def holder(history: History) -> tuple[str, str] | None:
    view = claim_view(history.state, NAME, time_ms=history.time_ms)
    if view is None:
        return None
    shown = view["holder"]
    assert isinstance(shown, dict)
    return shown["machine"], shown["session"]


@pytest.fixture
def history() -> History:
    return History(B, C)


def test_the_first_gets_it_and_its_commit_number_is_the_token(history: History) -> None:
    outcome = acquire(history, B, workspace="web", note="the parser").outcome
    assert outcome.accepted
    assert outcome.detail["token"] == history.number
    assert outcome.detail["holder"] == {"machine": B, "workspace": "web", "session": "s1"}


def test_the_loser_is_told_who_holds_it_since_when_and_until_when(history: History) -> None:
    won = acquire(history, B).outcome.detail
    history.wait(1)
    lost = acquire(history, C).outcome
    assert (lost.accepted, lost.reason) == (False, "claim_held")
    assert lost.detail == won


def test_two_sessions_of_one_machine_exclude_each_other(history: History) -> None:
    acquire(history, B, "s1")
    assert acquire(history, B, "s2").outcome.reason == "claim_held"
    assert release(history, B, "s2").outcome.reason == "not_holder"


def test_asking_again_prolongs_and_keeps_the_token(history: History) -> None:
    token = acquire(history, B).outcome.detail["token"]
    history.wait(50)
    assert acquire(history, B).outcome.detail["token"] == token
    history.wait(50)
    assert holder(history) == (B, "s1")


def test_a_claim_ends_at_the_moment_of_its_expiry(history: History) -> None:
    acquire(history, B)
    history.wait(59.999)
    assert holder(history) == (B, "s1")
    history.wait(0.001)
    assert holder(history) is None
    assert acquire(history, C).outcome.accepted


def test_a_renewal_after_expiry_is_refused_even_if_nobody_took_the_claim(history: History) -> None:
    token = acquire(history, B).outcome.detail["token"]
    history.wait(60)
    body = ClaimRenew(name=NAME, token=token, session="s1", ttl_ms=60_000)  # type: ignore[arg-type]
    assert history.say(B, "claim.renew", body).outcome.reason == "expired"


@pytest.mark.parametrize(
    ("machine", "changed"), [(C, {}), (B, {"session": "s2"}), (B, {"token": 1}), (B, {"name": "other"})], ids=str
)
def test_only_the_holder_renews_with_its_token(history: History, machine: MachineId, changed: dict[str, Any]) -> None:
    token = acquire(history, B).outcome.detail["token"]
    body = ClaimRenew(**{"name": NAME, "token": token, "session": "s1", "ttl_ms": 60_000, **changed})
    assert history.say(machine, "claim.renew", body).outcome.reason == "not_holder"


def test_after_a_release_another_takes_it_with_a_larger_token(history: History) -> None:
    token = acquire(history, B).outcome.detail["token"]
    assert release(history, B, token=token).outcome.accepted
    again = acquire(history, C).outcome.detail["token"]
    assert isinstance(again, int)
    assert isinstance(token, int)
    assert again > token


def test_who_waits_in_line_is_served_in_order(history: History) -> None:
    acquire(history, A)
    assert acquire(history, B, queue=True).outcome.detail["queued"] == 1
    assert acquire(history, C, queue=True).outcome.detail["queued"] == 2
    assert acquire(history, B, queue=True).outcome.detail["queued"] == 1
    release(history, A)
    assert holder(history) == (B, "s1")
    assert history.told("claim.granted")[-1]["token"] == history.number
    release(history, B)
    assert holder(history) == (C, "s1")


def test_an_expired_claim_passes_to_the_line_at_the_next_commit_of_whatever_kind(history: History) -> None:
    acquire(history, B)
    acquire(history, C, queue=True)
    history.wait(60)
    history.voters(A, B, C)
    assert holder(history) == (C, "s1")
    assert history.told("claim.expired")[-1]["name"] == NAME


def test_a_renewed_claim_does_not_pass_on(history: History) -> None:
    token = acquire(history, B).outcome.detail["token"]
    acquire(history, C, queue=True)
    history.wait(59)
    body = ClaimRenew(name=NAME, token=token, session="s1", ttl_ms=60_000)  # type: ignore[arg-type]
    assert history.say(B, "claim.renew", body).outcome.accepted
    history.wait(2)
    history.voters(A)
    assert holder(history) == (B, "s1")


def test_who_waited_long_enough_is_passed_over(history: History) -> None:
    acquire(history, A)
    acquire(history, B, queue=True, wait_until_ms=history.time_ms + 10_000)
    acquire(history, C, queue=True)
    history.wait(11)
    release(history, A)
    assert holder(history) == (C, "s1")


def test_a_waiter_can_leave_the_line(history: History) -> None:
    acquire(history, A)
    acquire(history, B, queue=True)
    assert release(history, B).outcome.accepted
    release(history, A)
    assert holder(history) is None


def test_a_release_for_one_request_does_not_release_an_earlier_one(history: History) -> None:
    acquire(history, B)
    acquire(history, B)
    second = history.log[-1][2].id
    assert release(history, B, entry=second).outcome.reason == "not_holder"
    assert holder(history) == (B, "s1")


def test_withdrawing_a_request_releases_what_it_got(history: History) -> None:
    acquire(history, B)
    asked = history.log[-1][2].id
    assert history.say(B, "request.withdraw", RequestWithdraw(entry=asked, name=NAME)).outcome.accepted
    assert holder(history) is None


def test_withdrawing_a_request_leaves_the_line(history: History) -> None:
    acquire(history, A)
    acquire(history, B, queue=True)
    asked = history.log[-1][2].id
    assert history.say(B, "request.withdraw", RequestWithdraw(entry=asked, name=NAME)).outcome.accepted
    assert claim_view(history.state, NAME, time_ms=history.time_ms)["queue"] == []  # type: ignore[index]


def test_what_was_not_granted_cannot_be_withdrawn(history: History) -> None:
    acquire(history, A)
    acquire(history, B)
    asked = history.log[-1][2].id
    assert history.say(B, "request.withdraw", RequestWithdraw(entry=asked, name=NAME)).outcome.reason == "too_late"
    others = history.log[-3][2].id
    assert history.say(B, "request.withdraw", RequestWithdraw(entry=others, name=NAME)).outcome.reason == "too_late"


def test_an_approver_steals_and_the_holder_is_told(history: History) -> None:
    acquire(history, B)
    acquire(history, C, queue=True)
    body = ClaimSteal(name=NAME, ttl_ms=60_000, session="boss", reason="it is urgent")
    assert history.say(A, "claim.steal", body).outcome.accepted
    assert holder(history) == (A, "boss")
    assert history.events[-1].to == (B,)
    release(history, A, "boss")
    assert holder(history) == (C, "s1")


def test_a_plain_member_steals_nothing(history: History) -> None:
    acquire(history, B)
    body = ClaimSteal(name=NAME, ttl_ms=60_000, session="s1")
    assert history.say(C, "claim.steal", body).outcome.reason == "no_authority"


def test_who_leaves_frees_its_claims(history: History) -> None:
    acquire(history, B)
    acquire(history, C, queue=True)
    assert history.say(B, "member.leave", MemberLeave()).outcome.accepted
    assert holder(history) == (C, "s1")


def test_a_fence_lets_only_the_token_in_force_pass(history: History) -> None:
    token = acquire(history, B).outcome.detail["token"]
    assert isinstance(token, int)
    fenced = RulesSupport(version=1, fence=Fence(name=NAME, token=token))
    assert history.say(B, "rules.support", fenced).outcome.accepted
    assert (
        history.say(B, "rules.support", RulesSupport(version=1, fence=Fence(name=NAME, token=1))).outcome.reason
        == "fenced"
    )
    history.wait(60)
    assert history.say(B, "rules.support", fenced).outcome.reason == "fenced"


def test_a_claim_that_comes_too_late_is_refused(history: History) -> None:
    assert acquire(history, B, not_after_ms=history.time_ms).outcome.accepted
    assert acquire(history, C, name="other", not_after_ms=history.time_ms - 1).outcome.reason == "too_late"


def test_expired_claims_are_swept(history: History) -> None:
    for number in range(20):
        acquire(history, B, name=f"old-{number}")
    history.wait(60)
    assert claims_view(history.state, time_ms=history.time_ms) == {"claims": []}
    assert history.state.count("claim") == 20
    for number in range(300):
        acquire(history, B, name=f"new-{number}")
    assert history.state.count("claim") == 300
