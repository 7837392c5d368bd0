"""What the core asks the store to keep: plain rows, each one fact.

A :class:`~roosync_p2p.core.effects.Persist` effect carries rows that become durable together. Rows are idempotent:
writing the same row twice leaves the same store. The store keeps them and answers reads; it decides nothing.
"""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

from roosync_p2p.ids import Chain, EntryId, KeyId, MachineId, MessageId

__all__ = [
    "AddressRow",
    "ChainHeads",
    "DeliveryRow",
    "EntryRow",
    "ForkRow",
    "IdempotencyRow",
    "InviteRow",
    "Loaded",
    "MemberRow",
    "MessageRow",
    "MetaRow",
    "PendingRow",
    "ReceiptRow",
    "RecordRow",
    "Row",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MetaRow:
    """One small fact about this store: start number, store id, incarnation. ``None`` removes it."""

    key: str
    value: bytes | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """One entry of somebody's chain. Never replaced: a second header for the same place is a :class:`ForkRow`."""

    author: MachineId
    incarnation: int
    chain: Chain
    sequence: int
    id: EntryId
    kind: str
    header: bytes  # the signed envelope exactly as it arrived
    body: bytes | None  # None once retention dropped it
    received_ms: int


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

    ``to`` holds the addresses as the sender wrote them in canonical form. Times are the sender's wall clock.
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
    state: str  # read
    time_ms: int


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


Row: TypeAlias = (
    MetaRow
    | EntryRow
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
