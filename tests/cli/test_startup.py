"""The command line feels instant because it does not import what it does not need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "anyio",
    "asyncio",
    "starlette",
    "uvicorn",
    "rich",
    "cryptography",
    "zeroconf",
    "websockets",
    "sqlite3",
    "mcp",
    "pydantic",
)
PROGRAM = """
import json, sys
from roosync_p2p.cli.main import main
code = main()
sys.stderr.write("\\n" + json.dumps([code, sorted(sys.modules)]))
"""


def modules_of(home: Path, *args: str) -> tuple[int, set[str]]:
    """Exit code of a command and everything it imported."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *args],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={**os.environ, "ROOSYNC_HOME": str(home)},
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    return code, set(modules)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--help"], 0),
        (["send", "--help"], 0),
        (["decision", "propose", "--help"], 0),
        (["status"], 3),
        (["inbox"], 3),
        (["claim", "x"], 3),
        (["claims"], 3),
        (["decision", "approve", "D1"], 3),
        (["baseline", "show"], 3),
        (["log"], 3),
        (["settings", "list"], 0),
        (["mcp", "--help"], 0),
        (["mcp", "--install", "roo"], 1),
    ],
)
def test_commands_that_ask_or_explain_load_nothing_heavy(tmp_path: Path, args: list[str], code: int) -> None:
    done, modules = modules_of(tmp_path, *args)
    assert done == code
    assert not [name for name in HEAVY if name in modules]


def test_the_list_of_commands_imports_no_command(tmp_path: Path) -> None:
    _, modules = modules_of(tmp_path, "--help")
    assert {name for name in modules if name.startswith("roosync_p2p.cli.")} == {"roosync_p2p.cli.main"}
