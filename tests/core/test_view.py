"""What a core shows of itself: one word on top, machines with evidence, warnings that say what to do."""

from __future__ import annotations

import json

import msgspec
import pytest

from roosync_p2p.codec.records import encode
from roosync_p2p.core import inputs, view, wire
from roosync_p2p.core.commands import OfferCountersignature
from roosync_p2p.core.ports import LinkId
from roosync_p2p.entries.entry import LEDGER, MAIL
from roosync_p2p.entries.incarnations import Known, Renewal
from roosync_p2p.errors import InputFault, StoreError
from roosync_p2p.ledger.bodies import MemberRetire
from roosync_p2p.ledger.decision_bodies import Action, DecisionPropose
from roosync_p2p.trust import contexts
from tests.helpers.cores import A, Actor, B, C, Rig, entries, identity, keys, message
from tests.helpers.ordered_fleet import OrderedFleet, acquire


def _linked() -> tuple[Rig, LinkId]:
    rig = Rig().ready()
    return rig, rig.meet(Actor(A))


def _heard() -> tuple[Rig, LinkId]:
    rig, actor = Rig().ready(), Actor(A)
    link = rig.meet(actor)
    rig.receive(link, actor.beat())
    return rig, link


def _codes(rig: Rig) -> list[object]:
    return [warning["code"] for warning in view.warnings(rig.core)]


def _rolled_back() -> Rig:
    before = Actor(B)
    before.begin(LEDGER)
    before.mail(3)
    rig = Rig()
    rig.receive(rig.meet(Actor(A)), wire.OwnAnswer(headers=[before.chains[MAIL][-1].raw]))
    rig.advance(5.1)
    return rig


def test_a_status_is_json_and_names_this_machine() -> None:
    rig, _ = _linked()
    status = json.loads(json.dumps(view.status(rig.core)))
    assert (status["machine"], status["links"], status["phase"]) == (B, 1, "ready")
    assert status["fleet"] == identity(B).fleet.hex()
    assert status["boot_id"] == rig.core.boot.hex()


def test_a_node_without_a_link_is_alone() -> None:
    assert view.status(Rig().ready().core)["state"] == "alone"


def test_a_node_that_lacks_nothing_its_peers_have_is_synced() -> None:
    rig, _ = _heard()
    assert view.status(rig.core)["state"] == "synced"


def test_a_node_does_not_call_itself_synced_before_a_linked_peer_has_said_how_far_it_is() -> None:
    rig, actor = Rig().ready(), Actor(A)
    link = rig.meet(actor)
    assert view.status(rig.core)["state"] == "behind"
    rig.receive(link, actor.beat())
    assert view.status(rig.core)["state"] == "synced"


def test_a_node_is_behind_while_a_machine_that_is_there_has_applied_more() -> None:
    fleet = OrderedFleet("alpha", "beta")
    beta = fleet.member("beta").node()
    assert view.status(beta)["state"] == "synced"
    fleet.fleet.isolate("beta")
    fleet.done("alpha", "claim.acquire", acquire("issue-1"))
    fleet.fleet.paths.heal()
    states = []
    for _ in range(40):
        fleet.run(0.5)
        states.append(view.status(beta)["state"])
    assert states[-1] == "synced"
    assert beta.commit.applier.number == fleet.log("alpha").applier.number


def test_a_node_that_waits_for_entries_is_behind() -> None:
    rig, link = _heard()
    author = Actor(C)
    author.mail(3)
    rig.receive(link, wire.FrontierFrame(spans=[author.span()]))
    assert view.status(rig.core)["state"] == "behind"
    rig.receive(link, entries(*author.mail(3)))
    assert view.status(rig.core)["state"] == "synced"


def test_a_conflict_of_any_machine_is_the_state_of_the_node() -> None:
    rig, link = _linked()
    author = Actor(C)
    rig.receive(link, entries(*author.mail(3)))
    rig.receive(link, entries(author.fork_at(3).chains[MAIL][2]))
    assert view.status(rig.core)["state"] == "conflict"
    assert _codes(rig) == ["forked"]
    assert "roosync-admin settle machine-c" in str(view.warnings(rig.core)[0]["remedy"])


