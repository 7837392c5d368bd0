"""A fleet that is too large for a full mesh: real cores, every checker, and what it costs (docs/simulation.md §7).

    1  all start within two seconds, and everybody has to see everybody
    2  rest: what it costs
    3  messages to all, and requests to the one order
    4  one machine is killed, and has to be noticed
    5  another one sleeps, misses a message, and comes back

What is promised is checked as it happens; what it costs is measured and printed.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import statistics
import time
from collections.abc import Callable
from typing import Final

from roosync_p2p.core.commands import OrderEntry, SendMessage
from roosync_p2p.errors import RoosyncError
from roosync_p2p.ids import ALL, Address
from roosync_p2p.ledger.bodies import ClaimAcquire
from roosync_p2p.liveness.profile import LAN
from roosync_p2p.liveness.verdicts import State
from roosync_p2p.simulation import inspection, order_facts
from roosync_p2p.simulation.checkers.commits import Answered
from roosync_p2p.simulation.checkers.delivery import Acknowledged
from roosync_p2p.simulation.checkers.violation import Violation
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.member import Member
from roosync_p2p.simulation.parts import Parts, real_parts
from roosync_p2p.simulation.traffic import Traffic
from roosync_p2p.simulation.voting import Voting
from roosync_p2p.simulation.watch import Watch
from roosync_p2p.simulation.world import HURRIED

__all__ = ["FRAME_OVERHEAD_BYTES", "LargeFleet", "Pastime", "Report"]

FRAME_OVERHEAD_BYTES: Final = 70  # of a small frame: TCP and IP 40, TLS 22, websocket 4 to 8
TOGETHER_S: Final = 90.0  # for everybody to see everybody, and for five to vote
SPREAD_S: Final = 30.0  # for messages and commits to be everywhere
KILLED_KNOWN_S: Final = 5.0  # like a silent machine in a small fleet: some of its neighbours are refused at once
LOOK_S: Final = 0.1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pastime:
    """How long the parts of a run take, in virtual seconds, and how much happens in them.

    Attributes:
        starts_s: all start within this.
        settles_s: links that nobody needs are closed by then, and frontiers are signed.
        rests_s: the cost is measured over this.
        sleeps_s: one machine sleeps so much longer than it takes to be noticed; 0: nobody sleeps.
        senders: messages to all.
        requests: to the one order.
        voters: so many are waited for.
    """

    starts_s: float = 2.0
    settles_s: float = 15.0
    rests_s: float = 10.0
    sleeps_s: float = 10.0
    senders: int = 3
    requests: int = 3
    voters: int = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run of a large fleet found, and what it cost.

    Attributes:
        links: of each node at rest.
        together_s: until everybody saw everybody.
        sent_bytes: of each node at rest, a second, with the overhead of TCP, TLS and websockets.
        received_bytes: likewise.
        kinds: the bytes that were sent at rest by kind of frame, of all nodes together, a second.
        cpu: processor time of a node at rest, checkers and simulated network included, as a share of one processor.
        spread_s: from a message's acknowledgement until everybody had it, the slowest; commits likewise.
        killed_s: until each of the others called a killed machine offline.
        slept_s: the same for one that fell asleep.
        back_s: from its waking until everybody saw it again and it had everything.
    """

    members: int
    violations: tuple[Violation, ...]
    voters: int
    links: tuple[int, ...]
    together_s: float
    sent_bytes: tuple[float, ...]
    received_bytes: tuple[float, ...]
    kinds: dict[str, float]
    cpu: float
    spread_s: float
    committed_s: float
    killed_s: tuple[float, ...]
    slept_s: tuple[float, ...]
    back_s: float
    virtual_s: float
    took_s: float

    def lines(self) -> list[str]:
        """For people."""
        kinds = sorted(self.kinds.items(), key=lambda item: -item[1])[:6]
        total = sum(self.kinds.values())
        shares = ", ".join(f"{kind} {share / total:.0%}" for kind, share in kinds)
        return [
            f"{self.members} members, {self.voters} voters: {self.virtual_s:.0f} virtual s in {self.took_s:.0f} s",
            f"  everybody saw everybody after  {self.together_s:.1f} s",
            f"  links a node                   {_spread(self.links, '')}",
            f"  bytes a second, sent at rest   {_spread(self.sent_bytes, '')}",
            f"  bytes a second, received       {_spread(self.received_bytes, '')}",
            f"  of what                        {shares}",
            f"  processor a node at rest       {100 * self.cpu:.2f} %, checkers included",
            f"  message in every inbox         {self.spread_s:.1f} s",
            f"  commit applied everywhere      {self.committed_s:.1f} s",
            f"  killed, known to each          {_spread(self.killed_s, ' s')}",
            f"  asleep, known to each          {_spread(self.slept_s, ' s')}",
            f"  awake again, seen and complete {self.back_s:.1f} s",
        ]


