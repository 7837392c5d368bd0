"""What a client said of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from roosync_p2p.mcp_server.client_facts import client_name, path_of_uri, workspace_of


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


def test_a_program_says_its_name_in_one_short_line() -> None:
    assert client_name("claude-code", "2.1") == "claude-code 2.1"
    assert client_name("a\x00\nb", "") == "a b"
    assert len(client_name("x" * 200, "1")) == 64
