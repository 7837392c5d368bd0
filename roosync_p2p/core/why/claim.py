"""Why a claim is held or not, who waits for it, and what is known of its holder (docs/protocol/ledger.md §7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from roosync_p2p.core.presence import verdict_data
from roosync_p2p.core.why.quorum import quorum, undecided_wait
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.claims import claim_of
from roosync_p2p.ledger.shown import shown_time
from roosync_p2p.ledger.views import shown_with_queue

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["claim_facts", "claim_waits"]

Fact = dict[str, Any]


def claim_facts(core: NodeCore, name: str, asked: Sequence[Fact]) -> Fact:
    """What the ledger has of a name, and what is known of the machine that holds it.

    Args:
        asked: requests of this machine about it that have no number yet.
    """
    claim = claim_of(core.commit.state, name)
    free: Fact = {"name": name, "held": False, "expired_at": None, "holder": None, "token": None, "queue": []}
    found: Fact = free
    if claim is not None:
        held = core.commit.clock.now_ms() < claim.expires_ms
        found = {**free, **shown_with_queue(name, claim), "held": held}
        if not held:
            found["expired_at"] = shown_time(claim.expires_ms)
        verdict = core.presence.liveness.verdict(MachineId(claim.machine), core.desk.now)
        found["machine"] = verdict_data(verdict)
    return {**found, "asked": list(asked), "quorum": quorum(core) if asked else None}


def claim_waits(core: NodeCore, facts: Fact) -> list[Fact]:
    """What whoever wants the name waits for; empty if it is free."""
    waits: list[Fact] = [undecided_wait(core)] if facts["asked"] else []
    if facts["held"]:
        waits.append({"code": "holder", "machine": facts["holder"]["machine"], "until": facts["expires_at"]})
    elif facts["queue"]:
        waits.append({"code": "next_commit", "machine": facts["queue"][0]["machine"]})
    return waits
