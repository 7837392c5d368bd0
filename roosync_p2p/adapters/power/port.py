"""The port: a notice of what the computer is about to do, with a hold that delays it.

The limit of a hold is the smaller of ours and the system's: about 2 s for suspend on Windows, 5 s elsewhere unless the
system is set otherwise. No notice is certain: a battery runs out, a lid closes, a process is killed.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Protocol, TypeAlias

import anyio
import anyio.abc

__all__ = ["Heard", "Hold", "Notice", "PowerNotices", "Warned"]


class Notice(enum.Enum):
    """What happens."""

    SUSPEND_SOON = "suspend"
    SHUTDOWN_SOON = "shutdown"  # also a restart
    SESSION_ENDING = "log-off"
    RESUMED = "resumed"  # awake again; or what was announced did not happen


class Hold:
    """What was announced waits until this is released. Release it from any thread, as often as you like.

    Args:
        release: called once.
    """

    def __init__(self, release: Callable[[], None] | None = None) -> None:
        self._release = release

    def release(self) -> None:
        """The node is done: let the computer go on."""
        release, self._release = self._release, None
        if release is not None:
            release()


Heard: TypeAlias = Callable[[Notice, Hold], None]
"""Called in the event loop; must not block. The hold of :attr:`Notice.RESUMED` holds nothing."""

Warned: TypeAlias = Callable[[str], None]


class PowerNotices(Protocol):
    """Where notices come from."""

    async def run(self, heard: Heard, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Tells of every notice until it is cancelled; started once it listens, or has said why it cannot."""
