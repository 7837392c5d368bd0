"""Many seeds, on several processes, and what they did, in figures."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from roosync_p2p.simulation.certificates import CERTIFICATES_WANTED_IN_100
from roosync_p2p.simulation.checkers.violation import Violation
from roosync_p2p.simulation.faults import KINDS
from roosync_p2p.simulation.folder_faults import FOLDER_WANTED_IN_100
from roosync_p2p.simulation.key_faults import KEYS_WANTED_IN_100
from roosync_p2p.simulation.mutants import MUTANTS
from roosync_p2p.simulation.parts import real_parts
from roosync_p2p.simulation.world import Outcome, Plan, World

__all__ = ["EVERY_KIND_AFTER_SEEDS", "WANTED_IN_100", "Tally", "run_seed", "run_seeds"]

EVERY_KIND_AFTER_SEEDS = 100  # in so many seeds every kind of fault happens, or the schedule is broken
# What comes of the faults, in a hundred seeds at least: a third of what is usual, or less where that is little. A world
# in which nothing of this happens any more shows nothing, however green it is.
WANTED_IN_100: Final[Mapping[str, int]] = {
    "elections": 120,
    "leader changes": 60,
    "leaders deposed": 25,
    "voter changes": 70,
    "steps of the autopilot": 30,
    "truncated tails": 2,
    "proposed again": 6,
    "requests decided": 350,
    "claims granted": 150,
    "claims refused": 150,
    "reads": 90,
    "stale reads": 35,
    "recoveries": 1,
}

FAULTS_WANTED_IN_100: Final[Mapping[str, int]] = {
    **FOLDER_WANTED_IN_100,
    **KEYS_WANTED_IN_100,
    **CERTIFICATES_WANTED_IN_100,
}


def run_seed(seed: int, mutant: str | None = None, plan: Plan | None = None) -> Outcome:
    """One world. What the program itself raises is a violation like any other."""
    if mutant is None:
        return _run(World(seed, parts=real_parts(), plan=plan))
    with MUTANTS[mutant].at_work() as parts:
        return _run(World(seed, parts=parts, plan=plan))


def _run(world: World) -> Outcome:
    try:
        return world.run()
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        where = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames))
        text = f"{type(error).__name__}: {error} at {where}"
        world.watch.found([Violation(checker="program", at_s=world.fleet.now_s, text=text)])
        return world.outcome(0.0)


def run_seeds(
    seeds: Iterable[int],
    *,
    mutant: str | None = None,
    plan: Plan | None = None,
    jobs: int = 1,
    until_found: bool = False,
) -> Iterator[Outcome]:
    """The outcomes in the order of their seeds; with ``until_found`` it ends after the first with a violation."""
    one: Callable[[int], Outcome] = _Job(mutant, plan)
    if jobs == 1:
        outcomes: Iterator[Outcome] = map(one, seeds)
        yield from _until(outcomes, until_found=until_found)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context) as pool:
        waiting = collections.deque(pool.submit(one, seed) for seed in seeds)
        try:
            yield from _until((waiting.popleft().result() for _ in range(len(waiting))), until_found=until_found)
        finally:
            for future in waiting:
                future.cancel()


def _until(outcomes: Iterator[Outcome], *, until_found: bool) -> Iterator[Outcome]:
    for outcome in outcomes:
        yield outcome
        if until_found and outcome.violations:
            return


@dataclasses.dataclass(frozen=True, slots=True)
class _Job:
    mutant: str | None
    plan: Plan | None

    def __call__(self, seed: int) -> Outcome:
        return run_seed(seed, self.mutant, self.plan)


class Tally:
    """Sums over outcomes."""

    def __init__(self) -> None:
        self.seeds = 0
        self.failed: list[Outcome] = []
        self.virtual_s = 0.0
        self.messages = 0
        self.order: collections.Counter[str] = collections.Counter()
        self.steps = 0
        self.converged_s_max = 0.0
        self.active: collections.Counter[str] = collections.Counter()
        self.explained: collections.Counter[str] = collections.Counter()
        self._began_s = time.monotonic()

    def add(self, outcome: Outcome) -> None:
        """Takes in one outcome."""
        self.seeds += 1
        if outcome.violations:
            self.failed.append(outcome)
        self.virtual_s += outcome.virtual_s
        self.messages += outcome.messages
        self.steps += outcome.steps
        self.converged_s_max = max(self.converged_s_max, outcome.converged_s)
        self.active.update(outcome.active)
        self.explained.update(outcome.explained)
        self.order.update(outcome.order)

    def never_active(self) -> list[str]:
        """Kinds of fault that should have happened by now and did not."""
        if self.seeds < EVERY_KIND_AFTER_SEEDS:
            return []
        return sorted(kind for kind in (*KINDS, "wrong_clock", "autopilot", "update") if not self.active[kind])

    def too_few(self) -> list[str]:
        """What should have come of the faults more often by now."""
        hundreds = self.seeds // EVERY_KIND_AFTER_SEEDS
        counted = [(what, least, self.order[what]) for what, least in WANTED_IN_100.items()]
        counted += [(what, least, self.active[what]) for what, least in FAULTS_WANTED_IN_100.items()]
        return [f"{what} {count}, not {hundreds * least}" for what, least, count in counted if count < hundreds * least]

    def lines(self) -> list[str]:
        """The summary for people."""
        took_s = time.monotonic() - self._began_s
        explained = ", ".join(f"{what} {count}" for what, count in sorted(self.explained.items())) or "none"
        did = (
            f"{self.seeds} seeds, {self.virtual_s / 3600:.1f} virtual hours, {self.steps} events, "
            f"{self.messages} messages acknowledged, {took_s:.0f} s ({self.seeds / max(took_s, 0.001):.1f} seeds/s)"
        )
        lines = [
            did,
            f"slowest convergence after healing: {self.converged_s_max:.1f} s",
            f"verdicts offline, all explained unless listed below: {explained}",
            "the one order (in brackets what is wanted in 100 seeds):",
            *(f"  {what:<24}{count:>8}{_wanted(what)}" for what, count in sorted(self.order.items())),
            "faults (times active; in brackets what is wanted in 100 seeds, else 1 or more of each):",
        ]
        lines += [f"  {kind:<32}{count:>8}{_wanted(kind)}" for kind, count in sorted(self.active.items())]
        lines += [f"  {kind:<32}{'never':>8}" for kind in self.never_active()]
        return lines


def _wanted(what: str) -> str:
    least = WANTED_IN_100.get(what) or FAULTS_WANTED_IN_100.get(what)
    return "" if least is None else f" ({least})"
