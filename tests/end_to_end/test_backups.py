"""Backups: restored behind what the others hold, beside the one that still runs, and where it held the only vote."""

from __future__ import annotations

from tests.helpers.fleet import ADMIN, Fleet, Machine, until


def _passphrase(fleet: Fleet) -> tuple[str, str]:
    file = fleet.path / "passphrase"
    file.write_text("a sentence for the backup\n")
    return "--passphrase-file", str(file)


def _restored(fleet: Fleet, machine: Machine, backup: str) -> Machine:
    again = fleet.add(machine.name, home=fleet.path / f"{machine.name}-again", listen=machine.listen)
    again.json("restore", backup, *_passphrase(fleet), tool=ADMIN)
    return again


def test_a_restored_machine_gets_back_what_it_wrote_since_and_loses_no_commit() -> None:
    with Fleet.found("alice", "berta", "clara") as fleet:
        alice, berta, clara = fleet.start_all()
        fleet.until_linked()
        until(lambda: clara.json("status")["commit"]["size"] >= 7, 50, what="all are members", shown=fleet.report)
        berta.json("send", "clara", "before")
        backup = str(fleet.path / "berta.backup")
        made = berta.json("backup", backup, *_passphrase(fleet), tool=ADMIN)  # while its node runs
        assert "identity/machine.key" in made["holds"]
        assert berta.refusal("backup", backup, *_passphrase(fleet), tool=ADMIN)["code"] == "file_exists"
        berta.json("send", "clara", "after the backup")
        claimed = berta.json("claim", "after the backup", "--timeout", "30")
        until(lambda: len(clara.inbox()) == 2, 20, what="both arrive", shown=fleet.report)
        berta.kill()

        again = _restored(fleet, berta, backup)
        again.start("--peer", alice.listen, "--peer", clara.listen)
        until(lambda: again.client.status()["phase"] == "ready", 30, what="it is countersigned", shown=fleet.report)
        assert again.client.status()["incarnation"] == 2
        until(lambda: again.json("status")["state"] == "synced", 30, what="it has caught up", shown=fleet.report)
        again.json("send", "clara", "in the new life")
        until(lambda: len(clara.inbox()) == 3, 20, what="its mail arrives", shown=fleet.report)
        assert sorted(m["subject"] for m in clara.inbox()) == ["after the backup", "before", "in the new life"]
        (held,) = [c for c in clara.json("claims")["claims"] if c["name"] == "after the backup"]
        assert held["token"] == claimed["token"]
        assert again.json("claim", "in the new life", "--timeout", "30")["token"] > claimed["token"]


def test_restored_while_the_old_one_runs_it_writes_nothing() -> None:
    with Fleet.found("alice", "berta") as fleet:
        alice, berta = fleet.start_all()
        fleet.until_linked()
        backup = str(fleet.path / "berta.backup")
        berta.json("backup", backup, *_passphrase(fleet), tool=ADMIN)
        again = fleet.add("berta", home=fleet.path / "berta-again")
        again.json("restore", backup, *_passphrase(fleet), tool=ADMIN)
        again.start("--peer", alice.listen, "--peer", berta.listen)
        until(
            lambda: {"waiting_for_countersignature", "identity_conflict"} & set(again.warnings()) != set(),
            30,
            what="the restored one says what it waits for",
            shown=fleet.report,
        )
        assert again.client.status()["phase"] != "ready"
        assert alice.client.status()["phase"] == "ready"


def test_the_one_that_held_the_only_vote_goes_on_by_the_roots_word() -> None:
    with Fleet.found("alice", "berta") as fleet:
        alice, berta = fleet.start_all()
        fleet.until_linked()
        until(lambda: berta.json("status")["commit"]["size"] >= 5, 50, what="both are members", shown=fleet.report)
        backup = str(fleet.path / "alice.backup")
        assert alice.json("backup", backup, *_passphrase(fleet), tool=ADMIN)["root_key"]
        before = berta.json("claim", "decided", "--timeout", "30")
        alice.kill()
        again = fleet.add("alice", home=fleet.path / "alice-again", listen=alice.listen)
        restored = again.json("restore", backup, *_passphrase(fleet), tool=ADMIN)
        assert restored["held_only_vote"]
        again.start("--peer", berta.listen)
        until(lambda: "waiting_for_countersignature" in again.warnings(), 30, what="it waits", shown=fleet.report)
        again.json("countersign", "--yes", tool=ADMIN)
        until(lambda: again.client.status()["phase"] == "ready", 30, what="it may write", shown=fleet.report)
        until(lambda: again.json("status")["state"] == "synced", 30, what="it has caught up", shown=fleet.report)
        statement = str(fleet.path / "recovery")
        again.json("recover", "--yes", "--out", statement, tool=ADMIN)
        again.json("recover", "--statement", statement)
        until(
            lambda: again.run("claim", "goes on", "--timeout", "5", code=None).returncode == 0,
            60,
            what="it decides again",
            shown=fleet.report,
        )
        until(
            lambda: before["token"] in [c["token"] for c in berta.json("claims")["claims"] if c["name"] == "decided"],
            50,
            what="berta follows into the new epoch, with what was decided before",
            shown=fleet.report,
        )


def test_a_wrong_passphrase_or_a_damaged_file_leaves_nothing() -> None:
    with Fleet.found("alice") as fleet:
        alice = fleet.machines["alice"]
        backup = fleet.path / "alice.backup"
        alice.json("backup", str(backup), *_passphrase(fleet), tool=ADMIN)
        other = fleet.path / "other"
        other.write_text("another sentence")
        again = fleet.add("alice", home=fleet.path / "alice-again")
        refused = again.refusal("restore", str(backup), "--passphrase-file", str(other), tool=ADMIN)
        assert refused["code"] == "wrong_passphrase"
        damaged = bytearray(backup.read_bytes())
        damaged[-20] ^= 1
        backup.write_bytes(bytes(damaged))
        assert again.refusal("restore", str(backup), *_passphrase(fleet), tool=ADMIN)["code"] in (
            "bad_backup",
            "wrong_passphrase",
        )
        assert not (again.home / "identity").exists()
        assert alice.refusal("restore", str(backup), *_passphrase(fleet), tool=ADMIN)["code"] == "identity_exists"
