"""The one thread that touches the shared folder.

A call into a synchronised directory may block for minutes and cannot be taken back. It blocks this thread and nothing
else: not the core, not the links, and not the end of the program, since it is a daemon.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable

import anyio
import anyio.abc
import anyio.from_thread

from roosync_p2p import limits

__all__ = ["FolderThread"]

Job = Callable[[], None]


class FolderThread:
    """Runs jobs one after the other, and hands each result back in the event loop."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._portal: anyio.from_thread.BlockingPortal | None = None
        self._idle = anyio.Event()
        self._idle.set()
        self._out = 0

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serves until it is cancelled; what the thread is busy with then is left to itself."""
        async with anyio.from_thread.BlockingPortal() as portal:
            self._portal = portal
            threading.Thread(target=self._work, name="shared folder", daemon=True).start()
            task_status.started()
            try:
                await anyio.sleep_forever()
            finally:
                self._portal = None
                self._jobs.put(None)

    def submit(self, job: Callable[[], Callable[[], None]]) -> None:
        """Does ``job`` in the thread; what it returns is called in the event loop, unless that has ended."""
        self._out += 1
        self._idle = anyio.Event()

        def done() -> None:
            result = job()
            portal = self._portal
            if portal is not None:
                with contextlib.suppress(RuntimeError):  # the loop has just ended
                    portal.start_task_soon(self._finish, result)

        self._jobs.put(done)

    async def drained(self) -> None:
        """Waits until nothing is being done, within a bound: a stopping node leaves its farewell in the folder."""
        with anyio.move_on_after(limits.FOLDER_FAREWELL_S):
            await self._idle.wait()

    def _finish(self, result: Callable[[], None]) -> None:
        self._out -= 1
        if self._out == 0:
            self._idle.set()
        result()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
