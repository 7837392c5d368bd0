"""With every link cut the shared folder carries messages, receipts and what is to be decided, each once.

Each node runs in a network namespace of its own with nothing but its loopback, so no address leads anywhere.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.helpers.by_hand import by_hand
from tests.helpers.copier import Copier
from tests.helpers.fleet import ADMIN, Fleet, Machine, until
from tests.helpers.netlab import Lab, netlab_missing

_MISSING = netlab_missing()
pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "available")]

Report = Callable[[str, object], None]

ARRIVES_S = 60.0
_PORT = 47600
_BY_HAND = pytest.mark.skipif(
    os.environ.get("ROOSYNC_TEST_FOLDER", "") != "all", reason="takes a minute; ROOSYNC_TEST_FOLDER=all runs it"
)


def _alone(argv: Sequence[str]) -> list[str]:
    """The command where nobody can be reached."""
    return ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *argv]


def _start(machine: Machine, folder: Path, *options: str) -> None:
    """A node that knows nobody's address: no peer, no discovery, and a folder."""
    machine.start("--folder", str(folder), *options)


def _arrived(fleet: Fleet, machine: Machine, message: str, within_s: float = ARRIVES_S) -> float:
    return until(
        lambda: any(row["id"] == message for row in machine.inbox()),
        within_s,
        what=f"{message} arrives at {machine.name}",
        shown=fleet.report,
    )


def _is(fleet: Fleet, sender: Machine, message: str, state: dict[str, str], within_s: float = ARRIVES_S) -> float:
    return until(
        lambda: sender.client.message(message)["states"] == state,
        within_s,
        what=f"{message} is {state}",
        shown=lambda: f"{sender.client.message(message)}\n{fleet.report()}",
    )


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with Fleet.found("alice", "berta", wraps=[_alone, _alone]) as fleet:
        yield fleet


@by_hand
def test_a_message_and_its_receipt_travel_through_a_common_folder_once(
    fleet: Fleet, record_property: Report, tmp_path: Path
) -> None:
    alice, berta = fleet.machines.values()
    folder = tmp_path / "Mon Drive" / ".shared-state"
    folder.mkdir(parents=True)
    _start(alice, folder)
    _start(berta, folder)
    sent = alice.client.send("berta", "Par le dossier", "sans aucun lien — ça passe")
    took = {"arrives": _arrived(fleet, berta, sent["id"])}
    took["delivered"] = _is(fleet, alice, sent["id"], {"berta": "delivered"})
    assert berta.client.read(sent["id"])["body"] == "sans aucun lien — ça passe"
    took["read"] = _is(fleet, alice, sent["id"], {"berta": "read"})
    for what, seconds in took.items():
        record_property(f"{what} after", round(seconds, 2))
        print(f"{what} after {seconds:.2f} s")
    assert alice.client.status()["links"] == berta.client.status()["links"] == 0
    row = next(row for row in berta.inbox() if row["id"] == sent["id"])
    assert (row["verified"], row["signer"]) == (True, "alice")
    berta.stop()
    _start(berta, folder)
    berta.until_ready()
    assert sum(row["id"] == sent["id"] for row in berta.inbox()) == 1


def test_three_nodes_go_on_through_a_copier_that_lags_reorders_and_doubles(
    record_property: Report, tmp_path: Path
) -> None:
    names = ["alice", "berta", "carla"]
    with (
        Fleet.found(*names, wraps=[_alone] * 3) as fleet,
        Copier(tmp_path, names, lag_s=(0.5, 3.0)) as shared,
    ):
        alice, berta, carla = fleet.machines.values()
        _start(alice, shared.of("alice"))
        for machine in (berta, carla):
            until((shared.of(machine.name) / "p2p" / "v1" / "fleet").exists, ARRIVES_S, what="the marker arrives")
            _start(machine, shared.of(machine.name))
        for machine in (berta, carla):
            until(_knows(machine, 3), ARRIVES_S, what="all are known", shown=fleet.report)
        sent = [berta.client.send("carla", f"Numéro {number}", "corps")["id"] for number in range(12)]
        back = carla.client.send("alice", "Retour", "corps")["id"]
        proposed = berta.json(
            *("decision", "propose", "Deux relectures", "--target", "all", "--timeout", "60"),
            *("--set", "config:ci.json#/reviews", "2"),
        )
        assert alice.json("decision", "approve", proposed["id"])["state"] == "approved"
        for message in sent:
            _arrived(fleet, carla, message)
            _is(fleet, berta, message, {"carla": "delivered"})
        _arrived(fleet, alice, back)
        carla.client.read(sent[0])
        _is(fleet, berta, sent[0], {"carla": "read"})
        until(
            lambda: len({machine.json("status")["commit"]["digest"] for machine in fleet.running()}) == 1,
            ARRIVES_S,
            what="all have the same ledger",
            shown=fleet.report,
        )
        assert carla.json("decision", "show", proposed["id"])["decisions"][0]["state"] == "approved"
        assert [row["subject"] for row in reversed(carla.inbox())] == [f"Numéro {number}" for number in range(12)]
        assert [len(machine.inbox()) for machine in (alice, berta)] == [1, 0]
        assert {machine.client.status()["links"] for machine in fleet.running()} == {0}
        record_property("files copied", shared.copied)


