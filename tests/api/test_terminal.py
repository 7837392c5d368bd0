"""What every tool shares: safe text, JSON, errors, exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import errors
from roosync_p2p.api.terminal import (
    FiniteRange,
    Invocation,
    common_options,
    exit_code,
    read_text_argument,
    run_tool,
    safe_block,
    safe_line,
)
from roosync_p2p.errors import RoosyncError, UsageError

CASES = [
    (errors.UsageError("x"), 2),
    (errors.InputFault("x"), 1),
    (errors.NotRunningError("x"), 3),
    (errors.EnvironmentFault("x", code="not_in_time"), 4),
    (errors.EnvironmentFault("x", code="no_quorum"), 4),
    (errors.SignatureFault("x"), 5),
    (errors.UntrustedError("x"), 5),
    (errors.StoreError("x"), 1),
    (errors.MalformedError("x"), 1),
]


@pytest.mark.parametrize(("error", "code"), CASES)
def test_exit_codes_are_those_that_scripts_rely_on(error: RoosyncError, code: int) -> None:
    assert exit_code(error) == code


def tool(*, fails: bool) -> click.Group:
    """A group with one command."""

    @click.group()
    @common_options
    def group(_invocation: Invocation) -> None:
        """A tool."""

    @group.command()
    @common_options
    def act(invocation: Invocation) -> int:
        if fails:
            raise errors.NotRunningError("nobody", remedy="begin\x1b[2J")
        invocation.progress("working")
        invocation.print_json({"home": invocation.home.name, "json": invocation.as_json})
        return 7

    return group


@pytest.mark.parametrize("args", [["--home", "h", "--json", "act"], ["act", "--home", "h", "--json"]])
def test_common_options_count_before_and_after_the_command(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_tool(tool(fails=False), args) == 7
    out, err = capsys.readouterr()
    assert json.loads(out) == {"home": "h", "json": True}
    assert err == ""


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    run_tool(tool(fails=False), ["act"])
    assert capsys.readouterr().err == "working\n"


def test_an_error_is_a_message_and_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_tool(tool(fails=True), ["act"]) == 3
    assert capsys.readouterr() == ("", "error: nobody\n  remedy: begin\\x1b[2J\n")


def test_with_json_an_error_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_tool(tool(fails=True), ["act", "--json"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["error"]["code"] == "not_running"


def test_wrong_usage_is_two_and_names_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_tool(tool(fails=False), ["--json", "nothing"]) == 2
    assert "--help" in json.loads(capsys.readouterr().err)["error"]["remedy"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain é œ 日本 👩‍💻", "plain é œ 日本 👩‍💻"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("two\nlines\r\nthree\rback", "two\\nlines\\nthree\\x0dback"),
        ("lone \ud800", "lone \\ud800"),
    ],
)
def test_what_peers_wrote_cannot_steer_a_terminal(text: str, line: str) -> None:
    assert safe_line(text) == line


@given(st.text())
def test_a_safe_block_has_no_control_character_but_line_feed_and_tab(text: str) -> None:
    shown = safe_block(text)
    assert all(c in "\n\t" or c.isprintable() or ord(c) >= 0xA0 for c in shown)
    assert "\n" not in safe_line(text)


@given(st.text())
def test_json_for_a_terminal_still_says_the_same(text: str) -> None:
    out = io.StringIO()
    invocation = Invocation(home=Path(), as_json=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        invocation.print_json({"x": text})
    assert json.loads(out.getvalue()) == {"x": text}
    assert not set(out.getvalue()) & {chr(c) for c in range(0x7F, 0xA0)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_body_is_read_from_standard_input_in_any_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("été\r\n".encode(encoding))))
    assert read_text_argument("-", what="the body") == "été\n"
    assert read_text_argument("as it is", what="the body") == "as it is"


def test_a_body_that_is_no_text_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\x00\xff\xff")))
    with pytest.raises(UsageError):
        read_text_argument("-", what="the body")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_reader_that_has_had_enough_is_no_error(tmp_path: Path) -> None:
    script = f"{sys.executable} -m roosync_p2p.cli.main settings list | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize("arguments", ["settings list", "settings list --json", "--help"])
def test_output_that_cannot_be_written_is_an_error_and_no_traceback(arguments: str) -> None:
    script = f"{sys.executable} -m roosync_p2p.cli.main {arguments} >/dev/full"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells")
def test_closed_output_is_no_error(tmp_path: Path) -> None:
    script = f"{sys.executable} -m roosync_p2p.cli.main settings list >&-"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, check=True)
    assert done.stderr == ""


def test_an_empty_home_is_not_the_current_directory(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_tool(tool(fails=False), ["act", "--home", ""]) == 2
    assert "--home" in capsys.readouterr().err


@pytest.mark.parametrize(("value", "code"), [("0", 7), ("2.5", 7), ("nan", 2), ("inf", 2), ("-1", 2), ("x", 2)])
def test_a_number_between_bounds_is_a_number(value: str, code: int) -> None:
    @click.command()
    @click.option("--wait", type=FiniteRange(0, 3600))
    def wait(wait: float) -> int:
        return 7 if wait >= 0 else 1

    assert run_tool(wait, ["--wait", value]) == code


def test_a_group_without_a_command_shows_its_help_not_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    group = tool(fails=False)
    run_tool(group, [])
    shown = "".join(capsys.readouterr())
    assert shown.startswith("Usage: ")
    assert "error:" not in shown
    assert run_tool(group, ["--json"]) == 2
    assert "error" in json.loads(capsys.readouterr().err)
