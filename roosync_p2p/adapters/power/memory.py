"""Notices in memory: the public fake of the port, whose computer is the caller."""

from __future__ import annotations

import anyio
import anyio.abc

from roosync_p2p import limits
from roosync_p2p.adapters.power.port import Heard, Hold, Notice

__all__ = ["MemoryPower"]


class MemoryPower:
    """A computer that sleeps when it is told to.

    Args:
        hold_s_max: for how long it lets itself be held.
    """

    def __init__(self, *, hold_s_max: float = limits.POWER_HOLD_S_MAX) -> None:
        self._hold_s_max = hold_s_max
        self._heard: Heard | None = None
        self._free: anyio.Event | None = None

    async def run(self, heard: Heard, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """See :class:`~roosync_p2p.adapters.power.port.PowerNotices`."""
        self._heard = heard
        task_status.started()
        try:
            await anyio.sleep_forever()
        finally:
            self._heard = None
            self._let_go(self._free)

    @property
    def is_held(self) -> bool:
        """Whether it waits for somebody to release it."""
        return self._free is not None

    def announce(self, notice: Notice) -> None:
        """It is about to do this; call :meth:`until_free` before it does."""
        if self._heard is None:
            return
        if notice is Notice.RESUMED:
            self._heard(notice, Hold())
            return
        self._free = free = anyio.Event()
        self._heard(notice, Hold(lambda: self._let_go(free)))

    async def until_free(self) -> None:
        """Returns when nobody holds it any longer, or it has waited long enough."""
        if self._free is not None:
            with anyio.move_on_after(self._hold_s_max):
                await self._free.wait()
            self._free = None

    def _let_go(self, free: anyio.Event | None) -> None:
        if free is not None:
            free.set()
        if free is self._free:
            self._free = None