@_BY_HAND
def test_three_voters_that_only_a_folder_joins_decide_nothing_until_a_link_returns_and_nothing_comes_twice(
    record_property: Report, tmp_path: Path
) -> None:
    names = ("alice", "berta", "carla")
    with Lab(3) as lab:
        wraps = [functools.partial(lab.argv, number) for number in range(3)]
        listens = [f"{lab.address(number)}:{_PORT}" for number in range(3)]
        with Fleet.found(*names, wraps=wraps, listens=listens) as fleet:
            machines = fleet.start_all(options=("--folder", str(tmp_path)))
            fleet.until_linked()
            machines[0].run("voters", "prefer", *names, "--approve")
            until(
                lambda: all(len(machine.client.status()["commit"]["voters"]) == 3 for machine in machines),
                ARRIVES_S,
                what="all vote",
                shown=fleet.report,
            )
            for number in range(3):
                lab.unplug(number)
            until(lambda: all(m.client.status()["links"] == 0 for m in machines), ARRIVES_S, what="no link is left")
            sizes = [machine.json("status")["commit"]["size"] for machine in machines]
            waiting = [
                machine.refusal(
                    *("decision", "propose", f"De {machine.name}", "--target", "all", "--timeout", "5"),
                    *("--set", f"config:{machine.name}.json", "1"),
                    code=4,
                )["details"]
                for machine in machines
            ]
            for machine, details in zip(machines, waiting, strict=True):
                assert details["missing"] == [name for name in names if name != machine.name]
            sent = machines[0].client.send("all", "Par le dossier", "corps")["id"]
            took = [_arrived(fleet, machine, sent) for machine in machines[1:]]
            _is(fleet, machines[0], sent, {"berta": "delivered", "carla": "delivered"})
            assert [machine.json("status")["commit"]["size"] for machine in machines] == sizes
            # what was proposed is in the folder too, and is not sent again
            until(lambda: all(_same_heads(machines)), ARRIVES_S, what="all hold the same", shown=fleet.report)
            before = [machine.counters() for machine in machines]
            for number in range(3):
                lab.heal(number)
            fleet.until_linked()
            for machine, details in zip(machines, waiting, strict=True):
                until(
                    _decided(machine, details["entry"]),
                    ARRIVES_S,
                    what=f"what {machine.name} proposed is decided",
                    shown=fleet.report,
                )
            until(lambda: len({m.json("status")["commit"]["digest"] for m in machines}) == 1, ARRIVES_S, what="agreed")
            for machine, counted in zip(machines, before, strict=True):
                again = machine.counters().get("entries.duplicate", 0) - counted.get("entries.duplicate", 0)
                record_property(f"{machine.name}: entries that came again", again)
                print(f"{machine.name}: entries that came again: {again}")
                assert again == 0
                assert sum(row["id"] == sent for row in machine.inbox()) == (machine is not machines[0])
            record_property("arrived after", [round(seconds, 1) for seconds in took])


def _knows(machine: Machine, count: int) -> Callable[[], bool]:
    return lambda: len(machine.states()) == count


def _decided(machine: Machine, entry: str) -> Callable[[], bool]:
    return lambda: machine.client.pending_request(entry)["state"] == "decided"


def _same_heads(machines: Sequence[Machine]) -> list[bool]:
    places = [machine.places() for machine in machines]
    return [held == places[0] for held in places]


