"""Claims and the baseline of real nodes are linearizable while nodes are killed, stopped and cut off.

Thirty seconds here; an hour by hand: ``ROOSYNC_TEST_LOAD_S=3600``. The seed is printed and replays names, pauses and
faults with ``ROOSYNC_TEST_SEED``, though not the timing of real programs.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.end_to_end.baseline_load import BaselineLoad
from tests.end_to_end.claim_load import Load
from tests.helpers.fleet import Fleet, until
from tests.helpers.netlab import Lab, netlab_missing

_MISSING = netlab_missing()
pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "available")]

_NAMES: Final = ("alice", "berta", "carla")
_PORT: Final = 47600
LOAD_S: Final = float(os.environ.get("ROOSYNC_TEST_LOAD_S", "30"))
SEED: Final = int(os.environ.get("ROOSYNC_TEST_SEED", str(time.time_ns() % 1_000_000)))
OPERATIONS_PER_S_MIN: Final = 5  # less, and the run would have shown nothing


@pytest.fixture
def fleet() -> Iterator[tuple[Lab, Fleet]]:
    with Lab(len(_NAMES)) as lab:
        wraps = [functools.partial(lab.argv, number) for number in range(len(_NAMES))]
        listens = [f"{lab.address(number)}:{_PORT}" for number in range(len(_NAMES))]
        with Fleet.found(*_NAMES, wraps=wraps, listens=listens) as fleet:
            fleet.start_all()
            fleet.until_linked()
            yield lab, fleet


def test_claims_and_the_baseline_are_linearizable_while_nodes_are_killed_stopped_and_cut_off(
    fleet: tuple[Lab, Fleet], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    lab, nodes = fleet
    machines = list(nodes.machines.values())
    machines[0].run("voters", "prefer", *_NAMES, "--approve")
    # A change that comes second is then over at once, instead of waiting for somebody who resolves it.
    machines[0].run("policy", "set", "conflict.strategy", '{"*": "auto-remote"}', "--approve")
    until(
        lambda: all(len(machine.client.status()["commit"]["voters"]) == len(_NAMES) for machine in machines),
        60.0,
        what="all three vote",
        shown=lambda: str([machine.client.status()["commit"] for machine in machines]),
    )
    baseline = BaselineLoad(machines, path=tmp_path / "baseline.jsonl", seed=SEED)
    report = Load(machines, lab=lab, path=tmp_path / "history.jsonl", seed=SEED, beside=baseline.run).run(LOAD_S)
    written = baseline.report()
    print(f"claims: {report.operations} operations, {report.unanswered} without an answer, {report.leaders} leaders")
    print(f"baseline: {written.operations} operations, {written.writes} writes, {written.unanswered} without an answer")
    print(f"broken: {report.broken}")
    record_property("baseline", str(written))
    assert written.verdict.linearizable, f"seed {SEED}: {written.verdict.describe()}"
    assert written.writes >= LOAD_S / 10, written
    record_property("load", str(report))
    assert report.verdict.linearizable, f"seed {SEED}: {report.verdict.describe()}"
    assert report.operations - report.unanswered > LOAD_S * OPERATIONS_PER_S_MIN, report
    assert sum(report.broken.values()) >= LOAD_S / 10, report
