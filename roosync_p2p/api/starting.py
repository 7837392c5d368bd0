"""Starting a node from a program that needs one: detached, so that it outlives whoever started it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from roosync_p2p.adapters.service.definitions import node_program
from roosync_p2p.errors import EnvironmentFault

__all__ = ["StartedNode", "start_node"]

# Of CreateProcess: no console of its own, none of its parent's, and Ctrl-C there does not reach it.
_DETACHED_PROCESS: Final = 0x0000_0008
_NEW_PROCESS_GROUP: Final = 0x0000_0200


class StartedNode:
    """The process of a node that was started; whether it becomes ready is seen at its API."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def ended(self) -> bool:
        """Whether it is gone already; ``logs/start.log`` in the home then says why."""
        return self._process.poll() is not None


def start_node(home: Path) -> StartedNode:
    """Runs ``roosync up`` for a home and does not wait for it.

    Raises:
        EnvironmentFault: ``cannot_start``: the system starts no process.
    """
    command = node_program(sys.platform, Path(sys.executable).absolute(), home)
    apart: dict[str, Any] = (
        {"creationflags": _DETACHED_PROCESS | _NEW_PROCESS_GROUP}
        if sys.platform == "win32"
        else {"start_new_session": True}
    )
    quiet = subprocess.DEVNULL
    try:
        process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, close_fds=True, **apart)  # noqa: S603
    except OSError as error:
        raise EnvironmentFault(
            f"the node could not be started: {error}", code="cannot_start", remedy="start it with `roosync up`"
        ) from error
    return StartedNode(process)
