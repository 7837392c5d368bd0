"""Where a decision stands, who has to do something, and what is known of them (docs/protocol/ledger.md §8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from roosync_p2p.core.presence import verdict_data
from roosync_p2p.core.why.quorum import quorum, undecided_wait
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.approvals import may_approve_own
from roosync_p2p.ledger.decision_state import TargetPhase, decision_of
from roosync_p2p.ledger.decision_views import decision_view
from roosync_p2p.ledger.lifecycle import Phase
from roosync_p2p.ledger.register import register_of

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["decision_facts", "decision_waits"]

Fact = dict[str, Any]

_SHOWN: Final = (
    "id",
    "state",
    "kind",
    "title",
    "author",
    "commit_number",
    "approved_by",
    "approvals_needed",
    "expires_at",
    "conflicts_with",
    "superseded_by",
    "reason",
)
_ENDED: Final = frozenset({TargetPhase.APPLIED, TargetPhase.ROLLED_BACK, TargetPhase.GONE})


def decision_facts(core: NodeCore, decision: str, asked: Sequence[Fact]) -> Fact | None:
    """What the ledger has of a decision, and what is known of the machines that it waits for; None if there is none.

    Args:
        asked: requests of this machine about it that have no number yet.
    """
    root, state = core.desk.identity.root, core.commit.state
    view, found = decision_view(state, decision, root), decision_of(state, decision)
    if view is None or found is None:
        return None
    register = register_of(state, root)
    machines = () if register.persons else register.approvers
    may = [name for name in machines if name != found.author or may_approve_own(register, found.author)]
    approved = set(view["approved_by"])  # type: ignore[call-overload]  # a list of names
    others = {name: decision_of(state, name) for name in found.conflicts_with}
    return {
        **{name: view[name] for name in _SHOWN},
        "persons": sorted(set(register.persons) - approved),
        "approvers": [_seen(core, name) for name in may if name not in approved],
        "targets": [
            {
                **_seen(core, machine),
                "phase": target.state,
                "attempt": target.attempt,
                "note": target.note,
                "rollback": target.rollback or None,
            }
            for machine, target in sorted(found.targets.items())
        ],
        "conflicts": [
            {"id": name, "state": None if other is None else other.state.value, "title": other.title if other else ""}
            for name, other in others.items()
        ],
        "asked": list(asked),
        "quorum": quorum(core) if asked else None,
    }


def decision_waits(core: NodeCore, facts: Fact) -> list[Fact]:
    """What it waits for, the worst first; empty if nothing."""
    waits: list[Fact] = [undecided_wait(core)] if facts["asked"] else []
    state = facts["state"]
    if state == Phase.CONFLICTED.value:
        waits.append({"code": "resolution", "decisions": facts["conflicts_with"]})
    elif state == Phase.PENDING.value:
        lacks = max(1, facts["approvals_needed"] - len(facts["approved_by"]))
        names = facts["persons"] or [row["machine"] for row in facts["approvers"]]
        waits.append({"code": "approvals", "count": lacks, "approvers": names, "until": facts["expires_at"]})
    elif state in (Phase.APPROVED.value, Phase.IN_PROGRESS.value, Phase.FAILED.value):
        open_ = [row["machine"] for row in facts["targets"] if row["phase"] not in _ENDED]
        if open_:
            waits.append({"code": "targets", "machines": open_})
    undoing = [row["machine"] for row in facts["targets"] if row["rollback"] is not None]
    if undoing:
        waits.append({"code": "rollback", "machines": undoing})
    return waits


def _seen(core: NodeCore, machine: str) -> Fact:
    return verdict_data(core.presence.liveness.verdict(MachineId(machine), core.desk.now))
