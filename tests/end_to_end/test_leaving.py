"""A machine leaves for good, and the others go on: also when it founded the fleet and held the only vote."""

from __future__ import annotations

from tests.helpers.fleet import Fleet, until


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
