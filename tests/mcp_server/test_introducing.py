"""Which workspace a client is in."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from roosync_p2p.mcp_server.caller import client_name, workspace_of
from roosync_p2p.mcp_server.introducing import introduction, path_of_uri


@pytest.mark.parametrize(
    ("uri", "windows", "path"),
    [
        ("file:///home/a/mon%20projet", False, "/home/a/mon projet"),
        ("file://localhost/home/a", False, "/home/a"),
        ("file://elsewhere/home/a", False, None),
        ("file:///c%3A/dev/x", True, r"c:\dev\x"),
        ("file:///C:/dev/x", True, r"C:\dev\x"),
        ("file://server/share/x", True, r"\\server\share\x"),
        ("https://example.org/x", False, None),
    ],
)
def test_a_root_is_a_path_of_this_computer(uri: str, windows: bool, path: str | None) -> None:
    assert path_of_uri(uri, windows=windows) == path


def test_the_first_root_in_a_repository_names_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "projet" / ".git").mkdir(parents=True)
    assert workspace_of([tmp_path / "none", tmp_path / "projet" / "src"]) == "projet"
    assert workspace_of([]) is None


@pytest.mark.parametrize(
    ("said", "environ", "workspace"),
    [
        ("said", {"ROOSYNC_WORKSPACE_ID": "env"}, "said"),
        (None, {"ROOSYNC_WORKSPACE_ID": "env"}, "env"),
        (None, {}, "ici"),
        ("bad\nname", {}, None),
    ],
)
def test_what_was_said_counts_then_the_environment_then_the_directory(
    tmp_path: Path, said: str | None, environ: dict[str, str], workspace: str | None
) -> None:
    (tmp_path / "ici" / ".git").mkdir(parents=True)
    silent: Any = SimpleNamespace(client_params=None, client_capabilities=None)  # a client that offers no roots

    async def ask() -> tuple[str | None, str]:
        return await introduction(silent, None, said=said, surroundings=(environ, tmp_path / "ici"))

    assert anyio.run(ask) == (workspace, "")


def test_over_http_the_surroundings_of_the_server_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOSYNC_WORKSPACE_ID", "the server's")
    silent: Any = SimpleNamespace(client_params=None, client_capabilities=None)

    async def ask() -> tuple[str | None, str]:
        return await introduction(silent, None, said=None, surroundings=None)

    assert anyio.run(ask) == (None, "")


def test_a_program_says_its_name_in_one_short_line() -> None:
    assert client_name("claude-code", "2.1") == "claude-code 2.1"
    assert client_name("a\x00\nb", "") == "a b"
    assert len(client_name("x" * 200, "1")) == 64
