"""How long a message takes: from the call that sends it to the recipient's event, stored and synced on both sides."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import anyio

from roosync_p2p.api.client import Client
from tests.benchmarks.plan import Plan
from tests.benchmarks.results import Figure, Report, distribution
from tests.benchmarks.serf import SerfFleet, SerfRpc, serf_missing
from tests.benchmarks.syncthing import WATCHER_DELAY_S, SyncthingFleet, syncthing_missing
from tests.helpers.fleet import Fleet, Machine, Recorder, until

__all__ = ["run"]

SECTION: Final = "Delivery: from the call to the recipient's event"
SYNCTHING_DELAY_S: Final = 1
ARRIVED_S: Final = 60.0
BODY: Final = "x" * 300
POLL_S: Final = 0.001
WATCHING_S: Final = 5.0  # after its first scan it begins to watch the folder, and does not say when


def run(report: Report, plan: Plan) -> None:
    """Three nodes, from the first to the last; then the peers."""
    with Fleet.found("machine-a", "machine-b", "machine-c") as fleet:
        fleet.let_send()
        source, _, target = fleet.start_all()
        fleet.until_linked()
        with target.record() as events:
            _one_at_a_time(report, plan, source, target, events)
            _in_flight(report, plan, source, target, events)
    report.beside(SECTION, "serf", serf_missing(), lambda: _serf(report, plan))
    missing = syncthing_missing()
    report.beside(SECTION, "syncthing", missing, lambda: _syncthing(report, plan.syncthing_files, WATCHER_DELAY_S))
    tuned = plan.syncthing_files_tuned
    report.beside(SECTION, "syncthing, tuned", missing, lambda: _syncthing(report, tuned, SYNCTHING_DELAY_S))


def _one_at_a_time(report: Report, plan: Plan, source: Machine, target: Machine, events: Recorder) -> None:
    arrived, answered = [], []
    for number in range(plan.messages):
        began = time.monotonic()
        source.client.send(target.name, f"one {number}", BODY)
        answered.append(time.monotonic() - began)
        seen = events.wait("message", within_s=ARRIVED_S, since_s=began, subject=f"one {number}")
        arrived.append(seen.at_s - began)
    figures = (
        ("a message, one at a time", arrived, "signed; synced before it leaves, and before the recipient's event"),
        ("the same, until the sender has its answer", answered, "synced at the sender"),
    )
    for what, values, note in figures:
        report.add(
            Figure(section=SECTION, what=what, who="roosync", unit="ms", values=distribution(values, 1000), note=note)
        )


def _in_flight(report: Report, plan: Plan, source: Machine, target: Machine, events: Recorder) -> None:
    began: dict[str, float] = anyio.run(_send_many, source.home, target.name, plan)

    def arrived() -> dict[str, float]:
        seen = events.all("message")
        return {str(one.event.data["id"]): one.at_s for one in seen if one.event.data["id"] in began}

    until(lambda: len(arrived()) == len(began), ARRIVED_S, what="all messages arrive", shown=lambda: len(arrived()))
    ended = arrived()
    took = distribution([ended[message] - began[message] for message in began], 1000)
    per_s = len(began) / (max(ended.values()) - min(began.values()))
    figure = Figure(
        section=SECTION,
        what=f"a message, {plan.messages_in_flight} in flight",
        who="roosync",
        unit="ms",
        values={**took, "per s": per_s},
        note="sender, recipient and the program that sends share the cores",
    )
    report.add(figure)


async def _send_many(home: Path, to: str, plan: Plan) -> dict[str, float]:
    client = Client(home, environ={})
    began: dict[str, float] = {}
    numbers = iter(range(plan.messages_at_once))

    async def worker() -> None:
        for number in numbers:
            at_s = time.monotonic()
            sent = await client.send(to, f"many {number}", BODY)
            began[str(sent["id"])] = at_s

    async with anyio.create_task_group() as tasks:
        for _ in range(plan.messages_in_flight):
            tasks.start_soon(worker)
    return began


# --- peers ------------------------------------------------------------------------------------------------------------


def _serf(report: Report, plan: Plan) -> None:
    took = []
    with (
        SerfFleet(3) as fleet,
        SerfRpc(fleet.agents[0].rpc) as source,
        SerfRpc(fleet.agents[2].rpc) as target,
    ):
        target.listen()
        for number in range(plan.serf_events):
            began = time.monotonic()
            source.send_event(f"e{number}")
            took.append(target.wait_event(f"e{number}", ARRIVED_S) - began)
    figure = Figure(
        section=SECTION,
        what="a user event, one at a time",
        who="serf",
        unit="ms",
        values=distribution(took, 1000),
        note="by its RPC; neither stored nor signed, no receipt, 512 bytes at most",
    )
    report.add(figure)


def _syncthing(report: Report, count: int, delay_s: int) -> None:
    took = []
    with SyncthingFleet(2, watcher_delay_s=delay_s) as fleet:
        source, target = fleet.instances
        time.sleep(WATCHING_S)
        for number in range(count):
            began = time.monotonic()
            (source.folder / f"message{number}").write_text(BODY)
            took.append(_appears(target.folder / f"message{number}") - began)
    figure = Figure(
        section=SECTION,
        what="a file written, one at a time",
        who="syncthing" if delay_s == WATCHER_DELAY_S else "syncthing, tuned",
        unit="ms",
        values=distribution(took, 1000),
        note=f"fsWatcherDelayS = {delay_s}; until the whole file is in the other's folder",
    )
    report.add(figure)


def _appears(path: Path) -> float:
    deadline = time.monotonic() + ARRIVED_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path.name} did not arrive within {ARRIVED_S:g} s")
        time.sleep(POLL_S)
    return time.monotonic()
