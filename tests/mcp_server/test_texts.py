"""Every text exists in both languages, with the same places."""

from __future__ import annotations

import string

import pytest

from roosync_p2p.mcp_server.texts import CATALOGUE


def places(text: str) -> set[str]:
    """What a text is filled with."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", CATALOGUE["en"])
def test_a_text_is_there_in_both_languages(key: str) -> None:
    assert set(CATALOGUE["en"]) == set(CATALOGUE["fr"])
    assert places(CATALOGUE["en"][key]) == places(CATALOGUE["fr"][key])
