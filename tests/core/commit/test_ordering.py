"""Entries of several machines get one order, the same everywhere, and keep it."""

from __future__ import annotations

from roosync_p2p.entries.entry import LEDGER
from roosync_p2p.errors import InputFault, UndecidedError
from roosync_p2p.ids import EntryId, MachineId
from roosync_p2p.ledger.bodies import OrderedBody, VotersPrefer
from tests.helpers.ordered_fleet import OrderedFleet, acquire, release


def test_a_claim_gets_the_same_number_on_every_machine() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    answer = fleet.done("beta", "claim.acquire", acquire("issue-1"))
    assert answer["outcome"]["accepted"]
    assert {fleet.commits(name)[-1].number for name in ("alpha", "beta", "gamma")} == {answer["commit_number"]}
    assert len(fleet.agreement()) == 1


def test_of_two_claims_at_once_one_is_granted_and_the_other_is_told_who_holds_it() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    answers = [fleet.ask(name, "claim.acquire", acquire("issue-1")) for name in ("beta", "gamma")]
    fleet.run(1.0)
    outcomes = [answer[0]["outcome"] for answer in answers if isinstance(answer[0], dict)]
    assert sorted(outcome["accepted"] for outcome in outcomes) == [False, True]
    (lost,) = [outcome for outcome in outcomes if not outcome["accepted"]]
    assert lost["reason"] == "claim_held"
    assert lost["detail"]["holder"]["machine"] in ("beta", "gamma")


def test_what_was_answered_survives_the_leader_and_the_order_goes_on() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    first = fleet.done("beta", "claim.acquire", acquire("issue-1"))
    assert fleet.leader() == "alpha"
    fleet.fleet.power_off("alpha")
    fleet.run(8.0)
    second = fleet.done("gamma", "claim.acquire", acquire("issue-2"))
    assert second["commit_number"] > first["commit_number"]
    assert fleet.leader() in ("beta", "gamma")
    held = {row.entry: row.accepted for row in fleet.commits("gamma")}
    assert held[EntryId(bytes.fromhex(first["entry"]))]
    assert len(fleet.agreement()) == 1


def test_a_request_waits_until_its_number_is_on_the_disk_and_is_found_there_from_then_on() -> None:
    fleet = OrderedFleet("alpha", "beta")
    log, disk = fleet.log("beta"), fleet.member("beta").disk
    before = log.durable
    fleet.ask("beta", "claim.acquire", acquire("issue-1"))
    while log.applier.number == before.number:
        fleet.run(0.0002)
    assert log.durable == before, "applied, and not durable yet"
    while log.durable == before:
        fleet.run(0.0002)
    assert log.durable.own == (before.own[0], before.own[1] + 1)
    (entry,) = disk.entries(MachineId("beta"), before.own[0], LEDGER, log.durable.own[1], count_max=9, bytes_max=9)
    found = disk.commit_of(entry.id)
    assert found is not None
    assert found.number == log.durable.number


def test_a_killed_leader_is_replaced_within_a_second() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    fleet.member("alpha").crash()
    fleet.run(1.0)
    assert fleet.leader() in ("beta", "gamma")
    assert fleet.done("beta", "claim.acquire", acquire("issue-1"))["outcome"]["accepted"]


def test_a_machine_that_was_off_catches_up_to_the_same_digest_and_root() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta"])
    fleet.fleet.power_off("gamma")
    for number in range(20):
        fleet.done("beta", "claim.acquire", acquire(f"issue-{number}"))
    fleet.member("gamma").start()
    fleet.run(10.0)
    assert len(fleet.agreement()) == 1


def test_when_all_are_off_and_come_back_nothing_acknowledged_is_missing() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    answer = fleet.done("gamma", "claim.acquire", acquire("issue-1"))
    before = fleet.agreement()
    for name in ("alpha", "beta", "gamma"):
        fleet.fleet.power_off(name)
    for name in ("gamma", "beta", "alpha"):
        fleet.member(name).start()
    fleet.run(12.0)
    assert fleet.agreement() == before
    assert fleet.commits("alpha")[answer["commit_number"] - 1].entry == bytes.fromhex(answer["entry"])
    assert fleet.done("beta", "claim.release", release("issue-1"))["outcome"]["accepted"] is False
    assert fleet.done("gamma", "claim.release", release("issue-1"))["outcome"]["accepted"] is True


