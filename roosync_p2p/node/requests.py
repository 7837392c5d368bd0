"""What the node's services are asked for, structurally: the API's records fit, and so do these."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from roosync_p2p.node.sessions import SpeakerAsked

__all__ = [
    "AckAsked",
    "AmendAsked",
    "ArchiveAsked",
    "AttachmentAsked",
    "InboxAsked",
    "InviteAsked",
    "IssueAsked",
    "OfferAsked",
    "ReadAsked",
    "ReplyAsked",
    "SearchAsked",
    "SendAsked",
    "SendLike",
    "TakeAsked",
]


class AttachmentAsked(Protocol):
    """A file that was handed over; ``sha256`` in hex."""

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...


class SendLike(SpeakerAsked, Protocol):
    """A message to send; ``workspace`` is the sender's."""

    @property
    def to(self) -> tuple[str, ...]: ...
    @property
    def subject(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def priority(self) -> str: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def thread_id(self) -> str | None: ...
    @property
    def idempotency_key(self) -> str | None: ...
    @property
    def expires_s(self) -> float | None: ...
    @property
    def ack_within_s(self) -> float | None: ...
    @property
    def escalate(self) -> str | None: ...
    @property
    def attachments(self) -> Sequence[AttachmentAsked]: ...
    @property
    def private(self) -> bool: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SendAsked:
    """A message to send, as a service makes one itself."""

    to: tuple[str, ...]
    subject: str
    body: str
    type: str
    priority: str
    tags: tuple[str, ...]
    thread_id: str | None
    workspace: str | None
    idempotency_key: str | None
    expires_s: float | None = None
    ack_within_s: float | None = None
    escalate: str | None = None
    secret: str | None = None
    user: str | None = None
    process: int | None = None
    attachments: Sequence[AttachmentAsked] = ()
    private: bool = False


class ReplyAsked(SpeakerAsked, Protocol):
    """An answer; ``priority`` None: as the message has it."""

    @property
    def body(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def priority(self) -> str | None: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def idempotency_key(self) -> str | None: ...
    @property
    def attachments(self) -> Sequence[AttachmentAsked]: ...
    @property
    def private(self) -> bool | None: ...


class InboxAsked(Protocol):
    """Which messages are wanted, and how long to wait for one."""

    @property
    def status(self) -> str: ...
    @property
    def workspaces(self) -> tuple[str, ...] | None: ...
    @property
    def limit(self) -> int: ...
    @property
    def before(self) -> str | None: ...
    @property
    def sender(self) -> str | None: ...
    @property
    def thread_id(self) -> str | None: ...
    @property
    def priority(self) -> str | None: ...
    @property
    def type(self) -> str | None: ...
    @property
    def tag(self) -> str | None: ...
    @property
    def since(self) -> str | None: ...
    @property
    def until(self) -> str | None: ...
    @property
    def wait_s(self) -> float: ...


class ReadAsked(SpeakerAsked, Protocol):
    """Who reads, in which workspace."""


class TakeAsked(SpeakerAsked, Protocol):
    """Who takes a message, in which workspace, and for how long."""

    @property
    def lease_s(self) -> float: ...


class AckAsked(SpeakerAsked, Protocol):
    """A message was acted on, or declined."""

    @property
    def decline(self) -> bool: ...
    @property
    def note(self) -> str: ...


class ArchiveAsked(SpeakerAsked, Protocol):
    """Messages to put aside."""

    @property
    def ids(self) -> tuple[str, ...]: ...


class AmendAsked(SpeakerAsked, Protocol):
    """Another body for an own message."""

    @property
    def body(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def workspace(self) -> str | None: ...


class SearchAsked(Protocol):
    """Which messages are looked for."""

    @property
    def words(self) -> str: ...
    @property
    def limit(self) -> int: ...
    @property
    def before(self) -> str | None: ...


class InviteAsked(Protocol):
    """A join code for ``machine``, or for any."""

    @property
    def machine(self) -> str | None: ...
    @property
    def ttl_s(self) -> int: ...
    @property
    def contacts(self) -> tuple[str, ...]: ...


class IssueAsked(Protocol):
    """A certificate request that was carried by hand, PEM."""

    @property
    def request_pem(self) -> str: ...


class OfferAsked(Protocol):
    """A countersignature, base64."""

    @property
    def envelope(self) -> str: ...
