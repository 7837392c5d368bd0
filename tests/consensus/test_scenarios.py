"""The stories play out as they are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.consensus.player import SCENARIOS, play


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.txt")), ids=lambda path: path.stem)
def test_a_story_plays_out_as_it_is_told(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert play(text) == text


def test_there_are_stories() -> None:
    assert len(list(SCENARIOS.glob("*.txt"))) >= 30
