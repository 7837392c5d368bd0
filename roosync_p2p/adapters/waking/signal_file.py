"""A file for whoever looks at the right moment, such as an agent's stop hook: ids, one a line.

Ids of earlier wakes that still lie there stay in it. Whoever has read it removes it.
"""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.adapters.permissions import write_private
from roosync_p2p.adapters.waking.port import wake_fault
from roosync_p2p.errors import EnvironmentFault
from roosync_p2p.mailbox.wakes import Woken

__all__ = ["SignalFileWaker"]


class SignalFileWaker:
    """Writes the file, whole at every moment."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def wake(self, woken: Woken) -> None:
        """See :class:`~roosync_p2p.adapters.waking.port.Waker`."""
        await anyio.to_thread.run_sync(self._write, woken)

    def _write(self, woken: Woken) -> None:
        lines = dict.fromkeys((*self._there(), *woken.messages))
        try:
            write_private(self._path, "".join(f"{line}\n" for line in lines).encode())
        except (EnvironmentFault, OSError) as error:
            raise wake_fault(f"{self._path} cannot be written: {error}") from error

    def _there(self) -> list[str]:
        try:
            with self._path.open("rb") as file:
                return file.read(limits.WAKE_FILE_BYTES_MAX).decode(errors="replace").split()
        except OSError:  # it is not there, or somebody is removing it
            return []
