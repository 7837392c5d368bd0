"""Files that an agent sends along: paths of this computer, handed to the node as the command line does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.api.methods import JsonObject
from roosync_p2p.api.saving import hand_over
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.errors import UsageError
from roosync_p2p.mcp_server.caller import Caller

__all__ = ["hand_over_all"]


async def hand_over_all(caller: Caller, paths: Sequence[str], *, private: bool) -> list[JsonObject]:
    """Gives files to the node, for a message; ``private``: for a sealed one.

    Raises:
        UsageError: ``too_many``; a path is not absolute (``bad_field``), or of no file that can be read
            (``no_such_file``); ``too_large``. Nothing was sent.
    """
    if len(paths) > limits.ATTACHMENTS_MAX:
        raise UsageError(
            f"a message has at most {limits.ATTACHMENTS_MAX} attachments; nothing was sent", code="too_many"
        )
    files = [Path(path) for path in paths]
    relative = [str(file) for file in files if not file.is_absolute()]
    if relative:  # over HTTP the server runs somewhere else than the agent
        raise UsageError(
            f"{', '.join(relative)}: a path from the root of this computer is wanted; nothing was sent",
            code="bad_field",
            remedy="call it again with absolute paths",
        )
    client = SyncClient(caller.api.home)
    return [await anyio.to_thread.run_sync(_hand_over, client, file, private) for file in files]


def _hand_over(client: SyncClient, file: Path, private: bool) -> JsonObject:
    if file.exists() and not file.is_file():  # what is no file may never end
        raise UsageError(f"{file} is no file; nothing was sent", code="no_such_file")
    return hand_over(client, file, private=private)
