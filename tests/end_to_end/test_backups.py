"""Backups: restored behind what the others hold, beside the one that still runs, and where it held the only vote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roosync_p2p.errors import InputFault
from tests.helpers.by_hand import by_hand
from tests.helpers.fleet import ADMIN, Fleet, Machine, until

_BY_HAND = pytest.mark.skipif(
    os.environ.get("ROOSYNC_TEST_BACKUPS", "") != "all", reason="takes half a minute; ROOSYNC_TEST_BACKUPS=all runs it"
)


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


@by_hand
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
        assert alice.json("claims")["claims"] == []
        assert again.run("send", "alice", "from the second", code=None).returncode == 1
        assert again.run("claim", "by the second", "--timeout", "2", code=None).returncode == 1
        claimed = alice.json("claim", "by another", "--timeout", "30")
        assert [claim["token"] for claim in alice.json("claims")["claims"]] == [claimed["token"]]
        assert alice.inbox() == []


def _agreed(fleet: Fleet) -> bool:
    return len({machine.json("status")["commit"]["digest"] for machine in fleet.running()}) == 1


def _decided(machine: Machine, entry: str) -> bool:
    """Whether it knows of that entry, and that it is decided."""
    try:
        return bool(machine.client.pending_request(entry)["state"] == "decided")
    except InputFault as fault:
        if fault.code != "no_such_request":
            raise
        return False


def _subjects(machine: Machine) -> list[str]:
    return sorted(row["subject"] for row in machine.inbox())


@_BY_HAND
def test_restored_where_its_newest_entries_are_in_the_folder_alone_it_loses_none_of_them(tmp_path: Path) -> None:
    with Fleet.found("alice", "berta", "clara") as fleet:
        folder = ("--folder", str(tmp_path))
        alice, berta, clara = fleet.start_all(options=folder)
        fleet.until_linked()
        until(lambda: clara.json("status")["commit"]["size"] >= 7, 50, what="all are members", shown=fleet.report)
        backup = str(fleet.path / "berta.backup")
        berta.json("backup", backup, *_passphrase(fleet), tool=ADMIN)
        held = berta.json("claim", "before the others went", "--timeout", "30")
        until(lambda: _agreed(fleet), 50, what="all have the claim", shown=fleet.report)
        for machine in (alice, clara):
            machine.kill()  # an orderly end would hand the vote over
        before = set(tmp_path.glob("p2p/v1/berta/entries/*/mail-*"))
        berta.client.send("clara", "in the folder alone", "corps")
        waited = berta.refusal(
            *("decision", "propose", "Plus tard", "--target", "all", "--set", "config:y.json", "1", "--timeout", "1"),
            code=4,
        )["details"]["entry"]
        until(lambda: set(tmp_path.glob("p2p/v1/berta/entries/*/mail-*")) > before, 50, what="it is in the folder")
        place = max(sequence for author, _, chain, sequence in berta.places() if (author, chain) == ("berta", "ledger"))
        until(
            lambda: any(
                int(path.stem.split("-")[2]) >= place for path in tmp_path.glob("p2p/v1/berta/entries/*/ledger-*")
            ),
            50,
            what="what it proposed is there too",
        )
        berta.kill()

        again = _restored(fleet, berta, backup)
        again.begin_start("--peer", alice.listen, "--peer", clara.listen, *folder)
        again.until_up()
        alice.start("--peer", again.listen, *folder)
        until(lambda: again.client.status()["phase"] == "ready", 60, what="it is countersigned", shown=fleet.report)
        assert again.client.status()["incarnation"] == 2
        clara.start("--peer", alice.listen, *folder)
        again.client.send("clara", "in the new life", "corps")
        until(lambda: len(clara.inbox()) == 2, 60, what="both arrive, once", shown=fleet.report)
        assert _subjects(clara) == ["in the folder alone", "in the new life"]
        until(
            lambda: _decided(again, waited),
            60,
            what="what it had proposed comes from the folder, and is decided",
            shown=fleet.report,
        )
        until(lambda: _agreed(fleet), 60, what="all have the same ledger", shown=fleet.report)
        decisions = [row["title"] for row in clara.json("decision", "list")["decisions"]]
        assert decisions == ["Plus tard"]
        (claim,) = clara.json("claims")["claims"]
        assert claim["token"] == held["token"]


@_BY_HAND
def test_restored_where_its_newest_entries_are_on_a_machine_that_is_off_nothing_is_lost_or_doubled() -> None:
    with Fleet.found("alice", "berta", "clara") as fleet:
        alice, berta, clara = fleet.start_all()
        fleet.until_linked()
        until(lambda: clara.json("status")["commit"]["size"] >= 7, 50, what="all are members", shown=fleet.report)
        backup = str(fleet.path / "berta.backup")
        berta.json("backup", backup, *_passphrase(fleet), tool=ADMIN)
        held = berta.json("claim", "decided after the backup", "--timeout", "30")
        until(lambda: _agreed(fleet), 50, what="all have the claim", shown=fleet.report)
        alice.kill()  # an orderly end would hand the vote over
        berta.json("send", "clara", "known to clara alone")
        until(lambda: _subjects(clara) == ["known to clara alone"], 50, what="it arrives", shown=fleet.report)
        clara.kill()
        berta.kill()

        alice.start()
        assert alice.json("status")["commit"]["voters"] == ["alice"]
        again = _restored(fleet, berta, backup)
        again.start("--peer", alice.listen)
        until(lambda: again.client.status()["phase"] == "ready", 60, what="it is countersigned", shown=fleet.report)
        fresh = again.json("claim", "in the new life", "--timeout", "30")
        clara.start("--peer", alice.listen, "--peer", again.listen)
        again.client.send("clara", "in the new life", "corps")
        until(lambda: "in the new life" in _subjects(clara), 60, what="its mail arrives", shown=fleet.report)
        assert _subjects(clara) == ["in the new life", "known to clara alone"]
        until(lambda: _agreed(fleet), 60, what="all have the same ledger", shown=fleet.report)
        for machine in fleet.running():
            tokens = {claim["name"]: claim["token"] for claim in machine.json("claims")["claims"]}
            assert tokens == {"decided after the backup": held["token"], "in the new life": fresh["token"]}


@by_hand  # the same without a backup: test_recovery.py
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
