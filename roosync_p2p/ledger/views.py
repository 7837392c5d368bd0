"""The ledger as JSON, for the API and the projection (docs/protocol/ledger.md §12).

The core adds ``as_of`` and ``stale``. Times are commit times, as RFC 3339.
"""

from __future__ import annotations

from roosync_p2p.ledger.claims import ClaimState, claim_of, shown_claim
from roosync_p2p.ledger.fleet import active_rules, epoch_of, voters_of
from roosync_p2p.ledger.register import register_of
from roosync_p2p.ledger.shown import shown_time
from roosync_p2p.ledger.state import State
from roosync_p2p.ledger.stored import read

__all__ = ["View", "claim_view", "claims_view", "fleet_view", "register_view", "shown_with_queue"]

View = dict[str, object]


def claim_view(state: State, name: str, *, time_ms: int) -> View | None:
    """One claim, with who waits for it; None if nobody holds it.

    Args:
        time_ms: the commit time that expiry is judged by: the leader's newest stamp.
    """
    claim = claim_of(state, name)
    return None if claim is None or claim.expires_ms <= time_ms else shown_with_queue(name, claim)


def claims_view(state: State, *, time_ms: int) -> View:
    """All claims that are held, by name."""
    claims = ((key.partition("/")[2], read(value, ClaimState)) for key, value in state.table("claim"))
    return {"claims": [shown_with_queue(name, claim) for name, claim in claims if time_ms < claim.expires_ms]}


def register_view(state: State, root: bytes) -> View:
    """Members, persons and issuers, those who left too."""
    register = register_of(state, root)
    return {
        "members": [
            {
                "machine": machine,
                "roles": list(member.roles),
                "key": member.key.hex(),
                "since": shown_time(member.since_ms),
                "admitted_by": member.by,
                "commit_number": member.number,
                "state": member.ended or "present",
                "reason": member.reason,
            }
            for machine, member in sorted(register.members.items())
        ],
        "persons": [
            {"person": person, "label": state.label, "key": state.key.hex(), "commit_number": state.number}
            for person, state in sorted(register.persons.items())
        ],
        "approvers": sorted(register.persons) or list(register.approvers),
    }


def fleet_view(state: State, root: bytes) -> View:
    """The fleet itself: voters, epoch, rules."""
    fleet, epoch = register_of(state, root).fleet, epoch_of(state)
    support = {key.partition("/")[2]: read(value, int) for key, value in state.table("support")}
    return {
        "fleet": None if fleet is None else {"id": fleet.id.hex(), "name": fleet.name, "founder": fleet.founder},
        "epoch": 0 if epoch is None else epoch.epoch,
        "voters": [machine for machine, _ in voters_of(state)],
        "rules": {"active": active_rules(state), "support": support},
    }


def shown_with_queue(name: str, claim: ClaimState) -> View:
    """A claim as it stands in the state, expired or not, with who waits for it."""
    waiting = [
        {"machine": w.machine, "workspace": w.workspace, "session": w.session, "since": shown_time(w.since_ms)}
        for w in claim.queue
    ]
    return {**shown_claim(name, claim), "queue": waiting}
