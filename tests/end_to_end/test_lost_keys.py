"""A machine lost its disk: it comes back under its name by the root's word, and whoever has the old key is out."""

from __future__ import annotations

import pytest

from roosync_p2p.errors import InputFault
from tests.helpers.by_hand import by_hand
from tests.helpers.fleet import ADMIN, Fleet, Machine, until


def _keys(of: Machine) -> dict[str, str]:
    """Key ids by machine, as that one pins them."""
    return {str(row["machine"]): str(row["key"]) for row in of.json("list", tool=ADMIN)["machines"]}


def _again(fleet: Fleet, machine: Machine) -> tuple[Machine, str, str]:
    """New hardware under the old name: its home with a request, and the files of that and of the answer."""
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
        until(lambda: alice.client.status()["commit"]["size"] >= 7, 50, what="all are members", shown=fleet.report)
        roles = alice.row("berta")["roles"]
        berta.client.send("all", "before", "x")
        until(lambda: len(alice.inbox()) == 1 == len(clara.inbox()), 20, what="the mail before", shown=fleet.report)
        clara.stop()
        berta.kill()

        again, request, answer = _again(fleet, berta)
        argv = ("rotate", "berta", "--lost", "--request", request, "--out", answer, "--reason", "disque mort", "--yes")
        lost = alice.json(*argv, tool=ADMIN)
        assert lost["commit_number"] is not None
        _install(again, answer, lost["fleet"])

        # Clara was off, and knows the old key alone.
        clara.begin_start("--peer", alice.listen)
        again.begin_start("--peer", alice.listen, "--peer", clara.listen)
        clara.until_up()
        again.until_up()
        until(lambda: again.client.status()["phase"] == "ready", 30, what="it may write", shown=fleet.report)
        assert again.client.status()["incarnation"] == 2
        fleet.until_linked()
        assert clara.row("berta")["roles"] == roles
        assert again.client.send("all", "after", "x")
        for machine in (alice, clara):
            until(lambda m=machine: len(m.inbox()) == 2, 20, what="its mail arrives", shown=fleet.report)  # type: ignore[misc]
        for machine in (alice, clara, again):
            assert "disque mort" in machine.warnings()["key_lost"]

        # A thief starts the old disk.
        berta.start("--peer", alice.listen, "--peer", clara.listen)
        until(lambda: "revoked" in berta.warnings(), 10, what="the thief is told", shown=fleet.report)
        assert "was lost" in berta.warnings()["revoked"]
        with pytest.raises(InputFault) as refused:
            berta.client.send("alice", "with the old key", "x")
        assert refused.value.code == "not_writing_revoked"
        assert {alice.states()["berta"], clara.states()["berta"]} == {"online"}


@by_hand
def test_what_cannot_be_said_is_refused_before_anything_is_signed_and_an_answer_that_was_lost_is_given_again() -> None:
    with Fleet.found("alice", "berta") as fleet:
        alice, berta = fleet.start_all()
        fleet.until_linked()
        before = _keys(alice)["berta"]
        berta.kill()
        again, request, answer = _again(fleet, berta)
        stranger, foreign, _ = _again(fleet, fleet.add("dora"))
        for machine, file, node, code in (
            ("alice", request, alice, "own_machine"),
            ("berta", foreign, alice, "wrong_machine"),
            ("dora", foreign, alice, "no_such_machine"),
        ):
            said = node.refusal("rotate", machine, "--lost", "--request", file, "--yes", tool=ADMIN)
            assert said["code"] == code
        assert alice.refusal("rotate", "berta", "--yes", tool=ADMIN, code=2)["code"] == "bad_usage"
        assert _keys(alice)["berta"] == before
        assert stranger.name == "dora"

        # Without a running node: it is kept, told and ordered at the next start. The same request, the same answer.
        alice.stop()
        argv = ("rotate", "berta", "--lost", "--request", request, "--out", answer, "--yes")
        lost = alice.json(*argv, tool=ADMIN)
        assert (lost["commit_number"], lost["former"]) == (None, before)
        assert alice.json(*argv, tool=ADMIN)["answer"] == lost["answer"]
        alice.start()
        assert alice.json(*argv, tool=ADMIN)["answer"] == lost["answer"]
        assert _keys(alice)["berta"] == lost["key"]
        _install(again, answer, lost["fleet"])
        again.start("--peer", alice.listen)
        fleet.until_linked()
        assert again.json("claim", "by the new key", "--timeout", "30")["token"]

        # Another request for the same lost key is for a key that is gone already: it is lost once more.
        again.kill()
        third = fleet.add("berta", home=fleet.path / "berta-third")
        other = str(fleet.path / "other.request.pem")
        third.run("request", "--machine", "berta", "--out", other, tool=ADMIN)
        second = alice.json("rotate", "berta", "--lost", "--request", other, "--out", answer, "--yes", tool=ADMIN)
        assert second["former"] == lost["key"]
        _install(third, answer, second["fleet"])
        third.start("--peer", alice.listen)
        until(lambda: third.client.status()["phase"] == "ready", 30, what="it may write", shown=fleet.report)
        assert third.client.status()["incarnation"] == 3


