"""A command: a headless agent, a script. It gets ids in its environment, never a text, and no shell in between."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.adapters.waking.port import wake_fault
from roosync_p2p.mailbox.wakes import Woken

__all__ = ["CommandWaker", "detached", "environment"]

_CREATE_NEW_PROCESS_GROUP: Final = 0x00000200  # CreateProcess's own numbers: subprocess has them only on Windows
_CREATE_NO_WINDOW: Final = 0x08000000


class CommandWaker:
    """Starts a command and waits for its end; it lives on when the node ends.

    Attributes:
        running: what was started and not seen to end.

    Args:
        log: gets what the command prints, the last one's only.
    """

    def __init__(self, command: tuple[str, ...], directory: str, *, home: Path, log: Path) -> None:
        self._command = command
        self._directory = Path(directory).expanduser() if directory else Path.home()
        self._home = home
        self._log = log
        self.running: list[subprocess.Popen[bytes]] = []

    async def wake(self, woken: Woken) -> None:
        """See :class:`~roosync_p2p.adapters.waking.port.Waker`."""
        process = await anyio.to_thread.run_sync(self._start, woken)
        self.running.append(process)
        # Looked at now and then: a thread that waits for it would keep the node from ending.
        while process.poll() is None:  # noqa: ASYNC110
            await anyio.sleep(limits.WAKE_POLL_S)
        self.running.remove(process)
        if process.returncode != 0:
            raise wake_fault(f"{self._command[0]} ended with {process.returncode}", f"see {self._log}")

    def _start(self, woken: Woken) -> subprocess.Popen[bytes]:
        try:
            with self._log.open("wb") as log:
                return subprocess.Popen(  # noqa: S603 - the user's own settings name it; nothing of a message is in it
                    list(self._command),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self._directory,
                    env=environment(os.environ, woken, self._home),
                    **detached(sys.platform),
                )
        except (OSError, ValueError) as error:
            raise wake_fault(f"{self._command[0]} cannot be started: {error}") from error


def environment(own: Mapping[str, str], woken: Woken, home: Path) -> dict[str, str]:
    """The environment of a command: the node's, and what waits. It is in no session of the node's."""
    kept = {name: value for name, value in own.items() if name != "ROOSYNC_SESSION"}
    return {
        **kept,
        "ROOSYNC_HOME": str(home),
        "ROOSYNC_MESSAGE_IDS": " ".join(woken.messages),
        "ROOSYNC_SENDERS": " ".join(woken.senders),
        "ROOSYNC_WORKSPACE": woken.workspace,
        "ROOSYNC_WORKSPACE_ID": woken.workspace,
        "ROOSYNC_WAKE": woken.wake,
        "ROOSYNC_WAKE_ATTEMPT": str(woken.attempt),
    }


def detached(platform: str) -> dict[str, Any]:
    """Arguments with which a process does not end with the node, and opens no window."""
    if platform == "win32":
        return {"creationflags": _CREATE_NEW_PROCESS_GROUP | _CREATE_NO_WINDOW}
    return {"start_new_session": True}
