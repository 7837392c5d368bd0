"""Any sequence of events: never a false offline, never one without proof, always at the announced time.

The naive twin looks at the node every eighth of a second instead of at its deadlines; all times are eighths, which are
exact, also the limits that both are given, so both must tell the same changes at the same times.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.profile import LAN
from roosync_p2p.liveness.verdicts import Path, RedialOutcome, State
from tests.liveness.driver import Driver

_NAMES = ("node-b", "node-c", "node-d")
_EIGHTH_S = 0.125
_IN_EIGHTHS = dataclasses.replace(LAN, offline_s=4.75)  # the naive twin would see 4.8 s late, at its next look


@dataclasses.dataclass(frozen=True)
class Event:
    """What happens, to whom, after how many eighths of a second."""

    kind: str
    machine: str
    other: str
    eighths: int
    number: int


_EVENTS = st.lists(
    st.builds(
        Event,
        kind=st.sampled_from(
            "beat beat beat relay up down refused silent unanswered opened "  # noqa: SIM905 - a word list
            "lost hears denies lag resumed leave restart traffic copy skew".split()
        ),
        machine=st.sampled_from(_NAMES),
        other=st.sampled_from(_NAMES),
        eighths=st.integers(0, 40),
        number=st.integers(0, 40),
    ),
    min_size=5,
    max_size=30,
)


class NaiveDriver(Driver):
    """Time passes in eighths of a second, with a look at each machine at every step."""

    def advance(self, to_s: float) -> None:
        while self.at_s < to_s:
            self.at_s = min(self.at_s + _EIGHTH_S, to_s)
            for machine in self.view.machines:
                self.view._look(self.view._tracks[machine], self.now.monotonic_s)
            self.drain()


def apply(fleet: Driver, event: Event) -> None:
    """One event, now."""
    machine, other = MachineId(event.machine), MachineId(event.other)
    peer, age_s = fleet.peers[event.machine], event.number * _EIGHTH_S
    match event.kind:
        case "beat":
            fleet.beat(machine)
        case "relay" if machine != other:
            fleet.beat(machine, via=other, age_s=age_s)
        case "up":
            fleet.link(machine)
        case "down":
            fleet.unlink(machine)
        case "refused" | "silent" | "unanswered" | "opened":
            fleet.redialled(machine, RedialOutcome(event.kind))
        case "lost":
            fleet.lost(machine, by=other, start=peer.start)
        case "hears":
            fleet.hears(machine, by=other, age_s=age_s, start=peer.start)
        case "denies":
            fleet.hears(machine, by=other, age_s=None)
        case "lag":
            fleet.view.loop_lag(age_s, fleet.now)
        case "resumed":
            fleet.view.resumed(fleet.now)
        case "leave":
            fleet.hear(peer.beat(fleet.at_s, state="leaving"))
        case "restart":
            peer.restart()
        case "traffic":
            fleet.view.traffic(machine, fleet.now)
        case "copy" if event.number == 0:
            fleet.hear(peer.beat(fleet.at_s, boot=bytes(16)))
        case "skew":
            peer.ahead_s += event.number * 100.0
    fleet.drain()


def play(fleet: Driver, events: Sequence[Event]) -> Driver:
    for event in events:
        fleet.advance(fleet.at_s + event.eighths * _EIGHTH_S)
        apply(fleet, event)
    fleet.advance(fleet.at_s + 20)
    return fleet


@settings(max_examples=60)
@given(_EVENTS)
def test_deadlines_tell_the_same_changes_at_the_same_times_as_looking_always(events: list[Event]) -> None:
    exact = play(Driver(*_NAMES, profile=_IN_EIGHTHS), events)
    naive = play(NaiveDriver(*_NAMES, profile=_IN_EIGHTHS), events)
    assert sorted(exact.told) == sorted(naive.told)
    assert sorted(map(str, exact.asked)) == sorted(map(str, naive.asked))


@settings(max_examples=30)
@given(_EVENTS)
def test_the_same_events_give_the_same_answers(events: list[Event]) -> None:
    one, two = play(Driver(*_NAMES), events), play(Driver(*_NAMES), events)
    assert (one.told, one.asked) == (two.told, two.asked)


@settings(max_examples=60)
@given(_EVENTS)
def test_offline_never_contradicts_fresh_direct_evidence_and_never_comes_without_proof(events: list[Event]) -> None:
    fleet = Driver(*_NAMES)
    heard_s: dict[str, float] = {}
    proofs: list[float] = []
    for event in events:
        fleet.advance(fleet.at_s + event.eighths * _EIGHTH_S)
        apply(fleet, event)
        if event.kind in ("beat", "leave", "up", "opened", "traffic", "refused", "silent"):
            proofs.append(fleet.at_s)
        if event.kind == "beat" and fleet.view._tracks[MachineId(event.machine)].link_up_s is not None:
            heard_s[event.machine] = fleet.at_s
        if event.kind == "refused":
            heard_s.pop(event.machine, None)
        for name in _NAMES:
            verdict = fleet.verdict(name)
            if name in heard_s and fleet.at_s - heard_s[name] < LAN.suspect_s:
                assert verdict.state is not State.OFFLINE
            if verdict.state is State.ONLINE:
                assert verdict.evidence.path in (Path.DIRECT, Path.RELAYED)
    first_offline_s = min((at_s for at_s, _, state in fleet.told if state is State.OFFLINE), default=None)
    assert first_offline_s is None or min(proofs) <= first_offline_s


@settings(max_examples=60)
@given(
    st.lists(
        st.builds(
            Event,
            kind=st.sampled_from(["relay", "unanswered", "lost", "hears", "denies", "lag", "skew"]),
            machine=st.sampled_from(_NAMES),
            other=st.sampled_from(_NAMES),
            eighths=st.integers(0, 40),
            number=st.integers(0, 40),
        ),
        max_size=40,
    )
)
def test_without_any_link_or_answered_dial_nobody_is_ever_offline(events: list[Event]) -> None:
    fleet = play(Driver(*_NAMES), events)
    assert State.OFFLINE not in {state for _, _, state in fleet.told}


def test_timers_of_a_large_fleet_do_not_pile_up() -> None:
    names = [f"node-{number:03}" for number in range(300)]
    fleet = Driver(*names)
    fleet.meet(*names[:24])
    fleet.keep_beating(names[:24], 60)
    assert len(fleet.view._agenda._heap) <= 3 * len(names)
    deadline_s = fleet.view.next_deadline()
    assert deadline_s is not None
    assert deadline_s > fleet.now.monotonic_s
