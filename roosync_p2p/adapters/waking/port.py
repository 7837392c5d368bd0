"""The port of everything that wakes."""

from __future__ import annotations

from typing import Protocol

from roosync_p2p.errors import EnvironmentFault
from roosync_p2p.mailbox.wakes import Woken

__all__ = ["Waker", "wake_fault"]


class Waker(Protocol):
    """One way to wake somebody."""

    async def wake(self, woken: Woken) -> None:
        """Returns when it is done; of a command, when that has ended. Cancelled, it leaves the command alone.

        Raises:
            EnvironmentFault: ``wake_failed``: nobody was woken, or what was started did not end well.
        """


def wake_fault(message: str, remedy: str = "") -> EnvironmentFault:
    """What went wrong with a wake."""
    return EnvironmentFault(message, code="wake_failed", remedy=remedy or "see [wake.<name>] in settings.toml")
