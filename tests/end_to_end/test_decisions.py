"""Three homes that decide together: a decision, a conflict, the baseline, policies, and who may say yes."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.fleet import ADMIN, ROOSYNC, Fleet, Machine, until


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


def test_a_decision_is_proposed_approved_and_the_same_everywhere(fleet: Fleet) -> None:
    a, b, c = fleet.machines.values()
    proposed = b.json(
        *("decision", "propose", "Deux relectures avant la fusion", "--severity", "IMPORTANT", "--target", "all"),
        *("--description", "-", "--set", "config:ci.json#/reviews", "2", "--put", "file:hooks/pre-push", __file__),
        stdin="Parce que la dernière a cassé main — 3f2a1c.",
    )
    assert (proposed["state"], proposed["author"], proposed["severity"]) == ("pending", "machine-b", "IMPORTANT")
    name = proposed["id"]
    until(lambda: name in _pending(c), 30, what="it is pending everywhere")
    assert c.json("status")["summary"]["decisions_pending"] == 1
    refused = b.refusal("decision", "approve", name)
    assert refused["code"] == "no_authority"
    approved = a.json("decision", "approve", name, "--note", "d'accord")
    assert approved["state"] == "approved"
    assert set(approved["targets"]) == {"machine-a", "machine-b", "machine-c"}
    for machine in (a, b, c):
        shown = machine.json("decision", "show", name)
        assert shown["stale"] is False
        (decision,) = shown["decisions"]
        assert decision["state"] == "approved"
        assert decision["description"] == "Parce que la dernière a cassé main — 3f2a1c."
        assert decision["actions"][0] == {"op": "set", "resource": "config:ci.json#/reviews", "value": 2}
        assert decision["approvals"][0]["note"] == "d'accord"
    started = b.json("decision", "apply", name)
    assert started["targets"]["machine-b"]["state"] == "in_progress"
    assert b.refusal("decision", "apply", name)["code"] == "wrong_attempt"
    assert b.json("decision", "apply", name, "--done", "--note", "fait")["targets"]["machine-b"]["state"] == "applied"
    assert c.json("decision", "apply", name, "--failed", "--final")["targets"]["machine-c"]["state"] == "failed"
    assert a.json("decision", "apply", name, "--done", "--backup")["state"] == "failed"
    undone = a.json("decision", "rollback", name, "--on", "machine-a", "--reason", "mieux vaut attendre")
    assert undone["targets"]["machine-a"]["rollback"] == "wanted"
    assert a.json("decision", "rollback", name, "--done")["targets"]["machine-a"]["state"] == "rolled_back"
    assert a.json("decision", "archive", name)["state"] == "archived"
    assert name in {row["id"] for row in c.json("decision", "list", "--state", "archived")["decisions"]}
    text = c.run("decision", "show", name).stdout
    assert "Deux relectures avant la fusion" in text
    assert "machine-b" in text


def test_opposite_decisions_are_a_conflict_that_a_person_resolves(fleet: Fleet) -> None:
    a, b, c = fleet.machines.values()
    common = ("--target", "all", "--set", "config:ci.json#/python")
    first = b.json("decision", "propose", "Python 3.12", *common, '"3.12"')
    second = c.json("decision", "propose", "Python 3.13", *common, '"3.13"', "--based-on", str(first["based_on"]))
    assert second["conflicts_with"] == [first["id"]]
    assert a.json("decision", "approve", first["id"])["state"] == "approved"
    assert a.json("decision", "approve", second["id"])["state"] == "conflicted"
    resolved = a.json("decision", "resolve", second["id"], "--keep", second["id"], "--note", "plus récent")
    assert resolved["state"] == "approved"
    (superseded,) = b.json("decision", "show", first["id"])["decisions"]
    assert (superseded["state"], superseded["superseded_by"]) == ("superseded", second["id"])
    rejected = b.json("decision", "propose", "Rien", "--target", "machine-b", "--remove", "config:old.json")
    assert a.json("decision", "reject", rejected["id"], "--reason", "inutile")["state"] == "rejected"
    assert b.refusal("decision", "show", "D999999")["code"] == "unknown_decision"


def test_the_baseline_is_set_shown_compared_and_restored(fleet: Fleet) -> None:
    a, b, c = fleet.machines.values()
    before = b.json("baseline", "show")
    assert (before["version"], before["document"], before["stale"]) == (0, {}, False)
    proposed = b.json("baseline", "set", "--patch", '{"ci": {"python": "3.12", "os": ["linux"]}, "été": 1.5}')
    assert proposed["kind"] == "baseline"
    assert a.json("decision", "approve", proposed["id"])["baseline_version"] == 1
    for machine in (a, b, c):
        shown = machine.json("baseline", "show")
        assert shown["document"] == {"ci": {"python": "3.12", "os": ["linux"]}, "été": 1.5}
        assert shown["version"] == 1
    second = a.json("baseline", "set", "/ci/python", '"3.13"', "--title", "Python 3.13", "--approve")
    assert (second["state"], second["baseline_version"]) == ("applied", 2)
    difference = c.json("baseline", "diff", "1", "2")
    assert difference["changes"] == [{"pointer": "/ci/python", "old": "3.12", "new": "3.13"}]
    stale = b.json("baseline", "set", "/ci/python", '"3.11"', "--version", "1")
    assert second["id"] in stale["conflicts_with"]
    assert a.json("decision", "reject", stale["id"])["state"] == "rejected"
    restored = a.json("baseline", "restore", "1", "--approve")
    assert restored["baseline_version"] == 3
    assert c.json("baseline", "show")["document"] == b.json("baseline", "show", "--version", "1")["document"]
    history = b.json("baseline", "history")["versions"]
    assert [version["version"] for version in history] == [3, 2, 1]
    replaced = a.json("baseline", "set", "--document", "-", "--approve", stdin='{"only": ["this"]}')
    assert replaced["state"] == "applied"
    assert c.json("baseline", "show")["document"] == {"only": ["this"]}
    assert "this" in c.run("baseline", "show").stdout


def test_policies_and_wishes_about_voters_are_decided_too(fleet: Fleet) -> None:
    a, b, _ = fleet.machines.values()
    shown = {row["name"]: row for row in b.json("policy", "show")["policies"]}
    assert shown["decisions.expire_days"]["value"] == 30
    assert b.refusal("policy", "set", "decisions.expire_days", "7")["code"] == "no_authority"
    assert a.refusal("policy", "set", "decisions.expire_days", "0")["code"] == "bad_policy_value"
    assert a.json("policy", "set", "decisions.expire_days", "7", "--approve")["state"] == "applied"
    assert b.json("policy", "show", "decisions.expire_days")["policies"][0]["value"] == 7
    assert a.json("voters", "prefer", "machine-b", "--approve")["state"] == "applied"
    until(lambda: b.json("voters")["leader"] == "machine-b", 30, what="the wish is acted on", shown=fleet.report)
    voters = b.json("voters")
    assert (voters["preferred"], [row["machine"] for row in voters["voters"]]) == (["machine-b"], ["machine-b"])


def test_a_retried_proposal_is_one_proposal(fleet: Fleet) -> None:
    b = fleet.machines["machine-b"]
    command = ("decision", "propose", "Une fois", "--target", "all", "--set", "config:x.json", "1")
    first = b.json(*command, "--idempotency-key", "p-1")
    b.json("claim", "something-else-in-between")
    assert b.json(*command, "--idempotency-key", "p-1")["id"] == first["id"]
    entry = next(row["id"] for row in b.json("log")["entries"] if row["number"] == first["commit_number"])
    b.run("pending", entry, "--cancel")
    assert b.json("decision", "show", first["id"])["decisions"][0]["state"] == "rejected"


def test_without_the_others_a_proposal_waits_and_is_decided_later(fleet: Fleet) -> None:
    leader = fleet.machines[fleet.machines["machine-a"].json("voters")["leader"]]
    asks, *others = sorted(fleet.machines.values(), key=lambda machine: machine is leader)
    for other in others:
        other.signal(signal.SIGSTOP)
    try:
        error = asks.refusal(
            *("decision", "propose", "Plus tard", "--target", "all", "--set", "config:y.json", "1", "--timeout", "1"),
            code=4,
        )
        assert error["code"] == "pending"
        assert leader.name in error["message"], "it says for whom it waits"
        assert asks.run("pending", error["details"]["entry"], code=4).stdout
    finally:
        for other in others:
            other.signal(signal.SIGCONT)
    until(lambda: any(row["title"] == "Plus tard" for row in _decisions(asks)), 50, what="it is decided")
    assert asks.json("pending", error["details"]["entry"])["outcome"]["accepted"] is True


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_a_person_approves_with_a_passphrase_that_no_node_sees(fleet: Fleet) -> None:
    a, b, c = fleet.machines.values()
    words = f"mots secrets {os.urandom(8).hex()}"
    code, seen, _ = _at_terminal(
        a, "person", "add", "jsboige", "--label", "Jean", tool=ADMIN, answers=[": ", words, ": ", words]
    )
    assert code == 0, seen
    assert words not in seen
    until(lambda: b.json("status")["commit"]["size"] == a.json("status")["commit"]["size"], 20, what="b knows")
    assert [row["person"] for row in b.json("person", "list", tool=ADMIN)["persons"]] == ["jsboige"]
    proposed = b.json("decision", "propose", "Par une personne", "--target", "all", "--set", "config:p.json", "1")
    refused = a.refusal("decision", "approve", proposed["id"])
    assert refused["code"] == "needs_person"
    assert "--as" in refused["remedy"]
    assert c.refusal("decision", "approve", proposed["id"], "--as", "jsboige")["code"] == "no_person_key"
    key = (a.home / "persons" / "jsboige.key").read_bytes()
    assert b"ENCRYPTED" in key
    assert a.refusal("decision", "approve", proposed["id"], "--as", "jsboige")["code"] == "passphrase_needed"
    file = fleet.path / "passphrase"
    file.write_text(words)
    script = {"ROOSYNC_PASSPHRASE_FILE": str(file)}
    by_file = a.refusal("decision", "approve", proposed["id"], "--as", "jsboige", environ=script)
    assert by_file["code"] == "passphrase_file_refused"
    approve = ("decision", "approve", proposed["id"], "--as", "jsboige")
    code, seen, _ = _at_terminal(a, *approve, answers=[": ", "une autre"])
    assert code == 1
    assert "does not open" in seen
    code, seen, out = _at_terminal(a, *approve, "--json", answers=[": ", words])
    assert code == 0, seen
    assert json.loads(out)["approved_by"] == ["jsboige"]
    assert "Par une personne" in seen
    (decision,) = c.json("decision", "show", proposed["id"])["decisions"]
    assert decision["approvals"][0]["person"] == "jsboige"
    for file in a.home.rglob("*"):
        if file.is_file() and words.encode() in file.read_bytes():
            raise AssertionError(f"the passphrase is in {file}")
    code, seen, out = _at_terminal(
        a, "person", "rotate", "jsboige", "--json", tool=ADMIN, answers=[": ", words + "2", ": ", words + "2"]
    )
    assert code == 0, seen
    assert json.loads(out)["key"] != key.hex()
    assert (a.home / "persons" / "jsboige.key").read_bytes() != key
    removed = a.json("person", "remove", "jsboige", tool=ADMIN)
    assert removed["person"] == "jsboige"
    assert a.json("person", "list", tool=ADMIN)["persons"] == []


def test_a_machine_is_retired_and_another_leaves(fleet: Fleet) -> None:
    a, b, c = fleet.machines.values()
    c.run("down")
    c.wait_end()
    assert b.refusal("retire", "machine-c", "--yes", tool=ADMIN)["code"] == "no_authority"
    a.run("retire", "machine-c", "--yes", "--reason", "vendue", tool=ADMIN)
    assert a.refusal("retire", "machine-c", "--yes", tool=ADMIN)["code"] == "unknown_member"
    left = b.json("leave", "--yes", "--reason", "remplacée")
    assert left["commit_number"]
    assert b.wait_end() == 0
    members = {row["machine"]: row["state"] for row in a.client.register()["members"]}
    assert members == {"machine-a": "present", "machine-b": "left", "machine-c": "retired"}
    assert [row["machine"] for row in a.json("machines")["machines"]] == ["machine-a"]
    assert a.refusal("leave", "--yes")["code"] == "last_member"


def _decisions(machine: Machine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = machine.json("decision", "list")["decisions"]
    return found


def _pending(machine: Machine) -> set[str]:
    return {row["id"] for row in machine.json("decision", "list", "--state", "pending")["decisions"]}


def _at_terminal(
    machine: Machine, *args: str, tool: tuple[str, ...] = ROOSYNC, answers: list[str]
) -> tuple[int, str, str]:
    """A command whose standard input and error are a terminal: exit code, what was seen there, standard output.

    ``answers`` are pairs: what a prompt ends with, and what is typed then.
    """
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [*tool, "--home", str(machine.home), *args],
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=machine.environ,
    )
    os.close(theirs)
    seen, at = "", 0
    for prompt, text in zip(answers[::2], answers[1::2], strict=True):
        while prompt not in seen[at:]:
            ready, _, _ = select.select([ours], [], [], 30)
            assert ready, f"no {prompt!r} in {seen!r}"
            seen += os.read(ours, 4096).decode()
        at = len(seen)
        os.write(ours, f"{text}\n".encode())
    while process.poll() is None or select.select([ours], [], [], 0)[0]:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                data = os.read(ours, 4096)
            except OSError:  # Linux ends a terminal so
                break
            if not data:
                break
            seen += data.decode(errors="replace")
    out, _ = process.communicate(timeout=30)
    os.close(ours)
    return process.returncode, seen, out.decode()
