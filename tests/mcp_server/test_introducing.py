"""Which workspace a client is in. The SDK is imported when a test runs: every process of the tests reads this file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest


async def workspace(said: str | None, surroundings: tuple[dict[str, str], Path] | None) -> str | None:
    """Of a client that offers no roots."""
    from roosync_p2p.mcp_server.introducing import introduction  # noqa: PLC0415 - as the first line says

    silent: Any = SimpleNamespace(client_params=None, client_capabilities=None)
    found, name = await introduction(silent, None, said=said, surroundings=surroundings)
    assert name == ""
    return found


@pytest.mark.parametrize(
    ("said", "environ", "expected"),
    [
        ("said", {"ROOSYNC_WORKSPACE_ID": "env"}, "said"),
        (None, {"ROOSYNC_WORKSPACE_ID": "env"}, "env"),
        (None, {}, "ici"),
        ("bad\nname", {}, None),
    ],
)
def test_what_was_said_counts_then_the_environment_then_the_directory(
    tmp_path: Path, said: str | None, environ: dict[str, str], expected: str | None
) -> None:
    (tmp_path / "ici" / ".git").mkdir(parents=True)
    assert anyio.run(workspace, said, (environ, tmp_path / "ici")) == expected


def test_over_http_the_surroundings_of_the_server_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOSYNC_WORKSPACE_ID", "the server's")
    assert anyio.run(workspace, None, None) is None
