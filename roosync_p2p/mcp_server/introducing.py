"""Who a client is: its workspace and its program, from what it said on connecting, and from its roots.

Order: what was said at the start of the server (or in the URL), ``ROOSYNC_WORKSPACE_ID``, the client's roots, the
working directory. Variable and directory are those of the server's process: over HTTP, where one process serves all
clients, they say nothing about any of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp.types import ListRootsRequest, ListRootsResult, RequestId
from pydantic import ValidationError

from roosync_p2p import limits
from roosync_p2p.api.workspace import find_workspace
from roosync_p2p.errors import UsageError
from roosync_p2p.mcp_server.client_facts import client_name, path_of_uri, workspace_of

__all__ = ["introduction"]


async def introduction(
    session: ServerSession,
    request_id: RequestId | None,
    *,
    said: str | None,
    surroundings: tuple[Mapping[str, str], Path] | None,
) -> tuple[str | None, str]:
    """Workspace and name of a client.

    Args:
        request_id: the request on whose stream it may be asked for its roots; None: on the connection's own.
        said: the workspace that was named on starting.
        surroundings: environment and working directory of a process that is the client's own.
    """
    info = session.client_params.client_info if session.client_params is not None else None
    name = client_name(info.name, info.version) if info is not None else ""
    return await _workspace(session, request_id, said, surroundings), name


async def _workspace(
    session: ServerSession,
    request_id: RequestId | None,
    said: str | None,
    surroundings: tuple[Mapping[str, str], Path] | None,
) -> str | None:
    environ: Mapping[str, str] = {} if surroundings is None else surroundings[0]
    if said is not None or environ.get("ROOSYNC_WORKSPACE_ID"):
        try:
            return find_workspace(said, environ, Path())
        except UsageError:
            return None
    found = workspace_of(await _roots(session, request_id))
    if found is None and surroundings is not None:
        found = workspace_of([surroundings[1]])
    return found


async def _roots(session: ServerSession, request_id: RequestId | None) -> list[Path]:
    """The client's, if it offers them; a client that does not answer in time has none."""
    capabilities = session.client_capabilities
    if capabilities is None or capabilities.roots is None or not session.can_send_request:
        return []
    about = None if request_id is None else ServerMessageMetadata(related_request_id=request_id)
    answer: Any = None
    with anyio.move_on_after(limits.MCP_ROOTS_S):
        try:
            answer = await session.send_request(ListRootsRequest(), ListRootsResult, metadata=about)
        except (MCPError, ValidationError):
            return []
    paths = [path_of_uri(str(root.uri), windows=sys.platform == "win32") for root in answer.roots] if answer else []
    return [Path(path) for path in paths if path is not None]
