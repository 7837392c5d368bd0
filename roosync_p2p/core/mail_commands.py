"""What users ask of a core about messages that changes something; part of :mod:`~roosync_p2p.core.commands`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeAlias

from roosync_p2p.core.ports import Aged
from roosync_p2p.core.rows import DeliveryRow, IdempotencyRow
from roosync_p2p.ids import Address, EntryId, MachineId, MessageId
from roosync_p2p.mailbox.attachments import Attachment

__all__ = [
    "AmendMessage",
    "AnswerMessage",
    "ArchiveMessages",
    "KeepMessage",
    "MailCommand",
    "MarkRead",
    "Outlived",
    "RaiseFloors",
    "Retain",
    "SealedBody",
    "SendMessage",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SealedBody:
    """The text of a message, sealed for its readers' machines under the id that the message is going to have.

    ``request``: a digest of what was said, because it is sealed in another way each time.
    """

    id: MessageId
    box: bytes
    request: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SendMessage:
    """Write a message to this machine's mail chain.

    ``remembered``: what the store knows of ``idempotency_key`` (the core knows those of the last minutes itself).
    ``expires_s`` and ``ack_within_s``: from now on; None for never. ``session``: the sender's, empty if there is none.
    ``attachments``: their blobs are whole on this disk (:class:`~roosync_p2p.core.inputs.BlobAdded`).
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
    expires_s: float | None = None
    ack_within_s: float | None = None
    escalate: Address | None = None
    session: str = ""
    attachments: tuple[Attachment, ...] = ()
    sealed: SealedBody | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MarkRead:
    """A message in this machine's inbox was read, in these workspaces' boxes ("" the machine's own)."""

    message: EntryId
    author: MachineId
    workspaces: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnswerMessage:
    """A message in this machine's inboxes was acted on or declined, in these boxes.

    ``known``: what the store knows was said there before (the core knows the last answers itself). ``unread``: in which
    of the boxes nobody has read it yet.
    """

    message: EntryId
    author: MachineId
    workspaces: tuple[str, ...]
    unread: tuple[str, ...]
    state: str  # acted, declined
    note: str
    known: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveMessages:
    """These messages leave their inboxes; nobody else is told. They are as the store has them."""

    deliveries: tuple[DeliveryRow, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeepMessage:
    """Keep a message for good, or no more."""

    message: EntryId
    kept: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AmendMessage:
    """Give an own message another body."""

    message: EntryId
    session: str
    body: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Retain:
    """Do what the age of messages asks for."""

    aged: Aged


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outlived:
    """Of this machine's mail in that life nothing before ``first`` has to be kept by its age."""

    incarnation: int
    first: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RaiseFloors:
    """Let go of own mail that outlived itself, as far as every member has it. Also says who was not heard of today."""

    outlived: tuple[Outlived, ...]


MailCommand: TypeAlias = (
    SendMessage | MarkRead | AnswerMessage | ArchiveMessages | KeepMessage | AmendMessage | Retain | RaiseFloors
)
