"""``roosync mcp --install`` and ``--uninstall``, on files of a home of the test."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from roosync_p2p.mcp_server.command import main

TEXT = '\ufeff{\r\n    "numStartups": 12,\r\n    "mcpServers": {\r\n        "other": {"command": "x"}\r\n    }\r\n}\r\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node's home; the user's is where the tests have put it."""
    user = tmp_path / "elsewhere" / "home"
    user.mkdir(parents=True)
    monkeypatch.setenv("USERPROFILE", str(user))
    (tmp_path / "node").mkdir(mode=0o700)
    return tmp_path / "node"


@pytest.fixture
def claude(home: Path) -> Path:
    file = Path.home() / ".claude.json"
    file.write_bytes(TEXT.encode())
    return file


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path, *args: str) -> tuple[int, Any]:
    """Exit code, and the document on standard output or the error."""
    monkeypatch.setattr(sys, "argv", ["roosync-mcp", "--home", str(home), "--json", *args])
    code = main()
    out, err = capsys.readouterr()
    return code, json.loads(out or err)


@pytest.fixture
def mcp(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path) -> Any:
    return lambda *args: run(monkeypatch, capsys, home, *args)


def test_it_is_put_in_once_with_a_copy_and_taken_out_again(mcp: Any, claude: Path, home: Path) -> None:
    code, done = mcp("--install", "claude", "--workspace", "roosync")
    assert code == 0
    (row,) = done["files"]
    assert (row["file"], row["changed"]) == (str(claude), True)
    assert Path(row["backup"]).read_bytes() == TEXT.encode()
    after = claude.read_bytes().decode()
    assert after.startswith(
        '\ufeff{\r\n    "numStartups": 12,\r\n    "mcpServers": {\r\n        "other": {"command": "x"},\r\n'
    )
    entry = json.loads(after.removeprefix("\ufeff"))["mcpServers"]["roosync"]
    assert entry["command"] == sys.executable
    assert entry["args"] == ["-P", "-m", "roosync_p2p", "--home", str(home), "mcp", "--workspace", "roosync"]
    again = mcp("--install", "claude", "--workspace", "roosync")[1]["files"][0]
    assert (again["changed"], again["backup"]) == (False, None)
    assert claude.read_bytes().decode() == after
    assert mcp("--uninstall", "claude")[1]["files"][0]["changed"] is True
    assert claude.read_bytes() == TEXT.encode()
    assert mcp("--uninstall", "claude")[1]["files"][0]["changed"] is False


def test_a_dry_run_shows_the_difference_and_writes_nothing(mcp: Any, claude: Path, home: Path) -> None:
    row = mcp("--install", "claude", "--http", "--dry-run")[1]["files"][0]
    assert '+        "roosync": {' in row["diff"]
    token = json.loads((home / "mcp.json").read_text())["token"]
    assert token not in row["diff"]
    assert "Bearer (token)" in row["diff"]
    assert claude.read_bytes() == TEXT.encode()
    assert [file.name for file in claude.parent.iterdir()] == [".claude.json"]


