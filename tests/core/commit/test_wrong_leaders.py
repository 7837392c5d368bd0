"""A leader whose clock is a year ahead, or ten minutes behind: no claim is over before its time, and none stays longer.

Real cores in virtual time. That stamps are the median's is in ``test_clock.py``; here is what it is for.
"""

from __future__ import annotations

import pytest

from roosync_p2p.clock import parse_rfc3339
from roosync_p2p.ledger.bodies import ClaimRenew
from roosync_p2p.ledger.claims import held
from tests.helpers.ordered_fleet import OrderedFleet, acquire

YEAR_MS = 366 * 24 * 3_600_000
TEN_MINUTES_MS = 600_000
TTL_S = 300.0
NEAR_MS = 5_000
NAMES = ("alpha", "beta", "gamma", "delta")

offsets = pytest.mark.parametrize("offset_ms", [YEAR_MS, -TEN_MINUTES_MS], ids=["a year ahead", "ten minutes behind"])
voting = pytest.mark.parametrize("voters", [(), ("beta", "gamma")], ids=["one voter", "three voters"])


def true_ms(fleet: OrderedFleet) -> int:
    """What a right clock shows."""
    return fleet.member("delta").clock.now().wall_ms


def stamped_ms(fleet: OrderedFleet, name: str, claim: str) -> int:
    """The commit time that an entry of that machine gets now."""
    return parse_rfc3339(str(fleet.done(name, "claim.acquire", acquire(claim))["time"]))


def refused(fleet: OrderedFleet, name: str) -> bool:
    """Whether a rival's request for the claim is refused because it is held."""
    outcome = fleet.done(name, "claim.acquire", acquire("held", session="rival"))["outcome"]
    return (outcome["reason"], outcome["detail"].get("holder", {}).get("machine")) == ("claim_held", "beta")


def held_everywhere(fleet: OrderedFleet) -> bool:
    """Whether every running node takes it to be held now."""
    logs = [member.node().commit for member in fleet.fleet.running()]
    return all(held(log.state, "held", log.clock.now_ms()) is not None for log in logs)


@offsets
@voting
def test_a_claim_lasts_as_long_as_it_was_granted_for_whatever_the_leaders_clock_shows(
    voters: tuple[str, ...], offset_ms: int
) -> None:
    fleet = OrderedFleet(*NAMES, voters=voters, autopilot=False)
    fleet.done("beta", "claim.acquire", acquire("held", ttl_s=TTL_S))
    granted_s = fleet.fleet.now_s
    alpha = fleet.member("alpha")
    alpha.clock.offset_ms = offset_ms
    assert fleet.leader() == "alpha"
    assert refused(fleet, "alpha"), "in the very moment in which the clock was set"
    for time in range(6):
        fleet.run(40.0)
        assert refused(fleet, "gamma"), time
        assert held_everywhere(fleet), time
        assert abs(stamped_ms(fleet, "delta", f"claim {time}") - true_ms(fleet)) < NEAR_MS
        if time == 2:  # the leader starts anew, with the same clock
            alpha.crash()
            alpha.start()
            fleet.run(8.0)
    fleet.run(granted_s + TTL_S - fleet.fleet.now_s + 5.0)
    assert not held_everywhere(fleet)
    late = fleet.done("beta", "claim.renew", ClaimRenew(name="held", token=_token(fleet), session="s1", ttl_ms=60_000))
    assert late["outcome"]["reason"] == "expired"
    assert fleet.done("gamma", "claim.acquire", acquire("held", session="rival"))["outcome"]["accepted"]
    alpha.clock.offset_ms = 0
    fleet.run(5.0)
    assert abs(stamped_ms(fleet, "alpha", "after") - true_ms(fleet)) < NEAR_MS
    assert [warned.code for warned in fleet.log("alpha").clock.warnings()] == []
    assert len(fleet.agreement()) == 1


def _token(fleet: OrderedFleet) -> int:
    claim = held(fleet.log("beta").state, "held", 0)
    assert claim is not None
    return claim.token


@offsets
def test_who_comes_to_lead_with_a_wrong_clock_ends_no_claim(offset_ms: int) -> None:
    fleet = OrderedFleet(*NAMES, voters=["beta", "gamma"], autopilot=False)
    fleet.done("beta", "claim.acquire", acquire("held", ttl_s=TTL_S))
    fleet.member("gamma").clock.offset_ms = offset_ms
    for _ in range(10):
        leader = fleet.leader()
        if leader == "gamma":
            break
        fleet.member(leader).crash()
        fleet.run(5.0)
        fleet.member(leader).start()
        fleet.run(8.0)
    assert fleet.leader() == "gamma"
    assert refused(fleet, "delta")
    assert held_everywhere(fleet)
    assert abs(stamped_ms(fleet, "gamma", "x") - true_ms(fleet)) < NEAR_MS


@offsets
def test_what_a_wrong_clock_stamped_while_nobody_was_there_is_made_good_when_they_return(offset_ms: int) -> None:
    """Ten minutes behind it stamps the newest stamp again and again; a year ahead it stamps nothing at all."""
    fleet = OrderedFleet(*NAMES)
    fleet.done("beta", "claim.acquire", acquire("held", ttl_s=2 * TTL_S))
    for name in ("beta", "gamma", "delta"):
        fleet.fleet.power_off(name)
    fleet.member("alpha").clock.offset_ms = offset_ms
    fleet.run(120.0)
    answers = fleet.ask("alpha", "claim.acquire", acquire("alone"), timeout_s=600.0)
    fleet.run(120.0)
    assert bool(answers) is (offset_ms < 0)
    for name in ("beta", "gamma", "delta"):
        fleet.member(name).start()
    fleet.run(15.0)
    assert len(answers) == 1
    assert refused(fleet, "gamma")
    assert held_everywhere(fleet)
    assert abs(stamped_ms(fleet, "delta", "x") - true_ms(fleet)) < NEAR_MS
    assert len(fleet.agreement()) == 1
