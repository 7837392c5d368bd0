"""The shared folder of a running node: its thread, the jobs of the core, and nothing decided."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.abc

from roosync_p2p.adapters.shared_folder.worker import FolderThread
from roosync_p2p.core import inputs
from roosync_p2p.core.folder.jobs import FolderJob, performed
from roosync_p2p.core.ports import Blobs, Folder
from roosync_p2p.errors import FolderError
from roosync_p2p.node.performer import Performer

__all__ = ["FolderService"]

R = TypeVar("R")


class FolderService:
    """Carries folder jobs to the folder's thread and the answers back.

    Args:
        performer: runs the core.
        folder: blocks for as long as it likes.
        place: where it is at the moment, for people.
        blobs: those of this machine.
    """

    def __init__(
        self, performer: Performer, folder: Folder, place: Callable[[], Path], blobs: Blobs | None = None
    ) -> None:
        self._performer = performer
        self._folder = folder
        self._blobs = blobs
        self.place = place
        self._thread = FolderThread()

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serves until it is cancelled."""
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._thread.run)
            self._performer.attach_folder(self._take)
            self._performer.feed(inputs.FolderOpened(path=str(self.place())))
            task_status.started()

    async def call(self, job: Callable[[Folder], R]) -> R | FolderError:
        """Does something in the folder's thread, after what it is busy with; the fault if the folder has one."""
        done = anyio.Event()
        results: list[R | FolderError] = []

        def work() -> Callable[[], None]:
            try:
                results.append(job(self._folder))
            except FolderError as fault:
                results.append(fault)
            return done.set

        self._thread.submit(work)
        await done.wait()
        return results[0]

    async def drained(self) -> None:
        """Waits, within a bound, until the folder's thread has nothing to do."""
        await self._thread.drained()

    def _take(self, job: FolderJob) -> None:
        directory = self._performer.core.directory

        def work() -> Callable[[], None]:
            answer = performed(self._folder, job, directory, self._blobs)
            return functools.partial(self._performer.feed, answer)

        self._thread.submit(work)
