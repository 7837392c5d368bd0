"""Stories that several tests begin with."""

from __future__ import annotations

from typing import Any, Final

from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.bodies import ClaimAcquire, PolicySet
from roosync_p2p.ledger.documents import canonical_json
from roosync_p2p.ledger.lifecycle import Phase
from roosync_p2p.ledger.outcomes import Applied
from tests.ledger.deciding import approve, decided, propose, put, report, start
from tests.ledger.history import A, C, History

__all__ = ["MODEL", "NAME", "acquire", "applied_on", "conflicted", "story", "strategy"]

NAME: Final = "issue-42"
MODEL: Final = "file:settings.json#/model"


def acquire(history: History, machine: MachineId, session: str = "s1", name: str = NAME, **more: Any) -> Applied:
    """A session asks for a claim of a minute."""
    return history.say(machine, "claim.acquire", ClaimAcquire(name=name, ttl_ms=60_000, session=session, **more))


def strategy(history: History, table: dict[str, Any]) -> None:
    """A decides which conflict strategies are in force."""
    body = PolicySet(name="conflict.strategy", value=canonical_json(table), approve=True)
    assert history.say(A, "policy.set", body).outcome.detail["state"] == "applied"


def applied_on(history: History, decision: str, *machines: MachineId) -> None:
    """Machines apply a decision."""
    for machine in machines:
        assert start(history, machine, decision).outcome.accepted
        assert report(history, machine, decision, "applied", backup=True).outcome.accepted


def story(history: History) -> tuple[str, str]:
    """T1: A applies D1. T2: C is offline and does not see it. T3: C writes D2, which contradicts D1. T4: both exist.

    D2 is ordered when C is back, and an approver, who sees the conflict, approves it.
    """
    seen_by_c = history.number
    first = propose(history, A, put(MODEL, "large"), put("file:other", 1), targets=("all",))
    approve(history, A, first)
    applied_on(history, first, A)
    second = propose(history, C, put(MODEL, "small"), based_on=seen_by_c)
    assert decided(history, first).conflicts_with == (second,)
    assert decided(history, second).conflicts_with == (first,)
    assert decided(history, first).state is Phase.IN_PROGRESS  # noted, and nothing more
    return first, second


def conflicted(history: History) -> tuple[str, str]:
    """The story by hand, up to the conflict."""
    first, second = story(history)
    approve(history, A, second)
    return first, second
