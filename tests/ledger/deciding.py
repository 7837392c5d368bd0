"""Short words for the tests of decisions."""

from __future__ import annotations

from typing import Any

from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.baseline import baseline_of
from roosync_p2p.ledger.decision_bodies import (
    Action,
    BaselineSet,
    DecisionApprove,
    DecisionPropose,
    DecisionReject,
    DecisionReport,
    DecisionResolve,
    DecisionStart,
    PersonVerdict,
)
from roosync_p2p.ledger.decision_state import DecisionState, decision_of
from roosync_p2p.ledger.documents import Json, canonical_json, parse_json
from roosync_p2p.ledger.outcomes import Applied
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import verdict_bytes
from tests.ledger.history import FLEET, History

__all__ = [
    "approve",
    "baseline",
    "decided",
    "merge",
    "propose",
    "put",
    "reject",
    "removal",
    "report",
    "resolve",
    "set_baseline",
    "signed",
    "start",
]


def put(resource: str, value: Json) -> Action:
    """A ``set``."""
    return Action(op="set", resource=resource, value=canonical_json(value))


def merge(resource: str, patch: Json) -> Action:
    """A ``merge``."""
    return Action(op="merge", resource=resource, value=canonical_json(patch))


def removal(resource: str) -> Action:
    """A ``remove``."""
    return Action(op="remove", resource=resource)


def propose(history: History, machine: MachineId, *actions: Action, based_on: int | None = None, **more: Any) -> str:
    """An accepted proposal; its id."""
    body = DecisionPropose(
        title="a change",
        targets=more.pop("targets", ("all",)),
        actions=actions or (put("file:settings.json#/model", "large"),),
        based_on=history.number if based_on is None else based_on,
        **more,
    )
    outcome = history.say(machine, "decision.propose", body).outcome
    assert outcome.accepted, outcome
    assert outcome.detail["id"] == f"D{history.number}"
    return f"D{history.number}"


def decided(history: History, decision: str) -> DecisionState:
    """A decision as it stands."""
    found = decision_of(history.state, decision)
    assert found is not None
    return found


def approve(history: History, machine: MachineId, decision: str, **more: Any) -> Applied:
    """An approval of the revision that stands."""
    body = DecisionApprove(decision=decision, revision=more.pop("revision", decided(history, decision).hash), **more)
    return history.say(machine, "decision.approve", body)


def reject(history: History, machine: MachineId, decision: str, **more: Any) -> Applied:
    """A rejection of the revision that stands."""
    body = DecisionReject(decision=decision, revision=more.pop("revision", decided(history, decision).hash), **more)
    return history.say(machine, "decision.reject", body)


def resolve(history: History, machine: MachineId, decision: str, keep: str, **more: Any) -> Applied:
    """A resolution of a conflict."""
    body = DecisionResolve(decision=decision, revision=decided(history, decision).hash, keep=keep, **more)
    return history.say(machine, "decision.resolve", body)


def start(history: History, machine: MachineId, decision: str, attempt: int = 1, **more: Any) -> Applied:
    """A target takes an attempt."""
    revision = decided(history, decision).hash
    body = DecisionStart(**{"decision": decision, "revision": revision, "attempt": attempt, **more})
    return history.say(machine, "decision.start", body)


def report(history: History, machine: MachineId, decision: str, result: Any, attempt: int = 1, **more: Any) -> Applied:
    """A target says what became of its attempt."""
    body = DecisionReport(decision=decision, attempt=attempt, result=result, **more)
    return history.say(machine, "decision.report", body)


def set_baseline(history: History, machine: MachineId, patch: Json, version: int, **more: Any) -> str:
    """An accepted change of the baseline; its decision's id."""
    body = BaselineSet(version=version, patch=canonical_json(patch), **more)
    outcome = history.say(machine, "baseline.set", body).outcome
    assert outcome.accepted, outcome
    return f"D{history.number}"


def baseline(history: History) -> Json:
    """The newest document."""
    return parse_json(baseline_of(history.state).document)


def signed(
    history: History, key: SigningKey, person: str, decision: str, verdict: str = "approve", not_after_ms: int = 0
) -> PersonVerdict:
    """A person's verdict on the revision that stands."""
    message = verdict_bytes(
        fleet=FLEET.fleet,
        person=person,
        decision=decision,
        revision=decided(history, decision).hash,
        verdict=verdict,
        not_after_ms=not_after_ms,
    )
    return PersonVerdict(person=person, signature=key.sign(message), not_after_ms=not_after_ms)
