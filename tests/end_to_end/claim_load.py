"""A load of claims on real nodes, recorded for the checker, while something breaks every few seconds.

Each client belongs to one machine and has a few names; two clients of each machine, and those of the others, want the
same ones. What breaks: the leader or another node is killed and started again, or stopped for a while, or one computer
is cut off from the others (in namespaces). A seed draws all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import signal
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from roosync_p2p import Client
from roosync_p2p.errors import InputFault, RoosyncError
from tests.helpers.fleet import Machine
from tests.helpers.netlab import Lab
from tests.linearizability.checker import Verdict, check
from tests.linearizability.claims import Acquire, Claims, Done, Free, Granted, Held, Refused, Release, Who
from tests.linearizability.recorder import Recorder, read_history

__all__ = ["Load", "Report"]

CLIENTS_PER_MACHINE: Final = 4
NAMES: Final = 24
TTL_S: Final = 3600.0  # nothing expires during a run: expiry has tests of its own, in virtual time
TIMEOUT_S: Final = 3.0
PAUSE_S: Final = 0.01
BROKEN_S: Final = (0.3, 2.5)
QUIET_S: Final = (1.0, 2.5)


@dataclasses.dataclass(kw_only=True)
class Report:
    """What a run did. ``leaders``: how often the leader changed, as the first machine's clients saw it."""

    seed: int
    operations: int
    unanswered: int
    broken: dict[str, int]
    leaders: int
    verdict: Verdict


