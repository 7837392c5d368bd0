"""Our own commits, in the rows of everybody else: three voters on loopback, asked over the local API."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from typing import Final

from roosync_p2p import Client
from roosync_p2p.errors import RoosyncError
from tests.benchmarks.commit_rows import VALUE_BYTES, add_rows
from tests.benchmarks.plan import Plan
from tests.benchmarks.results import Report
from tests.helpers.fleet import Fleet, Machine, until

__all__ = ["OurCommits", "run"]

_READY_S: Final = 60.0
_ASKED_S: Final = 0.5  # a request that a dead leader took along is asked again
_POLL_S: Final = 0.005
_NAMES: Final = 3_000  # a machine; then it prolongs what it holds: a fleet holds limits.CLAIMS_MAX claims at most


def run(report: Report, plan: Plan) -> None:
    """Three members that all vote."""
    with Fleet.found("machine-a", "machine-b", "machine-c") as fleet:
        machines = fleet.start_all()
        fleet.until_linked()
        machines[0].until_ready()
        machines[0].run("voters", "prefer", *(machine.name for machine in machines), "--approve")
        until(
            lambda: all(len(machine.client.status()["commit"]["voters"]) == len(machines) for machine in machines),
            _READY_S,
            what="all three vote",
        )
        add_rows(report, plan, OurCommits(machines))


class OurCommits:
    """See :class:`~tests.benchmarks.commit_rows.Committing`."""

    who = "roosync"
    note = "each signed by its author; TLS; synced on a majority, and at the one who asked; through the local API"

    def __init__(self, machines: list[Machine]) -> None:
        self._machines = machines
        self._numbers = itertools.count()
        self._text = "x" * VALUE_BYTES

    def one_at_a_time(self, count: int, *, at_leader: bool) -> list[float]:
        """See :class:`~tests.benchmarks.commit_rows.Committing`."""
        leader = self._leader()
        asked = leader if at_leader else next(machine for machine in self._machines if machine is not leader)
        return asyncio.run(self._in_turn(asked, count))

    def in_flight(self, count: int, at_once: int) -> list[tuple[float, float]]:
        """See :class:`~tests.benchmarks.commit_rows.Committing`."""
        return asyncio.run(self._together(self._leader(), count, at_once))

    def failover(self) -> float:
        """See :class:`~tests.benchmarks.commit_rows.Committing`."""
        leader = self._leader()
        other = next(machine for machine in self._machines if machine is not leader)
        killed_s = leader.kill()
        took = asyncio.run(self._until_committed(other)) - killed_s
        leader.start(*(part for machine in self._machines for part in ("--peer", f"wss://{machine.listen}")))
        self._until_agreed()
        return took

    def fill(self, count: int) -> None:
        """See :class:`~tests.benchmarks.commit_rows.Committing`."""
        missing = count - self._size(self._machines[0])
        if missing > 0:
            asyncio.run(self._together(self._leader(), missing, 64))

    def restart(self) -> float:
        """See :class:`~tests.benchmarks.commit_rows.Committing`."""
        leader = self._leader()
        victim = next(machine for machine in self._machines if machine is not leader)
        newest = self._size(leader)
        victim.kill()
        began = time.monotonic()
        victim.begin_start(*(part for machine in self._machines for part in ("--peer", f"wss://{machine.listen}")))
        while True:
            with contextlib.suppress(RoosyncError, OSError):
                if self._size(victim) >= newest:
                    return time.monotonic() - began
            time.sleep(_POLL_S)

    # --- inside ---------------------------------------------------------------------------------------------------

    async def _commit(self, machine: Machine, client: Client, timeout_s: float = 10.0) -> None:
        name = f"{machine.name}-{next(self._numbers) % _NAMES}"
        speaker = {"user": "benchmark", "process": 1}
        await client.claim(name, note=self._text, speaker=speaker, ordering={"timeout_s": timeout_s})

    async def _in_turn(self, machine: Machine, count: int) -> list[float]:
        client = Client(machine.home)
        took = []
        for _ in range(count):
            began = time.monotonic()
            await self._commit(machine, client)
            took.append(time.monotonic() - began)
        return took

    async def _together(self, machine: Machine, count: int, at_once: int) -> list[tuple[float, float]]:
        client = Client(machine.home)
        left = itertools.count()
        calls: list[tuple[float, float]] = []

        async def agent() -> None:
            while next(left) < count:
                began = time.monotonic()
                await self._commit(machine, client, 60.0)
                calls.append((began, time.monotonic()))

        await asyncio.gather(*(agent() for _ in range(at_once)))
        return calls

    async def _until_committed(self, machine: Machine) -> float:
        client = Client(machine.home)
        while True:
            with contextlib.suppress(RoosyncError):
                await self._commit(machine, client, _ASKED_S)
                return time.monotonic()

    def _leader(self) -> Machine:
        self._until_agreed()
        name = self._machines[0].client.status()["commit"]["leader"]
        return next(machine for machine in self._machines if machine.name == name)

    def _until_agreed(self) -> None:
        def agreed() -> bool:
            shown = [machine.client.status()["commit"] for machine in self._machines]
            leaders = {commit["leader"] for commit in shown}
            return len(leaders) == 1 and None not in leaders and len({commit["size"] for commit in shown}) == 1

        until(agreed, _READY_S, what="all agree who leads")

    def _size(self, machine: Machine) -> int:
        size: int = machine.client.status()["commit"]["size"]
        return size
