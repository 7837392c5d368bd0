"""Changes of what the ledger itself holds, each as a decision (docs/protocol/ledger.md §10, §11)."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.ledger.baseline import baseline_at, baseline_of, require_version
from roosync_p2p.ledger.bodies import PolicySet, RulesActivate, VotersPrefer
from roosync_p2p.ledger.claims import Detail
from roosync_p2p.ledger.decision_bodies import Action, BaselineRestore, BaselineSet
from roosync_p2p.ledger.decision_state import DecisionState
from roosync_p2p.ledger.decisions import submit
from roosync_p2p.ledger.documents import canonical_json, difference, parse_json
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.fleet import require_support
from roosync_p2p.ledger.outcomes import Refused
from roosync_p2p.ledger.policies import EXPIRE_DAYS, MANUAL, STRATEGIES, check_policy, number_policy
from roosync_p2p.ledger.register import register_of_draft
from roosync_p2p.ledger.resources import fleet_resource, parse_resource

__all__ = ["activate_rules", "prefer", "restore_baseline", "set_baseline", "set_policy"]

_DAY_MS = 24 * 3600 * 1000


def set_baseline(draft: Draft, body: BaselineSet) -> Detail:
    """A change of the baseline by somebody who looked at one version of it."""
    if bool(body.patch) == bool(body.actions):
        raise Refused("bad_action")
    actions = body.actions or (Action(op="merge", resource=str(fleet_resource("baseline")), value=body.patch),)
    for action in actions:
        if parse_resource(action.resource).type != "baseline" or action.op not in ("set", "merge", "remove"):
            raise Refused("bad_action", resource=action.resource)
    decision = _decision(
        draft,
        "baseline",
        body.title or f"baseline after version {body.version}",
        actions,
        description=body.description,
        severity=body.severity,
        based_on=_looked_at(draft, body.version),
        baseline=body.version,
        manual=bool(body.strategy) and body.strategy not in STRATEGIES[1:],
    )
    unknown = body.strategy not in ("", MANUAL, *STRATEGIES)
    warnings = [f"strategy: not one of {', '.join(STRATEGIES)}; read as manual"] if unknown else []
    return submit(draft, decision, approve=body.approve, warnings=warnings)


def restore_baseline(draft: Draft, body: BaselineRestore) -> Detail:
    """The changes that lead from the newest version back to an earlier one, as a decision.

    They are worked out here and now: what others change until it is approved is a conflict or stays, as with any
    change.
    """
    newest = baseline_of(draft)
    looked_at = _looked_at(draft, body.version)
    wanted = baseline_at(draft, body.restore)
    changes = list(difference(parse_json(newest.document), wanted))
    if not changes:
        raise Refused("nothing_to_do", version=newest.version)
    actions = tuple(
        Action(
            op="set" if change.present else "remove",
            resource=str(fleet_resource("baseline", change.pointer)),
            value=canonical_json(change.value) if change.present else b"",
        )
        for change in changes
    )
    if len(actions) > limits.DECISION_ACTIONS_MAX or any(
        len(a.resource) > limits.RESOURCE_CHARS_MAX or len(a.value) > limits.JSON_BYTES_MAX for a in actions
    ):
        actions = (Action(op="set", resource=str(fleet_resource("baseline")), value=canonical_json(wanted)),)
    decision = _decision(
        draft,
        "baseline",
        f"baseline as in version {body.restore}",
        actions,
        description=body.reason,
        based_on=looked_at,
        baseline=body.version,
    )
    return submit(draft, decision, approve=body.approve, warnings=[])


def set_policy(draft: Draft, body: PolicySet) -> Detail:
    """Another value for a policy."""
    check_policy(body.name, body.value)
    resource = str(fleet_resource("policy", (body.name,)))
    action = Action(op="set" if body.value else "remove", resource=resource, value=body.value)
    decision = _decision(draft, "policy", f"policy {body.name}", (action,), description=body.reason)
    return submit(draft, decision, approve=body.approve, warnings=[])


def activate_rules(draft: Draft, body: RulesActivate) -> Detail:
    """Newer rules, which every voter must know: now, and when the decision takes effect."""
    require_support(draft, body.version)
    action = Action(op="set", resource=str(fleet_resource("rules")), value=canonical_json(body.version))
    decision = _decision(draft, "rules", f"rules version {body.version}", (action,), severity="IMPORTANT")
    return submit(draft, decision, approve=body.approve, warnings=[])


def prefer(draft: Draft, body: VotersPrefer) -> Detail:
    """A wish about who votes."""
    unknown = sorted(set(body.machines).difference(register_of_draft(draft).acting))
    if unknown:
        raise Refused("unknown_target", machines=unknown)
    action = Action(op="set", resource=str(fleet_resource("voters")), value=canonical_json(list(body.machines)))
    decision = _decision(draft, "voters", "preferred voters", (action,))
    return submit(draft, decision, approve=body.approve, warnings=[])


def _looked_at(draft: Draft, version: int) -> int:
    """The commit number that made the version that an author edited."""
    return require_version(draft, version)


def _decision(
    draft: Draft,
    sort: str,
    title: str,
    actions: tuple[Action, ...],
    *,
    description: str = "",
    severity: str = "INFO",
    based_on: int | None = None,
    baseline: int = 0,
    manual: bool = False,
) -> DecisionState:
    expires = draft.time_ms + number_policy(draft, EXPIRE_DAYS) * _DAY_MS
    return DecisionState(
        id=f"D{draft.number}",
        sort=sort,
        author=draft.author,
        entry=draft.entry.id,
        title=title,
        description=description,
        severity=severity,
        actions=actions,
        based_on=draft.number - 1 if based_on is None else based_on,
        baseline=baseline,
        manual=manual,
        number=draft.number,
        time_ms=draft.time_ms,
        revised=draft.number,
        hash=b"",
        expires_ms=min(expires, limits.WALL_MS_MAX),
    )
