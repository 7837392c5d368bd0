"""Commit time at real cores: stamps, alarms, a lone clock, and the root that sets time back."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.clock import parse_rfc3339
from roosync_p2p.core.commands import AcceptClock
from roosync_p2p.errors import UndecidedError, UntrustedError
from roosync_p2p.ids import FleetId
from roosync_p2p.ledger.bodies import Carrier
from roosync_p2p.trust.directory import ROOT_AUTHOR
from roosync_p2p.trust.statements import TimeReset, seal_statement
from tests.helpers.ordered_fleet import OrderedFleet, acquire

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def true_ms(fleet: OrderedFleet) -> int:
    """What a right clock shows."""
    return fleet.member("gamma").clock.now().wall_ms


def stamped_ms(fleet: OrderedFleet, name: str, claim: str) -> int:
    """The commit time that an entry of that machine gets now."""
    return parse_rfc3339(str(fleet.done(name, "claim.acquire", acquire(claim))["time"]))


def codes(fleet: OrderedFleet, name: str) -> list[str]:
    """What a machine warns about its clock."""
    return [warned.code for warned in fleet.log(name).clock.warnings()]


def test_a_leader_whose_clock_is_off_stamps_the_median_and_warns() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    fleet.member("alpha").clock.offset_ms = HOUR_MS
    fleet.run(5.0)
    assert abs(stamped_ms(fleet, "beta", "issue-1") - true_ms(fleet)) < 3_000
    assert codes(fleet, "alpha") == ["clock_off"]
    assert fleet.member("alpha").node().desk.counters["alarm.clock_off"] == 1
    assert codes(fleet, "beta") == []
    fleet.member("alpha").clock.offset_ms = 0
    fleet.run(5.0)
    assert codes(fleet, "alpha") == []


def test_stamps_never_go_back() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    first = stamped_ms(fleet, "alpha", "issue-1")
    for name in ("alpha", "beta", "gamma"):
        fleet.member(name).clock.offset_ms = -HOUR_MS
    fleet.run(5.0)
    assert stamped_ms(fleet, "alpha", "issue-2") >= first


def test_a_follower_knows_commit_time_by_the_newest_stamp_and_not_by_its_own_clock() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    fleet.member("beta").clock.offset_ms = -HOUR_MS
    fleet.run(5.0)
    stamped_ms(fleet, "alpha", "issue-1")
    fleet.run(60.0)
    assert abs(fleet.log("beta").clock.now_ms() - true_ms(fleet)) < 3_000


def test_a_follower_does_not_believe_a_stamp_far_ahead_unless_its_own_clock_is_off() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    clock = fleet.log("beta").clock
    assert clock.believes(true_ms(fleet) + 9_000)
    assert not clock.believes(true_ms(fleet) + 11_000)
    fleet.member("beta").clock.offset_ms = -HOUR_MS
    fleet.run(5.0)
    assert clock.believes(true_ms(fleet) + 11_000)


def test_one_of_two_voters_takes_any_stamp_because_without_it_nothing_would_ever_be_decided() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta"])
    assert fleet.log("beta").clock.believes(true_ms(fleet) + DAY_MS)


def test_a_voter_that_is_needed_takes_any_stamp_and_refuses_again_when_another_is_back() -> None:
    """Of three voters one is gone: the item of the other could never be got rid of without it."""
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    assert fleet.leader() == "alpha"
    clock, ahead_ms = fleet.log("beta").clock, DAY_MS
    assert not clock.believes(true_ms(fleet) + ahead_ms)
    fleet.fleet.power_off("gamma")
    fleet.run(6.0)
    assert clock.believes(fleet.member("beta").clock.now().wall_ms + ahead_ms)
    fleet.member("gamma").start()
    fleet.run(10.0)
    assert not clock.believes(true_ms(fleet) + ahead_ms)


def test_a_leader_among_other_voters_stamps_nothing_before_it_has_heard_one_of_their_clocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    clock = fleet.log("alpha").clock
    assert clock.may_stamp()
    monkeypatch.setattr(clock, "_read", list)
    fleet.run(2.0)
    assert not clock.may_stamp()
    answers = fleet.ask("alpha", "claim.acquire", acquire("issue-1"))
    fleet.run(1.0)
    assert answers == []
    monkeypatch.undo()
    fleet.run(2.0)
    assert len(answers) == 1


def test_a_leader_that_stamps_the_future_loses_the_lead_and_the_item_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    honest = fleet.log("alpha").clock.stamp_ms
    monkeypatch.setattr(fleet.log("alpha").clock, "stamp_ms", lambda: honest() + DAY_MS)
    assert fleet.leader() == "alpha"
    answers = fleet.ask("beta", "claim.acquire", acquire("issue-1"), timeout_s=30.0)
    fleet.run(20.0)
    assert fleet.leader() in ("beta", "gamma")
    (answer,) = answers
    assert isinstance(answer, dict)
    assert abs(parse_rfc3339(str(answer["time"])) - true_ms(fleet)) < 30_000
    refused = [fleet.member(name).node().desk.counters["consensus.stamp_refused"] for name in ("beta", "gamma")]
    assert all(refused), refused
    assert len(fleet.agreement()) == 1


def test_a_commit_time_that_is_ahead_already_is_believed_until_clocks_have_caught_up() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    for name in ("alpha", "beta", "gamma"):
        fleet.member(name).clock.offset_ms = HOUR_MS
    fleet.run(5.0)
    ahead_ms = stamped_ms(fleet, "beta", "issue-1")
    for name in ("alpha", "beta", "gamma"):
        fleet.member(name).clock.offset_ms = 0
    fleet.run(5.0)
    assert stamped_ms(fleet, "beta", "issue-2") == stamped_ms(fleet, "gamma", "issue-3") == ahead_ms


def test_a_lone_clock_far_past_the_newest_stamp_waits_for_a_second_one() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    stamped_ms(fleet, "alpha", "issue-1")
    fleet.fleet.power_off("beta")
    fleet.fleet.power_off("gamma")
    fleet.member("alpha").clock.offset_ms = 2 * DAY_MS
    fleet.run(70.0)
    assert codes(fleet, "alpha") == ["clock_unconfirmed"]
    answers = fleet.ask("alpha", "claim.acquire", acquire("issue-2"), timeout_s=1.0)
    fleet.run(1.5)
    (answer,) = answers
    assert isinstance(answer, UndecidedError)
    assert answer.details["state"] == "clock"
    fleet.member("beta").clock.offset_ms = 2 * DAY_MS
    fleet.member("beta").start()
    fleet.run(15.0)
    assert fleet.log("alpha").unordered() == []


def test_a_person_may_vouch_for_a_lone_clock() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    stamped_ms(fleet, "alpha", "issue-1")
    fleet.fleet.power_off("beta")
    fleet.fleet.power_off("gamma")
    fleet.member("alpha").clock.offset_ms = 2 * DAY_MS
    fleet.run(70.0)
    fleet.member("alpha").request(AcceptClock(), lambda _: None)
    assert stamped_ms(fleet, "alpha", "issue-2") > true_ms(fleet) + DAY_MS
    assert codes(fleet, "alpha") == []


def test_a_lone_issuer_whose_clock_is_a_year_ahead_dates_no_certificate_by_it() -> None:
    """What was issued a year ahead would be of no use for a year, and count as the newest all the same."""
    fleet = OrderedFleet("alpha", "beta", "gamma")
    stamped_ms(fleet, "alpha", "issue-1")
    for name in ("beta", "gamma"):
        fleet.fleet.power_off(name)
    own = fleet.member("alpha").node().certificates
    before = own.own
    fleet.member("alpha").clock.offset_ms = 366 * DAY_MS
    fleet.run(200.0)
    assert (own.expired(), own.own) == (True, before)
    assert "no other clock confirms" in own.refusal
    wrong_ms = fleet.member("alpha").clock.now().wall_ms
    clock = fleet.log("alpha").clock
    assert "366.0 days ahead of" in clock.doubtful(true_ms(fleet))
    assert clock.doubtful(wrong_ms) == ""
    with pytest.raises(UntrustedError) as refused:
        own.require_clock(None)
    assert refused.value.code == "clock_doubtful"
    fleet.member("alpha").request(AcceptClock(), lambda _: None)
    fleet.run(limits.CERTIFICATE_ASK_S + 5)
    assert own.own.not_before_s > before.not_after_s - limits.CERTIFICATE_BACKDATE_S


def test_a_clock_that_others_confirmed_is_believed_also_after_they_have_gone() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    stamped_ms(fleet, "alpha", "issue-1")
    for name in ("beta", "gamma"):
        fleet.fleet.power_off(name)
    clock = fleet.log("alpha").clock
    assert clock.doubtful() == ""
    fleet.run(70.0)
    fleet.member("alpha").clock.offset_ms = 3 * DAY_MS
    fleet.run(1.0)
    assert "no other clock" in clock.doubtful()
    fleet.member("alpha").clock.offset_ms = 0
    fleet.run(1.0)
    assert clock.doubtful() == ""
    fleet.member("beta").clock.offset_ms = -3 * DAY_MS
    fleet.member("beta").start()
    fleet.run(5.0)
    assert "3.0 days ahead of the others'" in clock.doubtful()


def test_the_root_sets_commit_time_back_and_stamps_go_on_from_there() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    for name in ("alpha", "beta"):
        fleet.member(name).clock.offset_ms = 9 * HOUR_MS
    fleet.run(5.0)
    assert stamped_ms(fleet, "alpha", "issue-1") > true_ms(fleet) + 8 * HOUR_MS
    for name in ("alpha", "beta"):
        fleet.member(name).clock.offset_ms = 0
    fleet.run(5.0)
    assert stamped_ms(fleet, "alpha", "issue-2") > true_ms(fleet) + 8 * HOUR_MS
    keys = fleet.fleet.keys
    said = TimeReset(time_ms=true_ms(fleet), serial=b"r" * 16, reason="two clocks were wrong")
    statement = seal_statement(keys.root_key, said, fleet=FleetId(keys.root_key.key_id), author=ROOT_AUTHOR)
    assert fleet.done("alpha", "time.reset", Carrier(statement=statement))["outcome"]["accepted"]
    assert abs(stamped_ms(fleet, "beta", "issue-3") - true_ms(fleet)) < 3_000
    assert abs(fleet.log("gamma").clock.now_ms() - true_ms(fleet)) < 3_000
    fleet.member("alpha").crash()
    fleet.member("alpha").start()
    fleet.run(10.0)
    assert abs(stamped_ms(fleet, "beta", "issue-4") - true_ms(fleet)) < 3_000
