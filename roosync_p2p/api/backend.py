"""What the API server needs from a node. The node implements it structurally and never imports it.

All answers are plain JSON-compatible objects in the shapes of :mod:`~roosync_p2p.api.schemas`. Every method may
raise a :class:`~roosync_p2p.errors.RoosyncError`, which reaches the caller with code, message, remedy and details.
Methods are called from the event loop that runs :func:`~roosync_p2p.api.server.serve`. A call that waits is cancelled
when its caller hangs up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

from roosync_p2p.api.events import EventLike
from roosync_p2p.api.ledger_backend import BaselineBackend, ClaimsBackend, DecisionsBackend, LedgerBackend
from roosync_p2p.api.mailbox_backend import AttachmentBackend, MailboxBackend
from roosync_p2p.api.schemas import (
    CountersignatureOffer,
    InboxRequest,
    InviteRequest,
    IssueRequest,
    ReadRequest,
    RenewCertificateRequest,
    ReplyRequest,
    SendRequest,
)

__all__ = ["Backend"]


class Backend(Protocol):
    """A node as the local API sees it."""

    @property
    def ledger(self) -> LedgerBackend:
        """The commit log itself, and who belongs to the fleet."""

    @property
    def claims(self) -> ClaimsBackend:
        """Sessions, and the claims that they hold."""

    @property
    def decisions(self) -> DecisionsBackend:
        """Decisions, from their proposal to the archive."""

    @property
    def baseline(self) -> BaselineBackend:
        """The fleet's own documents: baseline, policies, wishes about voters."""

    @property
    def mailbox(self) -> MailboxBackend:
        """What is done with messages beyond sending and reading them."""

    @property
    def attachments(self) -> AttachmentBackend:
        """The bytes that messages bring along."""

    def status(self) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.schemas.Status`, ``machines`` included."""

    def machines(self) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.schemas.Machines`."""

    async def why(self, of: str) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.why_schemas.Why`, without asking anybody else.

        Raises InputFault ``nothing_named``, ``ambiguous``; ``no_such_request``, ``no_such_message`` of an id behind
        its kind.
        """

    async def send(self, request: SendRequest) -> dict[str, Any]:
        """Returns :class:`~roosync_p2p.api.schemas.Sent` once the message is durable here.

        Raises:
            InputFault: ``no_such_machine``, ``idempotency_conflict``, ``too_many_sends``, ``body_too_long``.
        """

    async def reply(self, message_id: str, request: ReplyRequest) -> dict[str, Any]:
        """Like :meth:`send`, in the thread of a message. Raises InputFault ``no_such_message``."""

    async def read(self, message_id: str, request: ReadRequest) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.schemas.Message`, marked read once the mark is durable.

        It is marked in that workspace's inbox when it is there, and in the machine's own. Reading twice changes
        nothing. Raises InputFault ``no_such_message``.
        """

    async def inbox(self, request: InboxRequest) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.schemas.Inbox`; an empty page waits up to ``wait_s`` for one that is not."""

    async def message(self, message_id: str) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.schemas.Message` without marking it, also of messages sent from here."""

    async def invite(self, request: InviteRequest) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.schemas.Invite`. Raises InputFault ``not_an_issuer``."""

    async def issue(self, request: IssueRequest) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.schemas.Certificate`. Raises InputFault ``not_an_issuer``."""

    async def renew_certificate(self, request: RenewCertificateRequest) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.schemas.RenewedCertificate`. Raises NetworkError ``no_issuer_answered``."""

    async def rotate_key(self) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.schemas.RotatedKey`. Raises NetworkError ``no_issuer_answered``."""

    def pending_countersignature(self) -> dict[str, Any] | None:
        """What waits for a key that is not on this node, or None."""

    async def offer_countersignature(self, offer: CountersignatureOffer) -> None:
        """Takes the signature. Raises InputFault ``nothing_pending`` or a PeerFault when it does not fit."""

    def events(self, after: int | None) -> AsyncIterator[EventLike]:
        """Events with an id above ``after``, then those to come, for ever; None: only those to come.

        It is subscribed when this call returns, not at the first ``anext``. When some after ``after`` are no longer
        kept, or ``after`` is from another life of the node, the first event has the type ``gap``. The caller
        finishes the iterator with ``aclose`` where it has one.
        """

    async def shutdown(self) -> None:
        """Begins the node's orderly end and returns; the answer is sent before the API closes."""

    async def doctor(self) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.schemas.Doctor`: what only the running node can check."""
