"""A machine lost its disk: it comes back under its name by the root's word, and whoever has the old key is out."""

from __future__ import annotations

from tests.helpers.fleet import ADMIN, Fleet, Machine, until


def _key(of: Machine, machine: str) -> str:
    shown = of.json("show", machine, tool=ADMIN)["certificates"]
    return str(next(one for one in shown if one["kind"] == "machine")["key"])


def _request(fleet: Fleet, machine: Machine) -> tuple[Machine, str, str]:
    """New hardware under the old name: its home, and the request that it made."""
    again = fleet.add(machine.name, home=fleet.path / f"{machine.name}-again")
    request, answer = str(fleet.path / f"{machine.name}.request.pem"), str(fleet.path / f"{machine.name}.answer.pem")
    again.run("request", "--machine", machine.name, "--out", request, tool=ADMIN)
    return again, request, answer


def _install(machine: Machine, answer: str, fleet_id: str) -> None:
    assert machine.json("install", answer, "--fleet", fleet_id, tool=ADMIN)["machine"] == machine.name


def test_a_machine_whose_disk_died_is_back_under_its_name_and_who_has_the_old_key_is_told_why() -> None:
    with Fleet.found("alice", "berta", "clara") as fleet:
        alice, berta, clara = fleet.start_all()
        fleet.until_linked()
        until(lambda: berta.json("status")["commit"]["size"] >= 7, 50, what="all are members", shown=fleet.report)
        berta.client.send("all", "before", "x")
        until(lambda: len(alice.inbox()) == 1 == len(clara.inbox()), 20, what="the mail before", shown=fleet.report)
        clara.stop()
        berta.kill()
        former, role = _key(alice, "berta"), alice.row("berta")["roles"]

        again, request, answer = _request(fleet, berta)
        argv = ("rotate", "berta", "--lost", "--request", request, "--out", answer, "--reason", "disque mort", "--yes")
        lost = alice.json(*argv, tool=ADMIN)
        assert (lost["former"], lost["waits_for"]) == (former, None)
        assert lost["commit_number"] is not None
        assert _key(alice, "berta") == lost["key"] != former
        repeated = alice.json(*argv, tool=ADMIN)
        assert (repeated["answer"], repeated["key"]) == (lost["answer"], lost["key"])

        # Only clara is there when it comes back, and knows the old key alone.
        _install(again, answer, lost["fleet"])
        clara.start("--peer", alice.listen)
        again.start("--peer", alice.listen, "--peer", clara.listen)
        until(lambda: again.client.status()["phase"] == "ready", 30, what="it may write", shown=fleet.report)
        assert again.client.status()["incarnation"] == 2
        fleet.until_linked()
        assert clara.row("berta")["roles"] == role
        assert again.client.send("all", "after", "x")
        for machine in (alice, clara):
            until(lambda m=machine: len(m.inbox()) == 2, 20, what="its mail arrives", shown=fleet.report)  # type: ignore[misc]
        assert again.json("claim", "by the new key", "--timeout", "30")["token"]
        for machine in (alice, clara, again):
            assert "disque mort" in machine.warnings()["key_lost"]
            assert machine.row("berta")["state"] == "online"

        # A thief starts the old disk.
        berta.start("--peer", alice.listen, "--peer", clara.listen)
        until(lambda: "revoked" in berta.warnings(), 10, what="the thief is told", shown=fleet.report)
        assert "lost" in berta.warnings()["revoked"]
        assert berta.refusal("send", "alice", "with the old key", "x")["code"] == "not_writing_revoked"
        assert {alice.states()["berta"], clara.states()["berta"]} == {"online"}
