"""The quorum of real cores follows the machines that are awake, in virtual time."""

from __future__ import annotations

from typing import Any

from roosync_p2p.core.commands import HandOver
from roosync_p2p.errors import RoosyncError, UndecidedError
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.bodies import VotersPrefer
from roosync_p2p.liveness.profile import Profile, custom
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.fleet import Fleet
from tests.helpers.ordered_fleet import OrderedFleet, acquire

MINUTE_S = 60.0
SLOW = custom(interval_s=5.0, suspect_s=15.0, offline_s=20.0)  # half an hour costs a second


class SlowFleet(OrderedFleet):
    """A fleet whose heartbeats are rare, so that hours can pass."""

    def __init__(self, *names: str, profile: Profile = SLOW) -> None:
        self.fleet = Fleet(names, dice=Dice.of(0, "slow fleet"), profile=profile)
        for member in self.fleet.members.values():
            member.start()
        self.run(20.0)

    def prefer(self, *machines: str) -> None:
        """The founder's approver names them."""
        body = VotersPrefer(machines=tuple(MachineId(machine) for machine in machines), approve=True)
        assert self.done("alpha", "voters.prefer", body)["outcome"]["accepted"]

    def leave(self, name: str) -> None:
        """An orderly stop, within five seconds."""
        self.member(name).leave()
        self.run(5.5)
        assert not self.member(name).running


def test_two_learners_become_voters_when_they_were_awake_for_thirty_minutes() -> None:
    fleet = SlowFleet("alpha", "beta", "gamma")
    fleet.run(29 * MINUTE_S)
    assert fleet.voters("alpha") == ["alpha"]
    fleet.run(2 * MINUTE_S)
    for name in ("alpha", "beta", "gamma"):
        assert fleet.voters(name) == ["alpha", "beta", "gamma"]
    changes = [row.number for row in fleet.commits("beta") if row.kind == "voters"]
    assert len(changes) == 3  # the founding, and one for each
    assert len(fleet.agreement()) == 1


def test_a_preferred_voter_is_promoted_at_once() -> None:
    fleet = SlowFleet("alpha", "beta", "gamma")
    fleet.prefer("gamma")
    fleet.run(2.0)
    assert fleet.voters("alpha") == ["gamma"]
    fleet.prefer("alpha", "beta", "gamma")
    fleet.run(2.0)
    assert fleet.voters("alpha") == ["alpha", "beta", "gamma"]


def test_a_killed_leader_is_replaced_and_demoted_after_ten_minutes() -> None:
    fleet = SlowFleet("alpha", "beta", "gamma", "delta")
    fleet.prefer("alpha", "beta", "gamma")
    fleet.run(2.0)
    assert fleet.leader() == "alpha"
    fleet.fleet.power_off("alpha")
    fleet.run(30.0)
    assert fleet.leader() in ("beta", "gamma")
    assert fleet.done("beta", "claim.acquire", acquire("issue-1"))["outcome"]["accepted"]
    fleet.run(9 * MINUTE_S)
    assert fleet.voters("beta") == ["alpha", "beta", "gamma"]
    fleet.run(2 * MINUTE_S)
    assert "alpha" not in fleet.voters("beta")
    assert len(fleet.voters("beta")) % 2 == 1


def test_the_founder_leaves_first_and_the_others_go_on() -> None:
    fleet = SlowFleet("alpha", "beta", "gamma", "delta")
    fleet.run(31 * MINUTE_S)
    assert len(fleet.voters("alpha")) == 3
    fleet.leave("alpha")
    assert fleet.voters("beta") == ["beta", "delta", "gamma"]  # whoever was a learner took over at once
    assert fleet.done("gamma", "claim.acquire", acquire("issue-1"))["outcome"]["accepted"]


def test_machines_leave_one_by_one_and_the_last_one_still_commits() -> None:
    fleet = SlowFleet("alpha", "beta", "gamma", "delta")
    fleet.run(31 * MINUTE_S)
    for name in ("alpha", "delta", "beta"):
        fleet.leave(name)
        left = fleet.voters("gamma")
        assert name not in left
        assert len(left) % 2 == 1
    assert fleet.voters("gamma") == ["gamma"]
    assert fleet.done("gamma", "claim.acquire", acquire("issue-1"))["outcome"]["accepted"]


def test_a_sole_voter_hands_its_vote_to_a_learner_within_a_second() -> None:
    fleet = SlowFleet("alpha", "beta")
    assert fleet.voters("alpha") == ["alpha"]
    fleet.member("alpha").leave()
    fleet.run(1.0)
    assert not fleet.member("alpha").running
    assert fleet.voters("beta") == ["beta"]
    assert fleet.leader() == "beta"
    assert fleet.done("beta", "claim.acquire", acquire("issue-1"))["outcome"]["accepted"]


