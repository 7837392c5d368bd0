"""The services of the mailbox, put together over one core and one store."""

from __future__ import annotations

import dataclasses
from typing import Self

import anyio

from roosync_p2p.core.ports import Reader
from roosync_p2p.core.settings import Settings
from roosync_p2p.node.event_log import EventLog
from roosync_p2p.node.mail_service import MailService
from roosync_p2p.node.mailbox_service import MailboxService
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.quotas import Quotas
from roosync_p2p.node.retention import Retention
from roosync_p2p.node.sessions import Sessions
from roosync_p2p.node.surroundings import Surroundings

__all__ = ["MailServices"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MailServices:
    """What users ask of messages, and what is done about them unasked."""

    mail: MailService
    mailbox: MailboxService
    quotas: Quotas
    retention: Retention

    @classmethod
    def over(
        cls,
        performer: Performer,
        reader: Reader,
        events: EventLog,
        sessions: Sessions,
        around: Surroundings,
        settings: Settings,
    ) -> Self:
        """All of them; what they warn of is shown with what is around the node."""
        quotas = Quotas(performer, reader, sends_a_minute=settings.mail.sends_a_minute)
        around.others.append(quotas.warnings)
        return cls(
            mail=MailService(performer, reader, events, sessions, quotas),
            mailbox=MailboxService(performer, reader, sessions, quotas),
            quotas=quotas,
            retention=Retention(performer, reader),
        )

    async def run(self) -> None:
        """What goes on by itself, until it is cancelled."""
        async with anyio.create_task_group() as tasks:
            for task in (self.quotas.run, self.retention.run):
                tasks.start_soon(task)
