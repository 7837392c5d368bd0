"""What nodes cost while nothing happens, each kind alone in a network namespace that holds only loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.plan import Plan
from tests.benchmarks.resources import Cost, Subject, loopback_namespace, measure
from tests.benchmarks.results import Figure, Report
from tests.benchmarks.serf import SerfFleet, serf_missing
from tests.benchmarks.syncthing import SyncthingFleet, syncthing_missing
from tests.helpers.fleet import Fleet

__all__ = ["run"]

SECTION: Final = "At rest, for each node"

Wrap = Callable[[Sequence[str]], list[str]]


def run(report: Report, plan: Plan) -> None:
    """Settle, then watch."""
    _roosync(report, plan)
    report.beside(SECTION, "serf", serf_missing(), lambda: _serf(report, plan))
    report.beside(SECTION, "syncthing", syncthing_missing(), lambda: _syncthing(report, plan))


def _roosync(report: Report, plan: Plan) -> None:
    names = [f"machine-{number}" for number in range(1, plan.rest_machines + 1)]
    with loopback_namespace("r") as namespace:
        wraps = [_in(namespace)] * len(names)
        with Fleet.found(*names, wraps=wraps) as fleet:
            machines = fleet.start_all()
            fleet.until_linked()
            time.sleep(plan.rest_settle_s)
            subjects = [Subject(pid=machine.pid, folder=machine.home) for machine in machines]
            cost = measure(subjects, plan.rest_s, on_wire=namespace is not None)
    _add(report, f"{len(names)} machines", "roosync", cost, "all linked to all; TLS; logs at info")


def _serf(report: Report, plan: Plan) -> None:
    with loopback_namespace("s") as namespace, SerfFleet(plan.rest_machines, _in(namespace)) as fleet:
        time.sleep(plan.rest_settle_s)
        subjects = [Subject(pid=agent.running.pid, folder=Path(fleet.path)) for agent in fleet.agents]
        cost = measure(subjects, plan.rest_s, on_wire=namespace is not None)
    _add(report, f"{plan.rest_machines} agents", "serf", cost, "LAN profile; keeps no data, no encryption")


def _syncthing(report: Report, plan: Plan) -> None:
    with (
        loopback_namespace("y") as namespace,
        SyncthingFleet(plan.rest_syncthing, wrap=_in(namespace)) as fleet,
    ):
        time.sleep(plan.rest_settle_s)
        subjects = [Subject(pid=instance.running.pid, folder=instance.home) for instance in fleet.instances]
        cost = measure(subjects, plan.rest_s, on_wire=namespace is not None)
    _add(report, f"{plan.rest_syncthing} instances", "syncthing", cost, "an empty folder; no heartbeats (ping 90 s)")


def _in(namespace: str | None) -> Wrap:
    return list if namespace is None else lambda argv: ["ip", "netns", "exec", namespace, *argv]


def _add(report: Report, what: str, who: str, cost: Cost, note: str) -> None:
    values = {
        "RSS MB": cost.rss_mb,
        "own MB": cost.uss_mb,
        "CPU %": cost.cpu_percent,
        "disk writes/min": cost.writes_minute,
        "threads": float(cost.threads),
    }
    if cost.sent_bytes_s is not None:
        values["sent B/s"] = cost.sent_bytes_s
    if cost.written_kb_minute is not None:
        values["written kB/min"] = cost.written_kb_minute
    report.add(Figure(section=SECTION, what=what, who=who, unit="", values=values, note=note))
