"""What each target does with a decision (docs/protocol/ledger.md §8).

A target takes an attempt before it begins, and each attempt is taken once: of two processes of one machine that both
want to apply, one is refused. Retrying, and when, is the node's matter.
"""

from __future__ import annotations

from typing import Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.ledger.baseline import undo_version
from roosync_p2p.ledger.claims import Detail
from roosync_p2p.ledger.decision_bodies import DecisionReport, DecisionRollback, DecisionStart
from roosync_p2p.ledger.decision_state import (
    DecisionState,
    TargetPhase,
    TargetState,
    decision_of,
    live_decisions,
    require_decision,
    save,
    stepped,
)
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.lifecycle import IN_EFFECT, Phase, Step
from roosync_p2p.ledger.outcomes import Refused
from roosync_p2p.ledger.policies import ROLLBACK_DAYS, number_policy
from roosync_p2p.ledger.register import register_of_draft
from roosync_p2p.trust.roles import APPROVER

__all__ = ["forget_target", "report", "roll_back", "settled", "start", "undo_targets"]

_T = TargetPhase
_MAY_START: Final = frozenset({_T.WAITING, _T.RETRYING, _T.FAILED})
_UNDONE: Final = frozenset({_T.ROLLED_BACK, _T.GONE})
_BUSY: Final = frozenset({_T.WAITING, _T.IN_PROGRESS, _T.RETRYING})
_TOUCHED: Final = frozenset({_T.IN_PROGRESS, _T.RETRYING, _T.APPLIED, _T.FAILED})
_DAY_MS: Final = 24 * 3600 * 1000
_STEP_TO: Final = {
    Phase.IN_PROGRESS: Step.START,
    Phase.APPLIED: Step.COMPLETE,
    Phase.FAILED: Step.FAIL,
    Phase.ROLLED_BACK: Step.ROLL_BACK,
}


def start(draft: Draft, body: DecisionStart) -> Detail:
    """The author takes the next attempt."""
    decision, target = _own_target(draft, body.decision)
    if body.revision != decision.hash:
        raise Refused("stale_revision", decision=decision.id)
    if decision.state not in IN_EFFECT or target.rollback:
        raise Refused("wrong_state", state=decision.state.value)
    if body.attempt <= target.attempt:
        raise Refused("attempt_taken", attempt=target.attempt, session=target.session)
    if target.state not in _MAY_START or body.attempt != target.attempt + 1:
        raise Refused("wrong_attempt", attempt=target.attempt, state=target.state)
    begun = msgspec.structs.replace(
        target, state=_T.IN_PROGRESS, attempt=body.attempt, session=body.session, note="", number=draft.number
    )
    return _write(draft, decision, draft.author, begun)


def report(draft: Draft, body: DecisionReport) -> Detail:
    """What became of the attempt that the author took."""
    decision, target = _own_target(draft, body.decision)
    if decision.state is Phase.ARCHIVED and not target.rollback:
        raise Refused("wrong_state", state=decision.state.value)
    if body.attempt != target.attempt or target.state in {_T.WAITING, *_UNDONE}:
        raise Refused("wrong_attempt", attempt=target.attempt, state=target.state)
    reported = msgspec.structs.replace(target, note=body.note, number=draft.number, **_reported(draft, target, body))
    draft.tell("decision.report", decision.author, decision=decision.id, machine=draft.author, result=body.result)
    return _write(draft, decision, draft.author, reported)


def roll_back(draft: Draft, body: DecisionRollback) -> Detail:
    """What was applied is to be undone: by each target from its own backup, in the baseline at once."""
    decision = require_decision(draft, body.decision)
    if decision.state not in IN_EFFECT:
        raise Refused("wrong_state", state=decision.state.value)
    named = body.machines or tuple(sorted(decision.targets))
    if not set(named) <= set(decision.targets):
        raise Refused("unknown_target", machines=sorted(set(named) - set(decision.targets)))
    itself = named == (draft.author,) and bool(body.machines)
    if not itself and not register_of_draft(draft).has_role(draft.author, APPROVER):
        raise Refused("no_authority", kind=draft.entry.header.kind, needs="approver, or the target itself")
    days = number_policy(draft, ROLLBACK_DAYS)
    oldest = draft.time_ms - days * _DAY_MS
    late = [m for m in named if (t := decision.targets[m]).state == _T.APPLIED and t.applied_ms < oldest]
    if late or (decision.version and not body.machines and decision.effect_ms < oldest):
        raise Refused("too_late", days=days, machines=late)
    undone = undo_targets(draft, decision, named)
    if not body.machines and decision.version:
        undo_version(draft, decision.version, decision=decision.id, author=draft.author)
        undone = msgspec.structs.replace(undone, version_undone=True)
    elif undone == decision:
        raise Refused("nothing_to_undo", decision=decision.id)
    undone = msgspec.structs.replace(undone, reason=body.reason)
    if not undone.targets:
        return _shown(save(draft, stepped(undone, Step.ROLL_BACK)))
    return _shown(save(draft, settled(undone)))


