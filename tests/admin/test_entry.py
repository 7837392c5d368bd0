"""The console script: quick to help, whole without a terminal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from roosync_p2p.admin.main import roosync_admin
from tests.admin.conftest import Admin

HEAVY = ("cryptography", "sqlite3", "msgspec", "anyio", "ifaddr")
COMMANDS = ("init", "list", "show", "invite", "request", "issue", "install", "countersign", "example-certs")


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from roosync_p2p.admin.main import main; sys.argv = ['roosync-admin', '--help']; code = main();"
        f" print([name for name in {HEAVY!r} if name in sys.modules], code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines()[-1] == "[] 0"
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example(name: str) -> None:
    command = roosync_admin.commands.get(name) or roosync_admin.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert f"roosync-admin {name}" in (command.help or "")


def test_wrong_usage_is_two(admin: Admin, tmp_path: Path) -> None:
    admin(tmp_path, "destroy", "--json").refused(2, "usage")