@by_hand
def test_the_founder_lost_its_disk_and_comes_back_by_the_second_issuer_without_its_issuer_key() -> None:
    with Fleet.found("alice", "berta", "clara") as fleet:
        alice, berta, clara = fleet.start_all()
        fleet.until_linked()
        until(lambda: clara.json("status")["commit"]["size"] >= 7, 50, what="all are members", shown=fleet.report)
        request, answer = str(fleet.path / "issuer.request.pem"), str(fleet.path / "issuer.answer.pem")
        berta.run("issuer", "request", "--out", request, tool=ADMIN)
        alice.run("issuer", "add", request, "--out", answer, tool=ADMIN)
        berta.run("issuer", "install", answer, tool=ADMIN)
        berta.stop()
        berta.start("--peer", alice.listen, "--peer", clara.listen)
        fleet.until_linked()
        # The root key was kept elsewhere.
        (berta.home / "root").mkdir(mode=0o700)
        (alice.home / "root" / "root.key").rename(berta.home / "root" / "root.key")
        alice.kill()

        again, request, answer = _again(fleet, alice)
        argv = ("rotate", "alice", "--lost", "--request", request, "--out", answer, "--yes")
        lost = berta.json(*argv, tool=ADMIN)
        assert len(lost["issuers"]) == 1
        assert lost["commit_number"] is None, "it had the only vote"
        _install(again, answer, lost["fleet"])
        again.start("--peer", berta.listen, "--peer", clara.listen)
        fleet.until_linked()
        until(lambda: again.client.status()["phase"] == "ready", 30, what="it may write", shown=fleet.report)
        assert again.client.send("clara", "without any order", "x")
        until(lambda: len(clara.inbox()) == 1, 20, what="its mail arrives", shown=fleet.report)
        assert again.refusal("invite", "dora", tool=ADMIN)["code"] == "not_an_issuer"

        # With a voter there is an order again, and the statement is in it.
        statement = str(fleet.path / "recovery")
        berta.json("recover", "--yes", "--out", statement, tool=ADMIN)
        berta.json("recover", "--statement", statement)
        until(
            lambda: berta.row("alice")["roles"] == ["approver", "member"], 60, what="it is ordered", shown=fleet.report
        )
        # Whom the lost issuer key had let in is certified anew, so somebody who joins now knows everybody.
        dora = fleet.add("dora")
        dora.json("join", berta.json("invite", "dora", tool=ADMIN)["code"], "--machine", "dora")
        dora.start("--peer", berta.listen, "--peer", clara.listen, "--peer", again.listen)
        until(lambda: set(dora.states()) == {"alice", "berta", "clara", "dora"}, 60, what="all", shown=fleet.report)
        until(lambda: dora.states()["alice"] == "online", 60, what="it knows the new key", shown=fleet.report)
