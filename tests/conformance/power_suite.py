"""What every source of power notices does. Each one's tests inherit from this suite.

A computer is the other side: it announces, and waits while it is held.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from roosync_p2p.adapters.power.port import Hold, Notice, PowerNotices

__all__ = ["Computer", "Ears", "PowerSuite"]

LONG_S = 30.0
SHORT_S = 0.05
LATE_S = 1.0  # passes once; a busy machine must get from one announcement to the next check within it


class Computer(abc.ABC):
    """Announces what it is about to do."""

    announced: frozenset[Notice] = frozenset(Notice)
    """What this kind of computer can say."""

    @abc.abstractmethod
    def notices(self, hold_s_max: float) -> PowerNotices:
        """The source under test."""

    @abc.abstractmethod
    async def announce(self, notice: Notice) -> None:
        """Says it, without waiting."""

    @abc.abstractmethod
    async def can_be_held(self) -> None:
        """Returns once the next announcement would be held."""

    @abc.abstractmethod
    def is_held(self) -> bool:
        """Whether it waits."""

    @abc.abstractmethod
    async def until_free(self) -> None:
        """Returns when it goes on."""


class Ears:
    """Hears, and remembers the holds."""

    def __init__(self) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[tuple[Notice, Hold]](100)

    def heard(self, notice: Notice, hold: Hold) -> None:
        self._send.send_nowait((notice, hold))

    async def next(self) -> tuple[Notice, Hold]:
        with anyio.fail_after(LONG_S):
            return await self._receive.receive()

    def close(self) -> None:
        self._send.close()
        self._receive.close()


@asynccontextmanager
async def _listening(computer: Computer, hold_s_max: float = LONG_S) -> AsyncIterator[Ears]:
    ears = Ears()
    async with anyio.create_task_group() as tasks:
        await tasks.start(computer.notices(hold_s_max).run, ears.heard)
        await computer.can_be_held()
        yield ears
        tasks.cancel_scope.cancel()
    ears.close()


class PowerSuite:
    """Inherit, and give a ``computer`` fixture."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.mark.parametrize("notice", list(Notice), ids=lambda notice: notice.name)
    async def test_what_is_announced_is_heard(self, computer: Computer, notice: Notice) -> None:
        if notice not in computer.announced:
            pytest.skip("this system does not announce it")
        async with _listening(computer) as ears:
            await computer.announce(notice)
            heard, hold = await ears.next()
            hold.release()
        assert heard is notice

    @pytest.mark.parametrize("notice", [Notice.SUSPEND_SOON, Notice.SHUTDOWN_SOON], ids=lambda notice: notice.name)
    async def test_it_waits_until_it_is_released(self, computer: Computer, notice: Notice) -> None:
        async with _listening(computer) as ears:
            await computer.announce(notice)
            _, hold = await ears.next()
            assert computer.is_held()
            hold.release()
            await computer.until_free()
            assert not computer.is_held()
            hold.release()

    async def test_it_does_not_wait_for_ever(self, computer: Computer) -> None:
        async with _listening(computer, SHORT_S) as ears:
            await computer.announce(Notice.SUSPEND_SOON)
            await ears.next()
            await computer.until_free()

    async def test_it_is_held_again_after_every_sleep(self, computer: Computer) -> None:
        async with _listening(computer) as ears:
            for _ in range(3):
                await computer.can_be_held()
                await computer.announce(Notice.SUSPEND_SOON)
                _, hold = await ears.next()
                assert computer.is_held()
                hold.release()
                await computer.until_free()
                await computer.announce(Notice.RESUMED)
                assert (await ears.next())[0] is Notice.RESUMED

    async def test_a_late_release_does_not_free_what_is_held_next(self, computer: Computer) -> None:
        async with _listening(computer, LATE_S) as ears:
            await computer.announce(Notice.SUSPEND_SOON)
            _, first = await ears.next()
            await computer.until_free()
            await computer.announce(Notice.RESUMED)
            await ears.next()
            await computer.can_be_held()
            await computer.announce(Notice.SUSPEND_SOON)
            _, second = await ears.next()
            first.release()
            assert computer.is_held()
            second.release()
            await computer.until_free()

    async def test_it_waits_for_nobody_who_stopped_listening(self, computer: Computer) -> None:
        async with _listening(computer) as ears:
            await computer.announce(Notice.SUSPEND_SOON)
            await ears.next()
        await computer.until_free()
        assert not computer.is_held()
