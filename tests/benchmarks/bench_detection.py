"""How long until a dead or silent member is known: from the signal to the last of the others that says so."""

from __future__ import annotations

import signal
import time
from typing import Final

from tests.benchmarks.plan import Plan
from tests.benchmarks.results import Figure, Report, distribution
from tests.benchmarks.serf import SerfFleet, serf_missing
from tests.benchmarks.syncthing import SyncthingFleet, syncthing_missing
from tests.helpers.fleet import Fleet, Machine, Recorder

__all__ = ["run"]

SECTION: Final = "Detection: from the signal until all others say so"
KILLED: Final = "killed (SIGKILL)"
STOPPED: Final = "silent (SIGSTOP)"
KNOWN_S: Final = 60.0
SETTLE_S: Final = 1.5  # more than a heartbeat, so that rounds meet it at any phase


def run(report: Report, plan: Plan) -> None:
    """Three members each; the killed one is another in each round, so that nobody counts as flapping."""
    _roosync(report, plan)
    report.beside(SECTION, "serf", serf_missing(), lambda: _serf(report, plan))
    report.beside(SECTION, "syncthing", syncthing_missing(), lambda: _syncthing(report, plan))


# --- roosync ----------------------------------------------------------------------------------------------------------


def _roosync(report: Report, plan: Plan) -> None:
    with Fleet.found("machine-a", "machine-b", "machine-c") as fleet:
        machines = fleet.start_all()
        fleet.until_linked()
        recorders = {machine.name: machine.record() for machine in machines}
        killed = [_killed(fleet, machines, recorders, number) for number in range(plan.kills)]
        report.add(Figure(section=SECTION, what=KILLED, who="roosync", unit="ms", values=distribution(killed, 1000)))
        stopped = [_stopped(fleet, machines, number) for number in range(plan.stops)]
        report.add(Figure(section=SECTION, what=STOPPED, who="roosync", unit="ms", values=distribution(stopped, 1000)))


def _killed(fleet: Fleet, machines: list[Machine], recorders: dict[str, Recorder], number: int) -> float:
    time.sleep(SETTLE_S)
    victim = machines[number % len(machines)]
    took_s = _known_offline(victim, recorders, victim.kill())
    peers = [option for other in machines if other is not victim for option in ("--peer", other.listen)]
    victim.start(*peers)
    fleet.until_linked()
    recorders[victim.name] = victim.record()
    return took_s


def _stopped(fleet: Fleet, machines: list[Machine], number: int) -> float:
    """Fresh nodes in each round: one that came back often within a minute is told later, on purpose."""
    for machine in machines:
        machine.kill()
    fleet.start_all()
    fleet.until_linked()
    time.sleep(SETTLE_S)
    victim = machines[number % len(machines)]
    recorders = {machine.name: machine.record() for machine in machines}
    at_s = victim.signal(signal.SIGSTOP)
    try:
        return _known_offline(victim, recorders, at_s)
    finally:
        victim.signal(signal.SIGCONT)


def _known_offline(victim: Machine, recorders: dict[str, Recorder], at_s: float) -> float:
    others = [recorder for name, recorder in recorders.items() if name != victim.name]
    seen = [
        recorder.wait("verdict", within_s=KNOWN_S, since_s=at_s, machine=victim.name, state="offline")
        for recorder in others
    ]
    return max(one.at_s for one in seen) - at_s


# --- peers ------------------------------------------------------------------------------------------------------------


def _serf(report: Report, plan: Plan) -> None:
    note = "LAN profile, as it comes; the line EventMemberFailed of the agents' logs"
    killed: list[float] = []
    stopped: list[float] = []
    with SerfFleet(3) as fleet:
        for number in range(plan.serf_kills + plan.serf_stops):
            time.sleep(SETTLE_S)
            victim = fleet.agents[number % 3]
            others = [agent for agent in fleet.agents if agent is not victim]
            by_kill = number < plan.serf_kills
            at_s = victim.running.kill() if by_kill else victim.running.signal(signal.SIGSTOP)
            failed = "EventMemberFailed: " + victim.name
            known_s = max(other.running.wait(failed, within_s=KNOWN_S, since_s=at_s) for other in others)
            (killed if by_kill else stopped).append(known_s - at_s)
            victim.running.kill()
            fleet.restart(victim)
    for what, values in ((KILLED, killed), (STOPPED, stopped)):
        if values:
            figure = Figure(
                section=SECTION, what=what, who="serf", unit="ms", values=distribution(values, 1000), note=note
            )
            report.add(figure)


def _syncthing(report: Report, plan: Plan) -> None:
    killed = []
    with SyncthingFleet(2) as fleet:
        for number in range(plan.syncthing_kills):
            time.sleep(SETTLE_S)
            victim, other = fleet.instances[number % 2], fleet.instances[1 - number % 2]
            at_s = victim.running.kill()
            killed.append(other.running.wait("closed", victim.short, within_s=KNOWN_S, since_s=at_s) - at_s)
            fleet.restart(victim)
        note = "two instances; its log says that the connection closed"
        figure = Figure(
            section=SECTION, what=KILLED, who="syncthing", unit="ms", values=distribution(killed, 1000), note=note
        )
        report.add(figure)
        victim, other = fleet.instances
        at_s = victim.running.signal(signal.SIGSTOP)
        bound_s = plan.syncthing_stop_bound_s
        try:
            known_s = other.running.wait("closed", victim.short, within_s=bound_s, since_s=at_s) - at_s
        except TimeoutError:
            values = {"min": 1000.0 * bound_s, "n": 1.0}
            note = f"not known when the benchmark gave up after {bound_s:g} s; its own limit is 300 s"
        else:
            values, note = distribution([known_s], 1000), ""
        report.add(Figure(section=SECTION, what=STOPPED, who="syncthing", unit="ms", values=values, note=note))