def undo_targets(draft: Draft, decision: DecisionState, machines: tuple[str, ...]) -> DecisionState:
    """The decision with what these targets did to be undone; they are told. The caller saves it."""
    targets = dict(decision.targets)
    for machine in machines:
        target = targets[machine]
        if target.state == _T.WAITING:
            targets[machine] = msgspec.structs.replace(target, state=_T.ROLLED_BACK, number=draft.number)
        elif target.state in _TOUCHED and target.rollback != "wanted":
            targets[machine] = msgspec.structs.replace(target, rollback="wanted")
            draft.tell("decision.rollback", machine, decision=decision.id, machine=machine)
    return msgspec.structs.replace(decision, targets=targets)


def forget_target(draft: Draft, machine: str) -> None:
    """A machine is out: nobody waits for its reports any more."""
    for name, live in list(live_decisions(draft)):
        if machine not in live.targets:
            continue
        decision = decision_of(draft, name)
        assert decision is not None
        target = decision.targets[machine]
        if target.state in _BUSY:
            gone = msgspec.structs.replace(target, state=_T.GONE, number=draft.number)
            save(draft, settled(_with_target(decision, machine, gone)))


def _own_target(draft: Draft, name: str) -> tuple[DecisionState, TargetState]:
    decision = require_decision(draft, name)
    target = decision.targets.get(draft.author)
    if target is None:
        raise Refused("not_a_target", decision=name)
    return decision, target


def _reported(draft: Draft, target: TargetState, body: DecisionReport) -> dict[str, object]:
    """What a report changes in its target."""
    running = target.state == _T.IN_PROGRESS
    match body.result:
        case "in_progress" if running:
            return {}
        case "applied" if running:
            return {"state": _T.APPLIED, "backup": body.backup, "applied_ms": draft.time_ms}
        case "failed" if running:
            over = body.final or target.attempt >= limits.DECISION_ATTEMPTS_MAX
            return {"state": _T.FAILED if over else _T.RETRYING, "backup": body.backup}
        case "failed" if target.rollback == "wanted":
            return {"rollback": "failed"}
        case "rolled_back":
            return {"state": _T.ROLLED_BACK, "rollback": ""}
        case _:
            raise Refused("wrong_state", state=target.state)


def _write(draft: Draft, decision: DecisionState, machine: str, target: TargetState) -> Detail:
    return _shown(save(draft, settled(_with_target(decision, machine, target))))


def _with_target(decision: DecisionState, machine: str, target: TargetState) -> DecisionState:
    return msgspec.structs.replace(decision, targets={**decision.targets, machine: target})


def settled(decision: DecisionState) -> DecisionState:
    """The decision in the phase that its targets' states add up to."""
    wanted = _phase_of(decision)
    if decision.state not in IN_EFFECT or wanted in (decision.state, Phase.APPROVED):
        return decision
    return stepped(decision, _STEP_TO[wanted])


def _phase_of(decision: DecisionState) -> Phase:
    states = {target.state for target in decision.targets.values()} - {_T.GONE}
    if states & _BUSY:
        return Phase.APPROVED if states <= {_T.WAITING, _T.ROLLED_BACK} else Phase.IN_PROGRESS
    if _T.FAILED in states or (not states and not decision.version):
        return Phase.FAILED  # nobody is left who could have done it
    if _T.APPLIED in states or (decision.version and not decision.version_undone):
        return Phase.APPLIED
    return Phase.ROLLED_BACK


def _shown(decision: DecisionState) -> Detail:
    targets = {machine: target.state for machine, target in sorted(decision.targets.items())}
    return {"id": decision.id, "state": decision.state.value, "targets": targets}
