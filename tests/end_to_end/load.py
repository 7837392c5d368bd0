"""A load of claims and of changes of the baseline on real nodes, recorded for the checker, while something breaks.

Each client belongs to one machine, and all want the same few things. A seed draws what they ask for and what breaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from roosync_p2p import Client
from roosync_p2p.errors import RoosyncError
from tests.end_to_end.baseline_load import BaselineClient, Person
from tests.end_to_end.claim_load import ClaimClient, Names
from tests.end_to_end.load_faults import Faults
from tests.end_to_end.load_report import Checked, Goal, Leaders, Report
from tests.end_to_end.load_tally import NO_ANSWER, Tally
from tests.helpers.fleet import Machine
from tests.helpers.netlab import Lab
from tests.linearizability.baseline import Baseline
from tests.linearizability.checker import check
from tests.linearizability.claims import Claims
from tests.linearizability.history import Model
from tests.linearizability.recorder import Recorder, read_history

__all__ = ["Load"]

CLAIM_CLIENTS_PER_MACHINE: Final = 3
BASELINE_CLIENTS_PER_MACHINE: Final = 2
TIMEOUT_S: Final = 3.0
PAUSE_S: Final = 0.02
PAUSE_S_MAX: Final = 0.5  # of a client that gets no answers: a node that is down is not asked a hundred times a second
WATCH_S: Final = 0.25
END_S: Final = 2.0  # of load on a whole fleet, so that what it has forgotten is seen


class _AnyClient(Protocol):
    async def one(self, dice: random.Random) -> None: ...


class Load:
    """One run.

    Args:
        machines: running nodes.
        lab: their computers, for cuts.
        person: approves changes of the baseline.
        folder: where the histories are recorded.
        seed: of names, pauses and faults.
    """

    def __init__(self, machines: Sequence[Machine], *, lab: Lab, person: Person, folder: Path, seed: int) -> None:
        self._machines = list(machines)
        self._person = person
        self._folder = folder
        self._seed = seed
        self._over = False
        self._tally = Tally()
        self._leaders = Leaders()
        self._faults = Faults(machines, lab=lab, leaders=self._leaders, dice=random.Random(seed))

    def run(self, goal: Goal) -> Report:
        """Runs the load as long as it takes, heals everything, and checks what was recorded."""
        began_s = time.monotonic()
        claims, baseline = self._folder / "claims.jsonl", self._folder / "baseline.jsonl"
        with Recorder(claims) as of_claims, Recorder(baseline) as of_baseline:
            asyncio.run(self._run(of_claims, of_baseline, goal))
        seconds = time.monotonic() - began_s
        return Report(
            seed=self._seed,
            seconds=seconds,
            objects={"claims": _checked(claims, Claims(gives_up=True)), "baseline": _checked(baseline, Baseline())},
            faults=self._faults.counts,
            leaders=self._leaders,
            unanswered=self._tally.unknown,
            void=self._tally.void,
        )

    async def _run(self, of_claims: Recorder, of_baseline: Recorder, goal: Goal) -> None:
        names = Names()
        common: dict[str, Any] = {"tally": self._tally, "timeout_s": TIMEOUT_S}
        async with asyncio.TaskGroup() as tasks:
            for machine in self._machines:
                tasks.create_task(self._watch(machine))
                for number in range(CLAIM_CLIENTS_PER_MACHINE):
                    name = f"{machine.name}-{number}"
                    claimer = ClaimClient(machine.home, name, names=names, recorder=of_claims, **common)
                    tasks.create_task(self._asks(claimer, name))
                for number in range(BASELINE_CLIENTS_PER_MACHINE):
                    name = f"{machine.name}-author-{number}"
                    author = BaselineClient(machine.home, name, person=self._person, recorder=of_baseline, **common)
                    tasks.create_task(self._asks(author, name))
            await self._break(goal)
            self._over = True

    async def _asks(self, client: _AnyClient, name: str) -> None:
        dice = random.Random(f"{self._seed} {name}")
        pause_s = PAUSE_S
        while not self._over:
            try:
                await client.one(dice)
                pause_s = PAUSE_S
            except NO_ANSWER:
                pause_s = min(2 * pause_s, PAUSE_S_MAX)
            await asyncio.sleep(dice.uniform(0, pause_s))

    async def _break(self, goal: Goal) -> None:
        began_s = time.monotonic()
        while not goal.is_over(
            time.monotonic() - began_s,
            operations=self._tally.answered,
            leader_changes=self._leaders.changes,
            faults_of_each_kind=min(self._faults.counts.values()),
        ):
            await self._faults.one()
        await asyncio.sleep(END_S)

    async def _watch(self, machine: Machine) -> None:
        """Who leads, as this machine says."""
        client = Client(machine.home)
        while not self._over:
            with contextlib.suppress(RoosyncError, OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    commit = (await client.status())["commit"]
                if commit is not None:
                    self._leaders.saw(commit["term"], commit["leader"])
            await asyncio.sleep(WATCH_S)


def _checked(path: Path, model: Model) -> Checked:
    began_s = time.monotonic()
    history = read_history([path], model)
    verdict = check(history, model)
    return Checked.of(history, verdict, time.monotonic() - began_s)
