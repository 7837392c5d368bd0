"""``roosync demo`` as a user runs it: to its end, interrupted, failing, and from a folder with an awkward name."""

from __future__ import annotations

import json
import os
import signal
import string
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roosync_p2p.api.processes import process_alive
from roosync_p2p.cli.demo_texts import DEMO_TEXTS
from tests.helpers.by_hand import by_hand

DEADLINE_S = 90.0  # the demonstration takes 10 s; a shared machine may be much slower


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the demonstration makes its directory; tests of paths, too."""
    folder = tmp_path / "mes démos d'été"
    folder.mkdir()
    return folder


@pytest.fixture
def environ(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}


@pytest.fixture
def started(environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A demonstration that has begun."""
    with subprocess.Popen(
        [sys.executable, "-m", "roosync_p2p", "demo", "--machines", "2", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=environ,
    ) as process:
        yield process
        process.kill()


def run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs ``roosync`` to its end."""
    command = [sys.executable, "-m", "roosync_p2p", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=environ, check=False, timeout=DEADLINE_S)


def wait_for_node(folder: Path, machine: str) -> int:
    """The process of a node of the demonstration, once it is ready."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        for ready in folder.glob(f"roosync-demo-*/{machine}.ready"):
            if text := ready.read_text():
                return int(text)
        time.sleep(0.02)
    raise AssertionError(f"{machine} was never ready")


def test_it_shows_a_fleet_from_founding_to_the_return_of_a_killed_machine(
    environ: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    home = tmp_path / "own"
    home.mkdir()
    (home / "settings.toml").write_text('[ui]\nlanguage = "fr"\n', encoding="utf-8")

    done = run(environ, "--home", str(home), "demo")

    assert done.returncode == 0, done.stderr
    assert "machine-c est en ligne : directe" in done.stderr
    assert "signé par machine-b, vérifié" in done.stderr
    assert done.stderr.count("apprend que") == 2
    assert "partout de même" in done.stderr
    assert "toutes les étapes ont réussi" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert list(folder.iterdir()) == []
    assert sorted(path.name for path in home.iterdir()) == ["settings.toml"], "the user's own home was touched"


@by_hand
def test_a_kept_fleet_can_be_started_again(environ: dict[str, str], folder: Path) -> None:
    done = run(environ, "demo", "--machines", "2", "--keep", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["ok"]
    assert document["steps"] == ["found", "join", "online", "message", "claim", "decide", "kill", "return", "impostor"]
    assert set(document["noticed_ms"]) == {"machine-a"}
    assert document["measured"]["copies"] == 1
    assert document["refused"] == [
        {"what": "stranger", "reason": "unknown_ca"},
        {"what": "reused", "reason": "invite_used"},
    ]
    home = Path(document["folder"]) / "machine-b"
    assert home.parent.parent == folder
    with subprocess.Popen([sys.executable, "-m", "roosync_p2p", "--home", str(home), "up"], env=environ) as node:
        try:
            deadline = time.monotonic() + DEADLINE_S
            while (inbox := run(environ, "--home", str(home), "inbox", "--status", "all", "--json")).returncode == 3:
                assert time.monotonic() < deadline
            subjects = [message["subject"] for message in json.loads(inbox.stdout)["messages"]]
            assert sorted(subjects) == ["Réunion", "À ton retour"]
            assert run(environ, "--home", str(home), "down").returncode == 0
            assert node.wait(DEADLINE_S) == 0
        finally:
            node.kill()


@by_hand
def test_a_step_that_fails_is_named_and_its_logs_are_kept(started: subprocess.Popen[str], folder: Path) -> None:
    founder = wait_for_node(folder, "machine-a")
    os.kill(founder, signal.SIGTERM)

    _, stderr = started.communicate(timeout=DEADLINE_S)

    assert started.returncode == 1
    error = json.loads(stderr)["error"]
    assert error["code"] == "demo_failed"
    assert error["details"]["step"] in ("found", "join", "online", "message")
    kept = Path(error["details"]["folder"])
    assert str(kept) in error["remedy"]
    assert (kept / "machine-a.log").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_process_and_no_directory(
    started: subprocess.Popen[str], folder: Path, number: signal.Signals
) -> None:
    founder = wait_for_node(folder, "machine-a")
    started.send_signal(number)

    started.communicate(timeout=DEADLINE_S)

    assert started.returncode == 130
    assert not process_alive(founder)
    assert list(folder.iterdir()) == []


def test_it_is_told_in_both_languages() -> None:
    def places(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    english, french = DEMO_TEXTS["en"], DEMO_TEXTS["fr"]
    assert list(english) == list(french)
    assert {key: places(text) for key, text in english.items()} == {key: places(text) for key, text in french.items()}
