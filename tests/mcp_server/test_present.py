"""Which clients over HTTP are there."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.mcp_server.present import Present


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("roosync_p2p.mcp_server.present.time.monotonic", lambda: now[0])
    return now


def test_who_listens_is_there_as_long_as_it_does(clock: list[float]) -> None:
    present = Present()
    with present.request("c", listens=True):
        clock[0] += 10 * limits.MCP_IDLE_S
        assert present.is_attached("c")
    assert not present.is_attached("c")
    with present.request("c", listens=False):
        assert present.is_attached("c")
    assert not present.is_attached("c")


def test_who_never_listened_is_there_until_it_was_silent_for_long(clock: list[float]) -> None:
    present = Present()
    assert present.is_attached("c")
    with present.request("c", listens=False):
        pass
    clock[0] += limits.MCP_IDLE_S - 1
    assert present.is_attached("c")
    clock[0] += 2
    assert not present.is_attached("c")
    present.forget("c")
    present.forget("never seen")


def test_a_connection_that_ends_while_it_listens_leaves_nothing_behind(clock: list[float]) -> None:
    present = Present()
    with present.request("c", listens=True):
        with present.request("c", listens=False):
            pass
        present.forget("c")
    assert not any(vars(present).values())
