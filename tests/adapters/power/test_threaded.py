"""A system that calls back in its own thread: the form of Windows and macOS, with a loop of our own for theirs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import anyio
import anyio.to_thread
import pytest

from roosync_p2p.adapters.power import Hold, Notice, PowerNotices
from roosync_p2p.adapters.power.threaded import Tell, ThreadedPower
from tests.conformance.power_suite import LONG_S, Computer, Ears, PowerSuite


class _Loop:
    """A message loop."""

    def __init__(self) -> None:
        self.messages: queue.Queue[Notice | None] = queue.Queue()
        self.held = threading.Event()
        self.free = threading.Event()
        self.free.set()

    def listen(self, tell: Tell, listening: threading.Event) -> None:
        listening.set()
        while (notice := self.messages.get()) is not None:
            self.free.clear()
            tell(notice)
            self.free.set()

    def stop(self) -> None:
        self.messages.put(None)


class _ThreadedComputer(Computer):
    def __init__(self) -> None:
        self.loop = _Loop()

    def notices(self, hold_s_max: float) -> PowerNotices:
        return ThreadedPower(self.loop, pytest.fail, hold_s_max=hold_s_max)

    async def announce(self, notice: Notice) -> None:
        self.loop.messages.put(notice)

    async def can_be_held(self) -> None:
        pass

    def is_held(self) -> bool:
        return not self.loop.free.is_set()

    async def until_free(self) -> None:
        assert await anyio.to_thread.run_sync(self.loop.free.wait, LONG_S)


class TestThreadedPower(PowerSuite):
    @pytest.fixture
    def computer(self) -> Computer:
        return _ThreadedComputer()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class _Broken(_Loop):
    def listen(self, _tell: Tell, _listening: threading.Event) -> None:
        raise OSError("no message loop here")


class _Ending(_Loop):
    def listen(self, _tell: Tell, listening: threading.Event) -> None:
        listening.set()


@pytest.mark.parametrize(
    ("source", "word"), [(_Broken, "no message loop here"), (_Ending, "no longer")], ids=["broken", "ending"]
)
@pytest.mark.anyio
async def test_a_system_that_says_nothing_is_told_once(source: Callable[[], _Loop], word: str) -> None:
    ears, told = Ears(), anyio.Event()
    warnings: list[str] = []

    def warned(sentence: str) -> None:
        warnings.append(sentence)
        told.set()

    async with anyio.create_task_group() as tasks:
        await tasks.start(ThreadedPower(source(), warned).run, ears.heard)
        with anyio.fail_after(LONG_S):
            await told.wait()
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    ears.close()
    assert len(warnings) == 1
    assert word in warnings[0]


def test_a_hold_is_released_once() -> None:
    released: list[str] = []
    hold = Hold(lambda: released.append("once"))
    hold.release()
    hold.release()
    Hold().release()
    assert released == ["once"]
