"""What scripts rely on: exit codes, one JSON document on standard output, one error object on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.helpers.fleet import ADMIN, Fleet, Machine

_ASKS_THE_NODE = [
    ("status",),
    ("machines",),
    ("inbox",),
    ("send", "berta", "Sujet", "corps"),
    ("read", "msg-20260115T091530-a1b2c3"),
    ("reply", "msg-20260115T091530-a1b2c3", "corps"),
    ("down",),
    ("session", "open"),
    ("claim", "x"),
    ("claims",),
    ("decision", "list"),
    ("decision", "approve", "D1"),
    ("baseline", "show"),
    ("policy", "show"),
    ("log",),
    ("pending",),
    ("voters",),
    ("clock", "accept"),
    ("leave", "--yes"),
]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.found("alice") as fleet:
        fleet.add("berta")
        yield fleet


@pytest.fixture(scope="module")
def running(fleet: Fleet) -> Machine:
    alice = fleet.machines["alice"]
    alice.start()
    alice.until_ready()
    return alice


@pytest.mark.parametrize("command", _ASKS_THE_NODE, ids=" ".join)
def test_without_a_node_the_exit_code_is_3(fleet: Fleet, command: tuple[str, ...]) -> None:
    error = fleet.machines["berta"].refusal(*command, code=3)
    assert error["code"] == "not_running"
    assert "roosync up" in error["remedy"]
    assert set(error) == {"code", "message", "remedy", "details"}


@pytest.mark.parametrize(
    "command",
    [
        ("send",),
        ("send", "alice", "Sujet", "corps", "--priority", "SOON"),
        ("send", "no machine", "Sujet"),
        ("send", "con", "Sujet"),
        ("inbox", "--limit", "0"),
        ("inbox", "--wait", "soon"),
        ("nonsense",),
        ("up", "--listen", "nowhere"),
        ("join",),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(running: Machine, command: tuple[str, ...]) -> None:
    assert running.refusal(*command, code=2)["message"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("send", "nobody-here", "Sujet", "corps"), "unknown_recipient"),
        (("read", "msg-20260115T091530-a1b2c3"), "no_such_message"),
        (("reply", "msg-20260115T091530-a1b2c3", "corps"), "no_such_message"),
        (("claim", "release", "nothing"), "not_holder"),
        (("decision", "show", "D999"), "unknown_decision"),
        (("decision", "propose", "t", "--target", "nobody-here", "--remove", "file:x"), "unknown_target"),
        (("baseline", "show", "--version", "9"), "unknown_version"),
        (("pending", "ffffffff"), "no_such_request"),
    ],
)
def test_what_is_refused_is_1(running: Machine, command: tuple[str, ...], code: str) -> None:
    error = running.refusal(*command)
    assert error["code"] == code
    assert error["remedy"]


def test_errors_for_people_name_the_remedy_and_have_no_colour_in_a_pipe(running: Machine) -> None:
    done = running.run("send", "nobody-here", "Sujet", "corps", code=1)
    assert done.stdout == ""
    assert done.stderr.startswith("error: no machine nobody-here")
    assert "remedy: " in done.stderr
    assert "\x1b" not in done.stderr + running.run("status").stdout + running.run("machines").stdout


def test_every_command_that_asks_prints_one_document(running: Machine) -> None:
    sent = running.json("send", "alice", "Note", "à moi-même")
    documents = {
        "status": running.json("status"),
        "machines": running.json("machines"),
        "inbox": running.json("inbox"),
        "read": running.json("read", sent["id"]),
        "doctor": running.json("doctor"),
        "settings": running.json("settings", "list"),
        "claim": running.json("claim", "issue-1"),
        "claims": running.json("claims"),
        "decision": running.json("decision", "list"),
        "baseline": running.json("baseline", "show"),
        "policy": running.json("policy", "show"),
        "log": running.json("log"),
        "pending": running.json("pending"),
        "voters": running.json("voters"),
        "list": running.json("list", tool=ADMIN),
        "show": running.json("show", tool=ADMIN),
    }
    assert documents["read"]["body"] == "à moi-même"
    assert {"machine", "state", "self", "evidence", "sessions", "version", "commit_size", "addresses"} <= set(
        documents["machines"]["machines"][0]
    )
    assert {
        "machine",
        "state",
        "last_sync",
        "summary",
        "fleet",
        "boot_id",
        "links",
        "commit",
        "folder",
        "warnings",
    } <= set(documents["status"])
    assert {"size", "leader", "term", "voters", "digest"} <= set(documents["status"]["commit"])
    assert {"name", "token", "holder", "acquired_at", "expires_at"} <= set(documents["claim"])
    assert {"claims", "as_of", "stale"} <= set(documents["claims"])
    assert {"decisions", "as_of", "stale"} <= set(documents["decision"])
    assert {"size", "entries"} <= set(documents["log"])
    assert {"number", "time", "kind", "author", "id", "outcome"} <= set(documents["log"]["entries"][0])
    message = documents["inbox"]["messages"][0]
    wanted = {"id", "from", "to", "subject", "type", "priority", "tags", "thread_id", "in_reply_to", "status", "time"}
    assert wanted | {"verified", "signer"} <= set(message)


def test_options_before_and_after_the_command_mean_the_same(running: Machine) -> None:
    after = running.run("machines", "--json")
    assert json.loads(after.stdout).keys() == running.json("machines").keys()