@by_hand
def test_a_decision_is_made_by_the_only_voter_and_comes_back_through_the_folder(
    fleet: Fleet, record_property: Report, tmp_path: Path
) -> None:
    alice, berta = fleet.machines.values()
    _start(alice, tmp_path)
    _start(berta, tmp_path)
    until(lambda: "alice" in berta.states(), ARRIVES_S, what="berta learns of alice", shown=fleet.report)
    proposed = berta.json(
        *("decision", "propose", "Deux relectures", "--target", "all", "--timeout", "60"),
        *("--set", "config:ci.json#/reviews", "2"),
    )
    assert (proposed["state"], proposed["author"]) == ("pending", "berta")
    assert alice.json("decision", "approve", proposed["id"])["state"] == "approved"
    shown = until(
        lambda: berta.json("decision", "show", proposed["id"])["decisions"][0]["state"] == "approved",
        ARRIVES_S,
        what="berta hears of the approval",
        shown=fleet.report,
    )
    record_property("the approval comes back after", round(shown, 2))
    sizes = {machine.name: machine.json("status")["commit"] for machine in (alice, berta)}
    until(
        lambda: alice.json("status")["commit"]["digest"] == berta.json("status")["commit"]["digest"],
        ARRIVES_S,
        what=f"both have the same ledger: {sizes}",
        shown=fleet.report,
    )
    assert alice.json("status")["links"] == 0
    waits = berta.refusal("claim", "bug-1", "--timeout", "1", code=4)
    assert waits["details"]["missing"] == ["alice"]
    assert "shared folder" in waits["message"], waits


def test_a_machine_joins_through_the_folder_and_takes_part(record_property: Report, tmp_path: Path) -> None:
    with Fleet() as fleet:
        alice = fleet.add("alice", listen="127.0.0.1:0", wrap=_alone)
        folder = tmp_path / "Mon Drive"
        refused = alice.refusal("init", "--no-passphrase", "--machine", "alice", "--folder", str(folder), tool=ADMIN)
        assert refused["code"] == "folder_missing"
        folder.mkdir()
        alice.json("init", "--no-passphrase", "--machine", "alice", "--folder", str(folder), tool=ADMIN)
        alice.start()
        until(lambda: alice.client.status()["folder"]["state"] == "alone", ARRIVES_S, what="it has its folder")
        assert alice.client.status()["folder"]["path"] == str(folder)
        code = alice.admin("invite", "carla").strip()
        carla = fleet.add("carla", listen="127.0.0.1:0", wrap=_alone)
        joined = carla.json("join", code, "--folder", str(folder))
        assert (joined["machine"], joined["inbound"]["outcome"]) == ("carla", "by_folder")
        assert carla.refusal("join", code, "--folder", str(folder))["code"] == "identity_exists"
        carla.start()  # its settings know the folder
        sent = carla.client.send("alice", "Me voilà", "par le dossier") if "alice" in carla.states() else None
        if sent is None:
            until(lambda: "alice" in carla.states(), ARRIVES_S, what="carla learns of alice", shown=fleet.report)
            sent = carla.client.send("alice", "Me voilà", "par le dossier")
        record_property("arrives after", round(_arrived(fleet, alice, sent["id"]), 2))
        row = next(row for row in alice.inbox() if row["id"] == sent["id"])
        assert (row["verified"], row["signer"]) == (True, "carla")
        checks = {check["id"]: check for check in alice.json("doctor")["checks"]}
        assert str(folder) in checks["folder"]["message"]


@by_hand
def test_a_drive_that_goes_away_is_told_and_nothing_is_lost(fleet: Fleet, tmp_path: Path) -> None:
    alice, berta = fleet.machines.values()
    folder, away = tmp_path / "drive", tmp_path / "away"
    folder.mkdir()
    _start(alice, folder)
    _start(berta, folder)
    until(lambda: "berta" in alice.states(), ARRIVES_S, what="alice learns of berta", shown=fleet.report)
    until(lambda: alice.client.status()["folder"]["state"] == "ok", ARRIVES_S, what="it is well", shown=fleet.report)
    folder.rename(away)
    folder.mkdir()  # what an unmounted drive leaves behind
    until(lambda: "folder_unmounted" in alice.warnings(), ARRIVES_S, what="it is told", shown=fleet.report)
    sent = alice.client.send("berta", "Pendant la panne", "corps")
    assert alice.run("doctor", code=None).returncode == 1
    assert not list(folder.iterdir())
    folder.rmdir()
    away.rename(folder)
    _arrived(fleet, berta, sent["id"])
    until(lambda: "folder_unmounted" not in alice.warnings(), ARRIVES_S, what="it is over", shown=fleet.report)
