"""A decision takes effect, or is kept from it by a conflict (docs/protocol/ledger.md §9).

The ledger itself changes what it holds: baseline, policies, rules, wishes about voters. What is on machines stays for
the targets to do and to report.
"""

from __future__ import annotations

from typing import Final

import msgspec

from roosync_p2p.errors import PeerFault
from roosync_p2p.ledger.actions import is_fleets
from roosync_p2p.ledger.approvals import counted, needed
from roosync_p2p.ledger.baseline import BASELINE, acted, baseline_of, undo_version, write_version
from roosync_p2p.ledger.conflicts import Conflict, conflicts_of, strategy_of
from roosync_p2p.ledger.decision_bodies import Action
from roosync_p2p.ledger.decision_state import DecisionState, require_decision, save, stepped
from roosync_p2p.ledger.documents import Json, parse_json
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.due import unplan
from roosync_p2p.ledger.fleet import prefer_voters, require_support, use_rules
from roosync_p2p.ledger.lifecycle import IN_EFFECT, OPEN, Phase, Step
from roosync_p2p.ledger.outcomes import Refused
from roosync_p2p.ledger.policies import AUTO_LOCAL, AUTO_REMOTE, PolicyState, policy_key
from roosync_p2p.ledger.register import register_of_draft
from roosync_p2p.ledger.resources import parse_resource
from roosync_p2p.ledger.targets import settled, undo_targets

__all__ = ["conflict_ids", "decide", "enact", "stand_aside", "supersede"]

_MAY_STAND_ASIDE: Final = IN_EFFECT | OPEN | {Phase.ARCHIVED}


def decide(draft: Draft, decision: DecisionState) -> DecisionState:
    """What an approval leads to; nothing yet, where more are needed."""
    if len(counted(register_of_draft(draft), decision)) < needed(draft, decision):
        return save(draft, decision)
    unplan(draft, "decision", decision.id)
    conflicts = tuple(
        conflict
        for conflict in conflicts_of(draft, decision.id, in_effect=True)
        if conflict.decision not in decision.stands_for
    )
    if not conflicts:
        return enact(draft, decision, Step.APPROVE)
    strategy, unknown = strategy_of(draft, decision, conflicts)
    if unknown:
        draft.tell("policy.unknown_strategy", decision=decision.id, names=unknown, read_as="manual")
    if strategy == AUTO_LOCAL:
        return enact(draft, decision, Step.APPROVE, undoing=conflicts)
    if strategy == AUTO_REMOTE:
        return supersede(draft, decision, by=conflicts[-1].decision)
    return _hold(draft, decision, conflicts)


def enact(draft: Draft, decision: DecisionState, step: Step, *, undoing: tuple[Conflict, ...] = ()) -> DecisionState:
    """The decision has its effect: in the ledger at once, on its targets when they do it.

    Where the ledger cannot do its part, nothing else happens either, and the decision is ``failed``.

    Args:
        step: how it came to that, from its approvals or from a resolution.
        undoing: decisions that are undone first.
    """
    approved = stepped(decision, step, effect=draft.number, effect_ms=draft.time_ms)
    mark = draft.mark()
    try:
        for conflict in undoing:
            supersede(draft, require_decision(draft, conflict.decision), by=decision.id)
        for name in decision.stands_for:
            stand_aside(draft, require_decision(draft, name), by=decision.id)
        done = _change_fleets(draft, approved)
    except (Refused, PeerFault) as problem:
        draft.go_back(mark)
        reason = problem.reason if isinstance(problem, Refused) else problem.code
        draft.tell("decision.failed", decision.author, decision=decision.id, reason=reason)
        return save(draft, stepped(approved, Step.FAIL, effect=0, reason=reason))
    done = settled(done) if done.targets else stepped(done, Step.COMPLETE)
    draft.tell("decision.approved", decision.author, *sorted(decision.targets), decision=decision.id)
    return save(draft, done)


def supersede(draft: Draft, decision: DecisionState, *, by: str) -> DecisionState:
    """Another decision counts. What this one did is undone: in the baseline at once, by targets from their backups."""
    unplan(draft, "decision", decision.id)
    if decision.effect:
        decision = undo_targets(draft, decision, tuple(sorted(decision.targets)))
        if decision.version:
            undo_version(draft, decision.version, decision=by, author=draft.author)
            decision = msgspec.structs.replace(decision, version_undone=True)
    return stand_aside(draft, decision, by=by)


def stand_aside(draft: Draft, decision: DecisionState, *, by: str) -> DecisionState:
    """Another decision counts, and nothing is undone: the other has taken this one's place."""
    if decision.superseded_by or decision.state not in _MAY_STAND_ASIDE:
        return decision
    draft.tell("decision.superseded", decision.author, *sorted(decision.targets), decision=decision.id, by=by)
    if decision.state is Phase.ARCHIVED:  # it stays put away
        return save(draft, msgspec.structs.replace(decision, superseded_by=by))
    return save(draft, stepped(decision, Step.SUPERSEDE, superseded_by=by))


def conflict_ids(conflicts: tuple[Conflict, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """Ids of conflicting decisions, with those already known, by number."""
    return tuple(sorted({*known, *(conflict.decision for conflict in conflicts)}, key=lambda name: int(name[1:])))


def _hold(draft: Draft, decision: DecisionState, conflicts: tuple[Conflict, ...]) -> DecisionState:
    """A person has to resolve it."""
    register = register_of_draft(draft)
    names = conflict_ids(conflicts, decision.conflicts_with)
    authors = [decision.author, *(conflict.other.author for conflict in conflicts)]
    draft.tell(
        "decision.conflicted",
        *authors,
        *register.approvers,
        decision=decision.id,
        conflicts=[conflict.shown for conflict in conflicts],
    )
    return save(draft, stepped(decision, Step.CONFLICT, conflicts_with=names))


def _change_fleets(draft: Draft, decision: DecisionState) -> DecisionState:
    """Does what the ledger itself holds; the decision with the version of the baseline that came of it.

    Raises:
        Refused, PeerFault: it cannot be done on what is there now.
    """
    actions = [action for action in decision.actions if is_fleets(action)]
    changes_baseline = [action for action in actions if parse_resource(action.resource).type == BASELINE]
    for action in actions:
        _change_setting(draft, decision, action)
    if not changes_baseline:
        return decision
    before = baseline_of(draft)
    document = acted(parse_json(before.document), changes_baseline)
    version = write_version(draft, document, decision=decision.id, author=decision.author, title=decision.title)
    if version == before.version:
        return msgspec.structs.replace(decision, held=version)
    return msgspec.structs.replace(decision, version=version)


def _change_setting(draft: Draft, decision: DecisionState, action: Action) -> None:
    resource = parse_resource(action.resource)
    value: Json = parse_json(action.value) if action.value else None
    match resource.type:
        case "policy":
            _set_policy(draft, decision, resource.pointer[0], action.value)
        case "rules":
            assert isinstance(value, int)
            require_support(draft, value)
            use_rules(draft, value)
        case "voters":
            assert isinstance(value, list)
            prefer_voters(draft, tuple(map(str, value)))


def _set_policy(draft: Draft, decision: DecisionState, name: str, value: bytes) -> None:
    if value:
        draft.put(policy_key(name), PolicyState(value=value, decision=decision.id, number=draft.number))
    else:
        draft.delete(policy_key(name))
    draft.tell("policy.changed", policy=name, decision=decision.id)
