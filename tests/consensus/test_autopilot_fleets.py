"""What the rules together do for fleets over weeks, and when a fleet is shut down machine by machine."""

from __future__ import annotations

import random

import pytest

from roosync_p2p.ids import MachineId
from tests.consensus.fleets import Computer, DecidingFleet, Pattern, always, now_and_then

MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def sleepers(count: int, awake_min: float, every_min: float, *, seed: int) -> list[Computer]:
    """Machines that are awake now and then, each at its own times."""
    dice = random.Random(seed)
    return [
        Computer(
            f"sleeper-{number}",
            now_and_then(awake_min * MINUTE_S, every_min * MINUTE_S, first_s=dice.uniform(0, every_min) * MINUTE_S),
        )
        for number in range(1, count + 1)
    ]


def share_without_quorum(name: str, fleet: DecidingFleet, days: float) -> float:
    """Runs a fleet and says how it went."""
    fleet.run(days * DAY_S)
    share = fleet.without_quorum_s / (days * DAY_S)
    print(
        f"{name}: {share:.3%} of {days:g} days without a quorum, {len(fleet.changes)} changes, "
        f"voters now {', '.join(voter.machine for voter in fleet.voters)}"
    )
    return share


# --- one machine always on, five awake twenty minutes of every 210 with silent sleep, thirty days -------------------


def test_a_fleet_founded_by_the_machine_that_is_always_on_commits_at_any_time() -> None:
    fleet = DecidingFleet([Computer("server", always), *sleepers(5, 20, 210, seed=1)])
    assert share_without_quorum("founded by the server", fleet, 30) == 0
    assert fleet.changes == []


@pytest.mark.parametrize("seed", range(2))
def test_a_fleet_founded_by_a_laptop_hands_its_vote_to_the_machine_that_is_always_on(seed: int) -> None:
    founder = Computer("founder", now_and_then(20 * MINUTE_S, 210 * MINUTE_S))
    fleet = DecidingFleet([founder, Computer("server", always), *sleepers(4, 20, 210, seed=seed)])
    assert share_without_quorum(f"founded by a laptop, seed {seed}", fleet, 30) < 0.01
    assert [voter.machine for voter in fleet.voters] == ["server"]


def test_laptops_that_sleep_at_random_do_not_take_the_quorum_with_them() -> None:
    dice = random.Random(1)
    fleet = DecidingFleet([Computer("server", always), *(Computer(f"pc-{n}", _restless(dice)) for n in range(5))])
    assert share_without_quorum("random sleep, 5 to 25 minutes awake", fleet, 30) < 0.01


@pytest.mark.parametrize("awake_min", [35, 60, 120])
def test_who_is_awake_for_longer_and_sleeps_without_a_word_is_trusted_once(awake_min: float) -> None:
    """They are promoted after half an hour. Two that fall asleep within ten minutes take the majority along, once."""
    fleet = DecidingFleet([Computer("server", always), *sleepers(5, awake_min, 210, seed=4)])
    assert share_without_quorum(f"awake {awake_min:g} minutes of 210", fleet, 30) < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_pcs_that_fall_asleep_together_in_the_evening_take_the_quorum_with_them_once(seed: int) -> None:
    """Five PCs, awake from nine to five, and one machine that is always on."""
    office = [Computer(f"pc-{n}", now_and_then(8 * HOUR_S, DAY_S, first_s=9 * HOUR_S + n * 400)) for n in range(5)]
    fleet = DecidingFleet([Computer("server", always), *office], seed=seed)
    share = share_without_quorum(f"an office, seed {seed}", fleet, 30)
    assert share * 30 * DAY_S < 17 * HOUR_S
    assert [voter.machine for voter in fleet.voters] == ["server"]


def test_where_everybody_sleeps_at_night_there_are_several_voters_by_day() -> None:
    office = [Computer(f"pc-{n}", now_and_then(8 * HOUR_S, DAY_S, first_s=9 * HOUR_S + n * 60)) for n in range(5)]
    fleet = DecidingFleet(office)
    share_without_quorum("an office without a server", fleet, 10)
    fleet.run(12 * HOUR_S)
    assert len(fleet.voters) == 3
    assert fleet.quorum


def _restless(dice: random.Random) -> Pattern:
    """Awake for five to 25 minutes, asleep for one to six hours, and so on."""
    ends: list[float] = [dice.uniform(0, 3 * HOUR_S)]
    while ends[-1] < 31 * DAY_S:
        ends.append(ends[-1] + dice.uniform(5 * MINUTE_S, 25 * MINUTE_S))
        ends.append(ends[-1] + dice.uniform(HOUR_S, 6 * HOUR_S))
    place = 0

    def awake(at_s: float) -> bool:
        nonlocal place
        while ends[place] <= at_s:
            place += 1
        return place % 2 == 1

    return awake


# --- five machines are shut down, the founder first -----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_machines_that_shut_down_one_by_one_leave_the_votes_to_those_who_stay(seed: int) -> None:
    dice = random.Random(seed)
    names = ["founder", "b", "c", "d", "e"]
    fleet = DecidingFleet([Computer(name, always) for name in names])
    fleet.run(dice.choice([MINUTE_S, HOUR_S, 3 * HOUR_S]))
    order = ["founder", *dice.sample(names[1:], 4)]
    shown = [_voters(fleet)]
    for name in order[:-1]:
        fleet.shut_down(name)
        shown.append(f"-{name}: {_voters(fleet)}")
        assert fleet.elect(), shown
        assert name not in _voters(fleet).split()
        assert len(fleet.voters) % 2 == 1
        fleet.run(dice.choice([0.0, 5 * MINUTE_S]))
    print(f"seed {seed}: " + " | ".join(shown))
    last = order[-1]
    assert _voters(fleet) == last
    assert fleet.shut_down(last).text == "leaving, holds the only vote"


def test_whoever_comes_back_does_not_vote_and_whoever_left_last_does() -> None:
    fleet = DecidingFleet([Computer(name, always) for name in "abc"])
    fleet.run(HOUR_S)
    for name in "abc":
        fleet.shut_down(name)
    fleet.computers["a"].off = fleet.computers["a"].leaving = False
    fleet.run(10 * MINUTE_S)
    assert fleet.leader is None
    fleet.computers["c"].off = fleet.computers["c"].leaving = False
    fleet.run(MINUTE_S)
    assert fleet.leader == "c"


def test_a_preferred_machine_gets_a_seat_at_once_and_keeps_it() -> None:
    fleet = DecidingFleet([Computer(name, always) for name in "abcd"], preferred=frozenset({MachineId("d")}))
    fleet.run(MINUTE_S)
    assert "d" in _voters(fleet)
    fleet.run(HOUR_S)
    assert "d" in _voters(fleet)
    assert len(fleet.voters) == 3


def _voters(fleet: DecidingFleet) -> str:
    return " ".join(sorted(voter.machine for voter in fleet.voters))
