"""How long it takes to join: from ``roosync join CODE`` started to a node that its issuer sees online, and synced."""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from tests.benchmarks.bench_commands import roosync_command
from tests.benchmarks.plan import Plan
from tests.benchmarks.results import Figure, Report, distribution
from tests.helpers.fleet import Fleet, Machine, until

__all__ = ["run"]

SECTION: Final = "Joining"
JOINED_S: Final = 60.0


class _Joined(NamedTuple):
    """Seconds from the start of the command."""

    command: float
    online: float
    synced: float


def run(report: Report, plan: Plan) -> None:
    """Machines join one fleet, one after the other, each with a code of its own; then again while a member is off."""
    with Fleet.found("machine-a") as fleet:
        founder = fleet.start_all()[0]
        founder.until_ready()
        joined = [_join(fleet, founder, f"joiner-{number}") for number in range(plan.joins)]
        fleet.machines["joiner-0"].stop()
        beside_one_off = [_join(fleet, founder, f"later-{number}") for number in range(plan.joins_one_off)]
    for what, values, note in (
        ("`roosync join CODE`, whole command", [one.command for one in joined], "key, certificate, confirmed, stored"),
        ("until the issuer says online", [one.online for one in joined], "`join`, then `up`, both new processes"),
        ("until trusted, synced and ready to write", [one.synced for one in joined], "start-up check included"),
        (
            "the same, while one member is off",
            [one.synced for one in beside_one_off],
            "one of the earlier joiners was stopped; the others run",
        ),
    ):
        report.add(Figure(section=SECTION, what=what, who="roosync", unit="s", values=distribution(values), note=note))


def _join(fleet: Fleet, founder: Machine, name: str) -> _Joined:
    code = str(founder.client.invite(name, contacts=[founder.listen])["code"])
    joiner = fleet.add(name)
    with founder.record() as events:
        began = time.monotonic()
        joiner.run("join", code, tool=roosync_command())
        command_s = time.monotonic() - began
        joiner.start("--peer", founder.listen)
        online = events.wait("verdict", within_s=JOINED_S, since_s=began, machine=name, state="online")
        until(lambda: _synced(joiner, founder), JOINED_S, what="the joiner is synced", shown=fleet.report)
        return _Joined(command=command_s, online=online.at_s - began, synced=time.monotonic() - began)


def _synced(joiner: Machine, founder: Machine) -> bool:
    status, seen = joiner.client.status(), founder.client.status()
    return (status["phase"], status["state"], seen["state"]) == ("ready", "synced", "synced")
