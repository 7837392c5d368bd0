"""How far back a machine goes when an epoch begins, where it cannot simply keep what it has."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p.core import view
from roosync_p2p.core.rows import StateRow
from roosync_p2p.errors import StoreError
from tests.core.commit.stage import Stage


@pytest.fixture
def stage() -> Stage:
    """One voter, two learners, all equally far."""
    stage = Stage("alpha", "beta", "gamma", voters=1)
    stage.claimed("beta", "before")
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    return stage


def warned(stage: Stage, name: str) -> list[Any]:
    return [one for one in view.warnings(stage.member(name).node()) if one["code"] == "lost_branch"]


def test_a_machine_with_less_than_the_base_keeps_what_it_has(stage: Stage) -> None:
    layer = stage.partition(["gamma"])
    stage.run(6)
    stage.claimed("beta", "more")
    before = stage.number("gamma")
    statement = stage.signed(stage.said("alpha"))
    stage.recover("alpha", statement)
    gamma = stage.log("gamma")
    gamma.epochs.note(gamma.epochs.opened(statement))
    stage.run(1)
    assert (gamma.order.epoch, stage.number("gamma")) == (1, before)
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    assert stage.told("gamma", "epoch") == [{"epoch": 1, "base": before + 1, "lost": 0}]


def test_who_knows_nothing_of_an_epoch_between_learns_everything_anew_and_has_lost_nothing(stage: Stage) -> None:
    layer = stage.partition(["gamma"])
    stage.run(6)
    told = len(stage.told("gamma", "commit"))
    stage.recover("alpha", stage.signed(stage.said("alpha")))
    stage.claimed("beta", "more")
    statement = stage.signed(stage.said("alpha"))
    stage.recover("alpha", statement)
    gamma, before = stage.log("gamma"), stage.number("gamma")
    gamma.epochs.note(gamma.epochs.opened(statement))
    stage.run(1)
    assert (gamma.order.epoch, stage.number("gamma")) == (0, before)
    assert gamma.order.raft is None
    stage.run(2)
    assert (gamma.order.epoch, stage.number("gamma")) == (2, 0)
    assert warned(stage, "gamma") == []
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    assert warned(stage, "gamma") == []
    assert stage.told("gamma", "commit")[told]["number"] == before + 1
    assert stage.member("gamma").node().authorship.incarnation == 1


def test_the_founder_does_not_found_again_after_it_went_back_to_the_beginning() -> None:
    stage = Stage("alpha", "beta", "gamma", voters=1)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    layer = stage.partition(["alpha"])
    stage.run(6)
    stage.recover("beta", stage.signed(stage.said("beta")))
    stage.claimed("gamma", "x")
    statement = stage.signed(stage.said("beta"))
    stage.recover("beta", statement)
    alpha = stage.log("alpha")
    alpha.epochs.note(alpha.epochs.opened(statement))
    stage.until(lambda: stage.log("alpha").order.epoch == 2)
    stage.run(1)
    for _ in range(2):
        assert (stage.number("alpha"), stage.leads("alpha")) == (0, False)
        stage.member("alpha").crash()
        stage.member("alpha").start()
        stage.run(8)
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    assert warned(stage, "alpha") == []


def test_a_state_that_the_disk_changed_is_made_good_first(stage: Stage) -> None:
    layer = stage.partition(["gamma"])
    stage.run(6)
    for number in range(4):
        stage.claimed("beta", f"lost-{number}")
    stage.recover("gamma", stage.signed(stage.said("gamma")))
    beta = stage.member("beta")
    beta.crash()
    beta.disk.commit([StateRow(key="claim/before", value=b"junk")])
    stage.heal(layer)
    beta.start()
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    assert [one["kind"] for one in warned(stage, "beta")[0]["details"]["commits"]] == ["claim.acquire"] * 4
    assert beta.node().authorship.incarnation == 1


def test_a_disk_that_cannot_be_read_for_a_while_only_delays(stage: Stage) -> None:
    layer = stage.partition(["gamma"])
    stage.run(6)
    for number in range(4):
        stage.claimed("beta", f"lost-{number}")
    stage.recover("gamma", stage.signed(stage.said("gamma")))
    beta = stage.member("beta")
    beta.disk.fault = StoreError("stuck", code="store_io")
    stage.heal(layer)
    stage.run(10)
    assert stage.log("beta").order.epoch in (0, 1)
    beta.disk.fault = None
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    assert len(warned(stage, "beta")[0]["details"]["commits"]) == 4


def test_a_long_branch_is_read_in_runs(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roosync_p2p.limits.READ_COMMITS_MAX", 3)
    layer = stage.partition(["gamma"])
    stage.run(6)
    for number in range(8):
        stage.claim("beta", f"lost-{number}")
    stage.run(3)
    stage.recover("gamma", stage.signed(stage.said("gamma")))
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta", "gamma"))
    (found,) = warned(stage, "beta")
    assert len(found["details"]["commits"]) == 8
    assert found["message"].startswith("8 commits that this machine had are not in epoch 1: ")
    assert found["message"].endswith(", and 3 more")
