"""One node's liveness in virtual time: machines beat, time advances from deadline to deadline, nothing sleeps.

Times are recorded to the microsecond: a limit of 4.8 s is no binary fraction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from roosync_p2p.clock import Now
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.detector import Liveness
from roosync_p2p.liveness.heartbeat import Health, Heartbeat
from roosync_p2p.liveness.profile import LAN, Profile
from roosync_p2p.liveness.verdicts import (
    AskHears,
    Heard,
    Path,
    Question,
    Redial,
    RedialOutcome,
    State,
    TellLost,
    Verdict,
)

__all__ = ["ME", "WALL_MS", "Driver", "Peer", "heartbeat", "moment"]

ME = MachineId("node-me")
WALL_MS = 1_770_000_000_000
_ZERO_S = 1_024.0  # a power of two: quarter seconds stay exact


def moment(at_s: float) -> Now:
    """A moment of a computer whose two clocks agree."""
    return Now(monotonic_s=_ZERO_S + at_s, wall_ms=WALL_MS + round(at_s * 1000))


def heartbeat(machine: str = "node-b", **fields: object) -> Heartbeat:
    """A legal heartbeat, with what a test wants to be otherwise."""
    legal: dict[str, object] = {
        "machine": machine,
        "start": 1,
        "boot": machine.encode().ljust(16, b"\0")[:16],
        "counter": 1,
        "wall_ms": WALL_MS,
        "interval_ms": 1000,
    }
    return Heartbeat(**(legal | fields))  # type: ignore[arg-type]  # fields are given by name in the tests


@dataclasses.dataclass
class Peer:
    """Another machine as it sees itself."""

    machine: MachineId
    start: int = 1
    counter: int = 0
    ahead_s: float = 0.0  # how far its wall clock is ahead
    boot: bytes = b""

    def beat(self, at_s: float, **fields: object) -> Heartbeat:
        """Its next heartbeat, made at that time."""
        self.counter += 1
        boot = self.boot or f"{self.machine[-8:]}{self.start}".encode().ljust(16, b"\0")[:16]
        wall_ms = WALL_MS + round((at_s + self.ahead_s) * 1000)
        own = {"start": self.start, "boot": boot, "counter": self.counter, "wall_ms": wall_ms}
        return heartbeat(self.machine, **(own | fields))

    def restart(self) -> None:
        """A new start."""
        self.start += 1
        self.counter = 0


class Driver:
    """A node, its peers and what it told, with times in seconds since it started."""

    def __init__(self, *names: str, profile: Profile = LAN) -> None:
        self.at_s = 0.0
        self.view = Liveness(me=ME, profile=profile, now=moment(0))
        self.peers = {name: Peer(MachineId(name)) for name in names}
        self.asked: list[tuple[float, Question]] = []
        self.told: list[tuple[float, str, State]] = []
        self.view.set_members([ME, *(peer.machine for peer in self.peers.values())], self.now)
        self.drain()

    @property
    def now(self) -> Now:
        return moment(self.at_s)

    def drain(self) -> None:
        at_s = round(self.at_s, 6)
        self.asked += [(at_s, question) for question in self.view.questions()]
        self.told += [(at_s, change.after.machine, change.after.state) for change in self.view.changes()]

    def advance(self, to_s: float) -> None:
        """Ticks at every deadline up to that time."""
        while (deadline_s := self.view.next_deadline()) is not None and deadline_s <= _ZERO_S + to_s:
            assert deadline_s >= _ZERO_S + self.at_s
            self.at_s = deadline_s - _ZERO_S
            self.view.tick(self.now)
            self.drain()
        self.at_s = to_s

    def link(self, *names: str) -> None:
        for name in names:
            self.view.link_up(MachineId(name), self.now)
        self.drain()

    def unlink(self, *names: str) -> None:
        for name in names:
            self.view.link_down(MachineId(name), self.now)
        self.drain()

    def hear(self, beat: Heartbeat, *, via: str | None = None, age_s: float = 0.0) -> Heard:
        path = Path.DIRECT if via is None else Path.RELAYED
        heard = self.view.heard(beat, path=path, via=None if via is None else MachineId(via), age_s=age_s, now=self.now)
        self.drain()
        return heard

    def beat(self, name: str, *, via: str | None = None, age_s: float = 0.0, health: Health | None = None) -> Heard:
        """The peer's next heartbeat arrives now."""
        fields = {} if health is None else {"health": health}
        return self.hear(self.peers[name].beat(self.at_s - age_s, **fields), via=via, age_s=age_s)

    def keep_beating(self, names: Iterable[str], to_s: float, *, every_s: float = 1.0) -> None:
        """Direct heartbeats of these machines, now and at each interval, until just before ``to_s``."""
        wanted = list(names)
        while self.at_s < to_s:
            for name in wanted:
                self.beat(name)
            self.advance(min(self.at_s + every_s, to_s))

    def meet(self, *names: str) -> None:
        """Links to these machines, each with its first heartbeat."""
        self.link(*names)
        for name in names:
            self.beat(name)

    def redialled(self, name: str, outcome: RedialOutcome) -> None:
        self.view.redialled(MachineId(name), outcome, self.now)
        self.drain()

    def lost(self, name: str, *, by: str, start: int = 1) -> None:
        self.view.lost(reporter=MachineId(by), machine=MachineId(name), start=start, now=self.now)
        self.drain()

    def hears(self, name: str, *, by: str, age_s: float | None, start: int = 1) -> None:
        self.view.hears(reporter=MachineId(by), machine=MachineId(name), start=start, age_s=age_s, now=self.now)
        self.drain()

    def verdict(self, name: str) -> Verdict:
        return self.view.verdict(MachineId(name), self.now)

    def state(self, name: str) -> State:
        return self.verdict(name).state

    def told_of(self, name: str) -> list[tuple[float, State]]:
        """(time, state) of every change told about a machine."""
        return [(at_s, state) for at_s, machine, state in self.told if machine == name]

    def asked_of(self, kind: type[AskHears | Redial | TellLost], name: str) -> list[float]:
        """When a kind of question about a machine was raised."""
        return [at_s for at_s, question in self.asked if isinstance(question, kind) and question.machine == name]
