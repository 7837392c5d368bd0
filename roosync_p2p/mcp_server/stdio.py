"""``roosync mcp``: one client over standard input and output; ends with its input."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

import anyio
from mcp.server.stdio import stdio_server

from roosync_p2p.mcp_server.desk import Desk
from roosync_p2p.mcp_server.server import RoosyncServer

__all__ = ["run_stdio"]


def run_stdio(home: Path, *, workspace: str | None, lease_s: float) -> int:
    """Serves one client until its standard input ends; the exit code."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)  # standard output is the protocol's alone
    anyio.run(_serve, home, workspace, lease_s)
    return 0


async def _serve(home: Path, workspace: str | None, lease_s: float) -> None:
    async with Desk.opened(home, lease_s=lease_s, said_workspace=workspace) as desk:
        server = RoosyncServer(desk)
        desk.tasks.start_soon(server.inbox.run)
        if sys.platform != "win32":  # there, clients end a server without a signal
            desk.tasks.start_soon(_until_signal, desk)
        async with stdio_server() as (incoming, outgoing):
            await server.sdk.run(incoming, outgoing, server.sdk.create_initialization_options())


async def _until_signal(desk: Desk) -> None:
    """Told to end: the session is closed. The thread that reads standard input cannot be, so nothing waits for it."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            await desk.close()
            os._exit(128 + number)
