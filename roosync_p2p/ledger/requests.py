"""Taking back what one asked for oneself (docs/protocol/ledger.md §7)."""

from __future__ import annotations

from roosync_p2p.ledger.bodies import RequestWithdraw
from roosync_p2p.ledger.claims import Detail, withdraw_claim
from roosync_p2p.ledger.decisions import withdraw_decision
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.outcomes import Refused

__all__ = ["withdraw"]


def withdraw(draft: Draft, body: RequestWithdraw) -> Detail:
    """A claim that was granted to that entry is released, a pending decision is rejected; all else is too late."""
    asked = body.entry.hex()
    if body.name:
        if withdraw_claim(draft, body.name, body.entry):
            return {"entry": asked, "name": body.name}
    elif decision := withdraw_decision(draft, body.entry):
        return {"entry": asked, "decision": decision}
    raise Refused("too_late", entry=asked)
