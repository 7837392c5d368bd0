"""A load on the baseline of real nodes, recorded for the checker, beside whatever else is asked of them.

The whole baseline is one object. Its writers are clients of the only machine that approves, so that a change is decided
in one entry; each writes what is based on the version that it has just read, and of two that are based on the same one
only one can win. Readers are clients of every machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from roosync_p2p import Client
from roosync_p2p.errors import RoosyncError
from tests.helpers.fleet import Machine
from tests.linearizability.checker import Verdict, check
from tests.linearizability.recorder import Recorder, read_history
from tests.linearizability.register import Accepted, Get, Register, Set, Value

__all__ = ["BaselineLoad", "BaselineReport"]

WRITERS: Final = 2
TIMEOUT_S: Final = 3.0
PAUSE_S: Final = (0.02, 0.2)
_KEY: Final = "baseline"
_LOST: Final = frozenset({"superseded", "conflicted"})  # approved by nobody else, resolved by nobody: it has no effect


@dataclasses.dataclass(kw_only=True)
class BaselineReport:
    """What a run did."""

    operations: int
    unanswered: int
    writes: int
    verdict: Verdict


class BaselineLoad:
    """One run.

    Args:
        machines: running nodes, the only approver first.
        path: where the history is recorded.
        seed: of the pauses.
    """

    def __init__(self, machines: Sequence[Machine], *, path: Path, seed: int) -> None:
        self._machines = list(machines)
        self._path = path
        self._seed = seed
        self._values = itertools.count(1)

    async def run(self, over: Callable[[], bool]) -> None:
        """Asks until it is over."""
        with Recorder(self._path) as recorder:
            async with asyncio.TaskGroup() as tasks:
                for number in range(WRITERS):
                    tasks.create_task(self._client(recorder, self._machines[0], f"writer-{number}", over))
                for machine in self._machines:
                    tasks.create_task(self._client(recorder, machine, f"reader-{machine.name}", over))

    def report(self) -> BaselineReport:
        """Checks what was recorded."""
        history = read_history([self._path], Register())
        return BaselineReport(
            operations=len(history),
            unanswered=sum(operation.answer is None for operation in history),
            writes=sum(isinstance(operation.answer, Accepted) for operation in history),
            verdict=check(history, Register()),
        )

    async def _client(self, recorder: Recorder, machine: Machine, name: str, over: Callable[[], bool]) -> None:
        dice = random.Random(f"{self._seed} {name}")
        client = Client(machine.home)
        while not over():
            with contextlib.suppress(RoosyncError, OSError):
                version = await self._get(recorder, client, name)
                if name.startswith("writer") and version is not None:
                    await self._set(recorder, client, name, version)
            await asyncio.sleep(dice.uniform(*PAUSE_S))

    async def _get(self, recorder: Recorder, client: Client, name: str) -> int | None:
        with recorder.operation(name, _KEY, Get()) as call:
            answer = await client.baseline()
            if answer["stale"]:
                call.void()  # it says itself that it may be old
                return None
            version: int = answer["version"]
            call.answered(Value(version=version, value=answer["document"].get("value", "")))
            return version

    async def _set(self, recorder: Recorder, client: Client, name: str, based_on: int) -> None:
        value = str(next(self._values))
        action = {"op": "set", "resource": "baseline:fleet#/value", "value": value}
        with recorder.operation(name, _KEY, Set(value=value, based_on=based_on)) as call:
            decision = await client.set_baseline(
                {"actions": [action]}, version=based_on, approve=True, ordering={"timeout_s": TIMEOUT_S}
            )
            if decision["state"] in _LOST:
                call.void()
            elif decision["baseline_version"] is not None:
                call.answered(Accepted(version=decision["baseline_version"]))