def test_a_node_that_waits_for_a_countersignature_says_for_whose() -> None:
    rig = _rolled_back()
    assert view.status(rig.core)["state"] == "conflict"
    (warning,) = view.warnings(rig.core)
    assert warning["code"] == "waiting_for_countersignature"
    assert A in str(warning["message"])


def test_a_refused_countersignature_is_shown_with_its_reason() -> None:
    rig = _rolled_back()
    link = rig.core.links.primary(A)
    assert link is not None
    rig.receive(link.id, wire.Countersigned(refusal="second_store: one of them is a copy"))
    assert "second_store" in str(view.warnings(rig.core)[0]["message"])


def test_an_identity_that_is_used_twice_is_the_first_warning() -> None:
    rig = Rig().ready()
    rig.receive(rig.open(identity(B)), Actor(B).hello())
    assert _codes(rig)[0] == "identity_conflict"
    remedy = str(view.warnings(rig.core)[0]["remedy"])
    assert "restart this node" in remedy
    assert rig.refused(message()).remedy == remedy


def test_a_store_that_takes_nothing_is_a_warning_until_it_does_again() -> None:
    rig = Rig().ready()
    rig.feed(inputs.PersistFailed(fault=StoreError("the disk is full", code="disk_full", remedy="make room")))
    assert _codes(rig) == ["disk_full"]
    assert rig.refused(message()).code == "disk_full"
    rig.feed(inputs.Persisted(ticket=rig.core.desk.newest_ticket))
    assert _codes(rig) == []
    assert [event["ok"] for event in rig.told("store")] == [False, True]


def test_a_new_life_is_shown_for_seven_days() -> None:
    rig = _rolled_back()
    renewal = rig.core.authorship.renewal
    assert renewal is not None
    rig.answered(OfferCountersignature(envelope=keys().root_countersignature(renewal)))
    assert _codes(rig) == ["store_renewed"]
    assert _codes(rig.restart()) == ["store_renewed"]
    rig.now = rig.now.later(7 * 24 * 3600 + 1)
    rig.feed(inputs.Tick())
    assert _codes(rig) == []


def test_machines_are_shown_with_state_evidence_version_and_roles() -> None:
    rig, link = _linked()
    rig.receive(link, Actor(A).beat(wall_ms=rig.now.wall_ms))
    rows = {row["machine"]: row for row in view.machines(rig.core)}
    assert list(rows) == [A, B, C]
    assert (rows[A]["state"], rows[A]["self"], rows[A]["roles"]) == ("online", False, ["member", "issuer"])
    assert rows[A]["evidence"] == {"path": "direct", "via": None, "age_s": 0.0}
    assert rows[B]["self"]


def test_a_status_counts_who_is_online() -> None:
    rig, link = _linked()
    rig.receive(link, Actor(A).beat(wall_ms=rig.now.wall_ms))
    summary = view.status(rig.core)["summary"]
    assert isinstance(summary, dict)
    assert (summary["machines"], summary["online"]) == (3, 2)


def test_links_are_shown_with_their_address() -> None:
    rig, _ = _linked()
    assert view.status(rig.core)["connections"] == [{"machine": A, "address": "10.0.0.9:47600", "dialled": False}]


def test_what_surfaced_too_late_is_counted_with_the_new_life() -> None:
    rig, link = _linked()
    old = Actor(C)
    rig.receive(link, entries(*old.mail(2)))
    last = old.chains[MAIL][1]
    known = Known(incarnation=1, sequence=2, id=last.id)
    renewal = Renewal(machine=C, incarnation=2, store=b"n" * 16, ledger=None, mail=known)
    life = Actor(C, incarnation=2, store=renewal.store)
    envelope = keys().root_countersignature(renewal)
    rig.receive(link, entries(life.begin(previous=known, countersignature=envelope)))
    rig.receive(link, entries(old.mail(3)[2]))
    assert rig.counted("entries.stranded") == 1
    assert "1 older entries surfaced later" in str(view.warnings(rig.core)[0]["message"])


# --- the commit log -----------------------------------------------------------------------------------------------


