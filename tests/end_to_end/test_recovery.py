"""The last resort: the only vote is lost with its disk, and the root says who decides from now on."""

from __future__ import annotations

import shutil

from tests.helpers.fleet import ADMIN, Fleet, Machine, until


def test_a_fleet_goes_on_by_the_roots_statement_and_the_former_voter_follows_when_it_returns() -> None:
    with Fleet.found("alice", "berta", "carla") as fleet:
        fleet.start_all()
        fleet.until_linked()
        alice, berta, carla = fleet.machines.values()
        for machine in fleet.machines.values():
            machine.until_ready()
        held = berta.json("claim", "issue-1")
        until(lambda: _size(carla) == _size(alice), 50, what="carla has it too")
        alice.kill()
        waiting = berta.refusal("claim", "issue-2", "--queue", "--timeout", "2", code=4)
        assert "alice" in waiting["message"]
        statement = fleet.path / "recovery.txt"
        shutil.copytree(alice.home / "root", berta.home / "root", dirs_exist_ok=True)  # somebody brings the root's key
        berta.run("recover", "--yes", "--reason", "its disk died", "--out", str(statement), tool=ADMIN)
        assert carla.run("recover", "--statement", str(statement), code=None).returncode == 1, "it names berta"
        begun = berta.json("recover", "--statement", str(statement))
        assert (begun["epoch"], begun["lost"]) == (1, 0)
        until(
            lambda: berta.json("pending", waiting["details"]["entry"])["state"] == "decided",
            50,
            what="what had waited is decided in the new epoch, and its first id still leads to it",
            shown=berta.log,
        )
        assert berta.json("pending", waiting["details"]["entry"])["outcome"]["accepted"] is True
        until(lambda: carla.json("status")["commit"]["epoch"] == 1, 50, what="carla follows", shown=carla.log)
        assert carla.json("claim", "issue-3")["token"] > held["token"]
        alice.start("--peer", f"wss://{berta.listen}")
        until(
            lambda: alice.json("status")["commit"]["digest"] == berta.json("status")["commit"]["digest"],
            50,
            what="alice follows",
            shown=alice.log,
        )
        assert alice.json("status")["commit"]["voters"] == ["berta"]


def _size(machine: Machine) -> int:
    size: int = machine.json("status")["commit"]["size"]
    return size
