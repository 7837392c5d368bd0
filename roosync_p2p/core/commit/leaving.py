"""A node that is about to stop, or whose computer is about to sleep, hands over (docs/protocol/autopilot.md §3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from roosync_p2p.consensus.autopilot import Facts, Step
from roosync_p2p.consensus.handover import Asked, Done, HandOver, Outcome, Probe
from roosync_p2p.core.commit.order import Order
from roosync_p2p.core.commit.seat_facts import SeatFacts
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Answer, RequestId, Ticket
from roosync_p2p.core.links import Links
from roosync_p2p.core.wire import LeavingSoon

__all__ = ["Leaving"]

STEPS_MAX: Final = 8  # actions in one input; a hand-over takes fewer
RETRY_S: Final = 0.1  # what the consensus does not take yet is tried again after this


class Leaving:
    """Drives one hand-over at a time.

    ``act`` begins a step of the consensus, and says whether that took it; ``probe`` sends to all learners anew.
    """

    def __init__(
        self,
        desk: Desk,
        links: Links,
        order: Order,
        known: SeatFacts,
        *,
        act: Callable[[Facts, Step], bool],
        probe: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._links = links
        self._order = order
        self._known = known
        self._act = act
        self._probe = probe
        self._hand_over: HandOver | None = None
        self._requests: list[tuple[RequestId, float]] = []
        self._retry_at: float | None = None

    @property
    def active(self) -> bool:
        """Whether a hand-over is under way."""
        return self._hand_over is not None

    def begin(self, request: RequestId | None = None, *, timeout_s: float = 0.0) -> None:
        """Starts to hand over. A request is answered when that has ended, or after its timeout."""
        now_s = self._desk.now.monotonic_s
        if request is not None:
            self._requests.append((request, now_s + timeout_s))
        if self._hand_over is None:
            self._hand_over = HandOver(now_s=now_s)
            # To everybody: whoever leads next has to know it too, and nobody makes this machine a voter meanwhile.
            self._links.broadcast(LeavingSoon())

    def next_deadline(self) -> float | None:
        """When to look again (monotonic seconds)."""
        hand_over = self._hand_over
        due = [at_s for _, at_s in self._requests]
        if hand_over is not None:
            due += [at_s for at_s in (hand_over.next_deadline(), self._retry_at) if at_s is not None]
        return min(due, default=None)

    def step(self) -> None:
        """Does what is to be done now."""
        self._retry_at = None
        for _ in range(STEPS_MAX):
            if self._hand_over is None or not self._next(self._hand_over):
                break
        now_s = self._desk.now.monotonic_s
        late = [request for request, at_s in self._requests if at_s <= now_s]
        if late:
            facts = self._known.facts(vacated=False)
            self._requests = [(request, at_s) for request, at_s in self._requests if at_s > now_s]
            for request in late:
                voters = () if facts is None else facts.voters
                self._answer(request, Done(outcome=Outcome.VOTES_WITH, voters=voters, text="still handing over"))

    def _next(self, hand_over: HandOver) -> bool:
        """One action; whether there may be another one at once."""
        facts, status = self._known.facts(vacated=False), self._order.status
        if facts is None or status is None:
            self._end(Done(outcome=Outcome.NOT_A_VOTER, voters=(), text=Outcome.NOT_A_VOTER.value))
            return False
        action = hand_over.next(facts, leader=status.leader, now_s=self._desk.now.monotonic_s)
        match action:
            case Asked(leader=leader):
                self._links.send(leader.machine, LeavingSoon())
            case Probe():
                self._probe()
            case Step():
                if not self._act(facts, action):
                    self._retry_at = self._desk.now.monotonic_s + RETRY_S
                    return False
            case Done():
                self._end(action)
        return action is not None and self._hand_over is not None

    def _end(self, done: Done) -> None:
        self._hand_over = None
        self._desk.count(f"hand_over.{done.outcome.name.lower()}")
        self._desk.notify("hand_over", _data(done))
        requests, self._requests = self._requests, []
        for request, _ in requests:
            self._answer(request, done)

    def _answer(self, request: RequestId, done: Done) -> None:
        self._desk.emit(Answer(request=request, result=_data(done), after=Ticket(0)))


def _data(done: Done) -> dict[str, object]:
    return {
        "handed_over": done.outcome in (Outcome.HANDED_OVER, Outcome.NOT_A_VOTER),
        "state": done.text,
        "voters": [voter.machine for voter in done.voters],
    }
