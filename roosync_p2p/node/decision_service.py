"""Decisions for users: proposed, approved, applied, undone (docs/protocol/ledger.md §8).

Every verb answers with the decision as it is afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.errors import InputFault, MalformedError
from roosync_p2p.ids import ALL
from roosync_p2p.ledger.bodies import OrderedBody
from roosync_p2p.ledger.decision_bodies import (
    Action,
    DecisionApprove,
    DecisionArchive,
    DecisionPropose,
    DecisionReject,
    DecisionReport,
    DecisionResolve,
    DecisionRevise,
    DecisionRollback,
    DecisionStart,
    PersonVerdict,
)
from roosync_p2p.ledger.decision_state import DecisionState, TargetPhase, decision_of
from roosync_p2p.ledger.decision_views import decision_view, decisions_view
from roosync_p2p.ledger.documents import canonical_json
from roosync_p2p.ledger.resources import normalise_resource
from roosync_p2p.ledger.state import State
from roosync_p2p.node.decision_requests import (
    ActionAsked,
    ApplyAsked,
    DecisionsAsked,
    PersonAsked,
    ProposeAsked,
    ResolveAsked,
    RollbackAsked,
    VerdictAsked,
)
from roosync_p2p.node.encoded import decoded
from roosync_p2p.node.ledger_service import LedgerService
from roosync_p2p.node.orders import Circumstances, OrderAsked, Orders
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.refusals import refusal
from roosync_p2p.node.surroundings import Surroundings

__all__ = ["DecisionService", "actions_of", "json_bytes"]

_NOT_BEGUN: Final = frozenset({TargetPhase.WAITING, TargetPhase.RETRYING, TargetPhase.FAILED})

View = dict[str, Any]


class DecisionService:
    """Proposes decisions and says yes or no to them, in this machine's name or in that of a person who signed."""

    def __init__(self, performer: Performer, ledger: LedgerService, orders: Orders, around: Surroundings) -> None:
        self._performer = performer
        self._ledger = ledger
        self._orders = orders
        self._around = around

    # --- reading --------------------------------------------------------------------------------------------------

    async def decisions(self, asked: DecisionsAsked) -> View:
        """The newest decisions, without their contents."""
        found: Any = decisions_view(self._state, self._root)["decisions"]
        wanted = [row for row in found if asked.state in (None, row["state"])]
        return {"decisions": wanted[: asked.limit], **self._ledger.freshness()}

    async def decision(self, name: str) -> View:
        """One decision with everything that an approver has to see."""
        known = await self._ledger.current()
        return {"decisions": [self._shown(name)], **known}

    # --- proposing ------------------------------------------------------------------------------------------------

    async def propose(self, asked: ProposeAsked) -> View:
        """A new decision, or another text of one."""
        core = self._core
        core.desk.now = self._around.now()
        expires_ms = None if asked.expires_s is None else core.commit.clock.now_ms() + round(asked.expires_s * 1000)
        said: dict[str, Any] = {
            "title": asked.title,
            "description": asked.description,
            "severity": asked.severity,
            "targets": tuple(_target(target) for target in asked.targets),
            "actions": actions_of(asked.actions),
            "based_on": core.commit.applier.number if asked.based_on is None else asked.based_on,
            "baseline": asked.baseline,
            "strategy": asked.strategy,
            "expires_ms": expires_ms,
            "approve": asked.approve,
            "workspace": asked.workspace or "",
        }
        derived = ("expires_ms",) if asked.based_on is not None else ("expires_ms", "based_on")
        if asked.revises is None:
            return await self.ordered("decision.propose", DecisionPropose(**said), asked, derived=derived)
        revision = self._revision(asked.revises, asked.revision)
        if asked.revision is None:
            derived = (*derived, "revision")
        body = DecisionRevise(**said, decision=asked.revises, revision=revision)
        return await self.ordered("decision.revise", body, asked, derived=derived)

    # --- yes and no -----------------------------------------------------------------------------------------------

    async def approve(self, name: str, asked: VerdictAsked) -> View:
        """Approves a revision."""
        revision = self._revision(name, asked.revision)
        body = DecisionApprove(decision=name, revision=revision, note=asked.note, person=person_verdict(asked.person))
        return await self._decided("decision.approve", body, asked)

    async def reject(self, name: str, asked: VerdictAsked) -> View:
        """Rejects a revision."""
        revision = self._revision(name, asked.revision)
        body = DecisionReject(decision=name, revision=revision, reason=asked.note, person=person_verdict(asked.person))
        return await self._decided("decision.reject", body, asked)

    async def resolve(self, name: str, asked: ResolveAsked) -> View:
        """Says which of two decisions in conflict counts."""
        revision = self._revision(name, asked.revision)
        body = DecisionResolve(
            decision=name,
            revision=revision,
            keep=asked.keep,
            note=asked.note,
            person=person_verdict(asked.person),
        )
        return await self._decided("decision.resolve", body, asked)

    async def _decided(self, kind: str, body: OrderedBody, asked: VerdictAsked) -> View:
        return await self.ordered(kind, body, asked, derived=() if asked.revision else ("revision",))

    # --- doing ----------------------------------------------------------------------------------------------------

    async def apply(self, name: str, asked: ApplyAsked) -> View:
        """What this machine does about a decision. How it ended can be said without having said that it began."""
        decision = self._require(name)
        target = decision.targets.get(self._core.me)
        attempt = 0 if target is None else target.attempt
        begins = target is None or target.state in _NOT_BEGUN
        if asked.step == "start" or (asked.step != "rolled_back" and begins):
            attempt += 1
            begun = DecisionStart(decision=name, revision=decision.hash, attempt=attempt)
            if asked.step == "start":
                return await self.ordered("decision.start", begun, asked, derived=("revision", "attempt"))
            first = Circumstances(timeout_s=asked.timeout_s, fence=asked.fence)
            await self.ordered("decision.start", begun, first)
        body = DecisionReport(
            decision=name,
            attempt=max(attempt, 1),
            result=asked.step,
            note=asked.note,
            final=asked.final,
            backup=asked.backup,
        )
        return await self.ordered("decision.report", body, asked, derived=("attempt",))

    async def roll_back(self, name: str, asked: RollbackAsked) -> View:
        """Wants it undone."""
        machines = tuple(machine.strip().lower() for machine in asked.machines)
        body = DecisionRollback(decision=name, machines=machines, reason=asked.reason)
        return await self.ordered("decision.rollback", body, asked)

    async def archive(self, name: str, asked: OrderAsked) -> View:
        """Puts it away."""
        return await self.ordered("decision.archive", DecisionArchive(decision=name), asked)

    # --- inside ---------------------------------------------------------------------------------------------------

    async def ordered(self, kind: str, body: OrderedBody, asked: OrderAsked, *, derived: tuple[str, ...] = ()) -> View:
        """An entry about a decision, and the decision after it."""
        outcome = await self._orders.order(kind, body, asked, derived=derived)
        told = {key: outcome.detail[key] for key in ("conflicts", "warnings") if key in outcome.detail}
        return {**self._shown(str(outcome.detail["id"])), **told}

    def _shown(self, name: str) -> View:
        shown = decision_view(self._state, name, self._root)
        if shown is None:
            raise _unknown(name)
        return shown

    def _require(self, name: str) -> DecisionState:
        found = decision_of(self._state, name)
        if found is None:
            raise _unknown(name)
        return found

    def _revision(self, name: str, said: str | None) -> bytes:
        return bytes.fromhex(said) if said is not None else self._require(name).hash

    @property
    def _core(self) -> NodeCore:
        return self._performer.core

    @property
    def _state(self) -> State:
        return self._core.commit.state

    @property
    def _root(self) -> bytes:
        return self._core.desk.identity.root


