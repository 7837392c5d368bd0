"""A majority is lost for good: what becomes of the fleet, machine by machine. Real cores in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p.core import view
from roosync_p2p.core.commands import SeeLost
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.errors import InputFault, RoosyncError
from roosync_p2p.ids import Epoch
from roosync_p2p.ledger.fleet import epoch_of, voters_of
from roosync_p2p.simulation.member import CrashPoint
from tests.core.commit.stage import Stage


@pytest.fixture
def stage() -> Stage:
    """Three voters with one claim in the order, equally far."""
    stage = Stage("alpha", "beta", "gamma", voters=3)
    stage.claimed("beta", "before")
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    return stage


def lost(stage: Stage, name: str) -> list[dict[str, Any]]:
    """What a machine lists as lost, as status shows it."""
    found = [one for one in view.warnings(stage.member(name).node()) if one["code"] == "lost_branch"]
    commits: list[dict[str, Any]] = []
    for one in found:
        details: Any = one["details"]
        commits += details["commits"]
    return commits


def holder(stage: Stage, name: str, claim: str) -> bytes | None:
    """The claim as a machine has it."""
    return stage.log(name).state.get(f"claim/{claim}")


# --- lost for good ------------------------------------------------------------------------------------------------


def test_after_two_of_three_voters_are_lost_the_third_goes_on_alone(stage: Stage) -> None:
    stage.power_off(["alpha", "beta"])
    stage.run(5)
    base = stage.number("gamma")
    assert stage.recover("gamma", stage.signed(stage.said("gamma"))) == {"epoch": 1, "base": base, "lost": 0}
    assert stage.claimed("gamma", "after")["outcome"]["accepted"]
    log = stage.log("gamma")
    state = epoch_of(log.state)
    assert state is not None
    assert (state.epoch, state.size, state.machine) == (1, base, "gamma")
    assert voters_of(log.state) == (("gamma", stage.seat("gamma").store),)
    assert stage.outcomes("gamma", base + 1) == [
        ("voters", ""),
        ("fleet.recover", ""),
        ("claim.acquire", ""),
    ]
    assert lost(stage, "gamma") == []


def test_a_request_that_waited_is_asked_anew_once_and_its_caller_is_answered(stage: Stage) -> None:
    stage.power_off(["alpha", "beta"])
    stage.run(2)
    answers = stage.claim("gamma", "patient", key="k")
    stage.run(5)
    assert answers == []
    base = stage.number("gamma")
    stage.recover("gamma", stage.signed(stage.said("gamma")))
    stage.until(lambda: bool(answers))
    answer = answers[0]
    assert isinstance(answer, dict)
    assert answer["outcome"]["accepted"]
    stage.run(5)
    assert stage.outcomes("gamma", base + 2) == [
        ("claim.acquire", "old_epoch"),
        ("fleet.recover", ""),
        ("claim.acquire", ""),
    ]
    first = stage.commits("gamma")[base + 1].entry
    assert first is not None
    assert stage.log("gamma").again.now(first).hex() == answer["entry"]
    stage.member("gamma").crash()
    stage.member("gamma").start()
    stage.run(10)
    assert stage.log("gamma").again.now(first).hex() == answer["entry"]
    assert stage.kinds("gamma", base + 5) == []


def test_a_claim_whose_caller_gave_up_is_not_asked_anew(stage: Stage) -> None:
    stage.power_off(["alpha", "beta"])
    stage.run(2)
    answers = stage.claim("gamma", "impatient", timeout_s=3.0)
    stage.run(5)
    assert isinstance(answers[0], RoosyncError)
    base = stage.number("gamma")
    stage.recover("gamma", stage.signed(stage.said("gamma")))
    stage.claimed("gamma", "after")
    stage.run(5)
    assert stage.kinds("gamma", base + 1) == [
        "voters",
        "claim.acquire",
        "request.withdraw",
        "fleet.recover",
        "claim.acquire",
    ]
    assert holder(stage, "gamma", "impatient") is None


def test_a_caller_who_gives_up_while_the_request_waits_in_the_new_epoch_gets_nothing_either(stage: Stage) -> None:
    layer = stage.partition(["gamma"])
    stage.run(6)
    answers = stage.claim("alpha", "late", timeout_s=600.0)
    stage.run(1)
    assert isinstance(answers[0], dict)  # two of three are a majority
    waiting = stage.claim("gamma", "later", timeout_s=12.0)
    stage.run(5)
    said = stage.said("alpha")
    stage.recover("alpha", stage.signed(said))
    stage.until(lambda: stage.log("beta").order.epoch == 1)
    stage.run(8)
    assert isinstance(waiting[0], RoosyncError)
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    stage.run(5)
    assert holder(stage, "gamma", "later") is None


def test_whoever_is_only_a_learner_follows_the_new_epoch() -> None:
    stage = Stage("alpha", "beta", "gamma", "delta", voters=3)
    stage.claimed("delta", "before")
    stage.until(lambda: stage.alike("alpha", "beta", "gamma", "delta"))
    stage.power_off(["alpha", "beta"])
    answers = stage.claim("delta", "patient")
    stage.run(5)
    stage.recover("gamma", stage.signed(stage.said("gamma")))
    stage.until(lambda: bool(answers))
    assert isinstance(answers[0], dict)
    stage.until(lambda: stage.alike("gamma", "delta"))
    assert stage.log("delta").order.epoch == 1
    stage.add_voter("delta")
    assert stage.claimed("delta", "after")["outcome"]["accepted"]


def test_a_learner_may_be_the_one_that_goes_on() -> None:
    stage = Stage("alpha", "beta", "gamma", "delta", voters=3)
    stage.claimed("delta", "before")
    stage.until(lambda: stage.alike("alpha", "beta", "gamma", "delta"))
    stage.power_off(["alpha", "beta"])
    stage.run(3)
    stage.recover("delta", stage.signed(stage.said("delta")))
    assert stage.claimed("gamma", "after")["outcome"]["accepted"]
    stage.until(lambda: stage.alike("gamma", "delta"))


def test_a_machine_that_was_off_all_the_time_learns_everything_from_its_first_start(stage: Stage) -> None:
    stage.member("alpha").crash()
    stage.run(1)
    stage.member("beta").crash()
    stage.run(5)
    stage.recover("gamma", stage.signed(stage.said("gamma")))
    stage.claimed("gamma", "after")
    for name in ("alpha", "beta"):
        stage.member(name).start()
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    assert stage.log("alpha").order.epoch == 1
    assert stage.member("alpha").node().authorship.incarnation == 1
    assert stage.claimed("alpha", "again")["outcome"]["accepted"]


def test_a_machine_that_had_the_only_vote_does_not_lead_the_new_epoch_by_its_old_log() -> None:
    stage = Stage("alpha", "beta", "gamma", voters=1)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    stage.member("alpha").crash()
    stage.run(3)
    stage.recover("beta", stage.signed(stage.said("beta")))
    stage.member("beta").pause()
    stage.member("alpha").start()
    stage.until(lambda: stage.log("alpha").order.epoch == 1)
    stage.run(10)
    assert not stage.leads("alpha")
    assert stage.kinds("alpha")[-1] != "voters"
    stage.member("beta").unpause()
    assert stage.claimed("alpha", "after")["outcome"]["accepted"]
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    assert stage.leader() == "beta"


def test_an_issuer_admits_machines_in_the_new_epoch() -> None:
    stage = Stage("alpha", "beta", "gamma", voters=3, later=("delta",))
    stage.power_off(["beta", "gamma"])
    stage.run(5)
    stage.recover("alpha", stage.signed(stage.said("alpha")))
    stage.admit("alpha", "delta")
    stage.until(lambda: stage.alike("alpha", "delta"))
    assert stage.log("delta").order.epoch == 1
    assert stage.claimed("delta", "after")["outcome"]["accepted"]


# --- only cut off -------------------------------------------------------------------------------------------------


def cut_off(stage: Stage, *, claims: int = 5) -> int:
    """Two voters go on without the third, which recovers; the layer that separates them."""
    layer = stage.partition(["gamma"])
    stage.run(3)
    for number in range(claims):
        stage.claimed("beta", f"lost-{number}")
    stage.run(3)
    stage.recover("gamma", stage.signed(stage.said("gamma")))
    stage.claimed("gamma", "after")
    return layer


def test_former_voters_that_were_only_cut_off_move_over_and_list_what_is_lost(stage: Stage) -> None:
    base = stage.number("gamma")
    layer = cut_off(stage)
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    for name in ("alpha", "beta"):
        assert [(one["number"], one["kind"], one["epoch"]) for one in lost(stage, name)] == [
            (base + 1 + number, "claim.acquire", 0) for number in range(5)
        ]
        assert [one["accepted"] for one in lost(stage, name)] == [True] * 5
        assert stage.told(name, "epoch") == [{"epoch": 1, "base": base, "lost": 5}]
        assert stage.told(name, "alarm") == []
    rows = stage.commits("beta")[base:]
    overtaken = {row.entry.hex() for row in rows if row.reason == "old_epoch" and row.entry is not None}
    assert overtaken == {one["id"] for one in lost(stage, "beta")}
    assert lost(stage, "gamma") == []


def test_what_is_lost_is_neither_granted_nor_asked_anew(stage: Stage) -> None:
    layer = cut_off(stage)
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    stage.run(10)
    assert all(holder(stage, "beta", f"lost-{number}") is None for number in range(5))
    assert holder(stage, "beta", "after") is not None
    assert stage.member("beta").node().desk.counters["commit.asked_again"] == 0
    assert stage.claimed("alpha", "lost-0")["outcome"]["accepted"]


def test_what_is_lost_is_still_listed_after_a_restart(stage: Stage) -> None:
    layer = cut_off(stage)
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    before = lost(stage, "beta")
    stage.member("beta").crash()
    stage.member("beta").start()
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    assert lost(stage, "beta") == before
    answers: list[object] = []
    stage.member("beta").request(SeeLost(epoch=2), answers.append)
    stage.member("beta").request(SeeLost(epoch=1), answers.append)
    stage.run(1)
    refused, seen = answers
    assert isinstance(refused, InputFault)
    assert (refused.code, seen, lost(stage, "beta")) == ("nothing_lost", {"seen": 5}, [])
    stage.member("beta").crash()
    stage.member("beta").start()
    stage.run(10)
    assert lost(stage, "beta") == []


def test_events_are_not_told_again_while_the_log_is_applied_once_more(stage: Stage) -> None:
    layer = cut_off(stage)
    told = len(stage.told("beta", "commit"))
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    base = stage.log("beta").recovery.base
    assert base is not None
    numbers = [data["number"] for data in stage.told("beta", "commit")[told:]]
    assert numbers == list(range(base.size + 1, stage.number("beta") + 1))


def test_the_one_that_goes_on_may_itself_go_back(stage: Stage) -> None:
    said = stage.said("gamma")
    for number in range(3):
        stage.claimed("beta", f"lost-{number}")
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    stage.power_off(["alpha", "beta"])
    stage.run(5)
    assert stage.recover("gamma", stage.signed(said))["lost"] == 3
    stage.claimed("gamma", "after")
    assert [one["kind"] for one in lost(stage, "gamma")] == ["claim.acquire"] * 3
    assert stage.kinds("gamma", said.size + 1)[0] == "voters"
    times = [row.time_ms for row in stage.commits("gamma")]
    assert times == sorted(times)


# --- again, and again -----------------------------------------------------------------------------------------------


def test_a_second_recovery_begins_the_next_epoch(stage: Stage) -> None:
    layer = cut_off(stage)
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    stage.power_off(["gamma"])
    stage.run(5)
    stage.recover("beta", stage.signed(stage.said("beta")))
    assert stage.claimed("alpha", "third")["outcome"]["accepted"]
    stage.until(lambda: stage.alike("alpha", "beta"))
    assert stage.log("alpha").order.epoch == 2


def test_a_voter_that_missed_two_epochs_knows_what_it_lost(stage: Stage) -> None:
    base = stage.number("gamma")
    layer = stage.partition(["alpha"])
    stage.run(3)
    stage.claimed("beta", "common")
    second = stage.partition(["beta"])
    stage.run(3)
    stage.recover("gamma", stage.signed(stage.said("gamma")))
    for number in range(6):
        stage.claimed("gamma", f"kept-{number}")
    stage.recover("gamma", stage.signed(stage.said("gamma")))
    stage.claimed("gamma", "after")
    stage.heal(second)
    stage.until(lambda: stage.alike("beta", "gamma"))
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    assert [stage.log(name).order.epoch for name in ("alpha", "beta")] == [2, 2]
    assert lost(stage, "alpha") == lost(stage, "beta") == []
    assert stage.number("beta") > base + 8


def test_where_the_root_goes_back_to_a_branch_that_was_given_up_the_others_learn_it_anew(stage: Stage) -> None:
    layer = cut_off(stage, claims=3)
    for number in range(8):
        stage.claimed("gamma", f"given-up-{number}")
    said = stage.said("alpha", epoch=2)
    stage.recover("alpha", stage.signed(said))  # it has not heard of epoch 1
    stage.claimed("alpha", "after")
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"), 60)
    assert stage.log("gamma").order.epoch == 2
    assert holder(stage, "gamma", "lost-0") is not None
    assert holder(stage, "gamma", "given-up-0") is None
    kinds = [one["kind"] for one in lost(stage, "gamma")]
    assert kinds == ["voters", "fleet.recover", *["claim.acquire"] * 9]
    assert lost(stage, "beta") == []


def test_a_machine_that_is_behind_such_a_branch_finds_out_at_its_base(stage: Stage) -> None:
    layer = cut_off(stage, claims=9)
    assert stage.number("gamma") < stage.number("alpha")
    stage.recover("alpha", stage.signed(stage.said("alpha", epoch=2)))
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"), 60)
    assert holder(stage, "gamma", "lost-0") is not None
    assert holder(stage, "gamma", "after") is None
    assert [one["kind"] for one in lost(stage, "gamma")] == ["voters", "fleet.recover", "claim.acquire"]


# --- two statements -------------------------------------------------------------------------------------------------


def test_two_statements_for_one_epoch_are_an_alarm_with_both_and_the_next_epoch_ends_it(stage: Stage) -> None:
    layer = stage.partition(["gamma"])
    stage.run(5)
    first, second = stage.said("gamma"), stage.said("alpha", reason="by mistake")
    stage.recover("gamma", stage.signed(first))
    stage.recover("alpha", stage.signed(second))
    stage.claimed("gamma", "with-gamma")
    stage.claimed("alpha", "with-alpha")
    stage.heal(layer)
    names = ("alpha", "beta", "gamma")
    stage.until(lambda: all(stage.log(name).epochs.contested(Epoch(1)) for name in names))
    for name in names:
        alarm: Any = next(one for one in stage.told(name, "alarm") if one["code"] == "two_epochs")
        assert {one["machine"] for one in alarm["statements"]} == {"alpha", "gamma"}
        assert view.warnings(stage.member(name).node())[0]["code"] == "two_epochs"
    numbers = [stage.number(name) for name in names]
    waiting = [stage.claim(name, "nobody") for name in names]
    stage.run(10)
    assert [stage.number(name) for name in names] == numbers
    assert waiting == [[], [], []]
    stage.member("beta").crash()
    stage.member("beta").start()
    stage.run(10)
    assert stage.log("beta").order.raft is None
    stage.recover("gamma", stage.signed(stage.said("gamma")))
    assert stage.claimed("gamma", "at last")["outcome"]["accepted"]
    stage.until(lambda: stage.alike(*names), 60)
    assert stage.log("alpha").order.epoch == 2
    assert "claim.acquire" in [one["kind"] for one in lost(stage, "alpha")]
    assert lost(stage, "gamma") == []


# --- crashes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("point", "keep", "done"),
    [
        (CrashPoint.WRITTEN, 0, False),
        (CrashPoint.WRITTEN, 1, True),
        (CrashPoint.SYNCED, 0, True),
        (CrashPoint.RELEASING, 0, True),
    ],
)
def test_a_crash_of_the_one_that_begins_leaves_all_or_nothing(
    stage: Stage, point: CrashPoint, keep: int, done: bool
) -> None:
    said = stage.said("gamma")
    stage.claimed("beta", "lost")
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    stage.power_off(["alpha", "beta"])
    stage.run(5)
    gamma = stage.member("gamma")
    statement = stage.signed(said)
    gamma.crash_point, gamma.crash_keep = point, keep
    answers = stage.bring("gamma", statement)
    stage.run(1)
    assert not gamma.running
    assert not answers or point is CrashPoint.RELEASING
    gamma.start()
    stage.run(10)
    assert stage.log("gamma").order.epoch == Epoch(int(done))
    assert stage.recover("gamma", statement) == {"epoch": 1, "base": said.size, "lost": 1}
    stage.claimed("gamma", "after")
    kinds = stage.kinds("gamma", said.size + 1)
    assert kinds.count("fleet.recover") == kinds.count("voters") == 1
    assert len(lost(stage, "gamma")) == 1


@pytest.mark.parametrize("after_ms", [0.3, 1.5, 2.5, 3.5, 5, 8, 13, 21])
def test_a_crash_of_the_one_that_moves_over_loses_nothing_at_any_point(stage: Stage, after_ms: float) -> None:
    layer = cut_off(stage)
    stage.heal(layer)
    beta = stage.member("beta")
    stage.until_ms(lambda: stage.log("beta").epochs.newest == 1)
    stage.run(after_ms / 1000)
    for _ in range(3):
        beta.crash(keep=0)
        beta.start()
        stage.until_ms(lambda: stage.log("beta").order.me is not None)
        stage.run(after_ms / 1000)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    assert len(lost(stage, "beta")) == 5
    assert beta.node().authorship.incarnation == 1
    assert stage.told("beta", "alarm") == []


def test_a_machine_that_died_when_it_knew_only_the_statement_moves_over_at_its_next_start(stage: Stage) -> None:
    layer = cut_off(stage)
    beta = stage.member("beta")
    beta.crash()
    known = stage.member("gamma").disk.load().meta
    beta.disk.commit([MetaRow(key=key, value=value) for key, value in known.items() if key.startswith("epoch.")])
    numbers = len(stage.kinds("beta"))
    beta.start()
    stage.run(10)
    assert stage.log("beta").order.epoch == 1
    assert stage.number("beta") == numbers - 5
    assert len(lost(stage, "beta")) == 5
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
