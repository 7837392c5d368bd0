"""Applying what was ordered: pure, total, deterministic (docs/protocol/ledger.md §2).

    apply(state, commit) -> outcome, changes, events

Apply reads the state and its arguments, and nothing else. Any bytes as a body give an outcome, never an error. The
caller (the core) has seen to it that the entry's signature and body hash are verified, that :func:`takes` says NEXT,
that commit numbers and times only grow, and that the version of the rules in force is one that this program knows.

1. What is due at this time happens.
2. The entry is judged: author, kind, body, epoch, time, authority, fence; then its rule runs.
3. A refusal, wherever it comes from, undoes step 2 alone.
4. The author's cursor moves onto the entry, accepted or not.
"""

from __future__ import annotations

from collections.abc import Sequence

from roosync_p2p import limits
from roosync_p2p.codec import records
from roosync_p2p.codec.canonical import unpack
from roosync_p2p.entries.entry import CHAIN_START, Entry
from roosync_p2p.errors import PeerFault
from roosync_p2p.ids import CommitNumber, Epoch, MachineId, StoreId
from roosync_p2p.ledger.bodies import Circumstances
from roosync_p2p.ledger.claims import Detail, check_fence, expire
from roosync_p2p.ledger.cursors import moved
from roosync_p2p.ledger.decisions import expire_decision
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.due import due_now
from roosync_p2p.ledger.fleet import note_voters
from roosync_p2p.ledger.kinds import Kind, Who, may_author
from roosync_p2p.ledger.outcomes import Applied, Outcome, Refused
from roosync_p2p.ledger.register import register_of
from roosync_p2p.ledger.rules import RULES, Rules
from roosync_p2p.ledger.state import State

__all__ = ["apply", "apply_voters"]


def apply(
    state: State,
    *,
    number: CommitNumber,
    time_ms: int,
    epoch: Epoch,
    entry: Entry,
    root: bytes,
    rules: Rules = RULES,
) -> Applied:
    """What the entry with this commit number does to a state.

    Args:
        time_ms: commit time, the leader's stamp of the batch.
        epoch: of the commit log, in which the batch was committed.
        root: the fleet's root certificate, DER.
        rules: those that this program knows; the state says which of them are in force.
    """
    assert entry.body is not None, "bodies of the ledger chain are kept for ever"
    assert rules.lacks(state) is None, "this program lacks the rules in force"
    draft = Draft(state, number=number, time_ms=time_ms, epoch=epoch, entry=entry, root=root)
    _let_due(draft)
    mark = draft.mark()
    try:
        outcome = Outcome(accepted=True, detail=_judge(draft, entry.body, rules))
    except Refused as refused:
        draft.go_back(mark)
        outcome = Outcome(accepted=False, reason=refused.reason, detail=refused.detail)
    except PeerFault as fault:  # a body or an envelope in it: the code is stable, a library's words are not
        draft.go_back(mark)
        outcome = Outcome(accepted=False, reason=fault.code)
    draft.changes.update(moved(entry))
    return Applied(outcome=outcome, changes=draft.changes, events=tuple(draft.events))


def apply_voters(
    state: State,
    *,
    number: CommitNumber,
    time_ms: int,
    epoch: Epoch,
    voters: Sequence[tuple[MachineId, StoreId]],
) -> Applied:
    """What a voter change with this commit number does to a state: it is noted, whoever is in it."""
    draft = Draft(state, number=number, time_ms=time_ms, epoch=epoch)
    _let_due(draft)
    note_voters(draft, voters)
    return Applied(outcome=Outcome(accepted=True), changes=draft.changes, events=tuple(draft.events))


def _let_due(draft: Draft) -> None:
    for what, which in due_now(draft):
        match what:
            case "claim":
                expire(draft, which)
            case "decision":
                expire_decision(draft, which)


def _judge(draft: Draft, body: bytes, rules: Rules) -> Detail:
    kind = rules.in_force(draft.state).get(draft.entry.header.kind)
    _require_author(draft, kind)
    if kind is None:
        raise Refused("unknown_kind", kind=draft.entry.header.kind)
    if kind.rule is None:
        return {}
    value = unpack(body, size_max=limits.ENTRY_BODY_BYTES_MAX)
    said = records.from_value(value, kind.body)
    circumstances = said if isinstance(said, Circumstances) else records.from_value(value, Circumstances)
    _require_circumstances(draft, circumstances, outlives=kind.outlives)
    return kind.rule(draft, said)


def _require_author(draft: Draft, kind: Kind | None) -> None:
    register, entry = register_of(draft.state, draft.root), draft.entry
    if kind is not None and (entry.header.kind == CHAIN_START or kind.who is Who.FOUNDER):
        return
    if register.fleet is None:
        raise Refused("not_founded")
    if register.present(entry.author) is None:
        raise Refused("not_a_member", machine=entry.author)
    if kind is not None and not may_author(register, entry.author, kind.who):
        raise Refused("no_authority", kind=entry.header.kind, needs=kind.who.value)


def _require_circumstances(draft: Draft, body: Circumstances, *, outlives: bool) -> None:
    """Epoch, time and fence, in this order.

    Raises:
        Refused: ``old_epoch``, ``wrong_epoch``, ``too_late``, ``fenced``.
    """
    if body.epoch > draft.epoch or (body.epoch < draft.epoch and not outlives):
        raise Refused("old_epoch" if body.epoch < draft.epoch else "wrong_epoch", epoch=body.epoch)
    if body.not_after_ms is not None and draft.time_ms > body.not_after_ms:
        raise Refused("too_late", not_after_ms=body.not_after_ms)
    if body.fence is not None:
        check_fence(draft, body.fence)
