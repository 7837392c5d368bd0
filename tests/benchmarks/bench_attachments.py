"""The largest attachment between two nodes: how long it takes, what it costs, and what messages notice of it."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Final

import psutil

from roosync_p2p import limits
from roosync_p2p.api.saving import hand_over
from tests.benchmarks.plan import Plan
from tests.benchmarks.results import Figure, Report, distribution
from tests.helpers.fleet import Fleet, Machine, Recorder

__all__ = ["run"]

SECTION: Final = "Attachments"
ARRIVED_S: Final = 120.0
LOOK_S: Final = 0.002
MIB: Final = 2**20


def run(report: Report, plan: Plan) -> None:
    """Two nodes on loopback, a file of the largest size, once for each round; messages go both ways meanwhile."""
    with Fleet.found("machine-a", "machine-b") as fleet:
        source, target = fleet.start_all()
        fleet.until_linked()
        path = fleet.path / "large.bin"
        handed, took, beside = [], [], []
        with target.record() as events:
            alone = [_one_message(source, target, events, f"alone {number}") for number in range(plan.messages)]
            before = [_memory_mib(machine) for machine in (source, target)]
            for number in range(plan.attachments):
                path.write_bytes(os.urandom(limits.BLOB_BYTES_MAX))
                handed_s, took_s, latencies = _one_file(source, target, events, path, number)
                handed.append(handed_s)
                took.append(took_s)
                beside += latencies
        size = limits.BLOB_BYTES_MAX // MIB
        figures = (
            (f"{size} MiB handed to the node", handed),
            (f"{size} MiB, from there to verified", took),
            ("a message, nothing else going on", alone),
            ("a message while a file comes", beside),
        )
        for what, seconds in figures:
            report.add(Figure(section=SECTION, what=what, who="roosync", unit="ms", values=distribution(seconds, 1000)))
        for name, machine, rest in (("sender", source, before[0]), ("recipient", target, before[1])):
            peak = {"before": rest, "peak": _memory_mib(machine)}
            report.add(Figure(section=SECTION, what=f"memory of the {name}", who="roosync", unit="MiB", values=peak))


def _one_file(
    source: Machine, target: Machine, events: Recorder, path: Path, number: int
) -> tuple[float, float, list[float]]:
    """Seconds to hand it over, seconds until it is verified at the other end, and of messages sent meanwhile."""
    began = time.monotonic()
    attachment = hand_over(source.client, path)
    handed_s = time.monotonic() - began
    began = time.monotonic()
    source.client.send(target.name, f"file {number}", attachments=[attachment])
    whole = target.home / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
    latencies: list[float] = []
    while not whole.exists():
        latencies.append(_one_message(source, target, events, f"beside {number} {len(latencies)}"))
        assert time.monotonic() - began < ARRIVED_S, target.log()
        time.sleep(LOOK_S)
    return handed_s, time.monotonic() - began, latencies


def _one_message(source: Machine, target: Machine, events: Recorder, subject: str) -> float:
    began = time.monotonic()
    source.client.send(target.name, subject, "x" * 300)
    return events.wait("message", within_s=ARRIVED_S, since_s=began, subject=subject).at_s - began


def _memory_mib(machine: Machine) -> float:
    """The most that the process ever had, where the kernel tells; else what it has now."""
    status = Path(f"/proc/{machine.pid}/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1]) / 1024
    return float(psutil.Process(machine.pid).memory_info().rss) / MIB