def test_a_status_says_how_far_the_order_is_and_who_decides_it() -> None:
    fleet = OrderedFleet("alpha", "beta")
    shown = {name: view.status(fleet.member(name).node()) for name in ("alpha", "beta")}
    commits = {name: status["commit"] for name, status in shown.items()}
    assert commits["alpha"] == commits["beta"]
    commit = commits["alpha"]
    assert isinstance(commit, dict)
    assert (commit["leader"], commit["voters"], commit["epoch"]) == ("alpha", ["alpha"], 0)
    assert commit["size"] == fleet.log("alpha").applier.number
    assert commit["digest"] == fleet.log("alpha").state.digest.hex()
    sizes = {row["machine"]: row["commit_size"] for row in view.machines(fleet.member("beta").node())}
    assert sizes == {"alpha": commit["size"], "beta": commit["size"]}
    assert [status["warnings"] for status in shown.values()] == [[], []]


def test_roles_are_those_that_were_decided() -> None:
    fleet = OrderedFleet("alpha", "beta")
    roles = {row["machine"]: row["roles"] for row in view.machines(fleet.member("beta").node())}
    assert roles == {"alpha": ["approver", "issuer", "member"], "beta": ["member"]}


def test_a_machine_whose_membership_has_ended_is_neither_listed_nor_counted() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    fleet.fleet.power_off("gamma")
    fleet.done("alpha", "member.retire", MemberRetire(machine="gamma"))
    alpha = fleet.member("alpha").node()
    assert [row["machine"] for row in view.machines(alpha)] == ["alpha", "beta"]
    summary = view.status(alpha)["summary"]
    assert isinstance(summary, dict)
    assert (summary["machines"], summary["online"]) == (2, 2)


def test_a_machine_that_was_retired_and_runs_is_told_so_and_its_requests_are_refused_at_once() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    fleet.fleet.power_off("gamma")
    fleet.done("alpha", "member.retire", MemberRetire(machine="gamma", reason="sold"))
    fleet.member("gamma").start()
    fleet.run(10.0)
    gamma = fleet.member("gamma").node()
    (warning,) = view.warnings(gamma)
    number = gamma.commit.applier.number
    assert warning["code"] == "not_a_member"
    assert f"gamma was retired at commit {number} (sold)" in str(warning["message"])
    written = gamma.authorship.head(LEDGER)
    (refused,) = fleet.ask("gamma", "claim.acquire", acquire("issue-1"))
    assert isinstance(refused, InputFault)
    assert refused.code == "not_a_member"
    assert gamma.authorship.head(LEDGER) == written


@pytest.mark.parametrize(("epoch", "further"), [(0, True), (1, False)])
def test_only_a_machine_of_the_same_epoch_is_further(epoch: int, further: bool) -> None:
    rig, link = _linked()
    author = Actor(A)
    beat = msgspec.structs.replace(author.heartbeat(), commit_size=1_000, epoch=epoch)
    rig.receive(link, wire.Beat(envelope=author.seal(contexts.HEARTBEAT, encode(beat)), relayed=False))
    assert rig.core.presence.latest(A) is not None
    assert view.heard_further(rig.core) is further


def test_without_a_leader_a_warning_says_that_nothing_is_decided() -> None:
    fleet = OrderedFleet("alpha", "beta")
    fleet.fleet.power_off("alpha")
    fleet.run(20.0)
    status = view.status(fleet.member("beta").node())
    warnings = status["warnings"]
    assert isinstance(warnings, list)
    assert "no_leader" in {warning["code"] for warning in warnings}
    assert status["commit"]["leader"] is None  # type: ignore[index]  # of an object
    assert status["state"] == "alone"


def test_decisions_that_wait_are_counted() -> None:
    fleet = OrderedFleet("alpha", "beta")
    action = Action(op="remove", resource="file:x")
    proposal = DecisionPropose(title="t", targets=("all",), actions=(action,), based_on=3)
    done = fleet.done("beta", "decision.propose", proposal)
    summary = view.status(fleet.member("alpha").node())["summary"]
    assert isinstance(summary, dict)
    assert (done["outcome"]["accepted"], summary["decisions_pending"]) == (True, 1)


def test_a_state_that_differs_is_an_alarm_and_the_node_diverged() -> None:
    fleet = OrderedFleet("alpha", "beta")
    core = fleet.member("beta").node()
    core.commit.digests.changed_on_disk(b"\x01" * 32, b"\x02" * 32)
    status = view.status(core)
    assert status["state"] == "diverged"
    assert [warning["code"] for warning in view.warnings(core)] == ["ledger_changed"]
    assert all(warning["remedy"] for warning in view.warnings(core))
