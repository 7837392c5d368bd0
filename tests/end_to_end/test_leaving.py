"""A machine leaves for good, and the others go on: also when it founded the fleet and held the only vote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.helpers.by_hand import by_hand
from tests.helpers.fleet import ADMIN, Fleet, Machine, until


def _without(shows: Machine, gone: str) -> Callable[[], bool]:
    return lambda: gone not in shows.states()


def _links(shows: Machine, count: int) -> Callable[[], bool]:
    return lambda: shows.client.status()["links"] == count


def test_the_founder_hands_its_vote_over_and_the_others_decide_without_it() -> None:
    with Fleet.found("alice", "berta", "clara") as fleet:
        alice, berta, clara = fleet.start_all()
        fleet.until_linked()
        until(lambda: clara.json("status")["commit"]["size"] >= 7, 50, what="all are members", shown=fleet.report)
        alice.json("claim", "held by alice")
        assert alice.refusal("leave", "--yes")["code"] == "last_issuer"
        left = alice.json("leave", "--yes", "--force", "--reason", "vendue")
        assert alice.wait_end() == 0
        until(
            lambda: berta.json("status")["commit"]["leader"] in ("berta", "clara"),
            30,
            what="somebody else leads",
            shown=fleet.report,
        )
        claimed = clara.json("claim", "held by alice", "--timeout", "30")
        assert claimed["token"] > left["commit_number"]
        assert "alice" not in berta.json("status")["commit"]["voters"]
        members = {row["machine"]: row["state"] for row in berta.client.register()["members"]}
        assert members["alice"] == "left"


def test_the_only_vote_is_not_taken_away_from_a_fleet_that_sleeps() -> None:
    with Fleet.found("alice", "berta") as fleet:
        alice, berta = fleet.start_all()
        fleet.until_linked()
        until(lambda: berta.json("status")["commit"]["size"] >= 5, 50, what="both are members", shown=fleet.report)
        berta.stop()
        error = alice.refusal("leave", "--yes", "--force")
        assert error["code"] == "holds_only_vote"
        assert alice.running
        assert alice.json("claim", "still here")["name"] == "still here"


def test_who_left_counts_no_more_and_comes_back_under_its_name_with_a_new_home(tmp_path: Path) -> None:
    folder = tmp_path / "drive"
    folder.mkdir()
    part = folder / "p2p/v1/clara"
    with Fleet.found("alice", "berta", "clara") as fleet:
        alice, berta, clara = fleet.start_all(options=("--folder", str(folder)))
        fleet.until_linked()
        until(lambda: clara.json("status")["commit"]["size"] >= 7, 50, what="all are members", shown=fleet.report)
        until((part / "heartbeat").exists, 50, what="it has its part of the folder", shown=fleet.report)
        clara.json("send", "berta", "before")
        until(lambda: len(berta.inbox()) == 1, 20, what="the mail before arrives", shown=fleet.report)
        clara.json("leave", "--yes")
        assert clara.wait_end() == 0
        assert not [path for path in part.rglob("*") if path.is_file()], "its part of the folder is still there"
        for machine in (alice, berta):
            until(_without(machine, "clara"), 30, what="it is shown no more", shown=fleet.report)
            until(_links(machine, 1), 30, what="no link to it", shown=fleet.report)
        refused = clara.run("up", "--listen", clara.listen, code=1)
        assert "clara has left the fleet" in refused.stderr
        assert "a new home and a new invite" in refused.stderr
        assert berta.refusal("send", "clara", "after")["code"] == "unknown_recipient"

        # Whoever was off meanwhile hears of the end and of the return at once.
        berta.stop()
        again = fleet.add("clara", home=Path(fleet.path / "clara-again"), listen=clara.listen)
        again.json("join", alice.json("invite", "clara", tool=ADMIN)["code"], "--machine", "clara")
        again.start("--peer", alice.listen, "--peer", berta.listen)
        until(lambda: again.client.status()["phase"] == "ready", 30, what="it may write", shown=fleet.report)
        berta.start("--peer", alice.listen)
        again.json("send", "berta", "again")
        until(lambda: len(berta.inbox()) == 2, 30, what="its mail arrives", shown=fleet.report)
        until(
            lambda: {r["machine"]: r["state"] for r in berta.client.register()["members"]}["clara"] == "present",
            30,
            what="it is a member again",
            shown=fleet.report,
        )
        until(lambda: berta.states()["clara"] == "online", 50, what="it is heard again", shown=fleet.report)


@by_hand
def test_who_is_retired_reads_of_it_is_waited_for_by_nobody_and_does_not_start_again() -> None:
    with Fleet.found("alice", "berta", "clara") as fleet:
        alice, berta, clara = fleet.start_all()
        fleet.until_linked()
        until(lambda: clara.json("status")["commit"]["size"] >= 7, 50, what="all are members", shown=fleet.report)
        alice.json("retire", "clara", "--yes", "--reason", "vendue", tool=ADMIN)
        until(lambda: "not_a_member" in clara.warnings(), 20, what="it reads of its end", shown=fleet.report)
        for machine in (alice, berta):
            until(_links(machine, 1), 30, what="no link to it", shown=fleet.report)
        assert alice.client.status()["summary"]["machines"] == 2
        clara.stop()
        assert "was retired" in clara.run("up", "--listen", clara.listen, code=1).stderr
