"""What users ask of a core that changes something. Reads go to the store and to :mod:`~roosync_p2p.core.view`."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

from roosync_p2p.core.rows import IdempotencyRow
from roosync_p2p.ids import Address, EntryId, MachineId, MessageId

__all__ = [
    "AddInvite",
    "AdmitMachine",
    "Command",
    "MarkRead",
    "OfferCountersignature",
    "SendMessage",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SendMessage:
    """Write a message to this machine's mail chain.

    ``remembered``: what the store knows of ``idempotency_key`` (the core knows those of the last minutes itself).
    """

    to: tuple[Address, ...]
    subject: str
    body: str
    type: str
    priority: str
    tags: tuple[str, ...]
    workspace: str | None
    thread_id: str | None
    in_reply_to: MessageId | None
    idempotency_key: str | None
    remembered: IdempotencyRow | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MarkRead:
    """A message in this machine's inbox was read, in these workspaces' boxes ("" the machine's own)."""

    message: EntryId
    author: MachineId
    workspaces: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AddInvite:
    """Keep an invite (encoded ``trust.invites.Invite``), new or used."""

    invite_id: bytes
    data: bytes | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AdmitMachine:
    """A certificate was issued: pin it, mark the invite used, write ``member.admit`` to the ledger chain."""

    machine: MachineId
    leaf: bytes
    issuer: bytes
    body: bytes  # encoded trust.statements.MemberAdmit
    invite_id: bytes | None
    invite: bytes | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OfferCountersignature:
    """A countersignature that was made elsewhere (by the root) for this node's renewal."""

    envelope: bytes


Command: TypeAlias = SendMessage | MarkRead | AddInvite | AdmitMachine | OfferCountersignature
