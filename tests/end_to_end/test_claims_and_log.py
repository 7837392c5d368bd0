"""Three homes that agree on one order: who holds a claim, what was written when, and what waits for a leader."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.fleet import Fleet, Machine, until


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.found("machine-a", "machine-b", "machine-c") as fleet:
        fleet.start_all()
        fleet.until_linked()
        until(
            lambda: all(m.json("status")["commit"]["size"] >= 7 for m in fleet.running()),
            50,
            what="every machine's admission and first entry is ordered everywhere",
            shown=fleet.report,
        )
        yield fleet


def test_of_three_who_claim_one_name_at_once_one_gets_it_and_the_others_are_told_who(fleet: Fleet) -> None:
    racing = {m.name: m.begin("--json", "claim", "issue-482", "--note", f"by {m.name}") for m in fleet.running()}
    ended = {name: (process.communicate(timeout=60), process.returncode) for name, process in racing.items()}
    winners = [name for name, (_, code) in ended.items() if code == 0]
    assert len(winners) == 1, f"{ended}\n{fleet.report()}"
    won = json.loads(ended[winners[0]][0][0])
    assert {"name", "token", "holder", "acquired_at", "expires_at"} <= set(won)
    assert won["holder"]["machine"] == winners[0]
    for name, ((out, err), code) in ended.items():
        if name != winners[0]:
            error = json.loads(err)["error"]
            assert (code, out, error["code"]) == (1, b"", "claim_held")
            assert error["details"]["holder"] == won["holder"]
            assert (error["details"]["since"], error["details"]["until"]) == (won["acquired_at"], won["expires_at"])
            assert winners[0] in error["message"]
    for machine in fleet.running():
        shown = machine.json("claims")
        assert shown["stale"] is False
        assert [(claim["name"], claim["token"], claim["holder"]) for claim in shown["claims"]] == [
            ("issue-482", won["token"], won["holder"])
        ]
        assert machine.json("claim", "check", "issue-482", str(won["token"]))["held"] is True
        machine.run("claim", "check", "issue-482", str(won["token"] - 1), code=1)


def test_two_agents_of_one_machine_exclude_each_other_by_their_sessions(fleet: Fleet) -> None:
    a = fleet.machines["machine-a"]
    mine, other = (a.run("session", "open").stdout.strip() for _ in range(2))
    assert mine != other
    won = a.json("claim", "branch/main", "--ttl", "10m", environ={"ROOSYNC_SESSION": mine})
    refused = a.refusal("claim", "branch/main", environ={"ROOSYNC_SESSION": other})
    assert (refused["code"], refused["details"]["holder"]) == ("claim_held", won["holder"])
    assert a.refusal("claim", "renew", "branch/main", environ={"ROOSYNC_SESSION": other})["code"] == "not_holder"
    assert a.refusal("claim", "release", "branch/main", environ={"ROOSYNC_SESSION": other})["code"] == "not_holder"
    assert a.refusal("claim", "other", environ={"ROOSYNC_SESSION": "made up"})["code"] == "unknown_session"
    renewed = a.json("claim", "renew", "branch/main", "--ttl", "1h", environ={"ROOSYNC_SESSION": mine})
    assert renewed["token"] == won["token"]
    assert renewed["expires_at"] > won["expires_at"]
    waiting = a.begin("--json", "claim", "branch/main", "--wait", "50", environ={"ROOSYNC_SESSION": other})
    until(lambda: _queue(a, "branch/main") == 1, 30, what="the other stands in line", shown=a.log)
    a.run("claim", "release", "branch/main", environ={"ROOSYNC_SESSION": mine})
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, err
    assert json.loads(out)["token"] > won["token"]
    closed = a.json("session", "close", environ={"ROOSYNC_SESSION": other})
    assert closed["released"] == ["branch/main"]
    assert _claim(a, "branch/main") is None
    assert a.refusal("claim", "x", environ={"ROOSYNC_SESSION": other})["code"] == "unknown_session"
    # what opened a session survives a restart of the node
    a.run("session", "close", environ={"ROOSYNC_SESSION": mine})


def test_the_log_is_the_same_everywhere_and_can_be_followed(fleet: Fleet) -> None:
    a, b, c = fleet.running()
    following = b.begin("--json", "log", "--from", "1", "--follow")
    number = a.json("claim", "follow-me")["token"]
    assert following.stdout is not None
    lines: list[dict[str, Any]] = []
    while not lines or lines[-1]["number"] < number:
        lines.append(json.loads(following.stdout.readline()))
    following.terminate()
    assert [line["number"] for line in lines] == list(range(1, number + 1))
    assert lines[-1] | {"time": "", "id": ""} == {
        "number": number,
        "time": "",
        "kind": "claim.acquire",
        "author": "machine-a",
        "id": "",
        "outcome": {"accepted": True, "reason": ""},
    }
    for machine in (a, c):
        until(lambda m=machine: m.json("log")["size"] >= number, 20, what=f"{machine.name} has it")  # type: ignore[misc]
        assert machine.json("log", "--from", "1", "--limit", str(number))["entries"] == lines
    digests = {json.dumps(m.json("status")["commit"]["digest"]) for m in fleet.running()}
    assert len(digests) == 1
    assert all(row["commit_size"] >= number for row in c.json("machines")["machines"] if row["self"])


def test_a_retry_with_the_same_key_is_the_same_request_also_after_a_restart(fleet: Fleet) -> None:
    b = fleet.machines["machine-b"]
    session = {"ROOSYNC_SESSION": b.run("session", "open").stdout.strip()}
    first = b.json("claim", "once", "--idempotency-key", "k-1", environ=session)
    assert b.json("claim", "once", "--idempotency-key", "k-1", environ=session) == first
    b.run("down")
    b.wait_end()
    b.start("--peer", fleet.machines["machine-a"].listen)
    b.until_ready()
    assert b.json("claim", "once", "--idempotency-key", "k-1", environ=session) == first
    assert b.refusal("claim", "twice", "--idempotency-key", "k-1", environ=session)["code"] == "key_reused"
    b.run("claim", "release", "once", environ=session)
    gone = b.refusal("claim", "once", "--idempotency-key", "k-1", environ=session)
    assert gone["code"] == "claim_ended"


def test_without_its_leader_the_fleet_says_what_it_waits_for_and_decides_it_later(fleet: Fleet) -> None:
    a, b, _ = fleet.machines.values()
    fleet.until_linked()
    until(lambda: b.json("claims")["stale"] is False, 30, what="the leader answers", shown=fleet.report)
    a.signal(signal.SIGSTOP)
    try:
        error = b.refusal("claim", "late", "--timeout", "1", code=4)
        assert error["code"] == "pending"
        assert error["details"]["entry"] in {row["id"] for row in b.json("pending")["pending"]}
        shown = b.json("pending", error["details"]["entry"][:16], code=4)
        assert (shown["id"], shown["state"], shown["kind"]) == (error["details"]["entry"], "pending", "claim.acquire")
        assert b.json("claims")["stale"] is True
        until(lambda: "no_leader" in b.warnings(), 30, what="a warning", shown=b.log)
    finally:
        a.signal(signal.SIGCONT)
    until(lambda: not b.json("pending")["pending"], 50, what="everything is decided", shown=fleet.report)
    assert _claim(b, "late") is None, "nobody waits for it any more, so nobody got it"
    assert b.json("pending", error["details"]["entry"], code=None)["state"] == "decided"


def test_why_names_who_was_killed_who_stands_still_and_whom_a_request_waits_for(fleet: Fleet) -> None:
    a, b, c = fleet.machines.values()
    fleet.until_linked()
    b.until_reached(a.name)
    assert b.client.why(a.name)["waits_for"] == []
    message = b.client.send(a.name, "still there?")["id"]
    c.signal(signal.SIGSTOP)  # cut off: its computer accepts connections, and nothing answers
    a.kill()  # it holds the only vote
    error = b.refusal("claim", "late", "--timeout", "0.1", code=4)
    b.until_state(a.name, "offline")

    killed = b.client.why(a.name)
    assert (killed["kind"], killed["machine"]["state"], killed["stale"]) == ("machine", "offline", True)
    assert [wait["code"] for wait in killed["waits_for"]] == ["sign"]
    assert {(one["outcome"], one["met"]) for one in killed["machine"]["tried"]} == {("refused", True)}
    assert killed["machine"]["membership"]["votes"] is True
    for of, kind in ((error["details"]["entry"][:16], "request"), ("late", "claim")):
        found = b.client.why(of)
        (wait,) = found["waits_for"]
        assert (found["kind"], wait["code"], wait["missing"]) == (kind, "undecided", [a.name])
        assert [row["machine"] for row in found[kind]["quorum"]["voters"] if not row["there"]] == [a.name]
    assert f"for {a.name}, which holds the only vote" in b.run("why", "late").stdout
    (recipient,) = b.client.why(message)["message"]["recipients"]
    if recipient["state"] == "sent":  # it may have signed for it in its last moment
        assert recipient["ways"]["tried"][0]["outcome"] == "refused"

    until(
        lambda: {one["outcome"] for one in b.client.why(c.name)["machine"]["tried"]} == {"silent"},
        50,
        what="a dial of the one that stands still was accepted and not answered",
        shown=lambda: f"{b.client.why(c.name)}\n{b.log()}",
    )
    silent = b.client.why(c.name)
    assert silent["machine"]["state"] in ("suspect", "offline", "unknown")
    assert [one["standing"] for one in silent["machine"]["seen"] if one["path"] == "direct"] != ["good"]
    assert silent["waits_for"][0]["code"] in ("heartbeat", "peers", "proof", "sign")


def _claim(machine: Machine, name: str) -> dict[str, Any] | None:
    return next((claim for claim in machine.json("claims")["claims"] if claim["name"] == name), None)


def _queue(machine: Machine, name: str) -> int:
    claim = _claim(machine, name)
    return 0 if claim is None else len(claim["queue"])
