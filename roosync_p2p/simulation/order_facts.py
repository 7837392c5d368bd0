"""Reads disks, rows and messages for what they say of the order, in the words that the checkers take."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from roosync_p2p import limits
from roosync_p2p.codec.canonical import unpack
from roosync_p2p.codec.records import decode, from_value
from roosync_p2p.consensus.items import LogItem, Seat, Voters, changes_voters
from roosync_p2p.core.commit import applier
from roosync_p2p.core.memory_store import MemoryStore
from roosync_p2p.core.rows import CommitRow, LogItemRow
from roosync_p2p.entries.entry import stored_entry
from roosync_p2p.errors import PeerFault
from roosync_p2p.ids import CommitNumber, EntryId, LogIndex
from roosync_p2p.ledger import bodies
from roosync_p2p.simulation.checkers.claims import ClaimCommit
from roosync_p2p.simulation.checkers.commits import Commit, Progress
from roosync_p2p.simulation.checkers.elections import EpochTerm
from roosync_p2p.simulation.checkers.replication import Item
from roosync_p2p.trust.envelopes import parse_envelope
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import MEMBER_REMOVE

__all__ = [
    "ALL_ITEMS",
    "claim_commits",
    "commit_of",
    "ended_by",
    "hard_state",
    "holds_number",
    "item_on_disk",
    "items_on_disk",
    "last_number",
    "made_by",
    "outcome_of",
    "progress_in",
    "seat_of",
    "seat_text",
    "voters_in",
]

ALL_ITEMS: Final = 1 << 40  # more bytes than any log of a simulation
_HARD: Final = "raft.hard"

_ENDING: Final = frozenset({MEMBER_REMOVE, "member.leave", "member.retire"})
_BODIES: Final[dict[str, type[bodies.OrderedBody]]] = {
    "claim.acquire": bodies.ClaimAcquire,
    "claim.renew": bodies.ClaimRenew,
    "claim.release": bodies.ClaimRelease,
    "request.withdraw": bodies.RequestWithdraw,
}


def seat_text(machine: str, store: bytes) -> str:
    """A seat as the checkers name it."""
    return f"{machine}/{store.hex()[:8]}"


# --- disks ----------------------------------------------------------------------------------------------------------


def hard_state(disk: MemoryStore) -> tuple[EpochTerm, str | None]:
    """Epoch, term and vote that a crash would leave now, read without the node's own code."""
    data = disk.load().meta.get(_HARD)
    if data is None:
        return (0, 0), None
    value: Any = unpack(data, size_max=limits.RECORD_BYTES_MAX)
    vote = value.get("vote")
    return (value["epoch"], value["term"]), None if vote is None else seat_text(vote[0], vote[1])


def items_on_disk(disk: MemoryStore) -> list[Item]:
    """The log that a crash would leave now."""
    return [(row.term, row.data) for row in disk.log_items(LogIndex(1), ALL_ITEMS, ALL_ITEMS)]


def item_on_disk(disk: MemoryStore, index: int) -> Item | None:
    """One item of it."""
    rows = disk.log_items(LogIndex(index), 1, ALL_ITEMS)
    return (rows[0].term, rows[0].data) if rows else None


def item_names(disk: MemoryStore, entry: str) -> bool:
    """Whether an item of it names an entry (hex)."""
    return any(bytes.fromhex(entry) in data for _, data in items_on_disk(disk))


# --- rows -----------------------------------------------------------------------------------------------------------


def commit_of(row: CommitRow) -> Commit:
    """One number as it was written."""
    return Commit(
        number=row.number,
        index=row.index,
        time_ms=row.time_ms,
        epoch=row.epoch,
        entry="" if row.entry is None else row.entry.hex(),
        kind=row.kind,
        accepted=row.accepted,
        reason=row.reason,
        detail=row.detail,
        leaf=row.leaf,
    )


def progress_in(data: bytes) -> Progress:
    """How far everything is applied, from the row that says so."""
    progress = decode(data, applier.Progress)
    return Progress(number=progress.number, index=progress.index, digest=progress.digest, tree=progress.tree)