class Load:
    """One run.

    Args:
        machines: running nodes.
        lab: their computers, for cuts; None on one computer.
        path: where the history is recorded.
        seed: of names, pauses and faults.
        beside: asks something else meanwhile, until what it is given says that it is over.
    """

    def __init__(
        self,
        machines: Sequence[Machine],
        *,
        lab: Lab | None,
        path: Path,
        seed: int,
        beside: Callable[[Callable[[], bool]], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self._beside = beside
        self._machines = list(machines)
        self._lab = lab
        self._path = path
        self._seed = seed
        self._dice = random.Random(seed)
        self._over = False
        self._broken: dict[str, int] = {}
        self._leaders: list[str] = []
        self._void = 0

    def run(self, seconds: float) -> Report:
        """Runs the load for so long, heals everything, and checks what was recorded."""
        with Recorder(self._path) as recorder:
            asyncio.run(self._run(recorder, seconds))
        history = read_history([self._path], Claims(gives_up=True))
        return Report(
            seed=self._seed,
            operations=len(history),
            unanswered=sum(operation.answer is None for operation in history),
            broken=self._broken,
            leaders=sum(one != other for one, other in zip(self._leaders, self._leaders[1:], strict=False)),
            verdict=check(history, Claims(gives_up=True)),
        )

    async def _run(self, recorder: Recorder, seconds: float) -> None:
        async with asyncio.TaskGroup() as tasks:
            for machine in self._machines:
                for number in range(CLIENTS_PER_MACHINE):
                    name = f"{machine.name}-{number}"
                    tasks.create_task(self._client(recorder, machine, name, random.Random(f"{self._seed} {name}")))
            tasks.create_task(self._watch())
            if self._beside is not None:
                tasks.create_task(self._beside(lambda: self._over))
            await self._break(time.monotonic() + seconds)
            self._over = True

    # --- clients --------------------------------------------------------------------------------------------------

    async def _client(self, recorder: Recorder, machine: Machine, name: str, dice: random.Random) -> None:
        held: dict[str, int] = {}
        speaker = {"user": name, "process": 1}
        while not self._over:
            key = f"issue-{dice.randrange(NAMES)}"
            with contextlib.suppress(RoosyncError, OSError):
                await self._one(recorder, Client(machine.home), name, key, held, speaker, dice)
            await asyncio.sleep(dice.uniform(0, 2 * PAUSE_S))

    async def _one(
        self,
        recorder: Recorder,
        client: Client,
        name: str,
        key: str,
        held: dict[str, int],
        speaker: dict[str, object],
        dice: random.Random,
    ) -> None:
        ordering = {"timeout_s": TIMEOUT_S}
        if key in held:
            token = held[key]
            with recorder.operation(name, key, Release(session=name, token=token)) as call:
                del held[key]  # whatever comes of it: it is not used any more
                with _refused_as(call, Refused()):
                    await client.release_claim(key, token, speaker=speaker, ordering=ordering)
                    call.answered(Done())
        elif dice.random() < 0.3:
            with recorder.operation(name, key, Who()) as call:
                answer = await client.claims()
                if answer["stale"]:
                    call.void()  # it says itself that it may be old
                    return
                holders = [claim for claim in answer["claims"] if claim["name"] == key]
                call.answered(Held(by=_who(holders[0]), token=holders[0]["token"]) if holders else Free())
        else:
            with recorder.operation(name, key, Acquire(session=name, ttl_s=TTL_S)) as call:
                try:
                    claim = await client.claim(key, ttl_s=TTL_S, speaker=speaker, ordering=ordering)
                except InputFault as refusal:
                    if refusal.code != "claim_held":
                        raise
                    details: Any = refusal.details
                    call.answered(Held(by=_who(details), token=details["token"]))
                    return
                call.answered(Granted(token=claim["token"]))
                held[key] = claim["token"]

    # --- what breaks ----------------------------------------------------------------------------------------------

    async def _break(self, end_s: float) -> None:
        faults: list[Callable[[Machine], contextlib.AbstractContextManager[None]]] = [self._killed, self._stopped]
        if self._lab is not None:
            faults.append(self._cut_off)
        while time.monotonic() < end_s:
            await asyncio.sleep(self._dice.uniform(*QUIET_S))
            victim = self._victim()
            fault = self._dice.choice(faults)
            kind = fault.__name__.strip("_")
            self._broken[kind] = self._broken.get(kind, 0) + 1
            with fault(victim):
                await asyncio.sleep(self._dice.uniform(*BROKEN_S))
            await asyncio.to_thread(victim.until_up)
        await asyncio.sleep(QUIET_S[1])

    def _victim(self) -> Machine:
        """The leader half of the time."""
        leading = [machine for machine in self._machines if self._leaders and machine.name == self._leaders[-1]]
        return leading[0] if leading and self._dice.random() < 0.5 else self._dice.choice(self._machines)

    @contextlib.contextmanager
    def _killed(self, victim: Machine) -> Iterator[None]:
        victim.kill()
        yield
        victim.begin_start(*self._peers(victim))

    @contextlib.contextmanager
    def _stopped(self, victim: Machine) -> Iterator[None]:
        victim.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            victim.signal(signal.SIGCONT)

    @contextlib.contextmanager
    def _cut_off(self, victim: Machine) -> Iterator[None]:
        assert self._lab is not None
        number = self._machines.index(victim)
        self._lab.cut(number)
        try:
            yield
        finally:
            self._lab.heal(number)

    def _peers(self, victim: Machine) -> list[str]:
        return [
            option
            for machine in self._machines
            if machine is not victim
            for option in ("--peer", f"wss://{machine.listen}")
        ]

    async def _watch(self) -> None:
        """Who leads, as far as anybody knows."""
        while not self._over:
            for machine in self._machines:
                with contextlib.suppress(RoosyncError, OSError, TimeoutError):
                    async with asyncio.timeout(1.0):
                        status = await Client(machine.home).status()
                    leader = (status["commit"] or {}).get("leader")
                    if leader is not None and (not self._leaders or self._leaders[-1] != leader):
                        self._leaders.append(leader)
                        break
            await asyncio.sleep(0.25)


@contextlib.contextmanager
def _refused_as(call: Any, answer: object) -> Iterator[None]:
    try:
        yield
    except InputFault as refusal:
        if refusal.code not in ("not_holder", "not_held"):
            raise
        call.answered(answer)


def _who(claim: dict[str, Any]) -> str:
    """The client that a claim's session is of: its session is ``user/workspace/process``."""
    return str(claim["holder"]["session"]).split("/")[0]
