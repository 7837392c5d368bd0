"""The fake does what every source of notices does."""

from __future__ import annotations

import pytest

from roosync_p2p.adapters.power import MemoryPower, Notice, PowerNotices
from tests.conformance.power_suite import Computer, PowerSuite


class _MemoryComputer(Computer):
    power: MemoryPower

    def notices(self, hold_s_max: float) -> PowerNotices:
        self.power = MemoryPower(hold_s_max=hold_s_max)
        return self.power

    async def announce(self, notice: Notice) -> None:
        self.power.announce(notice)

    async def can_be_held(self) -> None:
        pass

    def is_held(self) -> bool:
        return self.power.is_held

    async def until_free(self) -> None:
        await self.power.until_free()


class TestMemoryPower(PowerSuite):
    @pytest.fixture
    def computer(self) -> Computer:
        return _MemoryComputer()


def test_nobody_listens_and_nothing_is_held() -> None:
    power = MemoryPower()
    power.announce(Notice.SUSPEND_SOON)
    assert not power.is_held
