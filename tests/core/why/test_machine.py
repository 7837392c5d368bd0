"""Why a machine is judged as it is, in virtual time: evidence with ages, what was dialled, what is waited for."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p.core import wire
from roosync_p2p.core.why.machine import known_machines, machine_facts, machine_waits
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.bodies import MemberRetire
from tests.helpers.actors import key_lost, revocation, sealed_loss
from tests.helpers.cores import A, Actor, B, C, Rig
from tests.helpers.folder_fleet import FolderFleet
from tests.helpers.ordered_fleet import OrderedFleet


def _facts(fleet: OrderedFleet, judge: str, machine: str) -> dict[str, Any]:
    return machine_facts(fleet.member(judge).node(), MachineId(machine))


def _waits(fleet: OrderedFleet, judge: str, machine: str) -> list[str]:
    return [wait["code"] for wait in machine_waits(fleet.member(judge).node(), MachineId(machine))]


def test_a_machine_that_is_there_waits_for_nothing_and_every_evidence_of_it_has_its_age() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    fleet.run(5)
    facts = _facts(fleet, "alpha", "beta")
    assert (facts["state"], facts["reason"], facts["linked"], facts["self"]) == ("online", "heard", True, False)
    (direct, relayed) = sorted(facts["seen"], key=lambda seen: str(seen["path"]))
    assert (direct["path"], direct["via"], direct["standing"]) == ("direct", None, "good")
    assert (relayed["path"], relayed["via"], relayed["standing"]) == ("relayed", "gamma", "known")
    assert 0 <= direct["age_s"] < 1.5
    assert facts["heard_by"] == ["gamma"]
    assert {one["outcome"] for one in facts["tried"] if one["met"]} == {"linked"}
    member = facts["membership"]
    assert (member["state"], member["roles"], member["votes"]) == ("present", ["member"], False)
    assert member["commit_number"] > 1
    assert facts["holds"] | {"commit_size": 0} == {
        "signed": True,
        "lacks": 0,
        "more": 0,
        "commit_size": 0,
        "commits_behind": 0,
    }
    assert _waits(fleet, "alpha", "beta") == []


def test_one_that_was_killed_waits_for_a_sign_and_shows_the_refused_dial_and_the_next() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    fleet.run(10)
    fleet.member("beta").crash()
    fleet.run(8)
    facts = _facts(fleet, "alpha", "beta")
    assert (facts["state"], facts["reason"], facts["linked"]) == ("offline", "refused", False)
    assert not [one for one in facts["seen"] if one["standing"] in ("good", "late")]
    assert 8 <= facts["last_sign_age_s"] < 11
    assert 7 <= facts["link_lost_age_s"] <= 8.5
    tried = facts["tried"][0]
    assert (tried["met"], tried["outcome"]) == (True, "refused")
    assert tried["age_s"] < 8
    assert facts["next_dial_s"] is not None
    assert facts["heard_by"] == []
    assert _waits(fleet, "alpha", "beta") == ["sign"]


def test_cut_off_from_everybody_a_node_says_that_it_is_it_that_has_no_connection() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    fleet.run(10)
    fleet.fleet.isolate("alpha")
    fleet.run(30)
    facts = _facts(fleet, "alpha", "beta")
    assert (facts["state"], facts["reason"], facts["connected_here"]) == ("unknown", "no_proof", False)
    assert {one["outcome"] for one in facts["tried"] if one["outcome"]} == {"unanswered"}
    assert _waits(fleet, "alpha", "beta") == ["own_connection"]
    assert _waits(fleet, "alpha", "alpha") == ["anybody"]
    assert _waits(fleet, "beta", "alpha") == ["sign"]
    assert _facts(fleet, "beta", "alpha")["connected_here"] is True


def test_one_without_a_direct_way_says_through_whom_it_is_heard() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    fleet.run(10)
    fleet.fleet.cut("alpha", "beta", both_ways=True)
    fleet.run(30)
    facts = _facts(fleet, "alpha", "beta")
    assert (facts["state"], facts["evidence"]["via"], facts["linked"]) == ("online", "gamma", False)
    assert [one["via"] for one in facts["seen"] if one["standing"] == "good"] == ["gamma"]
    assert {one["outcome"] for one in facts["tried"]} == {"unanswered"}


def test_one_that_only_the_folder_reaches_shows_the_evidence_of_the_folder() -> None:
    fleet = FolderFleet("ab", cut=False, seed=1)
    fleet.run(60)
    fleet.cut()
    fleet.run(150)
    core = fleet.member("a").node()
    facts = machine_facts(core, MachineId("machine-b"))
    assert facts["evidence"]["path"] == "folder"
    assert [one["standing"] for one in facts["seen"] if one["path"] == "folder"] == ["good"]
    assert machine_waits(core, MachineId("machine-b")) == []


def test_one_whose_membership_ended_says_how_and_at_which_commit() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    number = fleet.done("alpha", "member.retire", MemberRetire(machine="gamma", reason="sold"))["commit_number"]
    fleet.run(5)
    member = _facts(fleet, "alpha", "gamma")["membership"]
    assert (member["state"], member["ended_number"], member["reason"]) == ("retired", number, "sold")
    assert _waits(fleet, "alpha", "gamma") == ["admission"]
    assert MachineId("gamma") in known_machines(fleet.member("alpha").node())


def test_what_a_machine_has_not_signed_for_is_counted() -> None:
    fleet = OrderedFleet("alpha", "beta")
    fleet.run(10)
    before = _facts(fleet, "alpha", "beta")["holds"]
    fleet.fleet.isolate("beta")
    for name in ("one", "two"):
        fleet.ask("alpha", "member.retire", MemberRetire(machine=f"nobody-{name}"))
    fleet.run(3)
    holds = _facts(fleet, "alpha", "beta")["holds"]
    assert (before["lacks"], holds["lacks"], holds["commits_behind"]) == (0, 2, 2)


def test_two_programs_of_one_identity_wait_for_a_person() -> None:
    rig = Rig().ready()
    rig.core.presence.liveness.identity_conflict(A, "two_boots", rig.now)
    (wait,) = machine_waits(rig.core, A)
    assert wait["code"] == "one_program"
    assert machine_facts(rig.core, A)["state"] == "conflict"


@pytest.mark.parametrize(("seconds", "state", "code"), [(3.0, "suspect", "heartbeat"), (1.0, "online", None)])
def test_a_late_one_waits_for_its_heartbeat(seconds: float, state: str, code: str | None) -> None:
    rig, actor = Rig(knows=[A]).ready(), Actor(A)
    link = rig.meet(actor)
    rig.receive(link, actor.beat())
    rig.advance(seconds)
    facts = machine_facts(rig.core, A)
    assert (facts["state"], facts["seen"][0]["standing"]) == (state, "late" if code else "good")
    assert [wait["code"] for wait in machine_waits(rig.core, A) if wait["code"] != "catching_up"] == (
        [code] if code else []
    )
    assert machine_facts(rig.core, B)["holds"] is None, "of itself a node says no way"


def test_one_that_was_revoked_is_told_of_still_and_needs_a_new_key() -> None:
    rig = Rig().ready()
    rig.receive(rig.meet(Actor(A)), wire.RecordFrame(kind="revocation", envelope=revocation(C)))
    assert C in known_machines(rig.core)
    assert machine_facts(rig.core, C)["membership"]["state"] == "revoked"
    assert machine_waits(rig.core, C) == [{"code": "new_key"}]


def test_one_whose_key_was_lost_says_so_with_the_roots_word() -> None:
    rig = Rig().ready()
    rig.receive(rig.meet(Actor(A)), wire.RecordFrame(kind="rotation", envelope=sealed_loss(key_lost(C))))
    member = machine_facts(rig.core, C)["membership"]
    assert (member["state"], [set(lost) for lost in member["key_lost"]]) == ("unordered", [{"time", "by", "reason"}])
    assert machine_facts(rig.core, A)["membership"]["key_lost"] == []
