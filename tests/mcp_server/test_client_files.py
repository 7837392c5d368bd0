"""Where agents keep their configuration on each system, and what is written into it."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest

from roosync_p2p.mcp_server.client_files import candidates, merged, over_http, over_stdio, project_file


@pytest.mark.parametrize(
    ("platform", "home", "environ", "place"),
    [
        ("linux", "/home/a", {}, "/home/a/.claude.json"),
        ("darwin", "/Users/a", {}, "/Users/a/.claude.json"),
        ("win32", r"C:\Users\a", {}, r"C:\Users\a\.claude.json"),
        ("linux", "/home/a", {"CLAUDE_CONFIG_DIR": "/etc/c"}, "/etc/c/.claude.json"),
    ],
)
def test_claude_code_has_one_place(platform: str, home: str, environ: dict[str, str], place: str) -> None:
    assert [str(path) for path in candidates("claude", platform=platform, home=home, environ=environ)] == [place]


@pytest.mark.parametrize(
    ("platform", "home", "environ", "place"),
    [
        (
            "win32",
            r"C:\Users\a",
            {"APPDATA": r"D:\Profil\Roaming"},
            r"D:\Profil\Roaming\Code\User\globalStorage\rooveterinaryinc.roo-cline\settings\mcp_settings.json",
        ),
        (
            "win32",
            r"C:\Users\a",
            {},
            (
                r"C:\Users\a\AppData\Roaming\Code - Insiders\User\globalStorage\zoocodeorganization.zoo-code\settings"
                r"\mcp_settings.json"
            ),
        ),
        (
            "darwin",
            "/Users/a",
            {},
            (
                "/Users/a/Library/Application Support/VSCodium/User/globalStorage/rooveterinaryinc.roo-cline/settings/"
                "mcp_settings.json"
            ),
        ),
        (
            "linux",
            "/home/a",
            {},
            "/home/a/.config/Cursor/User/globalStorage/saoudrizwan.claude-dev/settings/mcp_settings.json",
        ),
        (
            "linux",
            "/home/a",
            {},
            "/home/a/.config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
        ),
        (
            "linux",
            "/home/a",
            {"XDG_CONFIG_HOME": "/cfg"},
            "/cfg/Windsurf/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json",
        ),
        (
            "linux",
            "/home/a",
            {},
            "/home/a/.vscode-server/data/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json",
        ),
    ],
)
def test_roo_is_looked_for_in_each_editor(platform: str, home: str, environ: dict[str, str], place: str) -> None:
    found = [str(path) for path in candidates("roo", platform=platform, home=home, environ=environ)]
    assert place in found
    assert len(set(found)) == len(found)


def test_a_project_has_its_own_file() -> None:
    assert project_file("claude", PurePosixPath("/p")) == PurePosixPath("/p/.mcp.json")
    assert project_file("roo", PureWindowsPath(r"C:\p")) == PureWindowsPath(r"C:\p\.roo\mcp.json")


def test_each_client_names_a_kind_of_server_in_its_own_way() -> None:
    roo = PurePosixPath("/x/rooveterinaryinc.roo-cline/settings/mcp_settings.json")
    cline = PurePosixPath("/x/saoudrizwan.claude-dev/settings/mcp_settings.json")
    assert over_stdio("claude", ["python", "-m", "x"]) == {"type": "stdio", "command": "python", "args": ["-m", "x"]}
    assert over_stdio("roo", ["python"])["alwaysAllow"] == [], "what a user allows is theirs to say"
    assert over_http("claude", roo, "http://u", "t")["type"] == "http"
    assert over_http("roo", roo, "http://u", "t")["type"] == "streamable-http"
    assert over_http("roo", cline, "http://u", "t")["type"] == "streamableHttp"
    assert over_http("claude", roo, "http://u", "t")["headers"] == {"Authorization": "Bearer t"}


def test_what_the_user_added_stays_and_what_another_kind_had_goes() -> None:
    old = {"command": "old", "args": ["a"], "env": {"A": "1"}, "alwaysAllow": ["roosync_read"], "disabled": True}
    new = over_http("roo", PurePosixPath("/x"), "http://u", "t")
    both = merged(old, new)
    assert "command" not in both
    assert "args" not in both
    assert both["env"] == {"A": "1"}
    assert (both["alwaysAllow"], both["disabled"]) == (["roosync_read"], True)
    assert both["url"] == "http://u"
    kept = merged({"type": "http", "url": "x", "headers": {"X": "y", "Authorization": "old"}}, new)
    assert kept["headers"] == {"X": "y", "Authorization": "Bearer t"}
    assert merged("nonsense", new) == new
    assert merged(both, new) == both
