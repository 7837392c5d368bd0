"""What the core asks the store to keep: plain rows, each one fact.

A :class:`~roosync_p2p.core.effects.Persist` effect carries rows that become durable together. Rows are idempotent:
writing the same row twice leaves the same store. The store keeps them and answers reads; it decides nothing.
"""

from __future__ import annotations

import array
import dataclasses
from typing import ClassVar, TypeAlias

from roosync_p2p.codec.records import Record
from roosync_p2p.core.mail_rows import Cited, FetchedRow, MailRow, WatchRow
from roosync_p2p.entries.entry import Entry
from roosync_p2p.ids import (
    Chain,
    CommitNumber,
    EntryId,
    Epoch,
    KeyId,
    LogIndex,
    MachineId,
    MessageId,
    Term,
)

__all__ = [
    "AddressRow",
    "ChainCutRow",
    "ChainFloorRow",
    "ChainHeads",
    "CommitCutRow",
    "CommitRow",
    "DeliveryRow",
    "EntryRow",
    "ForkRow",
    "FormerKey",
    "IdempotencyRow",
    "InviteRow",
    "Loaded",
    "LogCutRow",
    "LogItemRow",
    "LogLoaded",
    "MemberRow",
    "MessageRow",
    "MetaRow",
    "OrderKeyRow",
    "OrderRow",
    "PendingRow",
    "ReceiptRow",
    "RecordRow",
    "Row",
    "SideEntryRow",
    "StateRow",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MetaRow:
    """One small fact about this store: start number, store id, incarnation. ``None`` removes it."""

    key: str
    value: bytes | None


class FormerKey(Record, frozen=True, kw_only=True):
    """Value of a :class:`MetaRow`: the certificates of a key that a machine gave up; what it signed is read with it.

    Its key is the prefix, the machine and the key id.
    """

    PREFIX: ClassVar[str] = "former."

    leaf: bytes
    issuer: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """One entry of somebody's chain. Never replaced: a second header for the same place is a :class:`ForkRow`.

    One that left its chain by a :class:`ChainCutRow` may come back into it, if its place is free.
    """

    author: MachineId
    incarnation: int
    chain: Chain
    sequence: int
    id: EntryId
    kind: str
    header: bytes  # the signed envelope exactly as it arrived
    body: bytes | None  # None once retention dropped it
    received_ms: int

    @classmethod
    def of(cls, entry: Entry, received_ms: int) -> EntryRow:
        """The row that keeps an entry."""
        return cls(
            author=entry.author,
            incarnation=entry.header.incarnation,
            chain=entry.chain,
            sequence=entry.header.sequence,
            id=entry.id,
            kind=entry.header.kind,
            header=entry.raw,
            body=entry.body,
            received_ms=received_ms,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChainCutRow:
    """From ``first`` on the entries of a chain leave it: another branch goes on there. They are kept, by their ids."""

    author: MachineId
    incarnation: int
    chain: Chain
    first: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChainFloorRow:
    """What stands below ``first`` leaves a chain of mail: its author signed that nobody needs it any more.

    Messages and their amendments are found by their ids as before; everything else below is removed.
    """

    author: MachineId
    incarnation: int
    chain: Chain
    first: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """A machine's pinned key with the certificates that vouch for it; one a machine, the newest certificate."""

    machine: MachineId
    key_id: KeyId
    leaf: bytes
    issuer: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """A signed latest-wins record worth keeping over a restart; one for each (kind, author, subject)."""

    kind: str
    author: MachineId
    subject: str
    start: int
    counter: int
    envelope: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForkRow:
    """Evidence: two different headers that one author signed for one place of one chain."""

    author: MachineId
    incarnation: int
    chain: Chain
    sequence: int
    first: bytes
    second: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """The indexed face of a message entry; the text itself stays in the entry's body.

    ``to`` holds the addresses as the sender wrote them in canonical form. Times are the sender's wall clock, 0 for
    never; the rest is as :class:`~roosync_p2p.mailbox.message.MessageBody` has it.
    """

    entry: EntryId
    message_id: MessageId
    author: MachineId
    workspace: str | None  # of the sender
    time_ms: int
    to: tuple[str, ...]
    subject: str
    type: str
    priority: str  # LOW, MEDIUM, HIGH, URGENT
    tags: tuple[str, ...]
    thread_id: str
    in_reply_to: MessageId | None
    expires_ms: int = 0
    ack_by_ms: int = 0
    escalate: str = ""
    session: str = ""
    sealed: bool = False  # subject and tags are in the body, for its readers' machines only


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A message in an inbox of this machine: one for each workspace it is addressed to, "" for the machine's own.

    Writing it again replaces the status; ``arrived_ms`` of the first write stays.
    """

    entry: EntryId
    workspace: str
    status: str  # unread, read, archived
    arrived_ms: int
    changed_ms: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRow:
    """What a recipient said about a message: one for each (message, reader, workspace); the furthest state stays."""

    message: EntryId
    reader: MachineId
    workspace: str  # "" for the machine's own inbox
    state: str  # expired, read, acted, declined
    time_ms: int
    note: str = ""  # of who acted or declined


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRow:
    """The answer that a retried request gets again."""

    key: str
    request: bytes  # SHA-256 of the request: the same key with another request is an error
    entry: EntryId
    message_id: MessageId


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InviteRow:
    """An outstanding or used invite of this issuer, encoded by ``trust.invites``. ``None`` removes it."""

    invite_id: bytes
    data: bytes | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PendingRow:
    """A ledger entry that was decided while no node ran here (``init``, ``issue`` by hand).

    The node writes it to its chain after its start-up check, and removes the row in the same transaction
    (``body=None`` removes). ``number`` orders them and is unique.
    """

    number: int
    kind: str
    body: bytes | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AddressRow:
    """Where a machine was reached once: somewhere to try after a restart."""

    machine: MachineId
    address: str  # host:port
    seen_ms: int


# --- the one order of the fleet (docs/protocol/store.md §3.4) -------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogItemRow:
    """One item of the replicated log, encoded by ``consensus``. Writing an index again replaces it."""

    index: LogIndex
    term: Term
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogCutRow:
    """Removes every item with this index or a later one: another leader's log goes on differently there."""

    first: LogIndex


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StateRow:
    """One pair of the ledger's state. ``None`` removes it."""

    key: str
    value: bytes | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommitRow:
    """What became of one commit number. Apply is deterministic: a replay replaces it with the same."""

    number: CommitNumber
    index: LogIndex  # of the item that it came with
    time_ms: int  # commit time
    epoch: Epoch
    entry: EntryId | None  # None for a change of voters, which no chain holds
    author: MachineId | None
    kind: str
    accepted: bool
    reason: str
    detail: bytes  # canonical msgpack
    leaf: bytes  # what the fleet's tree holds at this number


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommitCutRow:
    """Removes what became of this number and all later ones: the fleet goes on from an earlier one, in a new epoch."""

    first: CommitNumber


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderKeyRow:
    """Which entry an ordered request became, for whoever asks again. The first writing stays."""

    key: str
    request: bytes  # SHA-256 of the request: the same key with another request is an error
    entry: EntryId


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SideEntryRow:
    """An entry with a commit number whose place in its chain another one has here: its author's chain forked.

    Kept beside the chains, because what is ordered is applied everywhere. The first writing stays.
    """

    id: EntryId
    header: bytes  # the signed envelope exactly as it arrived
    body: bytes


OrderRow: TypeAlias = LogItemRow | LogCutRow | StateRow | CommitRow | CommitCutRow | OrderKeyRow | SideEntryRow
Row: TypeAlias = (
    MetaRow
    | EntryRow
    | ChainCutRow
    | ChainFloorRow
    | MemberRow
    | RecordRow
    | ForkRow
    | MessageRow
    | DeliveryRow
    | ReceiptRow
    | IdempotencyRow
    | InviteRow
    | PendingRow
    | AddressRow
    | MailRow
    | OrderRow
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChainHeads:
    """One chain of one incarnation as the store holds it: a run without gaps.

    ``ids`` are the entry ids from ``floor`` on, 32 bytes each, so the head's sequence is
    ``floor + len(ids) // 32 - 1``.
    """

    author: MachineId
    incarnation: int
    chain: Chain
    floor: int
    ids: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogLoaded:
    """The replicated log: the item of index ``i`` is at place ``i - 1``.

    Two flat columns, because a log is kept for ever: an item costs its bytes and some 50 more. Both belong to whoever
    loaded them, and may be grown and cut.
    """

    terms: array.array[int] = dataclasses.field(default_factory=lambda: array.array("Q"))
    data: list[bytes] = dataclasses.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.data)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a core is started from."""

    meta: dict[str, bytes]
    members: tuple[MemberRow, ...]
    chains: tuple[ChainHeads, ...]
    records: tuple[RecordRow, ...]
    forks: tuple[ForkRow, ...]
    invites: tuple[InviteRow, ...]
    pending: tuple[PendingRow, ...]
    addresses: tuple[AddressRow, ...]
    log: LogLoaded
    state: tuple[tuple[str, bytes], ...]  # by key
    commits: CommitNumber  # the highest one, or 0
    last_commit: CommitRow | None
    watches: tuple[WatchRow, ...] = ()  # by entry
    cited: tuple[Cited, ...] = ()  # by entry of the message
    fetched: tuple[FetchedRow, ...] = ()  # by entry of the message, then machine