def _spread(values: tuple[float, ...], unit: str) -> str:
    if not values:
        return "never"
    digits = 1 if unit else 0
    return f"mean {statistics.fmean(values):.{digits}f}{unit}, max {max(values):.{digits}f}{unit}"


def _on_the_wire(traffic: Traffic) -> int:
    return traffic.size_bytes + FRAME_OVERHEAD_BYTES * traffic.frames


class _Meter(Watch):
    """Every checker, and a count of what is sent while it is wanted."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.prepare)
        self._parts = parts
        self.counting = False
        self.kinds: collections.Counter[str] = collections.Counter()

    def sent(self, member: Member, frame: bytes) -> None:
        """Observer: a frame left."""
        super().sent(member, frame)
        if self.counting:
            prepared = self._parts.prepare(frame, member.node().directory)
            relayed = "relayed " if getattr(prepared.frame, "relayed", False) else ""
            self.kinds[relayed + type(prepared.frame).__name__] += len(frame) + FRAME_OVERHEAD_BYTES


class LargeFleet:
    """One seeded run; build, then :meth:`run`."""

    def __init__(self, members: int, seed: int, *, pastime: Pastime | None = None, parts: Parts | None = None) -> None:
        self._pastime = pastime if pastime is not None else Pastime()
        self._dice = Dice.of(seed, f"large {members}")
        self._machines = [f"machine-{number:03d}" for number in range(members)]
        self._parts = parts if parts is not None else real_parts()
        self._watch = _Meter(self._parts)
        self.fleet = Fleet(
            self._machines, dice=self._dice, parts=self._parts, observer=self._watch, pace=HURRIED, profile=LAN
        )
        self._watch.attach(self.fleet, overheard=lambda _envelope: None, touched=lambda: None)
        self._voting = Voting(self.fleet)

    def run(self) -> Report:
        """Everything, from the first start to the last check."""
        began_s = time.monotonic()
        together_s = self._start()
        sent_bytes, received_bytes, cpu = self._rest()
        links = tuple(len(member.node().links.peers()) for member in self.fleet.running())
        self._all_are("after a rest", self.fleet.running(), State.ONLINE)
        spread_s, committed_s = self._use(self._pastime.senders, self._pastime.requests)
        killed_s = self._kill()
        slept_s, back_s = self._sleep() if self._pastime.sleeps_s else ((), 0.0)
        running = self.fleet.running()
        self._watch.found(self._watch.delivery.finish(inspection.inboxes(running), self.fleet.now_s))
        self._watch.found(self._watch.durability.finish())
        self._watch.order.finish(running, self._voting.taking_part())
        return Report(
            members=len(self._machines),
            violations=tuple(self._watch.violations),
            voters=len(self._voting.voters()),
            links=links,
            together_s=together_s,
            sent_bytes=sent_bytes,
            received_bytes=received_bytes,
            kinds={kind: count / self._pastime.rests_s for kind, count in self._watch.kinds.items()},
            cpu=cpu,
            spread_s=spread_s,
            committed_s=committed_s,
            killed_s=killed_s,
            slept_s=slept_s,
            back_s=back_s,
            virtual_s=self.fleet.now_s,
            took_s=time.monotonic() - began_s,
        )

    # --- the parts of a run ---------------------------------------------------------------------------------------

    def _start(self) -> float:
        for member in self.fleet.members.values():
            starts = functools.partial(self._started, member)
            self.fleet.scheduler.schedule(self._dice.between(0, self._pastime.starts_s), starts)
        self.fleet.run(self._pastime.starts_s)
        members = len(self._machines)

        def together() -> bool:
            return all(
                len(judge.node().members()) == members and not self._not(State.ONLINE, judge, self.fleet.running())
                for judge in self.fleet.running()
            )

        return self._pastime.starts_s + self._until(together, TOGETHER_S, "everybody to see everybody")

    def _started(self, member: Member) -> None:
        self._watch.truth.started(member.name)
        member.start()

    def _rest(self) -> tuple[tuple[float, ...], tuple[float, ...], float]:
        wanted = self._pastime.voters
        self._until(lambda: len(self._voting.voters()) == wanted, TOGETHER_S, f"{wanted} voters")
        self.fleet.run(self._pastime.settles_s)
        members = self.fleet.running()
        before = [(_on_the_wire(member.sent), _on_the_wire(member.received)) for member in members]
        cpu_s = time.process_time()
        self._watch.counting = True
        self.fleet.run(self._pastime.rests_s)
        self._watch.counting = False
        cpu = (time.process_time() - cpu_s) / self._pastime.rests_s / len(members)
        after = [(_on_the_wire(member.sent), _on_the_wire(member.received)) for member in members]
        rates = [
            ((sent - sent_before) / self._pastime.rests_s, (received - received_before) / self._pastime.rests_s)
            for (sent, received), (sent_before, received_before) in zip(after, before, strict=True)
        ]
        return tuple(sent for sent, _ in rates), tuple(received for _, received in rates), cpu

    def _use(self, senders: int, requests: int) -> tuple[float, float]:
        """Messages to all from some, and claims of others, none of them the leader's."""
        running = self.fleet.running()
        for number, member in enumerate(self._dice.sample(running, senders)):
            self._send(member, f"message {number} of {member.name} at {self.fleet.now_s:.1f}")
        spread_s = self._until(self._delivered, SPREAD_S, "messages to be in every inbox")
        asked: list[Member] = self._dice.sample(self._outsiders(), requests)
        answers: list[int] = []
        for number, member in enumerate(asked):
            self._claim(member, f"issue-{number}-{self.fleet.now_s:.0f}", answers)
        committed_s = self._until(lambda: self._applied(answers, len(asked)), SPREAD_S, "commits to be everywhere")
        return spread_s, committed_s

    def _kill(self) -> tuple[float, ...]:
        member = self._dice.choose(self._outsiders())
        member.crash()
        known = self._known(member, KILLED_KNOWN_S)
        self.fleet.run(1.0)
        self._started(member)
        # It has to hear of everybody too: whom it never heard it may call offline only after a whole relayed limit.
        self._until(
            lambda: self._everybody_sees(member) and not self._not(State.ONLINE, member, self.fleet.running()),
            SPREAD_S,
            f"{member.name} to be seen again, and to see everybody",
        )
        return known

    def _sleep(self) -> tuple[tuple[float, ...], float]:
        member = self._dice.choose(self._outsiders())
        self._watch.truth.stopped(member.name, "asleep")
        self.fleet.sleep(member.name)
        limit_s = LAN.for_members(len(self._machines)).relayed_offline_s
        known = self._known(member, limit_s)
        sender = self._dice.choose(self.fleet.running())
        self._send(sender, f"while {member.name} slept")
        self.fleet.run(self._pastime.sleeps_s)
        self._watch.truth.resumed(member.name)
        self.fleet.wake(member.name)
        back_s = self._until(
            lambda: self._everybody_sees(member) and self._delivered(), SPREAD_S + limit_s, f"{member.name} to be back"
        )
        return known, back_s

    # --- what users do --------------------------------------------------------------------------------------------

    def _send(self, member: Member, body: str) -> None:
        command = SendMessage(
            to=(Address(machine=ALL),),
            subject=body,
            body=body,
            type="text",
            priority="MEDIUM",
            tags=(),
            workspace=None,
            thread_id=None,
            in_reply_to=None,
            idempotency_key=body,
            remembered=None,
        )

        def answered(result: dict[str, object] | RoosyncError) -> None:
            if isinstance(result, RoosyncError):
                self._wrong(f"{member.name} did not send: {result}")
                return
            me = str(member.identity.machine)
            boxes = tuple((machine, "") for machine in self._machines if machine != me)
            self._watch.delivery.acknowledged(
                Acknowledged(
                    at_s=self.fleet.now_s,
                    member=member.name,
                    machine=me,
                    entry=str(result["entry"]),
                    message_id=str(result["id"]),
                    key=body,
                    body=body,
                    boxes=boxes,
                )
            )

        member.request(command, answered)

    def _claim(self, member: Member, name: str, answers: list[int]) -> None:
        body = ClaimAcquire(name=name, ttl_ms=60_000, session="s1")
        asked_s = self.fleet.now_s

        def answered(result: dict[str, object] | RoosyncError) -> None:
            if isinstance(result, RoosyncError):
                self._wrong(f"{member.name} was not answered: {result}")
                return
            outcome, number = result["outcome"], result["commit_number"]
            assert isinstance(outcome, dict)
            assert isinstance(number, int)
            answers.append(number)
            fact = Answered(
                member=member.name,
                entry=str(result["entry"]),
                number=number,
                accepted=bool(outcome["accepted"]),
                reason=str(outcome["reason"]),
                asked_s=asked_s,
                answered_s=self.fleet.now_s,
                on_disk=order_facts.item_names(member.disk, str(result["entry"])),
            )
            self._watch.order.found(self._watch.order.branches.of(member.name).commits.answered(fact))

        order = OrderEntry(kind="claim.acquire", body=body, timeout_s=SPREAD_S, idempotency_key=name)
        member.request(order, answered)

    # --- what is looked at ----------------------------------------------------------------------------------------

    def _outsiders(self) -> list[Member]:
        """Running members that neither vote nor founded the fleet."""
        seated = {seat.machine for seat in self._voting.voters()} | {self.fleet.keys.founder}
        return [member for member in self.fleet.running() if member.identity.machine not in seated]

    def _delivered(self) -> bool:
        wanted = self._watch.delivery.count()
        boxes = inspection.inboxes(self.fleet.running())
        sent = collections.Counter(message.machine for message in self._watch.delivery.all())
        return wanted > 0 and all(len(box) >= wanted - sent[machine] for (_, machine), box in boxes.items())

    def _applied(self, answers: list[int], wanted: int) -> bool:
        newest = max(answers, default=0)
        return len(answers) == wanted and all(
            member.node().commit.reached[1] >= newest for member in self.fleet.running()
        )

    def _known(self, member: Member, limit_s: float) -> tuple[float, ...]:
        """How long it took each of the others to call that machine offline; who does not within the limit is found."""
        began_s = self.fleet.now_s
        left = [judge for judge in self.fleet.running() if judge is not member]
        took: list[float] = []
        while left and self.fleet.now_s < began_s + limit_s:
            self.fleet.run(LOOK_S)
            still = [judge for judge in left if self._not(State.OFFLINE, judge, [member])]
            took += [self.fleet.now_s - began_s] * (len(left) - len(still))
            left = still
        for judge in left:
            self._wrong(f"{judge.name} did not notice within {limit_s:.0f} s that {member.name} is gone")
        return tuple(took)

    def _everybody_sees(self, member: Member) -> bool:
        return not any(self._not(State.ONLINE, judge, [member]) for judge in self.fleet.running())

    def _all_are(self, when: str, judged: list[Member], state: State) -> None:
        for judge in self.fleet.running():
            for machine, shown in self._not(state, judge, judged):
                self._wrong(f"{when} {judge.name} says {shown} of {machine}")

    def _not(self, state: State, judge: Member, judged: list[Member]) -> list[tuple[str, State]]:
        """The machines of which a member says something else."""
        liveness, now = judge.node().presence.liveness, judge.clock.now()
        said = [
            (str(other.identity.machine), liveness.verdict(other.identity.machine, now).state)
            for other in judged
            if other is not judge
        ]
        return [(machine, shown) for machine, shown in said if shown is not state]

    def _until(self, true: Callable[[], bool], limit_s: float, what: str) -> float:
        """Runs until that is true; how long it took. What takes longer than its limit is found."""
        began_s = self.fleet.now_s
        while not true():
            if self.fleet.now_s >= began_s + limit_s:
                self._wrong(f"{what} took more than {limit_s:.0f} s")
                break
            self.fleet.run(LOOK_S)
        return self.fleet.now_s - began_s

    def _wrong(self, text: str) -> None:
        self._watch.found([Violation(checker="large", at_s=self.fleet.now_s, text=text)])
