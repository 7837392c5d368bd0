"""The handlers, where a client does what clients do. The SDK is imported when a test runs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from roosync_p2p.mcp_server.desk import Desk
from tests.helpers.api_server import running_api


@pytest.mark.parametrize("error", [anyio.ClosedResourceError, anyio.BrokenResourceError])
def test_a_client_that_hangs_up_while_it_is_asked_who_it_is_ends_nothing_else(
    tmp_path: Path, error: type[Exception]
) -> None:
    from roosync_p2p.mcp_server.server import RoosyncServer  # noqa: PLC0415 - as the first line says

    async def asked(*_: object, **__: object) -> None:
        raise error

    offers_roots = SimpleNamespace(roots=SimpleNamespace())
    session = SimpleNamespace(
        client_params=None, client_capabilities=offers_roots, can_send_request=True, send_request=asked
    )
    gone: Any = SimpleNamespace(request=None, session=session)

    async def run() -> None:
        with anyio.fail_after(30):
            async with Desk.opened(tmp_path / "home", lease_s=90, said_workspace=None) as desk:
                await RoosyncServer(desk)._greet(gone)
                session.client_capabilities = None
                await RoosyncServer(desk)._greet(gone)
                assert len(api.backend.claims.secrets) == 1

    with running_api(tmp_path / "home") as api:
        anyio.run(run)