def voters_in(row: LogItemRow) -> Voters | None:
    """The voter change in an item."""
    if not changes_voters(row.data):
        return None
    payload = LogItem(row.index, row.term, row.data).payload
    assert isinstance(payload, Voters)
    return payload


def made_by(envelope: bytes, machine: str, key: SigningKey) -> bool:
    """Whether an envelope is in a machine's name and really carries its signature."""
    parsed = parse_envelope(envelope, size_max=limits.VOTER_ENVELOPE_BYTES_MAX)
    if parsed.author != machine:
        return False
    try:
        key.public.verify(parsed.signature, parsed.signed_bytes())
    except PeerFault:
        return False
    return True


# --- users ----------------------------------------------------------------------------------------------------------


def outcome_of(disk: MemoryStore, entry: EntryId) -> dict[str, object] | None:
    """What a request was decided to, from the disk, as its user was or would have been told."""
    row = disk.commit_of(entry)
    if row is None:
        return None
    outcome = {"accepted": row.accepted, "reason": row.reason, "detail": _detail(row.detail)}
    return {"entry": entry.hex(), "commit_number": int(row.number), "kind": row.kind, "outcome": outcome}


def claim_commits(disk: MemoryStore) -> list[ClaimCommit]:
    """Everything that is applied on a disk, as the twin of the claims takes it."""
    return [_claim_commit(disk, commit_of(row)) for row in disk.commits(CommitNumber(1), ALL_ITEMS)]


def ended_by(commit: Commit) -> str:
    """The machine whose membership a commit ends; empty for every other commit."""
    ends = commit.kind in _ENDING and commit.accepted
    return str(_detail(commit.detail).get("machine", "")) if ends else ""


def _claim_commit(disk: MemoryStore, commit: Commit) -> ClaimCommit:
    plain = ClaimCommit(
        number=commit.number,
        time_ms=commit.time_ms,
        kind=commit.kind,
        accepted=commit.accepted,
        reason=commit.reason,
    )
    if ended := ended_by(commit):
        return dataclasses.replace(plain, ends=ended)
    if commit.kind not in _BODIES:
        return plain
    id_ = EntryId(bytes.fromhex(commit.entry))
    entry = stored_entry(*disk.ordered_entries([id_])[id_])
    assert entry.body is not None
    value = unpack(entry.body, size_max=limits.ENTRY_BODY_BYTES_MAX)
    body = from_value(value, _BODIES[commit.kind])
    granted = _detail(commit.detail).get("token")
    return ClaimCommit(
        number=commit.number,
        time_ms=commit.time_ms,
        kind=commit.kind,
        accepted=commit.accepted,
        reason=commit.reason,
        who=(str(entry.author), str(getattr(body, "session", ""))),
        name=str(getattr(body, "name", "")),
        ttl_ms=int(getattr(body, "ttl_ms", 0)),
        token=int(getattr(body, "token", 0)),
        granted=granted if isinstance(granted, int) else None,
        entry=commit.entry,
        about=bytes(getattr(body, "entry", b"")).hex(),
        queue=bool(getattr(body, "queue", False)),
        wait_until_ms=getattr(body, "wait_until_ms", None),
        late_ms=body.not_after_ms,
        fence=None if body.fence is None else (body.fence.name, body.fence.token),
        epoch=body.epoch,
        ordered_in=commit.epoch,
    )


def last_number(disk: MemoryStore) -> CommitNumber:
    """How far a crash would leave this disk applied."""
    return disk.load().commits


def holds_number(disk: MemoryStore, number: int) -> bool:
    """Whether a crash would leave that number applied."""
    return bool(disk.commits(CommitNumber(number), 1))


def seat_of(seat: Seat) -> str:
    """A seat of the consensus as the checkers name it."""
    return seat_text(seat.machine, seat.store)


def _detail(data: bytes) -> dict[str, object]:
    value: Any = unpack(data, size_max=limits.ENTRY_BODY_BYTES_MAX)
    return dict(value)
