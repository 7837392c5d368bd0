"""Machines of one fleet with programs of two versions: who applies what, and when. Real cores in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p import limits
from roosync_p2p.consensus.items import Batch
from roosync_p2p.core import view
from roosync_p2p.core.commands import SendMessage
from roosync_p2p.core.ports import InboxQuery
from roosync_p2p.errors import RoosyncError
from roosync_p2p.ids import EntryId, LogIndex, MachineId, parse_address
from roosync_p2p.ledger.bodies import RulesActivate, VotersPrefer
from roosync_p2p.ledger.fleet import active_rules
from roosync_p2p.simulation.newer_rules import NEWER_VERSION, updated
from roosync_p2p.simulation.voting import Voting
from tests.core.commit.stage import Stage

ALL = ("alpha", "beta", "gamma", "delta")
NEW = ("alpha", "beta", "gamma")
ACTIVATE = RulesActivate(version=NEWER_VERSION, approve=True)


@pytest.fixture
def stage() -> Stage:
    """Three voters, one of whom can approve, and a machine that does not vote; all with the older program."""
    stage = Stage(*ALL, voters=3)
    stage.claimed("delta", "before")
    return stage


def update(stage: Stage, *names: str) -> None:
    """They get the newer program, one by one."""
    for name in names:
        member = stage.member(name)
        member.crash()
        member.parts = updated(member.parts)
        member.start()
        stage.run(8)


def activate(stage: Stage) -> dict[str, Any]:
    """The founder asks for it; what it is told."""
    outcome = stage.done("alpha", "rules.activate", ACTIVATE)["outcome"]
    assert isinstance(outcome, dict)
    return outcome


def went_over(stage: Stage) -> Stage:
    """The fleet has newer rules, and delta the older program."""
    update(stage, *NEW)
    assert activate(stage)["detail"]["state"] == "applied"
    return stage


def send(stage: Stage, name: str, to: str) -> None:
    """A message."""
    answers: list[dict[str, object] | RoosyncError] = []
    command = SendMessage(
        to=(parse_address(to),),
        subject="hello",
        body=f"from {name}",
        type="text",
        priority="MEDIUM",
        tags=(),
        workspace=None,
        thread_id=None,
        in_reply_to=None,
        idempotency_key=None,
        remembered=None,
    )
    stage.member(name).request(command, answers.append)
    stage.run(1)
    assert isinstance(answers[0], dict)


def inbox(stage: Stage, name: str) -> int:
    """How many messages it has."""
    return len(stage.member(name).disk.inbox(InboxQuery(status="all", limit=50)).items)


def test_newer_rules_wait_for_every_voter(stage: Stage) -> None:
    update(stage, "alpha", "beta")
    refused = activate(stage)
    assert (refused["reason"], refused["detail"]["missing"]) == ("not_supported", ["gamma"])
    update(stage, "gamma")
    assert activate(stage)["accepted"]
    assert active_rules(stage.log("beta").state) == NEWER_VERSION


def test_a_program_says_once_what_it_knows(stage: Stage) -> None:
    update(stage, "beta")
    stage.member("beta").crash()
    stage.member("beta").start()
    stage.run(8)
    assert stage.kinds("alpha").count("rules.support") == 1


def test_an_older_program_stops_applying_and_says_what_it_lacks(stage: Stage) -> None:
    went_over(stage)
    stage.run(1)
    number = stage.number("delta")
    stage.claimed("beta", "after")
    stage.run(2)
    assert stage.number("delta") == number
    assert stage.number("beta") > number
    (warning,) = [one for one in view.warnings(stage.member("delta").node()) if one["code"] == "rules_too_new"]
    assert "version 2, and this program knows 1" in str(warning["message"])


def test_it_stores_relays_and_sends_messages_all_the_same(stage: Stage) -> None:
    went_over(stage)
    stage.fleet.cut("alpha", "gamma", both_ways=True)
    stage.claimed("beta", "after")
    stage.claim("delta", "asked by delta")
    send(stage, "delta", "gamma")
    send(stage, "gamma", "delta")
    stage.run(30)
    rafts = [stage.log(name).order.raft for name in ("beta", "delta")]
    assert len({raft.last_index for raft in rafts if raft is not None}) == 1
    assert (inbox(stage, "gamma"), inbox(stage, "delta")) == (1, 1)
    # Its own request is decided by the others.
    assert stage.commits("beta")[-1].author == MachineId("delta")


def test_it_gets_no_vote_however_much_it_is_wanted(stage: Stage) -> None:
    went_over(stage)
    for name in ALL:
        stage.log(name).seats.autopilot = True
    stage.done("alpha", "voters.prefer", VotersPrefer(machines=(MachineId("delta"),), approve=True))
    stage.run(20)
    assert "delta" not in stage.voters("alpha")
    update(stage, "delta")
    stage.until(lambda: "delta" in stage.voters(stage.leader()))


def test_once_updated_it_applies_old_numbers_by_old_rules_and_new_ones_by_new_rules(stage: Stage) -> None:
    went_over(stage)
    stage.claimed("beta", "after")
    update(stage, "delta")
    stage.until(lambda: stage.alike(*ALL))
    details = {row.number: b"rules" in row.detail for row in stage.commits("delta") if row.kind == "claim.acquire"}
    assert list(details.values()) == [False, True]


def test_a_newcomer_with_the_newer_program_replays_everything_by_the_rules_of_its_time() -> None:
    stage = Stage("alpha", "beta", "gamma", voters=1, later=["delta"])
    stage.claimed("beta", "before")
    update(stage, "alpha")
    activate(stage)
    stage.claimed("alpha", "after")
    stage.admit("alpha", "delta")
    update(stage, "delta")
    stage.until(lambda: stage.alike("alpha", "delta"))
    assert stage.number("beta") < stage.number("delta")


def test_what_stands_in_one_batch_behind_the_activation_is_left_to_a_newer_program(stage: Stage) -> None:
    update(stage, *NEW)
    if stage.leader() != "alpha":
        Voting(stage.fleet).transfer(stage.seat("alpha"))
        stage.run(1)
    for name in ("beta", "gamma"):
        stage.member(name).pause()
    for number in range(limits.ITEMS_IN_FLIGHT_MAX):
        stage.claim("alpha", f"fills the way {number}")
        stage.run(0.01)
    stage.ask("alpha", "rules.activate", ACTIVATE, timeout_s=60)
    stage.claim("alpha", "after")
    stage.run(0.1)
    for name in ("beta", "gamma"):
        stage.member(name).unpause()
    stage.until(lambda: stage.kinds("beta")[-1] == "claim.acquire" and active_rules(stage.log("beta").state) == 2)
    assert together(stage)
    stage.run(3)
    assert stage.kinds("delta")[-1] == "rules.activate"
    stage.member("delta").crash()
    stage.member("delta").start()
    stage.run(8)
    assert stage.kinds("delta")[-1] == "rules.activate"
    update(stage, "delta")
    stage.until(lambda: stage.alike(*ALL))


def together(stage: Stage) -> bool:
    """Whether one item of the log has both."""
    rows = [row for row in stage.commits("beta") if row.kind in ("rules.activate", "claim.acquire")][-2:]
    wanted = {EntryId(row.entry) for row in rows if row.entry is not None}
    raft = stage.log("beta").order.raft
    assert raft is not None
    items = raft.items(LogIndex(1), count_max=999, bytes_max=1 << 30)
    return any(isinstance(item.payload, Batch) and wanted <= set(item.payload.entries) for item in items)
