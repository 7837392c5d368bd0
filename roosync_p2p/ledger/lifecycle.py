"""The life of a decision, as data (docs/protocol/ledger.md §8, where the diagram is made from this table)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from roosync_p2p.ledger.outcomes import Refused

__all__ = ["IN_EFFECT", "OPEN", "TRANSITIONS", "Phase", "Step", "after", "diagram"]


class Phase(Enum):
    """Where a decision stands."""

    PENDING = "pending"
    APPROVED = "approved"
    IN_PROGRESS = "in_progress"
    APPLIED = "applied"
    ARCHIVED = "archived"
    REJECTED = "rejected"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    SUPERSEDED = "superseded"
    CONFLICTED = "conflicted"
    EXPIRED = "expired"


class Step(Enum):
    """What happens to a decision, in words of the diagram."""

    APPROVE = "approvals complete"
    REJECT = "rejected"
    WITHDRAW = "withdrawn"
    REVISE = "revised"
    EXPIRE = "no approval in time"
    CONFLICT = "approvals complete, in conflict"
    RESOLVE = "resolved in its favour"
    SUPERSEDE = "another one counts"
    START = "a target starts"
    COMPLETE = "applied everywhere"
    FAIL = "done, and failed somewhere"
    ROLL_BACK = "undone everywhere"
    ARCHIVE = "put away"


TRANSITIONS: Final[Mapping[tuple[Phase, Step], Phase]] = MappingProxyType(
    {
        (Phase.PENDING, Step.REVISE): Phase.PENDING,
        (Phase.PENDING, Step.APPROVE): Phase.APPROVED,
        (Phase.PENDING, Step.CONFLICT): Phase.CONFLICTED,
        (Phase.PENDING, Step.SUPERSEDE): Phase.SUPERSEDED,
        (Phase.PENDING, Step.REJECT): Phase.REJECTED,
        (Phase.PENDING, Step.WITHDRAW): Phase.REJECTED,
        (Phase.PENDING, Step.EXPIRE): Phase.EXPIRED,
        (Phase.CONFLICTED, Step.RESOLVE): Phase.APPROVED,
        (Phase.CONFLICTED, Step.REVISE): Phase.PENDING,
        (Phase.CONFLICTED, Step.SUPERSEDE): Phase.SUPERSEDED,
        (Phase.CONFLICTED, Step.REJECT): Phase.REJECTED,
        (Phase.CONFLICTED, Step.WITHDRAW): Phase.REJECTED,
        (Phase.APPROVED, Step.START): Phase.IN_PROGRESS,
        (Phase.APPROVED, Step.COMPLETE): Phase.APPLIED,
        (Phase.APPROVED, Step.FAIL): Phase.FAILED,
        (Phase.APPROVED, Step.SUPERSEDE): Phase.SUPERSEDED,
        (Phase.APPROVED, Step.ROLL_BACK): Phase.ROLLED_BACK,
        (Phase.IN_PROGRESS, Step.COMPLETE): Phase.APPLIED,
        (Phase.IN_PROGRESS, Step.FAIL): Phase.FAILED,
        (Phase.IN_PROGRESS, Step.SUPERSEDE): Phase.SUPERSEDED,
        (Phase.IN_PROGRESS, Step.ROLL_BACK): Phase.ROLLED_BACK,
        (Phase.APPLIED, Step.SUPERSEDE): Phase.SUPERSEDED,
        (Phase.APPLIED, Step.ROLL_BACK): Phase.ROLLED_BACK,
        (Phase.FAILED, Step.START): Phase.IN_PROGRESS,
        (Phase.FAILED, Step.COMPLETE): Phase.APPLIED,
        (Phase.FAILED, Step.SUPERSEDE): Phase.SUPERSEDED,
        (Phase.FAILED, Step.ROLL_BACK): Phase.ROLLED_BACK,
        (Phase.APPLIED, Step.ARCHIVE): Phase.ARCHIVED,
        (Phase.REJECTED, Step.ARCHIVE): Phase.ARCHIVED,
        (Phase.FAILED, Step.ARCHIVE): Phase.ARCHIVED,
        (Phase.ROLLED_BACK, Step.ARCHIVE): Phase.ARCHIVED,
        (Phase.SUPERSEDED, Step.ARCHIVE): Phase.ARCHIVED,
        (Phase.EXPIRED, Step.ARCHIVE): Phase.ARCHIVED,
    }
)

OPEN: Final = frozenset({Phase.PENDING, Phase.CONFLICTED})  # nothing was done yet
IN_EFFECT: Final = frozenset({Phase.APPROVED, Phase.IN_PROGRESS, Phase.APPLIED, Phase.FAILED})


def after(phase: Phase, step: Step) -> Phase:
    """The phase that a step leads to.

    Raises:
        Refused: ``wrong_state``: there is no such step from there.
    """
    following = TRANSITIONS.get((phase, step))
    if following is None:
        raise Refused("wrong_state", state=phase.value)
    return following


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    return "\n".join(["stateDiagram-v2", "    [*] --> pending", *_arrows(), "    archived --> [*]"])


def _arrows() -> Iterator[str]:
    for (phase, step), following in TRANSITIONS.items():
        yield f"    {phase.value} --> {following.value}: {step.value}"
