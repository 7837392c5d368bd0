"""The command with the root's statement: what is refused, and that a refusal changes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from roosync_p2p.consensus.items import Batch
from roosync_p2p.core import view
from roosync_p2p.core.rows import Loaded
from roosync_p2p.errors import RoosyncError
from roosync_p2p.ids import MachineId
from roosync_p2p.proof.compact import CompactTree
from roosync_p2p.trust.directory import issuer_author
from tests.core.commit.stage import Stage
from tests.helpers.trust import key_from


@pytest.fixture
def stage() -> Stage:
    """One machine that has the only vote, and one that has none."""
    stage = Stage("alpha", "beta", voters=1)
    stage.claimed("alpha", "x")
    stage.until(lambda: stage.alike("alpha", "beta"))
    return stage


def disk(stage: Stage, name: str) -> Loaded:
    """All that a machine has; where others can be reached, and what they say of their frontiers, is no matter."""
    return dataclasses.replace(stage.member(name).disk.load(), addresses=(), records=())


def refused(stage: Stage, name: str, statement: bytes) -> RoosyncError:
    """The command, which is refused."""
    answers = stage.bring(name, statement)
    stage.until(lambda: bool(answers), 10)
    answer = answers[0]
    assert isinstance(answer, RoosyncError), answer
    return answer


def by_another_root(stage: Stage) -> bytes:
    return stage.signed(stage.said("alpha"), key=key_from("another root"))


def by_an_issuer(stage: Stage) -> bytes:
    key = stage.fleet.keys.identities[MachineId("alpha")].issuer_key
    assert key is not None
    return stage.signed(stage.said("alpha"), key=key, author=issuer_author(MachineId("alpha")))


def tampered(stage: Stage) -> bytes:
    statement = bytearray(stage.signed(stage.said("alpha")))
    statement[-1] ^= 1
    return bytes(statement)


def changed(**fields: Any) -> Callable[[Stage], bytes]:
    return lambda stage: stage.signed(stage.said("alpha", **fields))


def beyond(stage: Stage) -> bytes:
    return stage.signed(stage.said("alpha", size=stage.number("alpha") + 1))


@pytest.mark.parametrize(
    ("code", "statement"),
    [
        ("unknown_key", by_another_root),
        ("not_root", by_an_issuer),
        ("bad_signature", tampered),
        ("malformed", lambda _: b"nonsense"),
        ("old_epoch", changed(epoch=2)),
        ("other_seat", changed(machine=MachineId("beta"))),
        ("other_seat", changed(store=b"another life 123")),
        ("base_not_here", beyond),
        ("base_not_here", changed(size=0)),
        ("wrong_root", changed(root_hash=bytes(32))),
        ("wrong_root", changed(size=3)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_statement_that_is_not_for_this_log_is_refused_and_changes_nothing(
    stage: Stage, code: str, statement: Callable[[Stage], bytes]
) -> None:
    if code == "old_epoch":
        stage.recover("alpha", stage.signed(stage.said("alpha", epoch=3)))
        stage.claimed("alpha", "y")
    stage.run(3)
    before = disk(stage, "alpha")
    fault = refused(stage, "alpha", statement(stage))
    assert fault.code == code
    stage.run(2)
    assert disk(stage, "alpha") == before
    assert stage.claimed("alpha", "afterwards")["outcome"]["accepted"]
    assert stage.told("alpha", "alarm") == []


def test_a_base_between_two_commits_of_one_item_is_refused(stage: Stage) -> None:
    before = stage.number("alpha")
    stage.member("alpha").crash()
    for number in range(4):
        stage.claim("beta", f"together-{number}")
    stage.run(1)
    stage.member("alpha").start()
    stage.until(lambda: stage.alike("alpha", "beta") and stage.number("alpha") == before + 4)
    raft = stage.log("alpha").order.raft
    assert raft is not None
    batches = [item.payload for item in raft.items(raft.commit, count_max=1, bytes_max=1)]
    assert isinstance(batches[0], Batch)
    assert len(batches[0].entries) == 4
    rows = stage.commits("alpha")
    said = stage.said("alpha", size=len(rows) - 2, root_hash=root_over([row.leaf for row in rows[:-2]]))
    fault = refused(stage, "alpha", stage.signed(said))
    assert (fault.code, fault.details["size"]) == ("base_inside_batch", len(rows) - 4)
    assert stage.claimed("alpha", "afterwards")["outcome"]["accepted"]


def root_over(leaves: list[bytes]) -> bytes:
    tree = CompactTree()
    tree.extend(leaves)
    return tree.root()


def test_the_same_statement_brought_again_is_answered_alike(stage: Stage) -> None:
    statement = stage.signed(stage.said("alpha"))
    first = stage.recover("alpha", statement)
    stage.claimed("alpha", "y")
    before = stage.number("alpha")
    assert stage.recover("alpha", statement) == first
    assert stage.number("alpha") == before


def test_an_epoch_may_be_passed_over(stage: Stage) -> None:
    assert stage.recover("alpha", stage.signed(stage.said("alpha", epoch=7)))["epoch"] == 7
    stage.claimed("beta", "y")
    stage.until(lambda: stage.alike("alpha", "beta"))
    assert stage.log("beta").order.epoch == 7


def test_a_second_statement_for_an_epoch_is_refused_kept_as_evidence_and_followed_by_nobody(stage: Stage) -> None:
    stage.recover("alpha", stage.signed(stage.said("alpha")))
    second = stage.said("alpha", epoch=1, reason="by mistake")
    fault = refused(stage, "alpha", stage.signed(second))
    assert fault.code == "two_epochs"
    assert len(stage.told("alpha", "alarm")) == 1
    assert stage.claimed("beta", "goes on")["outcome"]["accepted"]
    stage.member("alpha").crash()
    stage.member("alpha").start()
    assert stage.claimed("beta", "goes on still")["outcome"]["accepted"]
    found: Any = view.warnings(stage.member("alpha").node())[0]
    assert found["code"] == "two_epochs"
    assert [one["reason"] for one in found["details"]["statements"]] == ["", "by mistake"]


def test_what_a_machine_says_that_is_in_another_epoch_is_no_divergence(stage: Stage) -> None:
    layer = stage.fleet.cut("alpha", "beta", both_ways=True)
    stage.run(10)
    stage.recover("alpha", stage.signed(stage.said("alpha")))
    for number in range(300):
        stage.claim("alpha", f"claim-{number}")
    stage.run(10)
    stage.heal(layer)
    stage.until(lambda: stage.alike("alpha", "beta"))
    stage.run(5)
    assert stage.told("alpha", "alarm") == stage.told("beta", "alarm") == []


def test_a_machine_that_is_named_and_does_not_have_the_base_says_so_and_waits(stage: Stage) -> None:
    said = stage.said("beta", size=stage.number("beta") + 5)
    alpha = stage.log("alpha")
    assert alpha.epochs.note(alpha.epochs.opened(stage.signed(said)))
    layer = stage.fleet.cut("alpha", "beta", both_ways=True)
    stage.run(6)
    stage.heal(layer)
    stage.run(6)
    found = view.warnings(stage.member("beta").node())[0]
    assert found["code"] == "base_not_here"
    stage.recover("beta", stage.signed(stage.said("beta", epoch=2)))
    assert stage.claimed("beta", "at last")["outcome"]["accepted"]
