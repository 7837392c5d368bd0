"""The shared folder of a running node: its thread, the jobs of the core, and nothing decided."""

from __future__ import annotations

import functools
from collections.abc import Callable

import anyio
import anyio.abc

from roosync_p2p.adapters.shared_folder.worker import FolderThread
from roosync_p2p.core import inputs
from roosync_p2p.core.folder.jobs import FolderJob, performed
from roosync_p2p.core.ports import Folder
from roosync_p2p.node.performer import Performer

__all__ = ["FolderService"]


class FolderService:
    """Carries folder jobs to the folder's thread and the answers back.

    Args:
        performer: runs the core.
        folder: blocks for as long as it likes.
        path: where it is, for people.
    """

    def __init__(self, performer: Performer, folder: Folder, path: str) -> None:
        self._performer = performer
        self._folder = folder
        self._path = path
        self._thread = FolderThread()

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serves until it is cancelled."""
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._thread.run)
            self._performer.attach_folder(self._take)
            self._performer.feed(inputs.FolderOpened(path=self._path))
            task_status.started()

    async def drained(self) -> None:
        """Waits, within a bound, until the folder's thread has nothing to do."""
        await self._thread.drained()

    def _take(self, job: FolderJob) -> None:
        directory = self._performer.core.directory

        def work() -> Callable[[], None]:
            answer = performed(self._folder, job, directory)
            return functools.partial(self._performer.feed, answer)

        self._thread.submit(work)
