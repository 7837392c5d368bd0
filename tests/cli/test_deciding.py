"""The commands that decide, in processes of their own, against a real API server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_commands import document, error, roosync
from tests.helpers.api_server import RunningApi, running_api
from tests.helpers.fake_ledger import NEVER


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    """A server for the commands to talk to."""
    with running_api(tmp_path / "home") as running:
        yield running


def lines(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    """What a command that succeeded printed."""
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().splitlines()


# --- claims ------------------------------------------------------------------------------------------------------


def test_a_claim_prints_its_token_alone_on_standard_output(api: RunningApi) -> None:
    done = roosync(api.home, "claim", "issue/1", "--note", "été")
    assert lines(done) == ["1"]
    assert b"is yours until" in done.stderr
    row = lines(roosync(api.home, "claims"))[1]
    assert row.split()[:3] == ["issue/1", "myia-ai-01:roosync", "1"]


def test_the_name_of_a_verb_can_be_claimed_too(api: RunningApi) -> None:
    assert document(roosync(api.home, "claim", "take", "check", "--json"))["name"] == "check"
    assert document(roosync(api.home, "claim", "--ttl", "30m", "release-1.0", "--json"))["name"] == "release-1.0"
    assert roosync(api.home, "claim", "check", "check", "1").returncode == 0
    assert roosync(api.home, "claim", "check", "check", "2").returncode == 1


def test_a_command_speaks_for_the_process_that_called_it_or_for_its_session(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    (secret,) = lines(roosync(api.home, "session", "open", "--client", "claude"))
    held = document(roosync(api.home, "claim", "x", "--json"))
    monkeypatch.setenv("ROOSYNC_SESSION", secret)
    refused = error(roosync(api.home, "claim", "x", "--json"))
    assert (refused["code"], refused["details"]["holder"]) == ("claim_held", held["holder"])
    assert document(roosync(api.home, "claim", "y", "--json"))["holder"]["session"] == f"of {secret}"
    assert document(roosync(api.home, "claim", "renew", "y", "--json"))["token"] == 2
    assert "y is released" in lines(roosync(api.home, "claim", "release", "y"))
    document(roosync(api.home, "claim", "z", "--json"))
    assert lines(roosync(api.home, "session", "close")) == ["the session is closed; released: z"]
    assert error(roosync(api.home, "claim", "y", "--json"))["code"] == "unknown_session"


def test_closing_takes_the_secret_from_the_environment(api: RunningApi) -> None:
    done = roosync(api.home, "session", "close", "--json")
    assert (done.returncode, error(done)["code"]) == (2, "no_session")


def test_what_is_not_decided_exits_four_and_is_found_again(api: RunningApi) -> None:
    done = roosync(api.home, "claim", NEVER, "--timeout", "0.1", "--json")
    assert done.returncode == 4
    entry = error(done)["details"]["entry"]
    assert entry[:16] in lines(roosync(api.home, "pending"))[1]
    waiting = roosync(api.home, "pending", entry[:8], "--json")
    assert (waiting.returncode, json.loads(waiting.stdout)["state"]) == (4, "pending")
    assert "is taken back" in lines(roosync(api.home, "pending", entry, "--cancel"))[0]
    assert lines(roosync(api.home, "pending")) == ["nothing waits"]
    assert roosync(api.home, "pending", "--cancel").returncode == 2
    decided = api.backend.ledger.entries[0]
    assert "accepted, commit 1" in lines(roosync(api.home, "pending", decided["id"]))[0]
    decided["outcome"].update(accepted=False, reason="too_late")
    refused = roosync(api.home, "pending", decided["id"])
    assert (refused.returncode, b"too_late" in refused.stdout) == (1, True)


@pytest.mark.parametrize(
    "args",
    [
        ("claim", "x", "--ttl", "8d"),
        ("claim", "x", "--ttl", "soon"),
        ("claim", "x", "--fence", "y"),
        ("claim", "x", "--timeout", "-1"),
        ("claim", ""),
        ("claim", "check", "x"),
        ("claim", "check", "x", "0"),
        ("session", "open", "--lease", "8d"),
        ("log", "--from", "0"),
        ("decision", "propose", "nothing changes"),
        ("decision", "propose", "t", "--set", "a:b", "no json"),
        ("decision", "propose", "t", "--set", "a:b", "NaN"),
        ("decision", "propose", "t", "--put", "a:b", "/no/such/file"),
        ("decision", "propose", "t", "--actions", "{}"),
        ("decision", "resolve", "D1"),
        ("decision", "list", "--state", "x"),
        ("baseline", "set"),
        ("baseline", "set", "/a"),
        ("baseline", "set", "/a", "1", "--patch", "{}"),
        ("policy", "set", "x"),
        ("policy", "set", "x", "1", "--default"),
        ("recover",),
        ("recover", "--statement", "-", "--seen", "1"),
        ("recover", "--seen", "0"),
        ("recover", "--statement", "/no/such/file"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_two(api: RunningApi, args: tuple[str, ...]) -> None:
    done = roosync(api.home, *args, "--json")
    assert done.returncode == 2, done
    assert error(done)["message"]


# --- the log -----------------------------------------------------------------------------------------------------


def test_the_log_is_a_table_and_a_stream(api: RunningApi) -> None:
    for name in ("a", "b", "c"):
        roosync(api.home, "claim", name)
    head, *rows = lines(roosync(api.home, "log", "--limit", "2"))
    assert head.split() == ["number", "time", "kind", "author", "id", "outcome"]
    assert [row.split()[0] for row in rows] == ["2", "3"]
    assert len(document(roosync(api.home, "log", "--from", "1", "--json"))["entries"]) == 3
    assert lines(roosync(api.home, "log", "--from", "9")) == ["nothing is decided from there on"]


def test_voters_and_the_clock(api: RunningApi) -> None:
    shown = lines(roosync(api.home, "voters"))
    assert shown[0] == "myia-ai-01 leads, term 2, 0 commits"
    assert shown[2].split() == ["machine", "state", "votes", "leads", "preferred"]
    assert [row.split() for row in shown[3:]] == [["myia-ai-01", "online", "*", "*"], ["myia-web1", "offline"]]
    assert document(roosync(api.home, "voters", "--json"))["leader"] == "myia-ai-01"
    preferred = document(roosync(api.home, "voters", "prefer", "myia-web1", "myia-ai-01", "--approve", "--json"))
    assert (preferred["kind"], api.backend.baseline.preferred) == ("voters", ["myia-web1", "myia-ai-01"])
    roosync(api.home, "clock", "accept")
    assert api.backend.ledger.clock_accepted


# --- decisions ---------------------------------------------------------------------------------------------------


def test_a_proposal_says_what_the_options_say(api: RunningApi, tmp_path: Path) -> None:
    (tmp_path / "hook").write_bytes(b"#!/bin/sh\n")
    (tmp_path / "more.json").write_text('[{"op": "remove", "resource": "file:old"}]')
    proposed = document(
        roosync(
            api.home,
            *("decision", "propose", "Été", "--description", "-", "--severity", "critical", "--target", "all"),
            *("--set", "config:ci.json#/python", '"3.13"', "--merge", "config:ci.json", '{"a": null}'),
            *("--put", "file:hook", str(tmp_path / "hook"), "--run", "service:node", "restart"),
            *("--actions", f"@{tmp_path / 'more.json'}", "--manual", "--expires", "7d", "--json"),
            stdin="parce que".encode("utf-16"),
        )
    )
    assert (proposed["severity"], proposed["description"], list(proposed["targets"])) == (
        "CRITICAL",
        "parce que",
        ["all"],
    )
    assert [action["op"] for action in proposed["actions"]] == ["set", "merge", "file", "run", "remove"]
    assert proposed["actions"][0]["value"] == "3.13"


def test_a_proposal_without_a_target_is_for_everybody(api: RunningApi) -> None:
    proposed = document(roosync(api.home, "decision", "propose", "T", "--set", "config:x#/y", "1", "--json"))
    assert list(proposed["targets"]) == ["all"]


def test_a_decision_is_read_approved_and_followed(api: RunningApi) -> None:
    propose = ("decision", "propose", "T\u202e", "--target", "myia-ai-01", "--set", "config:x#/y", '{"z": [1]}')
    text = lines(roosync(api.home, *propose))
    assert text[0] == "D1  pending  INFO  T\\u202e"
    assert any(line.strip() == "set config:x#/y = {" for line in text)
    assert lines(roosync(api.home, "decision", "list", "--state", "pending"))[1].split()[:3] == [
        "D1",
        "pending",
        "INFO",
    ]
    approved = document(roosync(api.home, "decision", "approve", "D1", "--note", "oui", "--json"))
    assert approved["state"] == "approved"
    assert api.backend.decisions.verdicts[0] == {"decision": "D1", "state": "approved", "note": "oui", "person": None}
    stale = roosync(api.home, "decision", "reject", "D1", "--revision", "ab" * 32, "--json")
    assert (stale.returncode, error(stale)["code"]) == (1, "stale_revision")
    for args, state in (
        (("apply", "D1"), "in_progress"),
        (("apply", "D1", "--done"), "applied"),
        (("apply", "D1", "--failed", "--final", "--note", "n"), "failed"),
        (("rollback", "D1", "--done"), "rolled_back"),
    ):
        done = document(roosync(api.home, "decision", *args, "--json"))
        assert done["targets"]["myia-ai-01"]["state"] == state
    wanted = lines(roosync(api.home, "decision", "rollback", "D1", "--on", "myia-ai-01"))
    assert any("to be rolled back" in line for line in wanted)
    kept = document(roosync(api.home, "decision", "resolve", "D1", "--keep", "D2", "--json"))
    assert kept["state"] == "superseded"
    assert document(roosync(api.home, "decision", "archive", "D1", "--json"))["state"] == "archived"
    missing = roosync(api.home, "decision", "show", "D9", "--json")
    assert (missing.returncode, error(missing)["code"]) == (1, "unknown_decision")


def test_a_person_without_a_key_a_terminal_or_with_a_file_signs_nothing(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    roosync(api.home, "decision", "propose", "t", "--target", "all", "--remove", "file:x")
    approve = ("decision", "approve", "D1", "--as", "jean", "--json")
    assert error(roosync(api.home, *approve))["code"] == "no_person_key"
    (api.home / "persons").mkdir()
    (api.home / "persons" / "jean.key").write_text("whatever")
    assert error(roosync(api.home, *approve))["code"] == "passphrase_needed"
    monkeypatch.setenv("ROOSYNC_PASSPHRASE_FILE", "/dev/null")
    assert error(roosync(api.home, *approve))["code"] == "passphrase_file_refused"
    assert roosync(api.home, "decision", "approve", "D1", "--as", "../jean", "--json").returncode == 2
    assert api.backend.decisions.verdicts == []


def test_the_baseline_is_shown_as_json_and_compared(api: RunningApi, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"été": [1.5]}', encoding="utf-8")
    assert document(roosync(api.home, "baseline", "set", "/a", "null", "--json"))["kind"] == "baseline"
    roosync(api.home, "baseline", "set", "--document", f"@{tmp_path / 'b.json'}")
    shown = roosync(api.home, "baseline", "show")
    assert json.loads(shown.stdout) == {"été": [1.5]}
    assert b"version 2; the newest is 2" in shown.stderr
    assert document(roosync(api.home, "baseline", "show", "--version", "1", "--json"))["document"] == {"a": None}
    assert lines(roosync(api.home, "baseline", "diff")) == ["/", '  - { "a": null }', '  + { "été": [ 1.5 ] }']
    assert lines(roosync(api.home, "baseline", "diff", "1", "1")) == ["no differences"]
    roosync(api.home, "baseline", "restore", "1", "--reason", "r")
    assert [row.split()[0] for row in lines(roosync(api.home, "baseline", "history"))[1:]] == ["3", "2", "1"]


def test_policies_are_set_in_json_and_shown_one_by_one(api: RunningApi) -> None:
    roosync(api.home, "policy", "set", "approvals.decisions", "2")
    assert lines(roosync(api.home, "policy", "show"))[1].split()[:3] == ["approvals.decisions", "2", "1"]
    roosync(api.home, "policy", "set", "approvals.decisions", "--default")
    one = document(roosync(api.home, "policy", "show", "approvals.decisions", "--json"))
    assert [row["value"] for row in one["policies"]] == [1]
    assert roosync(api.home, "policy", "show", "weather").returncode == 1


def test_leaving_is_confirmed_and_recovery_takes_a_statement(api: RunningApi, tmp_path: Path) -> None:
    asked = roosync(api.home, "leave", "--json")
    assert (asked.returncode, error(asked)["code"]) == (1, "confirmation_needed")
    assert error(roosync(api.home, "leave", "--yes", "--json"))["code"] == "last_member"
    (tmp_path / "s.txt").write_text("AAAA\nAAAA\n", encoding="utf-16")
    refused = roosync(api.home, "recover", "--statement", str(tmp_path / "s.txt"), "--json")
    assert (refused.returncode, error(refused)["code"]) == (1, "not_supported")
    assert roosync(api.home, "recover", "--seen", "1").stdout.startswith(b"2 commits")
    assert error(roosync(api.home, "recover", "--seen", "2", "--json"))["code"] == "nothing_lost"
    (tmp_path / "s.txt").write_text("é")
    assert roosync(api.home, "recover", "--statement", str(tmp_path / "s.txt"), "--json").returncode == 2


def test_french_is_spoken_about_decisions(api: RunningApi) -> None:
    (api.home / "settings.toml").write_text('[ui]\nlanguage = "fr"\n')
    assert lines(roosync(api.home, "decision", "list")) == ["aucune décision"]
    assert lines(roosync(api.home, "claims")) == ["rien n'est réservé"]
    proposed = lines(roosync(api.home, "decision", "propose", "t", "--target", "all", "--remove", "file:x"))
    assert proposed[0] == "D1  en attente  INFO  t"
