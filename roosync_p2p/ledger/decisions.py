"""Decisions: proposed, edited, approved, rejected, resolved, put away (docs/protocol/ledger.md §8).

The id of a decision is ``D`` and the commit number of its proposal. What an approver approves is a revision, by its
hash; an edit is a new revision, and approvals of the old one are void.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from roosync_p2p import limits
from roosync_p2p.ids import ALL
from roosync_p2p.ledger.actions import Touch, is_fleets, touches
from roosync_p2p.ledger.approvals import counted, deciding, may_approve_own, needed
from roosync_p2p.ledger.claims import Detail
from roosync_p2p.ledger.conflicts import Conflict, conflicts_of
from roosync_p2p.ledger.decision_bodies import (
    Action,
    DecisionApprove,
    DecisionArchive,
    DecisionPropose,
    DecisionReject,
    DecisionResolve,
    DecisionRevise,
    Proposal,
)
from roosync_p2p.ledger.decision_state import (
    ApprovalState,
    DecisionState,
    TargetState,
    decision_of,
    live_decisions,
    require_decision,
    revision_hash,
    save,
    stepped,
)
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.due import plan, unplan
from roosync_p2p.ledger.effects import conflict_ids, decide, enact, stand_aside, supersede
from roosync_p2p.ledger.lifecycle import IN_EFFECT, OPEN, Phase, Step
from roosync_p2p.ledger.outcomes import Refused
from roosync_p2p.ledger.policies import EXPIRE_DAYS, MANUAL, STRATEGIES, number_policy
from roosync_p2p.ledger.register import register_of_draft
from roosync_p2p.ledger.resources import parse_resource
from roosync_p2p.trust.roles import APPROVER

__all__ = [
    "approve",
    "archive",
    "expire_decision",
    "propose",
    "reject",
    "resolve",
    "revise",
    "submit",
    "withdraw_decision",
]

_DAY_MS = 24 * 3600 * 1000
_GOVERNED = ("policy", "rules", "voters")  # have kinds of their own, with an authority of their own


def propose(draft: Draft, body: DecisionPropose) -> Detail:
    """A new decision, pending; conflicts are noted, and both authors told."""
    return submit(draft, _written(draft, body, _id(draft)), approve=body.approve, warnings=_warnings(body))


def revise(draft: Draft, body: DecisionRevise) -> Detail:
    """The author edits its decision; approvals are void."""
    before = require_decision(draft, body.decision)
    if before.author != draft.author or before.sort != "decision":
        raise Refused("not_the_author", author=before.author)
    if body.revision != before.hash:
        raise Refused("stale_revision", decision=before.id)
    after = stepped(before, Step.REVISE)
    unplan(draft, "decision", before.id)
    revised = msgspec.structs.replace(
        _written(draft, body, before.id),
        state=after.state,
        entry=before.entry,
        number=before.number,
        time_ms=before.time_ms,
        revision=before.revision + 1,
        stands_for=before.stands_for,
    )
    return submit(draft, revised, approve=body.approve, warnings=_warnings(body))


def submit(draft: Draft, decision: DecisionState, *, approve: bool, warnings: list[str]) -> Detail:
    """Writes a new or edited decision, which waits for approvals from here on.

    Args:
        approve: the author approves at once, if it may.

    Raises:
        MalformedError: an action is not valid.
        Refused: ``too_many_resources``, ``too_many_decisions``, ``bad_based_on``.
    """
    if decision.based_on >= draft.number:
        raise Refused("bad_based_on", based_on=decision.based_on)
    touched = touches(decision.actions)
    if sum(not live.effect for _, live in live_decisions(draft)) >= limits.DECISIONS_OPEN_MAX:
        raise Refused("too_many_decisions", most=limits.DECISIONS_OPEN_MAX)
    decision = msgspec.structs.replace(decision, hash=revision_hash(decision))
    decision, conflicts = _noted(draft, decision, touched)
    plan(draft, decision.expires_ms, "decision", decision.id)
    draft.tell("decision.proposed", decision=decision.id, title=decision.title, author=decision.author)
    if approve and _author_may_approve(draft, decision):
        approval = deciding(draft, decision, "approve", person=None, in_favour=True)
        decision = decide(draft, msgspec.structs.replace(decision, approvals=(approval,)))
    shown = _shown(draft, decision)
    return {**shown, "conflicts": [conflict.shown for conflict in conflicts], "warnings": warnings}


def approve(draft: Draft, body: DecisionApprove) -> Detail:
    """One approval more; with the last one that is needed the decision takes effect."""
    decision = _open(draft, body.decision, body.revision)
    if decision.state is not Phase.PENDING:
        raise Refused("wrong_state", state=decision.state.value)
    approval = deciding(draft, decision, "approve", person=body.person, note=body.note, in_favour=True)
    others = [known for known in decision.approvals if _who(known) != _who(approval)]
    draft.tell("decision.approval", decision.author, decision=decision.id, by=approval.person or approval.machine)
    decided = decide(draft, msgspec.structs.replace(decision, approvals=(*others, approval)))
    return {**_shown(draft, decided), "own": approval.own}


def reject(draft: Draft, body: DecisionReject) -> Detail:
    """One rejection is enough."""
    decision = _open(draft, body.decision, body.revision)
    rejection = deciding(draft, decision, "reject", person=body.person, note=body.reason)
    by = rejection.person or rejection.machine
    draft.tell("decision.rejected", decision.author, decision=decision.id, by=by, reason=body.reason)
    return _shown(draft, _closed(draft, decision, Step.REJECT, reason=body.reason))


def resolve(draft: Draft, body: DecisionResolve) -> Detail:
    """What becomes of a conflicted decision: it counts, another does, or a third in the place of both."""
    decision = _open(draft, body.decision, body.revision)
    if decision.state is not Phase.CONFLICTED:
        raise Refused("wrong_state", state=decision.state.value)
    for_it = body.keep == decision.id
    deciding(draft, decision, f"resolve {body.keep}", person=body.person, note=body.note, in_favour=for_it)
    conflicts = conflicts_of(draft, decision.id, in_effect=True)
    if for_it:
        return _shown(draft, enact(draft, decision, Step.RESOLVE, undoing=conflicts))
    if body.keep not in decision.conflicts_with:
        _let_stand_for(draft, body.keep, decision, conflicts)
    return _shown(draft, supersede(draft, decision, by=body.keep))


def archive(draft: Draft, body: DecisionArchive) -> Detail:
    """A finished decision is put away. Its contents go from the state; they stay in the log."""
    decision = require_decision(draft, body.decision)
    if draft.author != decision.author and not register_of_draft(draft).has_role(draft.author, APPROVER):
        raise Refused("no_authority", kind=draft.entry.header.kind, needs="approver, or the author")
    put_away = stepped(decision, Step.ARCHIVE, was=decision.state, actions=())
    return _shown(draft, save(draft, put_away))


def withdraw_decision(draft: Draft, entry: bytes) -> str:
    """The author takes back the proposal that this entry made; the decision's id, or nothing if it is too late."""
    for name, live in live_decisions(draft):
        if live.author != draft.author or live.effect:
            continue
        decision = decision_of(draft, name)
        if decision is not None and decision.entry == entry and decision.state in OPEN:
            _closed(draft, decision, Step.WITHDRAW, reason="withdrawn")
            return name
    return ""


