"""What the core costs without network and disk: signatures, frames, inputs of a fleet at rest, one message.

The machines are those of the simulation: the very core, frames and signatures of the node; only the time that passes in
``prepare`` and ``NodeCore.handle`` is counted, on the real clock.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Callable
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from roosync_p2p.clock import Now
from roosync_p2p.core import inputs, wire
from roosync_p2p.core.commands import SendMessage
from roosync_p2p.core.intake import Prepared, prepare
from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.core.wire import decode_frame
from roosync_p2p.ids import parse_address
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.parts import Parts
from roosync_p2p.trust import contexts
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.envelopes import seal, verify
from tests.benchmarks.plan import Plan
from tests.benchmarks.results import Figure, Report

__all__ = ["run"]

PRIMITIVES: Final = "The core, one operation"
REST: Final = "The core of a node at rest, by input"
MACHINES: Final = tuple(f"machine-{number}" for number in range(1, 7))
SETTLED_S: Final = 20.0
BODY: Final = "x" * 300


def run(report: Report, plan: Plan) -> None:
    """Six machines, linked each to each."""
    fleet, costs, frames = _simulated(SETTLED_S)
    _primitives(report, plan, fleet, frames)
    _message(report, plan, fleet, costs)
    fleet, costs, _ = _simulated(SETTLED_S)
    _rest(report, plan, fleet, costs)


# --- counting ---------------------------------------------------------------------------------------------------------


class _Costs:
    """Calls and seconds by name."""

    def __init__(self) -> None:
        self.calls: collections.Counter[str] = collections.Counter()
        self.seconds: dict[str, float] = collections.defaultdict(float)

    def add(self, name: str, began: float) -> None:
        """One call that began then and has just ended."""
        self.seconds[name] += time.perf_counter() - began
        self.calls[name] += 1

    def clear(self) -> None:
        """From zero."""
        self.calls.clear()
        self.seconds.clear()


def _simulated(settle_s: float) -> tuple[Fleet, _Costs, dict[str, bytes]]:
    """A settled fleet, the costs of all its machines together, and the newest frame of each name."""
    costs = _Costs()
    frames: dict[str, bytes] = {}

    class TimedCore(NodeCore):
        """The node's core, with a watch."""

        def handle(self, happened: inputs.Input, now: Now) -> None:
            """As the node's."""
            name = type(happened).__name__
            if isinstance(happened, inputs.FrameReceived):
                name = f"frame {type(happened.prepared.frame).__name__}"
            began = time.perf_counter()
            super().handle(happened, now)
            costs.add(name, began)

        def next_deadline(self) -> float | None:
            """As the node's."""
            began = time.perf_counter()
            deadline = super().next_deadline()
            costs.add("next_deadline()", began)
            return deadline

    def timed_prepare(data: bytes, directory: Directory) -> Prepared:
        began = time.perf_counter()
        prepared = prepare(data, directory)
        costs.add("prepare()", began)
        frames[type(prepared.frame).__name__] = data
        return prepared

    fleet = Fleet(MACHINES, dice=Dice.of(1, "benchmark"), parts=Parts(prepare=timed_prepare, core=TimedCore))
    for member in fleet.members.values():
        member.start()
    fleet.run(settle_s)
    return fleet, costs, frames


# --- the tables -------------------------------------------------------------------------------------------------------


def _primitives(report: Report, plan: Plan, fleet: Fleet, frames: dict[str, bytes]) -> None:
    node = fleet.members[MACHINES[0]].node()
    key = Ed25519PrivateKey.generate()
    public = key.public_key()
    beat = frames["Beat"]
    frame = decode_frame(beat)
    assert isinstance(frame, wire.Beat)
    envelope = frame.envelope
    payload = verify(envelope, context=contexts.HEARTBEAT, directory=node.directory, size_max=4096).payload
    signature = key.sign(envelope)
    identity = node.desk.identity

    def sealed() -> bytes:
        return seal(
            identity.key, context=contexts.HEARTBEAT, fleet=identity.fleet, author=identity.machine, payload=payload
        )

    for what, who, call in (
        ("Ed25519 signature of as many bytes", "cryptography", lambda: key.sign(envelope)),
        ("seal a heartbeat", "roosync", sealed),
        ("Ed25519 verification of as many bytes", "cryptography", lambda: public.verify(signature, envelope)),
        (
            "verify a heartbeat's envelope",
            "roosync",
            lambda: verify(envelope, context=contexts.HEARTBEAT, directory=node.directory, size_max=4096),
        ),
        ("prepare a heartbeat's frame", "roosync", lambda: prepare(beat, node.directory)),
        ("prepare a digest's frame", "roosync", lambda: prepare(frames["Digest"], node.directory)),
    ):
        _repeat(report, plan, what, who, call)


def _repeat(report: Report, plan: Plan, what: str, who: str, call: Callable[[], Any]) -> None:
    best = float("inf")
    total = 0.0
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(plan.core_repeats // 5):
            call()
        took = (time.perf_counter() - began) / (plan.core_repeats // 5)
        best, total = min(best, took), total + took
    values = {"min": best * 1e6, "mean": total / 5 * 1e6, "n": float(plan.core_repeats // 5 * 5)}
    report.add(
        Figure(section=PRIMITIVES, what=what, who=who, unit="µs", values=values, note="best and mean of five runs")
    )


def _message(report: Report, plan: Plan, fleet: Fleet, costs: _Costs) -> None:
    """One message after the other from the first to the second; what all six cores spend on it."""
    source = fleet.members[MACHINES[0]]
    count = max(10, plan.core_repeats // 20)
    fleet.run(1.0)
    costs.clear()
    for number in range(count):
        source.request(_command(number), _ignored)
        fleet.run(0.02)
    spent = sum(costs.seconds.values()) / count * 1e6
    values = {"mean": spent, "n": float(count)}
    note = "all six cores together: everybody keeps every entry; 20 ms of a fleet at rest included"
    report.add(
        Figure(
            section=PRIMITIVES, what="a message, until all have it", who="roosync", unit="µs", values=values, note=note
        )
    )


def _command(number: int) -> SendMessage:
    return SendMessage(
        to=(parse_address(MACHINES[1]),),
        subject=f"message {number}",
        body=BODY,
        type="text",
        priority="MEDIUM",
        tags=(),
        workspace=None,
        thread_id=None,
        in_reply_to=None,
        idempotency_key=None,
        remembered=None,
    )


def _ignored(_result: object) -> None:
    return None


def _rest(report: Report, plan: Plan, fleet: Fleet, costs: _Costs) -> None:
    costs.clear()
    fleet.run(plan.core_seconds)
    node_seconds = plan.core_seconds * len(MACHINES)
    for name, seconds in sorted(costs.seconds.items(), key=lambda item: -item[1]):
        calls = costs.calls[name]
        values = {
            "calls/s": calls / node_seconds,
            "µs a call": seconds / calls * 1e6,
            "CPU %": 100 * seconds / node_seconds,
        }
        report.add(Figure(section=REST, what=name, who="roosync", unit="", values=values))
    total = {"CPU %": 100 * sum(costs.seconds.values()) / node_seconds}
    report.add(Figure(section=REST, what="all of it", who="roosync", unit="", values=total))
