"""The shared folder of a running node: it may block for as long as it likes, and nobody waits for it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import pytest

from roosync_p2p.core import view
from roosync_p2p.core.folder.reading import marker_bytes
from roosync_p2p.core.memory_folder import MemoryFolder, MemoryShare
from roosync_p2p.core.memory_store import MemoryStore
from roosync_p2p.core.ports import FolderItem
from roosync_p2p.core.rows import MemberRow
from roosync_p2p.entropy import Entropy
from roosync_p2p.errors import FolderError
from roosync_p2p.gossip.folder_paths import MARKER, heartbeat_path
from roosync_p2p.node.folder_service import FolderService
from tests.helpers.cores import A, B, identity, message
from tests.helpers.running_node import running, until

pytestmark = pytest.mark.anyio

_PLACE: Final = Path("somewhere")


class _Slow(MemoryFolder):
    """A folder whose listing a test can hold up."""

    def __init__(self) -> None:
        super().__init__(MemoryShare(lambda: 0.0, Entropy(bytes(16))), "machine-a")
        self.go = threading.Event()
        self.go.set()
        self.held = threading.Event()
        self.files[MARKER] = marker_bytes(identity(A).fleet)

    def items(self, path: str) -> list[FolderItem]:
        """See the port, once it may."""
        if not self.go.is_set():
            self.held.set()
        assert self.go.wait(30.0)
        return super().items(path)


def _store() -> MemoryStore:
    store = MemoryStore()
    other = identity(B)
    store.commit([MemberRow(machine=B, key_id=other.key.key_id, leaf=other.leaf, issuer=other.issuer)])
    return store


async def test_the_node_writes_its_heartbeat_there_and_says_how_it_is() -> None:
    folder = _Slow()
    async with running(identity(A), _store()) as node, anyio.create_task_group() as tasks:
        service = FolderService(node.performer, folder, lambda: _PLACE)
        await tasks.start(service.run)
        await until(lambda: heartbeat_path(A) in folder.files)
        status = view.status(node.performer.core)["folder"]
        assert isinstance(status, dict)
        assert (status["path"], status["state"], status["lag_s"]) == (str(_PLACE), "alone", None)
        tasks.cancel_scope.cancel()


async def test_a_folder_that_blocks_keeps_neither_requests_nor_the_end() -> None:
    folder = _Slow()
    folder.go.clear()
    try:
        async with running(identity(A), _store()) as node, anyio.create_task_group() as tasks:
            await tasks.start(FolderService(node.performer, folder, lambda: _PLACE).run)
            await anyio.to_thread.run_sync(folder.held.wait)
            for number in range(5):
                await node.performer.request(message("machine-b", str(number)))
            assert heartbeat_path(A) not in folder.files
            tasks.cancel_scope.cancel()
    finally:
        folder.go.set()


async def test_what_somebody_wants_of_the_folder_is_done_in_its_thread_or_is_its_fault() -> None:
    folder = _Slow()
    async with running(identity(A), _store()) as node, anyio.create_task_group() as tasks:
        service = FolderService(node.performer, folder, lambda: _PLACE)
        await tasks.start(service.run)
        assert await service.call(lambda there: there.read(MARKER, bytes_max=7)) == b"roosync"
        folder.fault = FolderError("held", code="folder_busy")
        found = await service.call(lambda there: there.read(MARKER, bytes_max=7))
        assert isinstance(found, FolderError)
        folder.fault = None
        await service.drained()
        tasks.cancel_scope.cancel()
