"""Who may decide, and whether enough have (docs/protocol/ledger.md §8).

Until a person exists approvers are machines; from then on only persons count. No machine approves what it authored,
except while it is the only approver, and then that is shown. A person may approve what they had a machine propose: the
signature was made by the command that asked for the passphrase, and no node can make it.
"""

from __future__ import annotations

from roosync_p2p.errors import SignatureFault
from roosync_p2p.ids import FleetId
from roosync_p2p.ledger.decision_bodies import PersonVerdict
from roosync_p2p.ledger.decision_state import ApprovalState, DecisionState
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.outcomes import Refused
from roosync_p2p.ledger.policies import APPROVALS_DECISIONS, APPROVALS_POLICY, number_policy
from roosync_p2p.ledger.register import Register, register_of_draft
from roosync_p2p.ledger.state import Reader
from roosync_p2p.trust.keys import PublicKey
from roosync_p2p.trust.roles import APPROVER
from roosync_p2p.trust.statements import verdict_bytes

__all__ = ["counted", "deciding", "may_approve_own", "needed"]

_DECISIONS = ("decision", "baseline")


def needed(reader: Reader, decision: DecisionState) -> int:
    """How many approvals a decision needs, by the policy in force."""
    return number_policy(reader, APPROVALS_DECISIONS if decision.sort in _DECISIONS else APPROVALS_POLICY)


def counted(register: Register, decision: DecisionState) -> tuple[str, ...]:
    """Who has approved and counts now, sorted: what the register says today, not when it was given."""
    if register.persons:
        return tuple(sorted({a.person for a in decision.approvals if a.person in register.persons}))
    machines = {a.machine for a in decision.approvals if not a.person and a.machine in register.approvers}
    if not may_approve_own(register, decision.author):
        machines.discard(decision.author)
    return tuple(sorted(machines))


def may_approve_own(register: Register, machine: str) -> bool:
    """Whether that machine is the only approver, and there is no person."""
    return not register.persons and register.approvers == (machine,)


def deciding(
    draft: Draft,
    decision: DecisionState,
    verdict: str,
    *,
    person: PersonVerdict | None,
    note: str = "",
    in_favour: bool = False,
) -> ApprovalState:
    """Who decides here: the author as an approver, or the person whose signature it carries.

    Args:
        verdict: what a person would have signed: ``approve``, ``reject``, ``resolve <decision>``.
        in_favour: of the decision, which its own author cannot be.

    Raises:
        Refused: ``no_authority``, ``needs_person``, ``own_decision``; ``unknown_person``, ``too_late``,
            ``bad_signature`` of a person's verdict.
    """
    register = register_of_draft(draft)
    if person is not None:
        _require_signed(draft, register, decision, verdict, person)
    elif not register.has_role(draft.author, APPROVER):
        raise Refused("no_authority", kind=draft.entry.header.kind, needs="approver")
    elif register.persons:
        raise Refused("needs_person", persons=sorted(register.persons))
    own = person is None and draft.author == decision.author
    if own and in_favour and not may_approve_own(register, draft.author):
        raise Refused("own_decision", decision=decision.id)
    return ApprovalState(
        machine=draft.author,
        person="" if person is None else person.person,
        own=own,
        note=note,
        number=draft.number,
        time_ms=draft.time_ms,
    )


def _require_signed(
    draft: Draft, register: Register, decision: DecisionState, verdict: str, person: PersonVerdict
) -> None:
    known = register.persons.get(person.person)
    if known is None:
        raise Refused("unknown_person", person=person.person)
    if person.not_after_ms and draft.time_ms > person.not_after_ms:
        raise Refused("too_late", not_after_ms=person.not_after_ms)
    assert register.fleet is not None
    signed = verdict_bytes(
        fleet=FleetId(register.fleet.id),
        person=person.person,
        decision=decision.id,
        revision=decision.hash,
        verdict=verdict,
        not_after_ms=person.not_after_ms,
    )
    try:
        PublicKey.from_raw(known.key).verify(person.signature, signed)
    except SignatureFault:
        raise Refused("bad_signature", person=person.person) from None
