"""What breaks while a load runs: one node after the other is killed, stopped, or cut off from the others.

Each kind comes once before any comes again, and every second fault is the leader's. A fault is counted when it was seen
to be there: the process is gone, is stopped as the system says, or its packets are dropped.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import random
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import psutil

from tests.end_to_end.load_report import Leaders
from tests.helpers.fleet import Machine, until
from tests.helpers.netlab import Lab

__all__ = ["Faults"]

BROKEN_S: Final = (0.3, 2.5)
CUT_OFF_S: Final = (2.0, 4.0)  # the others must have the time to notice, and to go on without it
QUIET_S: Final = (0.8, 2.0)
_STOPPED_WITHIN_S: Final = 5.0

_Fault = Callable[[Machine], contextlib.AbstractAsyncContextManager[None]]


class Faults:
    """The faults of one run.

    Args:
        machines: running nodes.
        lab: their computers.
        leaders: who leads, as far as anybody knows.
    """

    def __init__(self, machines: Sequence[Machine], *, lab: Lab, leaders: Leaders, dice: random.Random) -> None:
        self._machines = list(machines)
        self._lab = lab
        self._leaders = leaders
        self._dice = dice
        self._bag: list[str] = []
        self._kinds: dict[str, _Fault] = {"killed": self._killed, "stopped": self._stopped, "cut off": self._cut_off}
        self.counts: collections.Counter[str] = collections.Counter(dict.fromkeys(self._kinds, 0))

    async def one(self) -> None:
        """One fault after a quiet while, and its end: the node runs and is ready again."""
        await asyncio.sleep(self._dice.uniform(*QUIET_S))
        victim = self._victim()
        kind = self._kind()
        async with self._kinds[kind](victim):
            self.counts[kind] += 1
            await asyncio.sleep(self._dice.uniform(*(CUT_OFF_S if kind == "cut off" else BROKEN_S)))
        await asyncio.to_thread(victim.until_up)

    def _victim(self) -> Machine:
        chosen = self._dice.choice(self._machines)
        if self.counts.total() % 2:
            return chosen
        return next((machine for machine in self._machines if machine.name == self._leaders.newest), chosen)

    def _kind(self) -> str:
        if not self._bag:
            self._bag = list(self._kinds)
            self._dice.shuffle(self._bag)
        return self._bag.pop()

    @contextlib.asynccontextmanager
    async def _killed(self, victim: Machine) -> AsyncIterator[None]:
        victim.signal(signal.SIGKILL)
        ended = await asyncio.to_thread(victim.wait_end)
        assert ended == -signal.SIGKILL, f"{victim.name} ended with {ended}"
        yield
        victim.begin_start(*self._peers(victim))

    @contextlib.asynccontextmanager
    async def _stopped(self, victim: Machine) -> AsyncIterator[None]:
        process = psutil.Process(victim.pid)
        victim.signal(signal.SIGSTOP)
        try:
            await asyncio.to_thread(
                until,
                lambda: process.status() == psutil.STATUS_STOPPED,
                _STOPPED_WITHIN_S,
                what=f"{victim.name} is stopped",
            )
            yield
        finally:
            victim.signal(signal.SIGCONT)

    @contextlib.asynccontextmanager
    async def _cut_off(self, victim: Machine) -> AsyncIterator[None]:
        number = self._machines.index(victim)
        await asyncio.to_thread(self._lab.cut, number)  # which tries that nothing gets through, and that it is counted
        try:
            yield
        finally:
            await asyncio.to_thread(self._lab.heal, number)

    def _peers(self, victim: Machine) -> list[str]:
        others = [machine for machine in self._machines if machine is not victim]
        return [option for machine in others for option in ("--peer", f"wss://{machine.listen}")]
