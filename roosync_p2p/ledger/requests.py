"""Taking back what one asked for oneself (docs/protocol/ledger.md §7)."""

from __future__ import annotations

from roosync_p2p.ledger.bodies import RequestWithdraw
from roosync_p2p.ledger.claims import Detail, withdraw_claim
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.outcomes import Refused

__all__ = ["withdraw"]


def withdraw(draft: Draft, body: RequestWithdraw) -> Detail:
    """A claim that was granted to that entry is released, a pending decision is rejected; all else is too late."""
    if body.name and withdraw_claim(draft, body.name, body.entry):
        return {"entry": body.entry.hex(), "name": body.name}
    raise Refused("too_late", entry=body.entry.hex())