def expire_decision(draft: Draft, name: str) -> None:
    """Nobody approved it in time. Called when it is due."""
    decision = decision_of(draft, name)
    if decision is not None and decision.state is Phase.PENDING:
        save(draft, stepped(decision, Step.EXPIRE))
        draft.tell("decision.expired", decision.author, decision=name)


# --- writing ------------------------------------------------------------------------------------------------------


def _id(draft: Draft) -> str:
    return f"D{draft.number}"


def _written(draft: Draft, body: Proposal, name: str) -> DecisionState:
    """The decision that a body describes, new."""
    _require_own_kinds(body.actions)
    expires = draft.time_ms + number_policy(draft, EXPIRE_DAYS) * _DAY_MS
    return DecisionState(
        id=name,
        sort="decision",
        author=draft.author,
        workspace=body.workspace,
        entry=draft.entry.id,
        title=body.title,
        description=body.description,
        severity=body.severity,
        targets=_targets(draft, body),
        actions=body.actions,
        based_on=body.based_on,
        baseline=body.baseline,
        manual=bool(body.strategy) and body.strategy not in STRATEGIES[1:],
        number=draft.number,
        time_ms=draft.time_ms,
        revised=draft.number,
        hash=b"",
        expires_ms=min(expires if body.expires_ms is None else body.expires_ms, expires, limits.WALL_MS_MAX),
    )


def _require_own_kinds(actions: tuple[Action, ...]) -> None:
    if not actions:
        raise Refused("nothing_to_do")
    for action in actions:
        resource = parse_resource(action.resource)
        if resource.type in _GOVERNED:
            raise Refused("reserved_resource", resource=action.resource)
        if resource.is_fleets and action.op not in ("set", "merge", "remove"):
            raise Refused("bad_action", resource=action.resource)


