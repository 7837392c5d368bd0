"""A computer that says nothing."""

from __future__ import annotations

import anyio
import anyio.abc

from roosync_p2p.adapters.power.port import Heard, Warned

__all__ = ["NoPower"]


class NoPower:
    """The port where there is nothing to listen to.

    Args:
        warned: called with one sentence.
        reason: why.
    """

    def __init__(self, warned: Warned, reason: str) -> None:
        self._warned = warned
        self._reason = reason

    async def run(self, _heard: Heard, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """See :class:`~roosync_p2p.adapters.power.port.PowerNotices`."""
        self._warned(f"sleep and shutdown of this computer are not noticed: {self._reason}")
        task_status.started()
        await anyio.sleep_forever()