def actions_of(asked: Sequence[ActionAsked]) -> tuple[Action, ...]:
    """The actions as the ledger takes them.

    Raises:
        InputFault: ``bad_resource``, ``bad_json``, ``bad_action``: one of them is none.
    """
    return tuple(_action(action) for action in asked)


def json_bytes(value: Any) -> bytes:
    """A JSON value in its one form.

    Raises:
        InputFault: it cannot be written in it.
    """
    try:
        return canonical_json(value)
    except MalformedError as error:
        raise InputFault(f"{error.message}; nothing was done", code=error.code) from error


def person_verdict(asked: PersonAsked | None) -> PersonVerdict | None:
    """A person's signature as the ledger takes it.

    Raises:
        InputFault: ``bad_signature``: it is not base64.
    """
    if asked is None:
        return None
    signature = decoded(asked.signature, what="the signature", code="bad_signature")
    return PersonVerdict(person=asked.person, signature=signature, not_after_ms=asked.not_after_ms)


def _action(asked: ActionAsked) -> Action:
    try:
        resource = str(normalise_resource(asked.resource))
        value = b"" if asked.value is msgspec.UNSET else canonical_json(asked.value)
        if asked.content is not None:
            value = decoded(asked.content, what=f"the content of {asked.resource[:100]}", code="bad_action")
        said = Action(
            op=asked.op,
            resource=resource,
            value=value,
            sha256=bytes.fromhex(asked.sha256 or ""),
            size=asked.size,
            name=asked.name,
            arguments=tuple(asked.arguments),
        )
        return msgspec.convert(msgspec.to_builtins(said, builtin_types=(bytes,)), Action, builtin_types=(bytes,))
    except MalformedError as error:
        raise InputFault(f"{asked.resource[:100]}: {error.message}; nothing was done", code=error.code) from error
    except msgspec.ValidationError as error:
        raise InputFault(f"{asked.resource[:100]}: {error}; nothing was done", code="bad_action") from error


def _target(text: str) -> str:
    lowered = text.strip().lower()
    return ALL if lowered == ALL else lowered


def _unknown(name: str) -> InputFault:
    return refusal("unknown_decision", {"decision": name}, kind="decision.show", facts={})