def _targets(draft: Draft, body: Proposal) -> Mapping[str, TargetState]:
    """The machines that have something to do, as the register says now; ``all`` is fixed to it."""
    if all(map(is_fleets, body.actions)):
        return {}
    acting = register_of_draft(draft).acting
    named = set(acting) if ALL in body.targets else set(body.targets)
    unknown = sorted(named.difference(acting))
    if unknown or not named:
        raise Refused("unknown_target", machines=unknown)
    return {machine: TargetState() for machine in sorted(named)}


def _warnings(body: Proposal) -> list[str]:
    if body.strategy in ("", MANUAL):
        return []
    if body.strategy in STRATEGIES:
        return ["strategy: a proposal may ask for manual only; the policy counts"]
    return ["strategy: not one of " + ", ".join(STRATEGIES) + "; read as manual"]


def _noted(
    draft: Draft, decision: DecisionState, touched: tuple[Touch, ...]
) -> tuple[DecisionState, tuple[Conflict, ...]]:
    """Writes the decision with its conflicts, also those with what is only proposed, on both sides."""
    save(draft, decision, touched)
    conflicts = conflicts_of(draft, decision.id, in_effect=False)[-limits.DECISION_CONFLICTS_MAX :]
    if not conflicts:
        return decision, ()
    decision = save(draft, msgspec.structs.replace(decision, conflicts_with=conflict_ids(conflicts, ())))
    for conflict in conflicts:
        other = require_decision(draft, conflict.decision)
        names = tuple(dict.fromkeys((*other.conflicts_with, decision.id)))[-limits.DECISION_CONFLICTS_MAX :]
        save(draft, msgspec.structs.replace(other, conflicts_with=names))
    authors = [decision.author, *(conflict.other.author for conflict in conflicts)]
    approvers = register_of_draft(draft).approvers
    shown = [conflict.shown for conflict in conflicts]
    draft.tell("decision.conflict", *authors, *approvers, decision=decision.id, conflicts=shown)
    return decision, conflicts


def _author_may_approve(draft: Draft, decision: DecisionState) -> bool:
    return may_approve_own(register_of_draft(draft), decision.author)


# --- deciding -----------------------------------------------------------------------------------------------------


def _open(draft: Draft, name: str, revision: bytes) -> DecisionState:
    """A decision about which nothing was decided yet, in the revision that its judge has read.

    Raises:
        Refused: ``unknown_decision``, ``wrong_state``, ``stale_revision``.
    """
    decision = require_decision(draft, name)
    if decision.state not in OPEN:
        raise Refused("wrong_state", state=decision.state.value)
    if revision != decision.hash:
        raise Refused("stale_revision", decision=name)
    return decision


def _closed(draft: Draft, decision: DecisionState, step: Step, *, reason: str) -> DecisionState:
    unplan(draft, "decision", decision.id)
    return save(draft, stepped(decision, step, reason=reason))


def _let_stand_for(draft: Draft, keep: str, decision: DecisionState, conflicts: tuple[Conflict, ...]) -> None:
    """A third decision takes the place of those that conflicted: at once if it is in effect, else when it is.

    Raises:
        Refused: ``unknown_decision``, ``wrong_state``; ``not_based_on_both``.
    """
    third = require_decision(draft, keep)
    if third.state is not Phase.PENDING and third.state not in IN_EFFECT:
        raise Refused("wrong_state", decision=keep, state=third.state.value)
    newest = max([decision.revised, *(conflict.other.effect for conflict in conflicts)])
    if third.based_on < newest:
        raise Refused("not_based_on_both", decision=keep, based_on=third.based_on)
    names = tuple(conflict.decision for conflict in conflicts if conflict.decision != keep)
    if third.effect:
        for name in names:
            stand_aside(draft, require_decision(draft, name), by=keep)
    else:
        save(draft, msgspec.structs.replace(third, stands_for=tuple(dict.fromkeys((*third.stands_for, *names)))))


def _who(approval: ApprovalState) -> tuple[str, str]:
    return ("person", approval.person) if approval.person else ("machine", approval.machine)


def _shown(draft: Draft, decision: DecisionState) -> Detail:
    return {
        "id": decision.id,
        "state": decision.state.value,
        "revision": decision.hash.hex(),
        "approved_by": list(counted(register_of_draft(draft), decision)),
        "approvals_needed": needed(draft, decision),
        "conflicts_with": list(decision.conflicts_with),
        "superseded_by": decision.superseded_by,
        "reason": decision.reason,
    }
