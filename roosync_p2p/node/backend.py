"""What the local API is served from: one object that joins core, store and services.

It fits ``roosync_p2p.api.backend.Backend`` structurally; the API is a floor above and not imported here.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

from roosync_p2p.codec.records import encode
from roosync_p2p.core import view
from roosync_p2p.core.commands import OfferCountersignature
from roosync_p2p.node.attachment_service import AttachmentService
from roosync_p2p.node.certificate_service import CertificateService, RenewAsked
from roosync_p2p.node.diagnosis import diagnose
from roosync_p2p.node.encoded import decoded
from roosync_p2p.node.event_log import EventLog, NodeEvent
from roosync_p2p.node.ledger_services import LedgerServices
from roosync_p2p.node.mail_service import MailService
from roosync_p2p.node.mailbox_service import MailboxService
from roosync_p2p.node.membership_service import MembershipService
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.reminders import reminders
from roosync_p2p.node.requests import InboxAsked, InviteAsked, IssueAsked, OfferAsked, ReadAsked, ReplyAsked, SendLike
from roosync_p2p.node.surroundings import Surroundings
from roosync_p2p.node.why_service import WhyService

__all__ = ["NodeBackend"]


class NodeBackend:
    """Answers the local API."""

    def __init__(
        self,
        performer: Performer,
        mail: MailService,
        mailbox: MailboxService,
        attachments: AttachmentService,
        membership: MembershipService,
        certificates: CertificateService,
        services: LedgerServices,
        events: EventLog,
        surroundings: Surroundings,
        why: WhyService,
    ) -> None:
        self.ledger = services.ledger
        self.claims = services.claims
        self.decisions = services.decisions
        self.baseline = services.baseline
        self._sessions = services.sessions
        self._performer = performer
        self._mail = mail
        self.mailbox = mailbox
        self.attachments = attachments
        self._membership = membership
        self._certificates = certificates
        self._events = events
        self._surroundings = surroundings
        self._why = why

    def status(self) -> dict[str, Any]:
        """The whole status."""
        core = self._performer.core
        core.desk.now = self._surroundings.now()
        status = view.status(core)
        warnings = status["warnings"]
        assert isinstance(warnings, list)
        warnings.extend(self._surroundings.warnings())
        status["reminders"] = reminders(core, self._surroundings)
        folder = status["folder"]
        if isinstance(folder, dict) and self._surroundings.folder is not None:
            folder["path"] = str(self._surroundings.folder())  # of several, the one in use
        counters = status["counters"]
        assert isinstance(counters, dict)
        counters.update((f"transport.{name}", count) for name, count in self._surroundings.traffic().items())
        rows = status["machines"]
        assert isinstance(rows, list)
        self._add_sessions(rows)
        return status

    async def why(self, of: str) -> dict[str, Any]:
        """See :meth:`WhyService.why`."""
        return await self._why.why(of)

    def machines(self) -> dict[str, Any]:
        """All machines with their evidence."""
        core = self._performer.core
        core.desk.now = self._surroundings.now()
        rows = view.machines(core)
        self._add_sessions(rows)
        return {"machines": rows}

    def _add_sessions(self, rows: list[dict[str, object]]) -> None:
        """The sessions of this machine, by their node's own list; those elsewhere by what their nodes signed."""
        for row in rows:
            if row["self"]:
                row["sessions"] = self._sessions.shown()

    async def send(self, request: SendLike) -> dict[str, Any]:
        """See :meth:`MailService.send`."""
        return await self._mail.send(request)

    async def reply(self, message_id: str, request: ReplyAsked) -> dict[str, Any]:
        """See :meth:`MailService.reply`."""
        return await self._mail.reply(message_id, request)

    async def read(self, message_id: str, request: ReadAsked) -> dict[str, Any]:
        """See :meth:`MailService.read`."""
        return await self._mail.read(message_id, request)

    async def inbox(self, request: InboxAsked) -> dict[str, Any]:
        """See :meth:`MailService.inbox`."""
        return await self._mail.inbox(request)

    async def message(self, message_id: str) -> dict[str, Any]:
        """See :meth:`MailService.message`."""
        return await self._mail.message(message_id)

    async def invite(self, request: InviteAsked) -> dict[str, Any]:
        """See :meth:`MembershipService.invite`."""
        return await self._membership.invite(request)

    async def renew_certificate(self, request: RenewAsked) -> dict[str, Any]:
        """See :meth:`CertificateService.renew`."""
        return await self._certificates.renew(request)

    async def rotate_key(self) -> dict[str, Any]:
        """See :meth:`CertificateService.rotate`."""
        return await self._certificates.rotate()

    async def issue(self, request: IssueAsked) -> dict[str, Any]:
        """See :meth:`MembershipService.issue`."""
        return await self._membership.issue(request)

    def pending_countersignature(self) -> dict[str, Any] | None:
        """What this node waits for: the renewal that an issuer or the root has to countersign."""
        core = self._performer.core
        renewal = core.authorship.renewal
        if renewal is None:
            return None
        return {
            "renewal": base64.b64encode(encode(renewal)).decode(),
            "machine": renewal.machine,
            "incarnation": renewal.incarnation,
            "reason": core.authorship.reason,
            "issuers": core.renewals.waiting_for(),
        }

    async def offer_countersignature(self, offer: OfferAsked) -> None:
        """Takes a countersignature that was made with the root's key."""
        envelope = decoded(offer.envelope, what="the countersignature", code="bad_countersignature")
        await self._performer.request(OfferCountersignature(envelope=envelope))

    def events(self, after: int | None) -> AsyncIterator[NodeEvent]:
        """See :meth:`EventLog.stream`."""
        return self._events.stream(after)

    async def shutdown(self) -> None:
        """Begins the orderly end."""
        self._surroundings.ask_to_stop("roosync down")

    async def doctor(self) -> dict[str, Any]:
        """What only the running node can check."""
        core = self._performer.core
        core.desk.now = self._surroundings.now()
        return {"checks": await diagnose(core, self._surroundings)}