def test_with_nobody_awake_a_leaver_holds_the_only_vote_and_the_others_say_so() -> None:
    fleet = SlowFleet("alpha", "beta")
    fleet.fleet.power_off("beta")
    fleet.run(30.0)
    fleet.member("alpha").leave()
    fleet.run(0.5)
    assert not fleet.member("alpha").running
    fleet.member("beta").start()
    fleet.run(40.0)
    answers = fleet.ask("beta", "claim.acquire", acquire("issue-1"), timeout_s=1.0)
    fleet.run(1.5)
    (answer,) = answers
    assert isinstance(answer, UndecidedError)
    assert "alpha, which holds the only vote" in answer.message
    assert answer.details["missing"] == ["alpha"]
    assert answer.details["state"] == "only_vote"
    fleet.member("alpha").start()
    fleet.run(30.0)
    assert fleet.log("beta").unordered() == []


def test_a_leaver_that_does_not_lead_is_let_go_by_whoever_does() -> None:
    fleet = SlowFleet("alpha", "beta", "gamma")
    fleet.prefer("alpha", "beta", "gamma")
    fleet.run(2.0)
    fleet.member("gamma").leave()
    fleet.run(1.0)
    assert not fleet.member("gamma").running
    assert fleet.leader() == "alpha"
    assert fleet.voters("alpha") in (["alpha"], ["beta"])


def test_a_new_leader_does_not_count_on_the_one_before_when_somebody_leaves() -> None:
    fleet = SlowFleet("alpha", "beta", "gamma")
    fleet.prefer("alpha", "beta", "gamma")
    fleet.run(2.0)
    fleet.fleet.power_off("alpha")
    while not [name for name in ("beta", "gamma") if fleet.log(name).order.leads]:
        fleet.run(0.001)
    leader = fleet.leader()
    fleet.member("gamma" if leader == "beta" else "beta").leave()
    fleet.run(4.0)
    # Without the leaver the two that are left would be one that is there and one that is gone.
    assert fleet.voters(leader) == ["alpha", "beta", "gamma"]


def test_without_a_majority_a_leaver_goes_after_five_seconds() -> None:
    fleet = SlowFleet("alpha", "beta", "gamma")
    fleet.prefer("alpha", "beta", "gamma")
    fleet.run(2.0)
    fleet.fleet.power_off("alpha")
    fleet.fleet.power_off("beta")
    fleet.run(30.0)
    fleet.member("gamma").leave()
    fleet.run(4.5)
    assert fleet.member("gamma").running
    fleet.run(1.0)
    assert not fleet.member("gamma").running


def test_a_computer_that_is_about_to_sleep_hands_over_and_gets_no_vote_back_for_a_while() -> None:
    fleet = SlowFleet("alpha", "beta", "gamma")
    fleet.run(31 * MINUTE_S)
    answers: list[dict[str, Any] | RoosyncError] = []
    fleet.member("alpha").request(HandOver(timeout_s=5.0), answers.append)
    fleet.run(3.0)
    (answer,) = answers
    assert isinstance(answer, dict)
    assert answer["handed_over"] is True
    assert answer["state"] == "handed over"
    assert "alpha" not in fleet.voters("beta")
    fleet.run(30.0)
    assert "alpha" not in fleet.voters("beta")


def test_a_learner_that_no_leader_reaches_asks_whoever_has_more() -> None:
    fleet = SlowFleet("alpha", "beta", "gamma")
    layer = fleet.fleet.cut("alpha", "gamma", both_ways=True)
    fleet.run(60.0)
    answer = fleet.done("alpha", "claim.acquire", acquire("issue-1"))
    fleet.run(30.0)
    assert fleet.commits("gamma")[-1].number >= answer["commit_number"]
    fleet.fleet.paths.remove(layer)
    assert len(fleet.agreement()) == 1


def test_awake_time_goes_to_the_disk_once_an_hour_and_is_known_after_a_restart() -> None:
    fleet = SlowFleet("alpha", "beta")
    fleet.run(70 * MINUTE_S)
    assert fleet.member("alpha").disk.load().meta["awake"]
    fleet.member("alpha").crash()
    fleet.member("alpha").start()
    book = fleet.log("alpha").seats.known.book
    now_ms = fleet.member("alpha").clock.now().wall_ms
    assert book.awake_s(MachineId("alpha"), now_ms) >= 59 * MINUTE_S