def test_without_a_majority_a_request_says_so_in_time_and_is_decided_later() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    fleet.fleet.power_off("alpha")
    fleet.fleet.power_off("beta")
    answers = fleet.ask("gamma", "voters.prefer", _prefer("gamma"), timeout_s=3.0)
    fleet.run(3.1)
    assert isinstance(answers[0], UndecidedError)
    assert [waiting.kind for waiting in fleet.log("gamma").unordered()] == ["voters.prefer"]
    fleet.member("alpha").start()
    fleet.run(12.0)
    assert fleet.log("gamma").unordered() == []
    assert fleet.commits("alpha")[-1].kind == "voters.prefer"


def test_a_claim_whose_caller_gave_up_is_not_held_by_it_later() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    fleet.fleet.power_off("alpha")
    fleet.fleet.power_off("beta")
    answers = fleet.ask("gamma", "claim.acquire", acquire("issue-1"), timeout_s=2.0, withdraw=True)
    fleet.run(2.1)
    assert isinstance(answers[0], UndecidedError)
    fleet.member("alpha").start()
    fleet.member("beta").start()
    fleet.run(12.0)
    answer = fleet.done("alpha", "claim.acquire", acquire("issue-1", session="other"))
    assert answer["outcome"]["accepted"]


def test_the_same_key_is_the_same_entry_and_has_the_same_answer() -> None:
    fleet = OrderedFleet("alpha", "beta")
    first = fleet.done("beta", "claim.acquire", acquire("issue-1"), key="k1")
    assert fleet.done("beta", "claim.acquire", acquire("issue-1"), key="k1") == first
    assert len([row for row in fleet.commits("beta") if row.kind == "claim.acquire"]) == 1


def test_the_same_key_for_another_request_is_refused() -> None:
    fleet = OrderedFleet("alpha", "beta")
    fleet.done("beta", "claim.acquire", acquire("issue-1"), key="k1")
    answers = fleet.ask("beta", "claim.acquire", acquire("issue-2"), key="k1")
    fleet.run(0.1)
    assert isinstance(answers[0], InputFault)
    assert answers[0].code == "key_reused"


def test_what_waited_is_known_as_waiting_after_a_restart_and_is_ordered_once() -> None:
    fleet = OrderedFleet("alpha", "beta")
    fleet.fleet.power_off("alpha")
    fleet.ask("beta", "voters.prefer", _prefer("beta"), timeout_s=1.0)
    fleet.run(2.0)
    fleet.member("beta").crash()
    fleet.member("beta").start()
    fleet.run(8.0)
    assert [waiting.kind for waiting in fleet.log("beta").unordered()] == ["voters.prefer"]
    fleet.member("alpha").start()
    fleet.run(12.0)
    assert fleet.log("beta").unordered() == []
    assert [row.kind for row in fleet.commits("beta")].count("voters.prefer") == 1


def test_a_read_is_current_where_a_majority_answers_and_stale_where_none_does() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    answer = fleet.done("beta", "claim.acquire", acquire("issue-1"))
    assert fleet.read("gamma") == {"as_of": answer["commit_number"], "stale": False}
    assert fleet.read("alpha")["stale"] is False
    fleet.fleet.isolate("alpha")
    fleet.run(3.0)
    assert fleet.read("alpha")["stale"] is True
    assert fleet.read("beta")["stale"] is False


def test_a_single_voter_answers_when_a_learner_has_it_too_and_after_a_moment_alone() -> None:
    fleet = OrderedFleet("alpha", "beta")
    answers = fleet.ask("alpha", "claim.acquire", acquire("issue-1"))
    fleet.run(0.1)
    assert answers
    held = fleet.commits("beta")[-1]
    assert held.kind == "claim.acquire"
    fleet.fleet.isolate("beta")
    alone = fleet.ask("alpha", "claim.acquire", acquire("issue-2"))
    fleet.run(0.15)
    assert not alone
    fleet.run(0.1)
    assert alone


def _prefer(machine: str) -> OrderedBody:
    return VotersPrefer(machines=(MachineId(machine),))