def test_over_http_it_gets_the_url_and_a_token_that_stays(mcp: Any, claude: Path, home: Path) -> None:
    mcp("--install", "claude", "--http", "--port", "47999")
    first = json.loads(claude.read_text("utf-8-sig"))["mcpServers"]["roosync"]
    assert first["url"] == "http://127.0.0.1:47999/mcp"
    mcp("--install", "claude", "--http")
    second = json.loads(claude.read_text("utf-8-sig"))["mcpServers"]["roosync"]
    assert second["url"] == "http://127.0.0.1:47601/mcp"
    assert second["headers"] == first["headers"]
    if sys.platform != "win32":
        assert (home / "mcp.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("before", [None, b"", b"{}", b"{\n}\n"])
def test_taking_out_what_is_not_there_changes_nothing(
    mcp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / ".mcp.json"
    if before is not None:
        file.write_bytes(before)
    assert mcp("--uninstall", "claude", "--project")[1]["files"][0]["changed"] is False
    assert (file.read_bytes() if file.exists() else None) == before


@pytest.mark.parametrize("broken", ["{", "[]", '{"mcpServers": 1}', "// comment\n{}", "\udcff"])
def test_a_file_that_does_not_parse_is_refused_and_left_alone(mcp: Any, claude: Path, broken: str) -> None:
    data = broken.encode("utf-8", "surrogateescape")
    claude.write_bytes(data)
    code, said = mcp("--install", "claude")
    assert (code, said["error"]["code"]) == (1, "bad_json")
    assert str(claude) in said["error"]["message"]
    assert claude.read_bytes() == data
    assert len(list(claude.parent.iterdir())) == 1


def test_every_roo_that_is_there_gets_it_and_one_that_is_broken_spares_the_others(mcp: Any, home: Path) -> None:
    folder = Path(os.environ["XDG_CONFIG_HOME"]) / "Code" / "User" / "globalStorage"
    if sys.platform != "linux":
        pytest.skip("the places of this system are tested as text")
    (folder / "rooveterinaryinc.roo-cline" / "settings").mkdir(parents=True)  # an empty shell stays behind
    assert mcp("--install", "roo")[1]["error"]["code"] == "no_client"
    files = [
        folder / extension / "settings" / "mcp_settings.json"
        for extension in ("rooveterinaryinc.roo-cline", "zoocodeorganization.zoo-code")
    ]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('{"mcpServers": {}}')
    files[1].write_text("{")
    assert mcp("--install", "roo")[1]["error"]["code"] == "bad_json"
    assert files[0].read_text() == '{"mcpServers": {}}'
    files[1].write_text("")
    done = mcp("--install", "roo")[1]
    assert [row["file"] for row in done["files"]] == [str(file) for file in files]
    for file in files:
        entry = json.loads(file.read_text())["mcpServers"]["roosync"]
        assert (entry["alwaysAllow"], entry["disabled"]) == ([], False)


def test_a_projects_file_names_no_path_and_takes_no_token(
    mcp: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "projet"
    project.mkdir()
    monkeypatch.chdir(project)
    assert mcp("--install", "claude", "--project")[0] == 0
    entry = json.loads((project / ".mcp.json").read_text())["mcpServers"]["roosync"]
    assert (entry["command"], entry["args"]) == ("roosync-mcp", [])
    assert mcp("--install", "roo", "--project", "--http")[0] == 2
    assert not (project / ".roo").exists()


def test_a_link_to_a_file_stays_a_link(mcp: Any, claude: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    claude.rename(real)
    try:
        claude.symlink_to(real)
    except OSError:
        pytest.skip("this user may not make links")
    mcp("--install", "claude")
    assert claude.is_symlink()
    assert "roosync" in real.read_text("utf-8-sig")


def test_people_are_told_in_their_language(
    home: Path, claude: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "settings.toml").write_text('[ui]\nlanguage = "fr"\n')
    monkeypatch.setattr(sys, "argv", ["roosync-mcp", "--home", str(home), "--install", "claude", "--http"])
    assert main() == 0
    said = capsys.readouterr().out
    assert "roosync y est désormais" in said
    assert "http = true" in said


@pytest.mark.parametrize(
    "args", [["--install", "claude", "--uninstall", "roo"], ["--project"], ["--dry-run"], ["--lease", "x"]]
)
def test_wrong_usage_is_said(mcp: Any, args: list[str]) -> None:
    assert mcp(*args)[0] == 2


def test_without_the_extra_the_line_that_installs_it_is_said(mcp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    for version in (missing, lambda _name: "1.28.1"):
        monkeypatch.setattr(importlib.metadata, "version", version)
        for way in ([], ["--http"], ["--install", "claude"]):
            code, said = mcp(*way)
            assert code == 1
            assert said["error"]["remedy"] == 'pip install "roosync-p2p[mcp]"'
