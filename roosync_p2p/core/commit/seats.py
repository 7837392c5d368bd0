"""Moves the quorum: a leader does what the autopilot says, a leaver hands over (docs/protocol/autopilot.md §2, §3).

    heartbeats, verdicts, register ─▶ facts ─▶ the one next step ─▶ the consensus
                                                     │ a learner that did not answer just now is asked first
                                                     ▼
                                       a voter that has just died is never added to the only one

A leader looks once a second, and at once when something happens that may matter.
"""

from __future__ import annotations

from typing import Final

from roosync_p2p import limits
from roosync_p2p.consensus.autopilot import Facts, Membership, Step, StepKind, next_step
from roosync_p2p.consensus.items import Seat
from roosync_p2p.consensus.raft import Raft, Status
from roosync_p2p.consensus.state import Refusal, Role
from roosync_p2p.core.commit.applier import VOTERS_KIND, Applier, Committed
from roosync_p2p.core.commit.clock import CommitClock
from roosync_p2p.core.commit.lagging import Lagging
from roosync_p2p.core.commit.leaving import Leaving
from roosync_p2p.core.commit.order import Order
from roosync_p2p.core.commit.seat_facts import ANSWERS_S, SeatFacts
from roosync_p2p.core.commit.undecided import undecided
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import RequestId
from roosync_p2p.core.links import Links
from roosync_p2p.core.presence import Presence
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.heartbeat import Heartbeat

__all__ = ["Seats"]

RETRY_S: Final = 0.1  # a step that the consensus could not take yet is looked at again after this
_MATTERS: Final = ("voters.", "rules.", "policy.")  # events of the ledger by which another step may be the right one


