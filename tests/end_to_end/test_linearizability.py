"""Claims and the baseline of real nodes are linearizable while nodes are killed, stopped and cut off.

About thirty seconds here. By hand longer, or until enough was seen (``ROOSYNC_TEST_LOAD_S`` seconds at most, 1200 by
default then), with the figures on standard output (``pytest -s``) and in a file::

    ROOSYNC_TEST_LOAD_S=3600 ROOSYNC_TEST_REPORT=report.txt
    ROOSYNC_TEST_LOAD_OPERATIONS=5000 ROOSYNC_TEST_LOAD_LEADER_CHANGES=20

The seed is printed and replays names, pauses and faults with ``ROOSYNC_TEST_SEED``, though not the timing of real
programs.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.end_to_end.baseline_load import Person
from tests.end_to_end.load import Load
from tests.end_to_end.load_report import Goal, Minimum
from tests.helpers.fleet import Fleet, until
from tests.helpers.netlab import Lab, netlab_missing

_MISSING = netlab_missing()
pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "available")]

_NAMES: Final = ("alice", "berta", "carla")
_PORT: Final = 47600
_OPERATIONS: Final = int(os.environ.get("ROOSYNC_TEST_LOAD_OPERATIONS", "0"))
_LEADER_CHANGES: Final = int(os.environ.get("ROOSYNC_TEST_LOAD_LEADER_CHANGES", "0"))
_LOAD_S: Final = float(os.environ.get("ROOSYNC_TEST_LOAD_S", "1200" if _OPERATIONS or _LEADER_CHANGES else "25"))
_REPORT: Final = os.environ.get("ROOSYNC_TEST_REPORT")
SEED: Final = int(os.environ.get("ROOSYNC_TEST_SEED", str(time.time_ns() % 1_000_000)))
GOAL: Final = Goal(seconds=_LOAD_S, operations=_OPERATIONS, leader_changes=_LEADER_CHANGES)


@pytest.fixture
def fleet() -> Iterator[tuple[Lab, Fleet]]:
    with Lab(len(_NAMES)) as lab:
        wraps = [functools.partial(lab.argv, number) for number in range(len(_NAMES))]
        listens = [f"{lab.address(number)}:{_PORT}" for number in range(len(_NAMES))]
        with Fleet.found(*_NAMES, wraps=wraps, listens=listens) as fleet:
            fleet.start_all()
            fleet.until_linked()
            yield lab, fleet


def test_claims_and_baseline_are_linearizable_while_nodes_are_killed_stopped_and_cut_off(
    fleet: tuple[Lab, Fleet], tmp_path: Path
) -> None:
    lab, nodes = fleet
    machines = list(nodes.machines.values())
    machines[0].run("voters", "prefer", *_NAMES, "--approve")
    until(
        lambda: all(len(machine.client.status()["commit"]["voters"]) == len(_NAMES) for machine in machines),
        60.0,
        what="all three vote",
        shown=lambda: str([machine.client.status()["commit"] for machine in machines]),
    )
    print(f"\nROOSYNC_TEST_SEED={SEED}")
    person = Person.at(machines[0], "jeanne")
    report = Load(machines, lab=lab, person=person, folder=tmp_path, seed=SEED).run(GOAL)
    text = "\n".join(report.lines())
    print(text)
    if _REPORT:
        Path(_REPORT).write_text(f"{text}\n", encoding="utf-8")
    minimum = Minimum(  # a machine with two busy cores does ten times that
        answered={"claims": int(3 * report.seconds), "baseline": int(1 * report.seconds)},
        leader_changes=max(1, int(report.seconds / 60)),
        faults_of_each_kind=max(1, int(report.seconds / 60)),
    )
    problems = report.problems(minimum, GOAL)
    assert not problems, "\n".join([*problems, text])
