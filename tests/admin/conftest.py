"""The real command line of the tool, run in this process: parsing, errors and exit codes included."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roosync_p2p.admin.main import roosync_admin
from roosync_p2p.api.terminal import run_tool

__all__ = ["Admin", "Done"]

FOUNDER = "myia-ai-01"


@dataclasses.dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    def document(self) -> dict[str, Any]:
        """The one document of a command that succeeded."""
        assert self.code == 0, self.err
        parsed = json.loads(self.out)
        assert isinstance(parsed, dict)
        return parsed

    def refused(self, code: int, name: str) -> dict[str, Any]:
        """The one error object of a command that was refused; nothing was printed beside it."""
        assert self.out == ""
        error = json.loads(self.err)["error"]
        assert (self.code, error["code"]) == (code, name), self.err
        assert isinstance(error, dict)
        return error


Admin = Callable[..., Done]


@pytest.fixture(autouse=True)
def no_passphrase_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable of whoever runs the tests is not theirs."""
    monkeypatch.delenv("ROOSYNC_PASSPHRASE_FILE", raising=False)


@pytest.fixture
def admin(capsys: pytest.CaptureFixture[str]) -> Admin:
    """``admin(home, "invite", "any", "--json")``."""

    def run(home: Path, *args: str) -> Done:
        capsys.readouterr()
        code = run_tool(roosync_admin, ["--home", str(home), *args])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def founder(admin: Admin, tmp_path: Path) -> Path:
    """The home of a founder that listens at a known address and whose root key has no passphrase."""
    home = tmp_path / "founder"
    listen = "--listen", "127.0.0.1:47611"
    admin(home, "init", "--machine", FOUNDER, "--fleet", "Écurie", *listen, "--no-passphrase", "--json").document()
    return home


@pytest.fixture
def passphrase_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that holds a passphrase, named to the tool; owner-only."""
    path = tmp_path / "passphrase"
    path.write_bytes("phrase secrète\r\n".encode())
    path.chmod(0o600)
    monkeypatch.setenv("ROOSYNC_PASSPHRASE_FILE", str(path))
    return path
