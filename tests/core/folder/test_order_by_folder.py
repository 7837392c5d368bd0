"""Decisions go on through the shared folder where one machine holds the only vote, and wait where none does."""

from __future__ import annotations

import itertools

from roosync_p2p.core.memory_folder import ShareFaults
from roosync_p2p.errors import UndecidedError
from roosync_p2p.gossip.folder_paths import LogFile, parse_path
from tests.helpers.ordered_fleet import OrderedFleet, acquire


def _share(fleet: OrderedFleet, **faults: tuple[float, float]) -> None:
    assert fleet.fleet.share is not None
    fleet.fleet.share.faults = ShareFaults(**faults)  # type: ignore[arg-type]


def test_a_single_voter_decides_for_a_machine_that_only_the_folder_reaches() -> None:
    fleet = OrderedFleet("alpha", "beta", folder=True)
    fleet.cut_all()
    _share(fleet, lag_s=(2.0, 10.0))
    fleet.run(60)
    answers = fleet.ask("beta", "claim.acquire", acquire("bug-1"), timeout_s=120.0)
    fleet.run(60)
    (answer,) = answers
    assert isinstance(answer, dict), answer
    assert answer["outcome"]["accepted"] is True, answer
    fleet.run(60)
    assert len(fleet.agreement()) == 1
    fleet.ask("alpha", "claim.acquire", acquire("bug-2"))
    fleet.run(60)
    assert len(fleet.agreement()) == 1
    assert fleet.log("beta").applier.number == fleet.log("alpha").applier.number


def test_what_was_decided_comes_in_files_that_follow_each_other_and_are_written_by_the_leader() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=(), autopilot=False, folder=True)
    fleet.cut_all()
    fleet.run(30)
    for number in range(10):
        fleet.ask("alpha", "claim.acquire", acquire(f"bug-{number}"))
        fleet.run(5)
    fleet.run(60)
    assert len(fleet.agreement()) == 1
    folder = fleet.member("beta").folder
    assert folder is not None
    runs = [name for path in folder.files if isinstance(name := parse_path(path), LogFile)]
    assert {name.owner for name in runs} == {"alpha"}
    ordered = sorted(runs, key=lambda name: name.first)
    assert ordered[0].first == 1
    assert all(after.first == before.last + 1 for before, after in itertools.pairwise(ordered))


def test_three_voters_without_a_link_decide_nothing_and_name_who_is_missing() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=("beta", "gamma"), folder=True)
    layers = fleet.cut_all()
    fleet.run(120)
    before = {name: fleet.log(name).applier.number for name in ("alpha", "beta", "gamma")}
    answers = fleet.ask("beta", "claim.acquire", acquire("bug-1"), timeout_s=60.0)
    fleet.run(70)
    (answer,) = answers
    assert isinstance(answer, UndecidedError), answer
    assert answer.details["missing"] == ["alpha", "gamma"]
    assert "shared folder" in answer.message
    assert {name: fleet.log(name).applier.number for name in before} == before
    fleet.heal_all(layers)
    fleet.run(90)
    assert len(fleet.agreement()) == 1
    assert fleet.log("alpha").applier.number == before["alpha"] + 1


def test_when_links_come_back_the_log_goes_on_where_the_folder_left_it() -> None:
    fleet = OrderedFleet("alpha", "beta", autopilot=False, folder=True)
    layers = fleet.cut_all()
    fleet.run(30)
    fleet.ask("beta", "claim.acquire", acquire("bug-1"), timeout_s=60.0)
    fleet.run(60)
    fleet.heal_all(layers)
    fleet.run(90)
    assert fleet.done("beta", "claim.acquire", acquire("bug-2"))["outcome"]["accepted"] is True
    assert len(fleet.agreement()) == 1
