"""What is said while a node does not answer: in the language of its home, at a terminal, and not with JSON."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from roosync_p2p.api.terminal import tell_at_terminal


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("settings", "said"), [("", "does not answer yet"), ('[ui]\nlanguage = "fr"\n', "28 s au plus")]
)
def test_it_is_said_in_the_language_of_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, said: str
) -> None:
    (tmp_path / "settings.toml").write_text(settings)
    monkeypatch.setattr(sys, "stderr", terminal := _Terminal())
    tell = tell_at_terminal(tmp_path, as_json=False)
    assert tell is not None
    tell(28.0)
    assert said in terminal.getvalue()
    assert terminal.getvalue().count("\n") == 1


def test_neither_a_pipe_nor_a_script_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert tell_at_terminal(tmp_path, as_json=False) is None
    monkeypatch.setattr(sys, "stderr", _Terminal())
    assert tell_at_terminal(tmp_path, as_json=True) is None
