"""What is asked at a terminal, on a real one."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from roosync_p2p.adapters.keystore import load_identity, load_root_key
from tests.admin.conftest import FOUNDER, Admin

if sys.platform == "win32":
    pytest.skip("pseudo-terminals", allow_module_level=True)

_DEADLINE_S = 20.0


class Terminal:
    """A command whose standard input and error are a terminal."""

    def __init__(self, *args: str) -> None:
        self._ours, theirs = os.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "roosync_p2p.admin.main", *args],
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "PYTHONWARNINGS": "error"},
        )
        os.close(theirs)
        self.seen = ""

    def answer(self, prompt: str, text: str) -> None:
        """Waits for the prompt, then types."""
        while prompt not in self.seen:
            ready, _, _ = select.select([self._ours], [], [], _DEADLINE_S)
            assert ready, f"no {prompt!r} in {self.seen!r}"
            self.seen += os.read(self._ours, 4096).decode()
        os.write(self._ours, f"{text}\n".encode())

    def end(self) -> tuple[int, str]:
        """Exit code and standard output."""
        out, _ = self._process.communicate(timeout=_DEADLINE_S)
        os.close(self._ours)
        return self._process.returncode, out.decode()


def test_a_new_passphrase_is_asked_twice_and_not_shown(tmp_path: Path) -> None:
    terminal = Terminal("--home", str(tmp_path / "home"), "init", "--machine", FOUNDER)
    terminal.answer("root key: ", "correct horse")
    terminal.answer("Again: ", "correct horse")
    code, out = terminal.end()
    assert (code, "horse" in terminal.seen + out) == (0, False)
    assert load_root_key(tmp_path / "home", b"correct horse").key_id


def test_an_empty_answer_is_no_passphrase(tmp_path: Path) -> None:
    terminal = Terminal("--home", str(tmp_path / "home"), "init", "--machine", FOUNDER)
    terminal.answer("root key: ", "")
    terminal.answer("Again: ", "")
    assert terminal.end() == (1, "")
    assert not (tmp_path / "home" / "identity").exists()


@pytest.mark.parametrize(("typed", "code"), [("y", 0), ("n", 1)])
def test_the_fleet_is_confirmed_by_a_person(admin: Admin, founder: Path, tmp_path: Path, typed: str, code: int) -> None:
    request, answer = str(tmp_path / "r.pem"), str(tmp_path / "a.pem")
    assert admin(tmp_path / "home", "request", "--machine", "myia-po-2023", "--out", request).code == 0
    assert admin(founder, "issue", request, "--out", answer).code == 0
    terminal = Terminal("--home", str(tmp_path / "home"), "install", answer)
    terminal.answer("[y/N]: ", typed)
    assert load_identity(founder).fleet.hex() in terminal.seen
    assert terminal.end()[0] == code
    assert (tmp_path / "home" / "identity").exists() == (code == 0)
