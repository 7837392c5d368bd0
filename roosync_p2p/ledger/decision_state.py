"""A decision in the state, and the index that conflicts are found with (docs/protocol/ledger.md §8).

Each decision is kept whole under ``decision/<id>``. What may conflict with others stands beside it, small, under
``live/<id>``, so that a proposal is compared with all of them without reading their contents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import Record, to_value
from roosync_p2p.ledger.actions import Touch
from roosync_p2p.ledger.decision_bodies import Action
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.lifecycle import IN_EFFECT, OPEN, Phase, Step, after
from roosync_p2p.ledger.outcomes import Refused
from roosync_p2p.ledger.state import Reader
from roosync_p2p.ledger.stored import read

__all__ = [
    "ApprovalState",
    "DecisionState",
    "Live",
    "TargetPhase",
    "TargetState",
    "decision_of",
    "live_decisions",
    "require_decision",
    "revision_hash",
    "save",
    "stepped",
]


class TargetPhase:
    """Where one target stands with a decision."""

    WAITING = "waiting"
    IN_PROGRESS = "in_progress"
    RETRYING = "retrying"  # failed, and may try again
    APPLIED = "applied"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"  # or never begun, when it was undone
    GONE = "gone"  # it is no member any more, and never finished


class TargetState(Record, frozen=True, kw_only=True):
    """What one target did.

    Attributes:
        attempt: the number of the last attempt; 0 before the first.
        rollback: ``wanted`` or ``failed``; empty where it is not asked for.
        applied_ms: commit time of its report.
        number: commit number of its last report.
    """

    state: str = TargetPhase.WAITING
    attempt: int = 0
    session: str = ""
    note: str = ""
    backup: bool = False
    rollback: str = ""
    applied_ms: int = 0
    number: int = 0


class ApprovalState(Record, frozen=True, kw_only=True):
    """Who approved: a machine, or a person whose signature a machine carried.

    ``own`` is said where a machine approved what it had authored, being the only approver.
    """

    machine: str
    person: str = ""
    own: bool = False
    note: str = ""
    number: int
    time_ms: int


class DecisionState(Record, frozen=True, kw_only=True):
    """A decision, whole.

    Attributes:
        sort: ``decision``, ``baseline``, ``policy``, ``rules``, ``voters``: which kind of entry made it.
        number: commit number of its proposal; the id is ``D`` and this.
        revision: how many times it was written.
        revised: commit number of the revision that stands.
        hash: of that revision.
        baseline: version of the baseline that the author edited; 0 where it named none.
        manual: the author wants conflicts resolved by a person.
        effect: commit number at which it took effect; 0 before.
        version: version of the baseline that it made; 0 where it made none.
        held: version of the baseline that held its change already, so that it made none.
        version_undone: that version was taken back.
        stands_for: decisions whose place it takes when it takes effect.
        was: the phase before it was archived.
    """

    id: str
    sort: str
    state: Phase = Phase.PENDING
    author: str
    workspace: str = ""
    entry: bytes
    title: str
    description: str = ""
    severity: str
    targets: Mapping[str, TargetState] = {}
    actions: tuple[Action, ...]
    based_on: int
    baseline: int = 0
    manual: bool = False
    number: int
    time_ms: int
    revision: int = 1
    revised: int
    hash: bytes
    expires_ms: int
    approvals: tuple[ApprovalState, ...] = ()
    conflicts_with: tuple[str, ...] = ()
    effect: int = 0
    effect_ms: int = 0
    version: int = 0
    held: int = 0
    version_undone: bool = False
    stands_for: tuple[str, ...] = ()
    superseded_by: str = ""
    reason: str = ""
    was: Phase | None = None


class Live(Record, frozen=True, kw_only=True):
    """What may conflict with another decision.

    Attributes:
        version: the first version of the baseline that holds its change, of one in effect.
    """

    author: str
    targets: tuple[str, ...]
    touches: tuple[Touch, ...]
    revised: int
    based_on: int
    baseline: int = 0
    manual: bool = False
    effect: int = 0
    version: int = 0


def decision_of(reader: Reader, decision: str) -> DecisionState | None:
    """A decision by its id."""
    data = reader.get(f"decision/{decision}")
    return None if data is None else read(data, DecisionState)


def require_decision(draft: Draft, decision: str) -> DecisionState:
    """A decision that there is.

    Raises:
        Refused: ``unknown_decision``.
    """
    found = decision_of(draft, decision)
    if found is None:
        raise Refused("unknown_decision", decision=decision)
    return found


def live_decisions(reader: Reader) -> Iterator[tuple[str, Live]]:
    """All that a decision may conflict with, by id."""
    for key, value in reader.table("live"):
        yield key.partition("/")[2], read(value, Live)


def stepped(decision: DecisionState, step: Step, **more: object) -> DecisionState:
    """The decision after a step.

    Raises:
        Refused: ``wrong_state``.
    """
    return msgspec.structs.replace(decision, state=after(decision.state, step), **more)


def save(draft: Draft, decision: DecisionState, touched: tuple[Touch, ...] | None = None) -> DecisionState:
    """Writes a decision and its place in the index.

    Args:
        touched: what its actions touch, where they are new; else as before.
    """
    draft.put(f"decision/{decision.id}", decision)
    key = f"live/{decision.id}"
    if touched is None:
        before = draft.load(key, Live)
        touched = () if before is None else before.touches
    has_effect = bool(decision.effect) and (decision.was or decision.state) in IN_EFFECT
    if decision.superseded_by or not (has_effect or decision.state in OPEN):
        draft.delete(key)
        return decision
    draft.put(
        key,
        Live(
            author=decision.author,
            targets=tuple(sorted(decision.targets)),
            touches=touched,
            revised=decision.revised,
            based_on=decision.based_on,
            baseline=decision.baseline,
            manual=decision.manual,
            effect=decision.effect,
            version=decision.version or decision.held,
        ),
    )
    return decision


def revision_hash(decision: DecisionState) -> bytes:
    """What an approver approves: everything that the decision would do, and which revision of which decision it is."""
    return sha256(
        pack(
            {
                "actions": [to_value(action) for action in decision.actions],
                "based_on": decision.based_on,
                "baseline": decision.baseline,
                "decision": decision.id,
                "description": decision.description,
                "manual": decision.manual,
                "revision": decision.revision,
                "severity": decision.severity,
                "sort": decision.sort,
                "targets": sorted(decision.targets),
                "title": decision.title,
            }
        )
    )