class Seats:
    """Who votes, and who should.

    Args:
        stored: the book of awake time as it is on the disk; b"" for none.
    """

    def __init__(
        self,
        desk: Desk,
        links: Links,
        presence: Presence,
        order: Order,
        applier: Applier,
        clock: CommitClock,
        *,
        stored: bytes = b"",
    ) -> None:
        self._desk = desk
        self._links = links
        self._order = order
        self._applier = applier
        self._clock = clock
        self.known = SeatFacts(desk, links, presence, order, applier, stored=stored)
        self._leaving = Leaving(desk, links, order, self.known, act=self._act, probe=self._probe)
        self._lagging = Lagging(desk, links, order, applier)
        self._look_at: float | None = None
        self._probed_until = 0.0
        self._vacated = False
        self._waited_at = 0  # the commit index when a change was begun, or refused
        self.last_step: Step | None = None
        self.autopilot = True  # off where somebody else decides who votes: a simulation's dice

    # --- what happened --------------------------------------------------------------------------------------------

    def heard(self, heartbeat: Heartbeat) -> None:
        """A heartbeat of another machine."""
        if self.known.heard(heartbeat):
            self.reachable_changed()
            self._look_soon()
        self.known.keep()

    def ahead(self, machine: MachineId, size: int) -> None:
        """A heartbeat says that its machine has applied so many commits, which are more than here."""
        self._lagging.ahead(machine, size)

    def verdict_changed(self) -> None:
        """Liveness changed its mind about a machine."""
        self.reachable_changed()
        self._look_soon()

    def leaving_soon(self, machine: MachineId) -> None:
        """A machine says that it is about to stop."""
        self.known.leaving_soon(machine)
        self._look_soon()

    def changed(self, status: Status) -> None:
        """Role, term, leader or configuration changed."""
        if status.role is not Role.LEADER:
            self._look_at = None
            self._vacated = False
            return
        self.reachable_changed()
        self._look_soon()

    def applied(self, done: Committed) -> None:
        """Something was applied here."""
        told = any(event.name.startswith(_MATTERS) for event in done.events)
        if told or done.register_changed or done.kind == VOTERS_KIND:
            self._look_soon()

    def reachable_changed(self) -> None:
        """To whom there is a way is different now: they get the log from this node, while it leads."""
        raft = self._order.raft
        if raft is not None and self._order.leads:
            raft.set_learners(self._learners(), self._desk.now.monotonic_s)
            self._order.drain()

    # --- leaving --------------------------------------------------------------------------------------------------

    def hand_over(self) -> None:
        """This node is about to stop: its vote and its lead go to others, within five seconds."""
        self._leaving.begin()

    def hand_over_for(self, request: RequestId, timeout_s: float) -> None:
        """The same for a user, or for a computer that is about to sleep; answered with what came of it."""
        self._leaving.begin(request, timeout_s=timeout_s)

    @property
    def handing_over(self) -> bool:
        """Whether that is not over yet."""
        return self._leaving.active

    # --- for people -----------------------------------------------------------------------------------------------

    @property
    def on_battery(self) -> bool:
        """Whether this computer runs on battery."""
        return self.known.on_battery

    @on_battery.setter
    def on_battery(self, on_battery: bool) -> None:
        self.known.on_battery = on_battery

    def waits_for(self) -> tuple[str, dict[str, object]]:
        """What an undecided request waits for, in words and as facts."""
        return undecided(self._order, self.known, self._clock)

    # --- time -----------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When to look again (monotonic seconds)."""
        look_at = None if self._look_at is None else max(self._look_at, self._probed_until)
        next_look = self._leaving.next_deadline() if self._leaving.active else look_at
        return min((at for at in (next_look, self._lagging.next_deadline()) if at is not None), default=None)

    def tick(self) -> None:
        """Looks, if it is time, or if what was waited for is committed."""
        self._lagging.tick()
        if self._leaving.active:
            self._leaving.step()
            self._look_soon()
            return
        raft, now_s = self._order.raft, self._desk.now.monotonic_s
        if raft is None or self._look_at is None or now_s < self._probed_until:
            return
        if now_s >= self._look_at or 0 < self._waited_at < raft.commit:
            self._look(now_s)

    def _look_soon(self) -> None:
        """In this very input, if this node leads."""
        if self._order.leads:
            self._look_at = self._desk.now.monotonic_s

    def _look(self, now_s: float) -> None:
        more = len(self._desk.directory.members) / limits.FULL_MESH_MEMBERS_MAX
        self._look_at = now_s + limits.AUTOPILOT_INTERVAL_S * max(1.0, more)
        self._waited_at = 0
        self._clock.look()
        self.known.keep()
        facts = self.known.facts(vacated=self._vacated)
        step = None if facts is None else next_step(facts, only_dismiss=not self.autopilot)
        if facts is not None and facts.pending:
            self._look_at = now_s + RETRY_S
        if facts is None or step is None:
            return
        if step.kind is StepKind.ADD and not self._answers(step.seat):
            self._probe()
        else:
            self._act(facts, step)

    # --- doing ----------------------------------------------------------------------------------------------------

    def _act(self, facts: Facts, step: Step) -> bool:
        """Begins a step; whether the consensus took it. What it does not take now is thought over again soon."""
        raft, now_s = self._order.raft, self._desk.now.monotonic_s
        assert raft is not None
        refusal = self._begun(raft, step)
        self._waited_at = raft.commit
        if refusal is not None:
            self._desk.count(f"autopilot.{refusal.value}")
            self._look_at = now_s + RETRY_S
            return False
        if step.kind is StepKind.REMOVE:
            self._vacated = facts.members[step.seat.machine].leaving and len(facts.voters) % 2 == 1
        else:
            self._vacated = False
        self.last_step = step
        self._desk.count(f"autopilot.{step.kind.value}")
        self._desk.notify("autopilot", {"step": step.kind.value, "machine": step.seat.machine, "reason": step.reason})
        self._order.drain()
        return True

    def _begun(self, raft: Raft, step: Step) -> Refusal | None:
        now_s = self._desk.now.monotonic_s
        if step.kind is StepKind.TRANSFER:
            return raft.transfer(step.seat, now_s)
        if not self._clock.may_stamp():
            return Refusal.BUSY
        begun = raft.change_voters(
            add=step.seat if step.kind is StepKind.ADD else None,
            remove=step.seat if step.kind is StepKind.REMOVE else None,
            replaces=raft.status.configuration.index,
            time_ms=self._clock.stamp_ms(),
            now_s=now_s,
        )
        return begun if isinstance(begun, Refusal) else None

    def _answers(self, learner: Seat) -> bool:
        """Whether a learner answered a moment ago. Added to the only voter, a dead one would take the majority."""
        raft, now_s = self._order.raft, self._desk.now.monotonic_s
        return raft is not None and any(
            peer.seat == learner and now_s - peer.heard_s <= ANSWERS_S for peer in raft.peers()
        )

    def _probe(self) -> None:
        """Forgets what learners have, and sends to all of them again: who answers is there."""
        raft, now_s = self._order.raft, self._desk.now.monotonic_s
        assert raft is not None
        self._probed_until = self._look_at = now_s + limits.HAND_OVER_ANSWER_S
        raft.set_learners((), now_s)
        raft.set_learners(self._learners(), now_s)
        self._order.drain()

    def _learners(self) -> list[Seat]:
        """All that there is a way to; in a large fleet those that may become voters, the others help each other."""
        seats = self.known.reachable()
        if len(self._desk.directory.members) <= limits.FULL_MESH_MEMBERS_MAX:
            return seats
        facts = self.known.facts(vacated=False)
        if facts is None:
            return seats[: limits.CANDIDATES_MAX]
        members = [facts.members[seat.machine] for seat in seats if seat.machine in facts.members]
        could = [member for member in members if member.membership is Membership.ACTING and not member.leaving]
        could.sort(key=lambda m: (m.seat.machine not in facts.preferred, -m.awake_s, m.seat))
        return [member.seat for member in could[: limits.CANDIDATES_MAX]]
