"""The services of the mailbox, put together over one core and one store."""

from __future__ import annotations

import dataclasses
import functools
from typing import Self

import anyio

from roosync_p2p.adapters.blob_files import BlobFiles
from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.waking import waker_of
from roosync_p2p.core.ports import Reader
from roosync_p2p.core.settings import Settings
from roosync_p2p.node.attachment_service import AttachmentService
from roosync_p2p.node.event_log import EventLog
from roosync_p2p.node.mail_service import MailService
from roosync_p2p.node.mailbox_service import MailboxService
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.quotas import Quotas
from roosync_p2p.node.retention import Retention
from roosync_p2p.node.sealing import Seals
from roosync_p2p.node.sessions import Sessions
from roosync_p2p.node.surroundings import Surroundings
from roosync_p2p.node.waking import Waking

__all__ = ["MailServices"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MailServices:
    """What users ask of messages, and what is done about them unasked."""

    mail: MailService
    mailbox: MailboxService
    attachments: AttachmentService
    seals: Seals
    reader: Reader
    quotas: Quotas
    retention: Retention
    waking: Waking

    @classmethod
    def over(
        cls,
        performer: Performer,
        reader: Reader,
        events: EventLog,
        sessions: Sessions,
        around: Surroundings,
        settings: Settings,
        home: Home,
        *,
        blobs: BlobFiles,
    ) -> Self:
        """All of them, over a core that is about to run; what they warn of is shown with what is around the node.

        The key for sealed messages is announced.

        Raises:
            EnvironmentFault: a key of this home is open to others, or none can be written.
        """
        seals = Seals(performer, home.path)
        seals.announce()
        attachments = AttachmentService(performer, reader, blobs, seals)
        quotas = Quotas(performer, reader, sends_a_minute=settings.mail.sends_a_minute)
        wakers = {
            one.name: waker_of(one, home=home.path, logs=home.logs, language=settings.ui.language)
            for one in settings.wakes
        }
        waking = Waking(
            performer,
            reader,
            events,
            sessions,
            settings.wakes,
            wakers,
            path=home.wakes_file,
            now_ms=lambda: around.now().wall_ms,
        )
        around.others += [quotas.warnings, waking.warnings]
        return cls(
            mail=MailService(performer, reader, events, sessions, quotas, waking, attachments, seals),
            mailbox=MailboxService(performer, reader, sessions, quotas, waking, seals),
            attachments=attachments,
            seals=seals,
            reader=reader,
            waking=waking,
            quotas=quotas,
            retention=Retention(performer, reader),
        )

    async def run(self) -> None:
        """What goes on by itself, until it is cancelled."""
        sealing = functools.partial(self.seals.watch, self.reader)
        async with anyio.create_task_group() as tasks:
            for task in (self.quotas.run, self.retention.run, self.waking.run, sealing):
                tasks.start_soon(task)
