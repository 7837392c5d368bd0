"""The folder's thread: a call that never returns keeps nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable

import anyio
import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.shared_folder.worker import FolderThread

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_results_come_back_in_the_event_loop_in_order() -> None:
    thread = FolderThread()
    loop_thread = threading.get_ident()
    came: list[int] = []
    done = anyio.Event()

    def job(number: int) -> Callable[[], Callable[[], None]]:
        def work() -> Callable[[], None]:
            assert threading.get_ident() != loop_thread

            def finish() -> None:
                assert threading.get_ident() == loop_thread
                came.append(number)
                if number == 4:
                    done.set()

            return finish

        return work

    async with anyio.create_task_group() as tasks:
        await tasks.start(thread.run)
        for number in range(5):
            thread.submit(job(number))
        with anyio.fail_after(10):
            await done.wait()
        await thread.drained()
        tasks.cancel_scope.cancel()
    assert came == [0, 1, 2, 3, 4]


async def test_a_call_that_blocks_keeps_neither_the_loop_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FOLDER_FAREWELL_S", 0.05)
    thread = FolderThread()
    free = threading.Event()

    def blocks() -> Callable[[], None]:
        free.wait(60)
        return lambda: None

    try:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                await tasks.start(thread.run)
                thread.submit(blocks)
                await thread.drained()
                tasks.cancel_scope.cancel()
    finally:
        free.set()
