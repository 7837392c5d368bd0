"""A machine is put out: the others close their links and take nothing more from it, and it is told why."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.fleet import ADMIN, Fleet, Machine, until


def _out(of: Machine, machine: str) -> bool:
    return machine not in of.states()


def test_a_revoked_machine_is_out_everywhere_learns_why_and_does_not_come_back() -> None:
    with Fleet.found("alice", "berta", "clara") as fleet:
        alice, berta, clara = fleet.start_all()
        fleet.until_linked()
        until(lambda: clara.json("status")["commit"]["size"] >= 7, 50, what="all are members", shown=fleet.report)
        clara.json("send", "berta", "before")
        until(lambda: len(berta.inbox()) == 1, 20, what="the mail before arrives", shown=fleet.report)

        revoked = alice.json("revoke", "clara", "--yes", "--reason", "volée", tool=ADMIN)
        assert revoked["machine"] == "clara"
        assert revoked["commit_number"] is not None
        took = until(lambda: _out(berta, "clara") and _out(alice, "clara"), 10, what="clara is out", shown=fleet.report)
        assert took < 5
        until(lambda: "revoked" in clara.warnings(), 10, what="clara is told", shown=fleet.report)
        assert "volée" in clara.warnings()["revoked"]
        assert clara.refusal("send", "berta", "after")["code"] == "not_writing_revoked"
        until(lambda: clara.json("status")["links"] == 0, 10, what="nobody links with clara", shown=fleet.report)

        # Not after a restart either, and not through the third: its key is what is revoked.
        clara.kill()
        clara.start("--peer", berta.listen, "--peer", alice.listen)
        until(lambda: "revoked" in clara.warnings(), 10, what="it still knows", shown=fleet.report)
        assert _out(alice, "clara")
        assert _out(berta, "clara")
        members = {row["machine"]: row["state"] for row in berta.client.register()["members"]}
        assert members["clara"] == "removed"
        assert "before" in {message["subject"] for message in berta.inbox()}

        # The others go on, and clara returns with a new home, a new key and a new invite.
        assert berta.json("claim", "still deciding", "--timeout", "30")["token"]
        clara.stop()
        again = fleet.add("clara", home=Path(fleet.path / "clara-again"), listen=clara.listen)
        code = alice.json("invite", "clara", tool=ADMIN)["code"]
        again.json("join", code, "--machine", "clara")
        again.start("--peer", alice.listen, "--peer", berta.listen)
        until(lambda: again.client.status()["phase"] == "ready", 30, what="it may write", shown=fleet.report)
        assert again.client.status()["incarnation"] == 2
        again.json("send", "berta", "again")
        until(lambda: len(berta.inbox()) == 2, 30, what="its mail arrives", shown=fleet.report)
        until(
            lambda: {r["machine"]: r["state"] for r in berta.client.register()["members"]}["clara"] == "present",
            30,
            what="it is a member again",
            shown=fleet.report,
        )


def test_an_issuer_without_a_running_node_revokes_all_the_same() -> None:
    with Fleet.found("alice", "berta", "clara") as fleet:
        alice, berta, clara = fleet.start_all()
        fleet.until_linked()
        alice.stop()
        revoked = alice.json("revoke", "clara", "--yes", tool=ADMIN)
        assert revoked["commit_number"] is None
        assert not _out(berta, "clara")
        alice.start("--peer", berta.listen)
        until(lambda: _out(berta, "clara"), 20, what="berta hears of it", shown=fleet.report)
        until(lambda: "revoked" in clara.warnings(), 10, what="clara hears of it", shown=fleet.report)


def test_only_an_issuer_revokes_and_not_itself() -> None:
    with Fleet.found("alice", "berta") as fleet:
        alice, berta = fleet.start_all()
        fleet.until_linked()
        assert berta.refusal("revoke", "alice", "--yes", tool=ADMIN)["code"] == "root_key_elsewhere"
        assert alice.refusal("revoke", "alice", "--yes", tool=ADMIN)["code"] == "own_machine"
        assert alice.refusal("revoke", "nobody", "--yes", tool=ADMIN)["code"] == "no_such_machine"
        # What cannot be done is said before anybody is asked to confirm it.
        assert alice.refusal("retire", "nobody", tool=ADMIN)["code"] == "unknown_member"
        assert alice.refusal("retire", "alice", tool=ADMIN)["code"] == "own_machine"
        assert berta.refusal("retire", "alice", tool=ADMIN)["code"] == "needs_root"
        assert alice.refusal("settle", "berta", "--keep", "0" * 64, tool=ADMIN)["code"] == "no_such_fork"
        assert alice.refusal("renew", "--at", "nonsense", tool=ADMIN, code=2)["code"] == "bad_contact"
        assert alice.refusal("send", "berta", "x", "y", "--type", "a b", code=2)["code"] == "bad_type"
