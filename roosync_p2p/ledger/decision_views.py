"""Decisions, baseline, policies and configurations as JSON (docs/protocol/ledger.md §12)."""

from __future__ import annotations

import base64

from roosync_p2p.ledger.approvals import counted, needed
from roosync_p2p.ledger.baseline import baseline_at, baseline_of, version_of
from roosync_p2p.ledger.configs import configs_of
from roosync_p2p.ledger.decision_bodies import Action
from roosync_p2p.ledger.decision_state import ApprovalState, DecisionState, TargetState, decision_of
from roosync_p2p.ledger.documents import difference, parse_json, pointer_text, value_at
from roosync_p2p.ledger.policies import POLICIES, PolicyState, policy_key, policy_value
from roosync_p2p.ledger.register import Register, register_of
from roosync_p2p.ledger.shown import shown_time
from roosync_p2p.ledger.state import State
from roosync_p2p.ledger.stored import read

__all__ = [
    "baseline_diff_view",
    "baseline_history_view",
    "baseline_view",
    "configs_view",
    "decision_view",
    "decisions_view",
    "policies_view",
]

View = dict[str, object]


def decisions_view(state: State, root: bytes) -> View:
    """All decisions, newest first, without their contents."""
    register = register_of(state, root)
    found = sorted((read(value, DecisionState) for _, value in state.table("decision")), key=lambda d: -d.number)
    return {"decisions": [_summary(state, register, decision) for decision in found]}


def decision_view(state: State, decision: str, root: bytes) -> View | None:
    """One decision with all that an approver has to see; None if there is none of that id."""
    found = decision_of(state, decision)
    if found is None:
        return None
    return {
        **_summary(state, register_of(state, root), found),
        "description": found.description,
        "actions": [_action(action) for action in found.actions],
        "approvals": [_approval(approval) for approval in found.approvals],
        "stands_for": list(found.stands_for),
        "entry": found.entry.hex(),
        "workspace": found.workspace,
    }


def baseline_view(state: State, version: int | None = None) -> View | None:
    """The document of a version, the newest by default; None if there is no such version."""
    newest = baseline_of(state)
    wanted = newest.version if version is None else version
    if not 0 <= wanted <= newest.version:
        return None
    return {**_version(state, wanted), "document": baseline_at(state, wanted), "newest": newest.version}


def baseline_history_view(state: State) -> View:
    """All versions, newest first, each with what it changed."""
    versions = range(baseline_of(state).version, 0, -1)
    return {"versions": [_version(state, version) for version in versions]}


def baseline_diff_view(state: State, old: int, new: int) -> View | None:
    """What one version has otherwise than another; None if there is no such version."""
    newest = baseline_of(state).version
    if not (0 <= old <= newest and 0 <= new <= newest):
        return None
    before, after = baseline_at(state, old), baseline_at(state, new)
    changes: list[View] = []
    for change in difference(before, after):
        was = value_at(before, change.pointer)
        shown: View = {"pointer": pointer_text(change.pointer)}
        if was.present:
            shown["old"] = was.value
        if change.present:
            shown["new"] = change.value
        changes.append(shown)
    return {"old": old, "new": new, "changes": changes}


def policies_view(state: State) -> View:
    """Every policy with its value, default and meaning."""
    shown: list[View] = []
    for name, policy in sorted(POLICIES.items()):
        data = state.get(policy_key(name))
        by = None if data is None else read(data, PolicyState).decision
        value = policy_value(state, name)
        shown.append(
            {"name": name, "value": value, "default": policy.default, "meaning": policy.meaning, "decision": by}
        )
    return {"policies": shown}


def configs_view(state: State) -> View:
    """Published versions of configurations, by machine and target."""
    return {
        "versions": [
            {
                "machine": config.machine,
                "target": config.target,
                "version": config.version,
                "sha256": config.sha256.hex(),
                "size": config.size,
                "note": config.note,
                "commit_number": config.number,
                "time": shown_time(config.time_ms),
            }
            for config in configs_of(state)
        ]
    }


def _summary(state: State, register: Register, decision: DecisionState) -> View:
    return {
        "id": decision.id,
        "state": decision.state.value,
        "kind": decision.sort,
        "title": decision.title,
        "severity": decision.severity,
        "author": decision.author,
        "time": shown_time(decision.time_ms),
        "targets": {machine: _target(target) for machine, target in sorted(decision.targets.items())},
        "based_on": decision.based_on,
        "conflicts_with": list(decision.conflicts_with),
        "superseded_by": decision.superseded_by or None,
        "commit_number": decision.number,
        "revision": decision.hash.hex(),
        "approved_by": list(counted(register, decision)),
        "approvals_needed": needed(state, decision),
        "self_approved": any(approval.own for approval in decision.approvals),
        "expires_at": shown_time(decision.expires_ms),
        "baseline_version": decision.version or None,
        "reason": decision.reason,
    }


def _target(target: TargetState) -> View:
    return {
        "state": target.state,
        "attempt": target.attempt,
        "note": target.note,
        "backup": target.backup,
        "rollback": target.rollback or None,
        "applied_at": shown_time(target.applied_ms) if target.applied_ms else None,
    }


def _approval(approval: ApprovalState) -> View:
    return {
        "machine": approval.machine,
        "person": approval.person or None,
        "own": approval.own,
        "note": approval.note,
        "commit_number": approval.number,
        "time": shown_time(approval.time_ms),
    }


def _action(action: Action) -> View:
    shown: View = {"op": action.op, "resource": action.resource}
    match action.op:
        case "set" | "merge":
            shown["value"] = parse_json(action.value)
        case "file" if action.value:
            shown["content"] = base64.b64encode(action.value).decode()
        case "file":
            shown |= {"sha256": action.sha256.hex(), "size": action.size}
        case "run":
            shown |= {"name": action.name, "arguments": list(action.arguments)}
    return shown


def _version(state: State, version: int) -> View:
    known = version_of(state, version)
    if known is None:
        return {"version": version}
    return {
        "version": version,
        "commit_number": known.number,
        "time": shown_time(known.time_ms),
        "decision": known.decision,
        "author": known.author,
        "title": known.title,
        "sha256": known.sha256.hex(),
        "undoes": known.undoes or None,
        "changed": sorted(pointer_text(back.pointer) for back in known.back),
    }
