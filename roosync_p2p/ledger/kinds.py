"""Every ordered kind: its body, who may author it, and its rule (docs/protocol/ledger.md §4). The authority table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from roosync_p2p.entries.entry import CHAIN_START
from roosync_p2p.entries.incarnations import ChainStart
from roosync_p2p.ledger import (
    bodies,
    claims,
    configs,
    decision_bodies,
    decisions,
    fleet,
    governed,
    membership,
    requests,
    targets,
)
from roosync_p2p.ledger.claims import Detail
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.register import Register
from roosync_p2p.trust.roles import APPROVER, ISSUER
from roosync_p2p.trust.statements import FLEET_FOUND, MEMBER_ADMIT, MEMBER_REMOVE, MemberAdmit

__all__ = ["KINDS", "Kind", "Who", "may_author"]

Rule = Callable[[Draft, Any], Detail]


class Who(Enum):
    """Who may author a kind, by the register. ``CARRIER`` is any member: the signature inside decides."""

    FOUNDER = "the founder"
    EVERYBODY = "any member, observers too"
    MEMBER = "any member"
    CARRIER = "any member, with the envelope of the root's or an issuer's statement"
    ISSUER = "issuer"
    APPROVER = "approver"
    GOVERNOR = "issuer or approver"
    APPROVER_OR_PERSON = "approver; or any member, with a person's signature"
    TARGET = "the target machine itself"


class Kind(NamedTuple):
    """One row of the table. A rule of None moves the cursor, and that is all.

    ``outlives``: what the entry says holds in every epoch that comes after its own.
    """

    who: Who
    body: type[msgspec.Struct]
    rule: Rule | None
    outlives: bool = False


def may_author(register: Register, machine: str, who: Who) -> bool:
    """Whether a machine may author a kind at all. Present membership is asked by the caller."""
    if who in (Who.EVERYBODY, Who.FOUNDER):
        return True
    if machine not in register.acting:  # an observer
        return False
    match who:
        case Who.ISSUER:
            return register.has_role(machine, ISSUER)
        case Who.APPROVER:
            return register.has_role(machine, APPROVER)
        case Who.GOVERNOR:
            return register.has_role(machine, ISSUER) or register.has_role(machine, APPROVER)
        case _:  # the rule looks further
            return True


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        CHAIN_START: Kind(Who.EVERYBODY, ChainStart, None),
        FLEET_FOUND: Kind(Who.FOUNDER, bodies.Carrier, membership.found),
        "fleet.recover": Kind(Who.CARRIER, bodies.Carrier, fleet.recover),
        "time.reset": Kind(Who.CARRIER, bodies.Carrier, fleet.reset_time),
        MEMBER_ADMIT: Kind(Who.ISSUER, MemberAdmit, membership.admit),
        # Everybody has heard of the rotation, and the old key signs nothing more: refused, it is never said again.
        "member.rotate": Kind(Who.EVERYBODY, bodies.MemberRotate, membership.rotate, outlives=True),
        "member.roles": Kind(Who.CARRIER, bodies.Carrier, membership.set_roles),
        MEMBER_REMOVE: Kind(Who.CARRIER, bodies.Carrier, membership.remove),
        "member.leave": Kind(Who.EVERYBODY, bodies.MemberLeave, membership.leave),
        "member.retire": Kind(Who.ISSUER, bodies.MemberRetire, membership.retire),
        bodies.MEMBER_SETTLE: Kind(Who.ISSUER, bodies.MemberSettle, membership.settle),
        "person.add": Kind(Who.CARRIER, bodies.Carrier, membership.add_person),
        "person.rotate": Kind(Who.CARRIER, bodies.Carrier, membership.rotate_person),
        "person.remove": Kind(Who.CARRIER, bodies.Carrier, membership.remove_person),
        "claim.acquire": Kind(Who.MEMBER, bodies.ClaimAcquire, claims.acquire),
        "claim.renew": Kind(Who.MEMBER, bodies.ClaimRenew, claims.renew),
        "claim.release": Kind(Who.MEMBER, bodies.ClaimRelease, claims.release),
        "claim.steal": Kind(Who.APPROVER, bodies.ClaimSteal, claims.steal),
        "request.withdraw": Kind(Who.MEMBER, bodies.RequestWithdraw, requests.withdraw),
        "decision.propose": Kind(Who.MEMBER, decision_bodies.DecisionPropose, decisions.propose),
        "decision.revise": Kind(Who.MEMBER, decision_bodies.DecisionRevise, decisions.revise),
        "decision.approve": Kind(Who.APPROVER_OR_PERSON, decision_bodies.DecisionApprove, decisions.approve),
        "decision.reject": Kind(Who.APPROVER_OR_PERSON, decision_bodies.DecisionReject, decisions.reject),
        "decision.resolve": Kind(Who.APPROVER_OR_PERSON, decision_bodies.DecisionResolve, decisions.resolve),
        "decision.start": Kind(Who.TARGET, decision_bodies.DecisionStart, targets.start),
        "decision.report": Kind(Who.TARGET, decision_bodies.DecisionReport, targets.report),
        "decision.rollback": Kind(Who.MEMBER, decision_bodies.DecisionRollback, targets.roll_back),
        "decision.archive": Kind(Who.MEMBER, decision_bodies.DecisionArchive, decisions.archive),
        "baseline.set": Kind(Who.MEMBER, decision_bodies.BaselineSet, governed.set_baseline),
        "baseline.restore": Kind(Who.MEMBER, decision_bodies.BaselineRestore, governed.restore_baseline),
        "policy.set": Kind(Who.GOVERNOR, bodies.PolicySet, governed.set_policy),
        "voters.prefer": Kind(Who.GOVERNOR, bodies.VotersPrefer, governed.prefer),
        "rules.activate": Kind(Who.GOVERNOR, bodies.RulesActivate, governed.activate_rules),
        "config.publish": Kind(Who.MEMBER, bodies.ConfigPublish, configs.publish),
        "rules.support": Kind(Who.MEMBER, bodies.RulesSupport, fleet.support),
    }
)
