"""A node that is killed or stopped is called offline in time by the others, and comes back by itself.

Measured from the event streams of the others. The bounds are one second after SIGKILL and five after SIGSTOP; the
tests allow ten times that, because other work runs on the same computer, and print what they saw.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.helpers.fleet import Fleet, Machine
from tests.helpers.recorder import Recorder

Report = Callable[[str, object], None]

KILLED_S: Final = 1.0
STOPPED_S: Final = 5.0
PATIENCE: Final = 10

_FLEETS: Final = {
    "three": (("alice", "berta", "carla"), 3),
    "two": (("alice", "berta"), 2),
    "two of six awake": (("alice", "berta", "carla", "doris", "emma-x", "frida"), 2),
}


@pytest.fixture(scope="module", params=list(_FLEETS))
def awake(request: pytest.FixtureRequest) -> Iterator[list[Machine]]:
    """The machines of a fleet that run."""
    names, count = _FLEETS[request.param]
    with Fleet.found(*names) as fleet:
        machines = fleet.start_all(*names[:count])
        fleet.until_linked()
        for machine in machines:
            machine.until_reached(*(other.name for other in machines if other is not machine))
        yield machines


def test_a_killed_node_is_offline_for_all_others_and_returns(awake: list[Machine], record_property: Report) -> None:
    *others, victim = awake
    with _recorded(others) as recorders:
        at_s = victim.kill()
        for recorder in recorders:
            seen = recorder.wait(
                "verdict", within_s=PATIENCE * KILLED_S, since_s=at_s, machine=victim.name, state="offline"
            )
            _report(record_property, f"killed, {len(awake)} awake: offline at {recorder.name}", seen.at_s - at_s)
        victim.start()
        _until_back(recorders, victim, at_s)


def test_a_stopped_node_is_offline_for_all_others_and_returns(awake: list[Machine], record_property: Report) -> None:
    *others, victim = awake
    with _recorded(others) as recorders, victim.record() as own:
        at_s = victim.signal(signal.SIGSTOP)
        try:
            for recorder in recorders:
                seen = recorder.wait(
                    "verdict", within_s=PATIENCE * STOPPED_S, since_s=at_s, machine=victim.name, state="offline"
                )
                _report(record_property, f"stopped, {len(awake)} awake: offline at {recorder.name}", seen.at_s - at_s)
        finally:
            continued_s = victim.signal(signal.SIGCONT)
        _until_back(recorders, victim, continued_s)
        for other in others:
            victim.until_state(other.name, "online")
            told = [state for _, state, _ in own.verdicts(other.name)]
            assert "offline" not in told, "the node that slept blames those that did not"


def test_members_that_never_ran_are_shown_with_no_evidence(awake: list[Machine]) -> None:
    running = {machine.name for machine in awake}
    for machine in awake:
        for row in machine.client.machines()["machines"]:
            if row["machine"] in running:
                assert row["state"] == "online", row
            else:
                assert row["state"] in ("offline", "unknown"), row
                assert row["evidence"] == {"path": "none", "via": None, "age_s": None}


@contextlib.contextmanager
def _recorded(machines: list[Machine]) -> Iterator[list[Recorder]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(machine.record()) for machine in machines]


def _until_back(recorders: list[Recorder], victim: Machine, since_s: float) -> None:
    for recorder in recorders:
        recorder.wait("verdict", within_s=50, since_s=since_s, machine=victim.name, state="online")


def _report(record_property: Report, what: str, seconds: float) -> None:
    record_property(what, round(seconds, 3))
    print(f"{what}: {seconds:.3f} s")
