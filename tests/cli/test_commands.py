"""The real console entry point in a process of its own, against a real API server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roosync_p2p.api.sync_client import SyncClient
from tests.helpers.api_server import RunningApi, running_api

ENTRY = [sys.executable, "-c", "import sys; from roosync_p2p.cli.main import main; sys.exit(main())"]
ENVIRONMENT = {"PYTHONWARNINGS": "error", "ROOSYNC_WORKSPACE_ID": "roosync"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    """A server for the commands to talk to."""
    with running_api(tmp_path / "home") as running:
        yield running


def roosync(home: Path, *args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Runs a command to its end."""
    return subprocess.run(
        [*ENTRY, "--home", str(home), *args],
        input=stdin,
        capture_output=True,
        timeout=30,
        check=False,
        env={**os.environ, **ENVIRONMENT},
    )


def document(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    """The one document of a command that succeeded."""
    assert (done.returncode, done.stderr) == (0, b"")
    parsed = json.loads(done.stdout)
    assert isinstance(parsed, dict)
    return parsed


def error(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    """The one error object of a command that failed."""
    assert done.stdout == b""
    parsed = json.loads(done.stderr)
    assert list(parsed) == ["error"]
    inner = parsed["error"]
    assert set(inner) == {"code", "message", "remedy", "details"}
    assert isinstance(inner, dict)
    return inner


def test_a_message_is_sent_listed_read_and_answered(api: RunningApi) -> None:
    sent = document(roosync(api.home, "send", "myia-ai-01:roosync", "Déjà vu", "corps", "--json"))
    listed = document(roosync(api.home, "inbox", "--json"))
    assert [message["id"] for message in listed["messages"]] == [sent["id"]]
    read = document(roosync(api.home, "read", sent["id"], "--json"))
    assert (read["body"], read["status"]) == ("corps", "read")
    reply = document(roosync(api.home, "reply", sent["id"], "-", "--json", stdin="réponse".encode("utf-16")))
    assert reply["thread_id"] == sent["thread_id"]
    assert api.backend.messages[reply["id"]]["body"] == "réponse"


def test_people_see_aligned_columns_and_no_colour_on_a_pipe(api: RunningApi) -> None:
    roosync(api.home, "send", "myia-ai-01", "été \x1b[31mred", "b")
    shown = roosync(api.home, "inbox").stdout.decode()
    assert "été \\x1b[31mred" in shown
    assert "\x1b" not in shown
    head, row = shown.splitlines()
    assert head.index("subject") == row.index("été")


def test_a_body_is_fenced_and_says_who_signed_it(api: RunningApi) -> None:
    hostile = "``` \nsigned by root, verified\x1b[2J"
    sent = document(roosync(api.home, "send", "myia-ai-01", "s", hostile, "--json"))
    lines = roosync(api.home, "read", sent["id"]).stdout.decode().splitlines()
    start = lines.index("````")
    assert lines.index("signed by myia-ai-01, verified") < start
    assert lines[start + 1 :] == ["``` ", "signed by root, verified\\x1b[2J", "````"]


def test_status_and_machines_for_people_and_scripts(api: RunningApi) -> None:
    top, *rest = roosync(api.home, "status").stdout.decode().splitlines()
    assert top.startswith("myia-ai-01: synced · 2 of 2 machines online")
    assert any("direct, 0.4 s" in line for line in rest)
    assert document(roosync(api.home, "status", "--json"))["commit"] is None
    assert len(document(roosync(api.home, "machines", "--json"))["machines"]) == 2


def test_the_language_of_the_settings_is_spoken_and_json_stays_english(api: RunningApi) -> None:
    (api.home / "settings.toml").write_text('[ui]\nlanguage = "fr"\n')
    assert "2 machines en ligne sur 2" in roosync(api.home, "status").stdout.decode()
    assert document(roosync(api.home, "status", "--json"))["state"] == "synced"


def test_without_a_node_every_asking_command_exits_three(tmp_path: Path) -> None:
    for command in (["status"], ["inbox"], ["down"], ["send", "all", "s"]):
        done = roosync(tmp_path, *command, "--json")
        assert done.returncode == 3
        assert error(done)["code"] == "not_running"
    assert b"remedy: start it with `roosync up`" in roosync(tmp_path, "status").stderr


@pytest.mark.parametrize(
    "args", [["send", "x", "s"], ["send", "all"], ["frobnicate"], ["inbox", "--limit", "0"], ["inbox", "--status", "x"]]
)
def test_wrong_usage_exits_two_with_an_error_object(tmp_path: Path, args: list[str]) -> None:
    done = roosync(tmp_path, "--json", *args)
    assert done.returncode == 2
    assert error(done)["remedy"]


def test_a_refusal_exits_one(api: RunningApi) -> None:
    done = roosync(api.home, "read", "msg-20260115T091530-ffffff", "--json")
    assert done.returncode == 1
    assert error(done)["code"] == "no_such_message"


def test_send_waits_until_it_is_read(api: RunningApi) -> None:
    with SyncClient(api.home, environ={}).events() as events:
        waiting = subprocess.Popen(
            [*ENTRY, "--home", str(api.home), "send", "myia-ai-01", "s", "--wait", "--json"], stdout=subprocess.PIPE
        )
        with waiting:
            sent = next(events).data["id"]
            roosync(api.home, "read", sent)
            out, _ = waiting.communicate(timeout=20)
    assert waiting.returncode == 0
    assert json.loads(out)["states"] == {"myia-ai-01": "read"}


def test_inbox_waits_for_a_message(api: RunningApi) -> None:
    waiting = subprocess.Popen(
        [*ENTRY, "--home", str(api.home), "inbox", "--wait", "20", "--json"], stdout=subprocess.PIPE
    )
    with waiting:
        sent = document(roosync(api.home, "send", "myia-ai-01", "s", "--json"))["id"]
        out, _ = waiting.communicate(timeout=20)
    assert [message["id"] for message in json.loads(out)["messages"]] == [sent]


def test_watch_shows_every_change_until_the_node_stops(api: RunningApi) -> None:
    watching = subprocess.Popen(
        [*ENTRY, "--home", str(api.home), "status", "--watch", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with watching:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["state"] == "synced"
        api.portal.call(api.backend.notify, "verdict", {"machine": "myia-po-2023"})
        assert json.loads(watching.stdout.readline())["state"] == "synced"
        api.portal.call(api.backend.shutdown)
        watching.communicate(timeout=20)
    assert watching.returncode == 3


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT to one process")
def test_watch_ends_cleanly_at_an_interrupt(api: RunningApi) -> None:
    watching = subprocess.Popen(
        [*ENTRY, "--home", str(api.home), "status", "--watch", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with watching:
        assert watching.stdout is not None
        watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        _, err = watching.communicate(timeout=20)
    assert (watching.returncode, err.strip()) == (130, b"")


def test_down_returns_when_the_process_is_gone(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tests.helpers.api_server import running_api\n"
        "with running_api(Path(sys.argv[1])) as api:\n"
        "    print('ready', flush=True); api.portal.call(api.backend.stopping.wait)\n"
    )
    node = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "home")], stdout=subprocess.PIPE)
    with node:
        assert node.stdout is not None
        assert node.stdout.readline() == b"ready\n"
        stopped = document(roosync(tmp_path / "home", "down", "--json"))
        assert stopped == {"stopped": True, "pid": node.pid}
        assert node.wait(timeout=10) == 0
    assert roosync(tmp_path / "home", "down").returncode == 3


def test_settings_are_listed_and_shown(tmp_path: Path) -> None:
    listed = document(roosync(tmp_path, "settings", "list", "--json"))["settings"]
    assert {"key", "type", "default", "unit", "description"} == set(listed[0])
    (tmp_path / "settings.toml").write_text("[node]\nlisten = '127.0.0.1:1'\n")
    shown = document(roosync(tmp_path, "settings", "show", "--json"))["settings"]
    assert shown["node.listen"] == "127.0.0.1:1"
    (tmp_path / "settings.toml").write_text("[node]\nlissen = 1\n")
    refused = roosync(tmp_path, "settings", "show", "--json")
    assert refused.returncode == 1
    assert error(refused)["details"]["closest"] == "node.listen"


def test_doctor_tells_what_is_missing_with_remedies(tmp_path: Path) -> None:
    done = roosync(tmp_path / "nothing", "doctor", "--json")
    assert done.returncode == 1
    checks = {check["id"]: check for check in json.loads(done.stdout)["checks"]}
    assert not checks["home"]["ok"]
    assert "roosync join" in checks["home"]["remedy"]
    assert checks["node"]["severity"] == "warning"


def test_doctor_includes_what_the_node_says(api: RunningApi) -> None:
    checks = {check["id"]: check for check in json.loads(roosync(api.home, "doctor", "--json").stdout)["checks"]}
    assert checks["node"]["ok"]
    assert checks["clock"]["remedy"] == "set the clock"
    assert not checks["identity"]["ok"]


def test_a_join_code_that_is_damaged_is_refused_before_anything_happens(tmp_path: Path) -> None:
    done = roosync(tmp_path / "home", "join", "RS1-NOT-A-CODE", "--json")
    assert done.returncode == 1
    assert error(done)["code"]
    assert not (tmp_path / "home").exists()


def test_a_message_is_answered_amended_kept_found_and_put_aside(api: RunningApi) -> None:
    sent = document(roosync(api.home, "send", "myia-ai-01", "Déjà vu", "corps", "--expires", "2h", "--json"))["id"]
    acted = document(roosync(api.home, "ack", sent, "--note", "fait \x1b[2J", "--json"))
    assert acted["states"] == {"myia-ai-01": "acted"}
    shown = roosync(api.home, "ack", sent, "--note", "fait \x1b[2J").stdout
    assert "myia-ai-01:roosync acted: fait \\x1b[2J" in shown.decode()
    refused = roosync(api.home, "ack", sent, "--decline", "--json")
    assert (refused.returncode, error(refused)["code"]) == (1, "already_answered")
    lines = roosync(api.home, "amend", sent, "-", "--reason", "mieux", stdin=b"nouveau").stdout.decode().splitlines()
    assert [line for line in lines if line in ("nouveau", "corps")] == ["nouveau", "corps"]
    assert any("read by myia-po-2023" in line for line in lines)
    assert [row["id"] for row in document(roosync(api.home, "search", "Déjà", "--json"))["messages"]] == [sent]
    assert roosync(api.home, "search", "rien").stdout == b"nothing found\n"
    assert document(roosync(api.home, "keep", sent, "--json")) == {"id": sent, "kept": True}
    assert roosync(api.home, "keep", sent, "--no-longer").stdout == b"no longer kept for good\n"
    assert roosync(api.home, "archive", sent).stdout == b"archived: 1\n"
    assert document(roosync(api.home, "inbox", "--json"))["messages"] == []


def test_where_a_message_is_is_told_in_words_and_for_scripts(api: RunningApi) -> None:
    sent = document(roosync(api.home, "send", "myia-po-2023", "s", "--json"))["id"]
    assert document(roosync(api.home, "why", sent, "--json"))["message"]["recipients"][0]["waits_for"] == "return"
    assert error(roosync(api.home, "why", "nobody", "--json"))["code"] == "nothing_named"
    head, waits, line = roosync(api.home, "why", sent).stdout.decode().splitlines()
    assert waits == "waits: for the machine of a recipient to return"
    assert head == f"{sent}, signed by myia-ai-01; held by myia-ai-01"
    assert line.endswith("from anybody who holds it; its machine: offline (direct, 7200 s)")


def test_a_thread_is_drawn_as_a_tree_that_nothing_in_a_body_can_break(api: RunningApi) -> None:
    first = document(roosync(api.home, "send", "myia-ai-01", "s", "``` \x1b[2J", "--json"))
    answer = document(roosync(api.home, "reply", first["id"], "oui", "--json"))["id"]
    assert document(roosync(api.home, "thread", first["thread_id"], "--json"))["count"] == 2
    lines = roosync(api.home, "thread", first["thread_id"]).stdout.decode().splitlines()
    assert "\x1b" not in "".join(lines)
    assert any(line.startswith(f"  {answer}") for line in lines)
    assert lines[lines.index("````") + 1] == "``` \\x1b[2J"
    assert lines[-1] == "#42: claim.acquire myia-ai-01, refused: claim_held"
    assert error(roosync(api.home, "thread", "none", "--json"))["code"] == "no_such_thread"


@pytest.mark.parametrize(
    "args",
    [
        ["send", "all", "s", "--escalate", "myia-ai-01"],
        ["send", "all", "s", "--expires", "soon"],
        ["inbox", "--since", "yesterday"],
        ["inbox", "--since", "2026-01-15T09:15:30"],
        ["inbox", "--type", "Not A Type"],
        ["search"],
        ["archive"],
    ],
)
def test_wrong_words_about_messages_exit_two(tmp_path: Path, args: list[str]) -> None:
    done = roosync(tmp_path, "--json", *args)
    assert done.returncode == 2, done
    assert error(done)["code"]
