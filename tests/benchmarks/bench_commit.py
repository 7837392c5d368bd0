"""How fast an ordered log takes a commit, survives its leader, and comes back."""

from __future__ import annotations

import functools

from tests.benchmarks import commit_rows_of_ours
from tests.benchmarks.commit_rows import SECTION, add_rows
from tests.benchmarks.etcd import EtcdFleet, etcd_missing
from tests.benchmarks.plan import Plan
from tests.benchmarks.pysyncobj import PySyncObjFleet, pysyncobj_environment
from tests.benchmarks.results import Report

__all__ = ["run"]


def run(report: Report, plan: Plan) -> None:
    """Ours, then the peers."""
    commit_rows_of_ours.run(report, plan)
    report.beside(SECTION, "etcd", etcd_missing(), lambda: _etcd(report, plan))
    with pysyncobj_environment() as (python, missing):
        for tuned in (False, True):
            name = "PySyncObj, tuned" if tuned else "PySyncObj"
            report.beside(SECTION, name, missing, functools.partial(_pysyncobj, report, plan, python, tuned=tuned))


def _etcd(report: Report, plan: Plan) -> None:
    with EtcdFleet() as fleet:
        add_rows(report, plan, fleet)


def _pysyncobj(report: Report, plan: Plan, python: str, *, tuned: bool) -> None:
    with PySyncObjFleet(python, tuned=tuned) as fleet:
        add_rows(report, plan, fleet)
