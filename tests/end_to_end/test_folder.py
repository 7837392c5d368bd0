"""With every link cut the shared folder carries messages, receipts and what is to be decided, each once.

Each node runs in a network namespace of its own with nothing but its loopback, so no address leads anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.helpers.copier import Copier
from tests.helpers.fleet import ADMIN, Fleet, Machine, until
from tests.helpers.netlab import netlab_missing

_MISSING = netlab_missing()
pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "available")]

Report = Callable[[str, object], None]

ARRIVES_S = 60.0


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


def test_they_travel_through_a_copier_that_lags_reorders_and_doubles(
    fleet: Fleet, record_property: Report, tmp_path: Path
) -> None:
    alice, berta = fleet.machines.values()
    with Copier(tmp_path, ["alice", "berta"], lag_s=(0.5, 4.0)) as shared:
        _start(alice, shared.of("alice"))
        until((shared.of("berta") / "p2p" / "v1" / "fleet").exists, ARRIVES_S, what="the marker arrives")
        _start(berta, shared.of("berta"))
        until(lambda: "alice" in berta.states(), ARRIVES_S, what="berta learns of alice", shown=fleet.report)
        sent = [alice.client.send("berta", f"Numéro {number}", "corps")["id"] for number in range(12)]
        back = berta.client.send("alice", "Retour", "corps")["id"]
        for message in sent:
            _arrived(fleet, berta, message)
        _arrived(fleet, alice, back)
        for message in sent:
            _is(fleet, alice, message, {"berta": "delivered"})
        record_property("files copied", shared.copied)
        assert [row["subject"] for row in reversed(berta.inbox())] == [f"Numéro {number}" for number in range(12)]
        assert len(alice.inbox()) == 1


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
