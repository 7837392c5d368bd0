"""What the fleet holds in common, for users: its baseline, its policies, its wishes (docs/protocol/ledger.md §10, §11).

Each change is a decision: it is proposed here, and counts once it has its approvals.
"""

from __future__ import annotations

from typing import Any

import msgspec

from roosync_p2p import limits
from roosync_p2p.errors import InputFault, MalformedError
from roosync_p2p.ledger.baseline import acted, baseline_bytes, baseline_of
from roosync_p2p.ledger.bodies import PolicySet, VotersPrefer
from roosync_p2p.ledger.decision_bodies import Action, BaselineRestore, BaselineSet
from roosync_p2p.ledger.decision_views import (
    baseline_diff_view,
    baseline_history_view,
    baseline_view,
    policies_view,
)
from roosync_p2p.ledger.documents import difference, parse_json
from roosync_p2p.ledger.outcomes import Refused
from roosync_p2p.ledger.policies import CONFLICT_STRATEGY, POLICIES, STRATEGIES
from roosync_p2p.ledger.resources import fleet_resource
from roosync_p2p.ledger.state import State
from roosync_p2p.node.decision_requests import (
    BaselineDiffAsked,
    PreferAsked,
    RestoreBaselineAsked,
    SetBaselineAsked,
    SetPolicyAsked,
    VersionAsked,
)
from roosync_p2p.node.decision_service import DecisionService, actions_of, json_bytes
from roosync_p2p.node.ledger_service import LedgerService
from roosync_p2p.node.orders import Orders
from roosync_p2p.node.performer import Performer

__all__ = ["BaselineService"]

View = dict[str, Any]


class BaselineService:
    """Shows the fleet's own documents and proposes changes of them."""

    def __init__(self, performer: Performer, ledger: LedgerService, orders: Orders, decisions: DecisionService) -> None:
        self._performer = performer
        self._orders = orders
        self._ledger = ledger
        self._decisions = decisions

    # --- reading --------------------------------------------------------------------------------------------------

    async def baseline(self, asked: VersionAsked) -> View:
        """A version of the baseline."""
        known = await self._ledger.current()
        shown = baseline_view(self._state, asked.version)
        if shown is None:
            raise self._unknown(asked.version)
        return {**shown, **known}

    async def history(self) -> View:
        """All versions."""
        return {**baseline_history_view(self._state), **self._ledger.freshness()}

    async def diff(self, asked: BaselineDiffAsked) -> View:
        """What one version has otherwise than another."""
        new = baseline_of(self._state).version if asked.new is None else asked.new
        old = max(0, new - 1) if asked.old is None else asked.old
        shown = baseline_diff_view(self._state, old, new)
        if shown is None:
            raise self._unknown(max(old, new))
        return {**shown, **self._ledger.freshness()}

    async def policies(self) -> View:
        """Every policy."""
        return {**policies_view(self._state), **self._ledger.freshness()}

    # --- proposing changes ----------------------------------------------------------------------------------------

    async def set_baseline(self, asked: SetBaselineAsked) -> View:
        """Proposes a change of the baseline."""
        derived = () if asked.version is not None else ("version",)
        actions = actions_of(asked.actions)
        before = await self._orders.first_body(asked, BaselineSet)
        if asked.document is not msgspec.UNSET:
            actions = self._to_become(asked.document) if before is None else before.actions
        body = BaselineSet(
            version=baseline_of(self._state).version if asked.version is None else asked.version,
            patch=b"" if asked.patch is msgspec.UNSET else json_bytes(asked.patch),
            actions=actions,
            title=asked.title,
            description=asked.description,
            severity=asked.severity,
            strategy=asked.strategy,
            approve=asked.approve,
        )
        if before is None:
            self._require_possible(body)
        return await self._decisions.ordered("baseline.set", body, asked, derived=derived)

    async def restore_baseline(self, asked: RestoreBaselineAsked) -> View:
        """Proposes an earlier version."""
        version = baseline_of(self._state).version if asked.version is None else asked.version
        body = BaselineRestore(restore=asked.restore, version=version, reason=asked.reason, approve=asked.approve)
        derived = () if asked.version is not None else ("version",)
        return await self._decisions.ordered("baseline.restore", body, asked, derived=derived)

    async def set_policy(self, asked: SetPolicyAsked) -> View:
        """Proposes another value of a policy."""
        if asked.name not in POLICIES:
            raise InputFault(
                f"there is no policy {asked.name}; nothing was done",
                code="unknown_policy",
                remedy="there are: " + ", ".join(sorted(POLICIES)),
            )
        _require_strategies(asked.name, asked.value)
        value = b"" if asked.value is msgspec.UNSET else json_bytes(asked.value)
        body = PolicySet(name=asked.name, value=value, reason=asked.reason, approve=asked.approve)
        return await self._decisions.ordered("policy.set", body, asked)

    async def prefer_voters(self, asked: PreferAsked) -> View:
        """Proposes who should rather vote."""
        body = VotersPrefer(machines=asked.machines, approve=asked.approve)
        return await self._decisions.ordered("voters.prefer", body, asked)

    # --- inside ---------------------------------------------------------------------------------------------------

    @property
    def _state(self) -> State:
        return self._performer.core.commit.state

    def _to_become(self, document: Any) -> tuple[Action, ...]:
        """The changes that make the newest baseline this document: few and small where they can be."""
        wanted = json_bytes(document)
        changes = list(difference(parse_json(baseline_of(self._state).document), parse_json(wanted)))
        if not changes:
            raise InputFault("the baseline is this document already; nothing was done", code="nothing_to_do")
        whole = Action(op="set", resource=str(fleet_resource("baseline")), value=wanted)
        if len(changes) > limits.DECISION_ACTIONS_MAX:
            return (whole,)
        actions = tuple(
            Action(
                op="set" if change.present else "remove",
                resource=str(fleet_resource("baseline", change.pointer)),
                value=json_bytes(change.value) if change.present else b"",
            )
            for change in changes
        )
        return actions if all(len(a.resource) <= limits.RESOURCE_CHARS_MAX for a in actions) else (whole,)

    def _require_possible(self, body: BaselineSet) -> None:
        """Refuses at once what could not be done to the baseline as it is: else that came out with the approval."""
        newest = baseline_of(self._state)
        whole = Action(op="merge", resource=str(fleet_resource("baseline")), value=body.patch)
        try:
            baseline_bytes(acted(parse_json(newest.document), body.actions or (whole,)))
        except MalformedError as fault:
            why = fault.message
        except Refused as refused:
            why = refused.reason
        else:
            return
        raise InputFault(
            f"version {newest.version} of the baseline cannot be changed so: {why}; nothing was done",
            code="bad_baseline",
            remedy="roosync baseline show; the baseline is one JSON object, and stays one",
        )

    def _unknown(self, version: int | None) -> InputFault:
        newest = baseline_of(self._state).version
        return InputFault(
            f"the baseline has no version {version}; the newest is {newest}",
            code="unknown_version",
            remedy="roosync baseline history",
            details={"newest": newest},
        )


def _require_strategies(name: str, value: Any) -> None:
    """A word that is no strategy is read as ``manual`` where it stands in old files. Nobody sets one on purpose."""
    if name != CONFLICT_STRATEGY or not isinstance(value, dict):
        return
    unknown = sorted({str(word) for word in value.values()}.difference(STRATEGIES))
    if unknown:
        raise InputFault(
            f"not a conflict strategy: {', '.join(unknown)}; nothing was done",
            code="bad_policy_value",
            remedy="there are: " + ", ".join(STRATEGIES),
        )
