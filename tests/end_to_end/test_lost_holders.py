"""Holders of claims that die or hang up: when the next one gets the name, and what an old token is still good for.

One killed holder of each kind here; ``ROOSYNC_TEST_HOLDERS=20`` by hand.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from roosync_p2p.clock import parse_rfc3339
from tests.helpers.fleet import ROOSYNC, Fleet, Machine, until

Report = Callable[[str, object], None]

HOLDERS: Final = int(os.environ.get("ROOSYNC_TEST_HOLDERS", "1"))
TTL_S: Final = 2
LATE_S: Final = 10.0  # a node whose caller waits writes a commit within a second of the end
# What may be slow on a busy computer is the test: a claim of seconds can be over before its rival has asked.


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.found("alice", "berta", "clara") as fleet:
        fleet.start_all()
        fleet.until_linked()
        until(lambda: _size(fleet.machines["clara"]) >= 7, 50, what="all are members", shown=fleet.report)
        yield fleet


def _size(machine: Machine) -> int:
    size: int = machine.client.status()["commit"]["size"]
    return size


def _claims(machine: Machine) -> dict[str, Any]:
    """What is held now, by name."""
    until(lambda: not machine.client.claims()["stale"], 30, what="the leader confirms it", shown=machine.log)
    return {claim["name"]: claim for claim in machine.client.claims()["claims"]}


def _late_s(lost: dict[str, Any], won: dict[str, Any]) -> float:
    """Commit time from the end of one claim to the beginning of the next; negative would be too early."""
    return (parse_rfc3339(won["acquired_at"]) - parse_rfc3339(lost["expires_at"])) / 1000


def _length_s(claim: dict[str, Any]) -> float:
    return (parse_rfc3339(claim["expires_at"]) - parse_rfc3339(claim["acquired_at"])) / 1000


# --- the holder dies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(HOLDERS))
def test_a_killed_node_loses_its_claim_at_the_end_of_its_time_and_not_before(
    fleet: Fleet, number: int, record_property: Report
) -> None:
    alice, berta, clara = fleet.machines.values()
    name = f"node-{number}"
    lost = berta.json("claim", name, "--ttl", f"{TTL_S}s")
    assert _length_s(lost) == TTL_S
    berta.kill()
    try:
        _passes_on(lost, clara, alice, record_property)
    finally:
        berta.start("--peer", alice.listen)
        berta.until_ready()
    # what comes back has the token of before
    until(lambda: name in _claims(berta), 30, what="berta knows of the new holder")
    _old_token_is_of_no_use(lost, berta)


@pytest.mark.parametrize("number", range(HOLDERS))
def test_a_killed_agent_loses_its_claim_at_the_end_of_its_time_and_not_before(
    fleet: Fleet, number: int, record_property: Report
) -> None:
    alice, berta, _ = fleet.machines.values()
    with _agent(berta, "claim", f"agent-{number}", "--ttl", f"{TTL_S}s") as (agent, lost):
        agent.kill()
        agent.wait(30)
    # another agent of the same machine, and the same user, is somebody else
    assert lost["holder"]["session"] != ""
    _passes_on(lost, berta, alice, record_property)
    _old_token_is_of_no_use(lost, berta)


@contextlib.contextmanager
def _agent(machine: Machine, *args: str) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    """A process that ran a command and lives on; the command's answer."""
    command = [*ROOSYNC, "--home", str(machine.home), "--json", *args]
    with subprocess.Popen(
        ["sh", "-c", '"$@" && exec sleep 600', "sh", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=machine.environ,
        cwd=machine.home.parent,
    ) as agent:
        try:
            assert agent.stdout is not None
            text = b""
            while not text.rstrip().endswith(b"\n}"):
                line = agent.stdout.readline()
                assert line, f"no answer: {text!r}"
                text += line
            yield agent, json.loads(text)
        finally:
            agent.kill()


def _passes_on(lost: dict[str, Any], rival: Machine, witness: Machine, record_property: Report) -> None:
    """The rival is told that it is held, waits, and gets it when its time is over."""
    name = lost["name"]
    first = rival.run("--json", "claim", name, "--ttl", "1h", code=None)
    if first.returncode == 0:  # this computer is so slow that it was over
        won = json.loads(first.stdout)
    else:
        refused = json.loads(first.stderr)["error"]
        assert (refused["code"], refused["details"]["until"]) == ("claim_held", lost["expires_at"])
        won = rival.json("claim", name, "--wait", "60", "--ttl", "1h")
    late_s = _late_s(lost, won)
    record_property(f"{name} passed on after", late_s)
    print(f"{name}: passed on {late_s:.3f} s after its end")
    assert 0 <= late_s < LATE_S
    assert won["token"] > lost["token"]
    assert _claims(witness)[name]["holder"] == won["holder"]
    witness.run("claim", "check", name, str(lost["token"]), code=1)
    witness.run("claim", "check", name, str(won["token"]))


def _old_token_is_of_no_use(lost: dict[str, Any], machine: Machine) -> None:
    """Neither to check, nor behind a fence; the newer one is."""
    name, new = lost["name"], _claims(machine)[lost["name"]]
    machine.run("claim", "check", name, str(lost["token"]), code=1)
    propose = ("decision", "propose", "Done", "--target", "all", "--remove", f"file:TODO-{name}")
    refused = machine.refusal(*propose, "--fence", name, str(lost["token"]))
    assert refused["code"] == "fenced"
    row = next(row for row in machine.json("log")["entries"] if row["number"] == refused["details"]["commit_number"])
    assert row["outcome"] == {"accepted": False, "reason": "fenced"}
    refused = machine.refusal("claim", f"behind {name}", "--fence", name, str(lost["token"]))
    assert refused["code"] == "fenced"
    assert f"behind {name}" not in _claims(machine)
    assert machine.json(*propose, "--fence", name, str(new["token"]))["state"] == "pending"


# --- the caller is gone ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["gave up", "was killed"])
def test_a_claim_whose_caller_has_gone_is_not_held_later(fleet: Fleet, how: str) -> None:
    alice, berta, clara = fleet.machines.values()
    until(lambda: not berta.client.claims()["stale"], 30, what="the leader answers", shown=fleet.report)
    name, before = f"caller-{how}", _size(alice)
    alice.signal(signal.SIGSTOP)
    try:
        if how == "gave up":
            error = berta.refusal("claim", name, "--timeout", "1", code=4)
            assert error["code"] == "pending"
        else:
            caller = berta.begin("claim", name, "--timeout", "600")
            until(lambda: bool(berta.client.pending()["pending"]), 30, what="it is asked for", shown=berta.log)
            caller.kill()
            caller.communicate(timeout=30)
        (waiting, *_) = berta.client.pending()["pending"]
    finally:
        alice.signal(signal.SIGCONT)
    until(lambda: not berta.client.pending()["pending"], 50, what="everything is decided", shown=fleet.report)
    decided = berta.client.pending_request(waiting["id"])
    assert decided["state"] == "decided"
    assert decided["commit_number"] > before
    until(lambda: name not in _claims(berta), 30, what="nobody holds it", shown=berta.client.log)
    won = clara.json("claim", name)
    assert won["holder"]["machine"] == "clara"
    assert won["token"] > decided["commit_number"]


# --- whose it is, and until when --------------------------------------------------------------------------------------


def test_what_has_run_out_is_neither_renewed_nor_released(fleet: Fleet) -> None:
    alice, berta, _ = fleet.machines.values()
    lost = berta.json("claim", "run-out", "--ttl", "1h")
    assert berta.json("claim", "renew", "run-out", "--ttl", "1s")["token"] == lost["token"]
    until(lambda: "run-out" not in _claims(alice), 30, what="it has run out", shown=alice.log)
    for verb in ("renew", "release"):
        for token in ((), (str(lost["token"]),)):
            assert berta.refusal("claim", verb, "run-out", *token)["code"] == "expired"
    again = berta.json("claim", "run-out")
    assert again["token"] > lost["token"], "who claims it again is a new holder"


def test_without_the_secret_of_its_session_a_claim_is_neither_renewed_nor_released(fleet: Fleet) -> None:
    alice, berta, _ = fleet.machines.values()
    opened = berta.json("session", "open", "--client", "claude")
    mine = {"ROOSYNC_SESSION": opened["secret"]}
    won = berta.json("claim", "secret", environ=mine)
    assert won["holder"]["session"] == opened["session"] != opened["secret"]
    for verb in ("renew", "release"):
        for token in ((), (str(won["token"]),)):
            assert berta.refusal("claim", verb, "secret", *token)["code"] == "not_holder"
            # what everybody sees of a session is not what proves it
            seen = {"ROOSYNC_SESSION": opened["session"]}
            assert berta.refusal("claim", verb, "secret", *token, environ=seen)["code"] == "unknown_session"
            assert alice.refusal("claim", verb, "secret", *token, environ=mine)["code"] == "unknown_session"
    assert _claims(alice)["secret"] == _claims(berta)["secret"]
    assert _claims(alice)["secret"]["token"] == won["token"]
    assert berta.json("claim", "renew", "secret", environ=mine)["token"] == won["token"]
    berta.run("claim", "release", "secret", environ=mine)
    assert "secret" not in _claims(alice)
