"""Messages for users: the store's reads joined with the core's facts (docs/protocol/messages.md)."""

from __future__ import annotations

import contextlib
from typing import Any

import anyio

from roosync_p2p.clock import parse_rfc3339
from roosync_p2p.core.commands import MarkRead, SendMessage
from roosync_p2p.core.ports import InboxPage, InboxQuery, Reader
from roosync_p2p.core.rows import IdempotencyRow
from roosync_p2p.errors import InputFault
from roosync_p2p.ids import Address, EntryId, MessageId, parse_address, parse_machine_id
from roosync_p2p.mailbox.attachments import Attachment
from roosync_p2p.mailbox.message import reply_subject
from roosync_p2p.node.attachment_service import AttachmentService
from roosync_p2p.node.event_log import EventLog
from roosync_p2p.node.mail_facts import MailFacts, read_known
from roosync_p2p.node.mail_views import text_of
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.quotas import Quotas
from roosync_p2p.node.requests import InboxAsked, ReadAsked, ReplyAsked, SendAsked, SendLike
from roosync_p2p.node.sealing import Seals
from roosync_p2p.node.sessions import Sessions
from roosync_p2p.node.waking import Waking

__all__ = ["MailService"]


class MailService:
    """Sends, lists, shows and marks messages. Everything else that is done with them: ``mailbox_service``."""

    def __init__(
        self,
        performer: Performer,
        reader: Reader,
        events: EventLog,
        sessions: Sessions,
        quotas: Quotas,
        waking: Waking,
        attachments: AttachmentService | None = None,
        seals: Seals | None = None,
    ) -> None:
        self._performer = performer
        self._quotas = quotas
        self._waking = waking
        self._attachments = attachments
        self._events = events
        self._sessions = sessions
        self._facts = MailFacts(performer, reader, seals)

    # --- sending --------------------------------------------------------------------------------------------------

    async def send(self, asked: SendLike, *, in_reply_to: MessageId | None = None) -> dict[str, Any]:
        """Writes a message; returns once it is durable here."""
        key = asked.idempotency_key
        speaker = await self._sessions.sender(asked)
        remembered = None if key is None else await self._facts.store(lambda reader: reader.idempotency(key))
        files = sum(one.size for one in asked.attachments)
        sending = self._quotas.sending(speaker, asked.subject + asked.body, files=files)
        with contextlib.nullcontext() if remembered else sending:
            result = await self._write(asked, key, remembered, in_reply_to, speaker if asked.secret else "")
        entry = EntryId(bytes.fromhex(str(result["entry"])))
        row = await self._facts.store(lambda reader: reader.message(entry))
        assert row is not None, "what was answered is durable"
        known = await self._facts.known(row)
        return {"id": row.message_id, "thread_id": row.thread_id, "states": self._facts.states(known)}

    async def _write(
        self,
        asked: SendLike,
        key: str | None,
        remembered: IdempotencyRow | None,
        in_reply_to: MessageId | None,
        session: str,
    ) -> dict[str, object]:
        command = self._sealed(
            asked,
            SendMessage(
                to=tuple(dict.fromkeys(parse_address(address) for address in asked.to)),
                subject=asked.subject,
                body=asked.body,
                type=asked.type,
                priority=asked.priority,
                tags=tuple(asked.tags),
                workspace=asked.workspace,
                thread_id=asked.thread_id,
                in_reply_to=in_reply_to,
                idempotency_key=key,
                remembered=remembered,
                expires_s=asked.expires_s,
                ack_within_s=asked.ack_within_s,
                escalate=None if asked.escalate is None else parse_address(asked.escalate),
                session=session,
                attachments=tuple(
                    Attachment(name=one.name, size=one.size, sha256=bytes.fromhex(one.sha256))
                    for one in asked.attachments
                ),
            ),
        )
        return await self._performer.request(command)

    def _sealed(self, asked: SendLike, plain: SendMessage) -> SendMessage:
        """The command as it is, or sealed for its recipients if that was asked for."""
        if not asked.private:
            return plain
        return self._facts.seals.sealed(plain, {} if self._attachments is None else self._attachments.keys)

    async def reply(self, message_id: str, asked: ReplyAsked) -> dict[str, Any]:
        """Answers the author of a message, in its thread; what was sealed is answered sealed unless asked otherwise.

        Raises:
            InputFault: ``sealed_for_others`` and such: this machine cannot read what it is to answer.
        """
        known = await self._facts.found(message_id)
        row = known.row
        opened = self._facts.seals.opened(row, known.entry)
        if opened is not None and opened.text is None:
            raise InputFault(
                f"{row.message_id} cannot be opened here, so it is not answered here; nothing was sent",
                code=opened.problem,
            )
        private = row.sealed if asked.private is None else asked.private
        # Answering oneself goes on to the same recipients.
        mine = row.author == self._facts.me
        recipients = row.to if mine else (str(Address(row.author, row.workspace)),)
        return await self.send(
            SendAsked(
                to=recipients,
                subject=reply_subject(row.subject if opened is None or opened.text is None else opened.text.subject),
                body=asked.body,
                type=asked.type,
                priority=asked.priority or row.priority,
                tags=tuple(asked.tags),
                thread_id=row.thread_id,
                workspace=asked.workspace,
                idempotency_key=asked.idempotency_key,
                secret=asked.secret,
                user=asked.user,
                process=asked.process,
                attachments=asked.attachments,
                private=private,
            ),
            in_reply_to=row.message_id,
        )

    # --- reading --------------------------------------------------------------------------------------------------

    async def inbox(self, asked: InboxAsked) -> dict[str, Any]:
        """One page; an empty one waits for a message up to ``wait_s``."""
        query = InboxQuery(
            workspaces=asked.workspaces,
            status=asked.status,
            limit=asked.limit,
            before=asked.before,
            sender=None if asked.sender is None else parse_machine_id(asked.sender),
            thread_id=asked.thread_id,
            priority=asked.priority,
            type=asked.type,
            tag=asked.tag,
            since_ms=None if asked.since is None else parse_rfc3339(asked.since),
            until_ms=None if asked.until is None else parse_rfc3339(asked.until),
        )
        seen = self._events.newest
        page = await self._page(query)
        with anyio.move_on_after(asked.wait_s):
            while not page.items and asked.wait_s > 0:
                await self._events.beyond(seen)
                seen = self._events.newest
                page = await self._page(query)
        return {"messages": await self._facts.lines(page.items), "next": page.next, "unread": page.unread}

    async def message(self, message_id: str) -> dict[str, Any]:
        """A message without marking it."""
        return await self._facts.shown(await self._facts.found(message_id), None)

    async def read(self, message_id: str, asked: ReadAsked) -> dict[str, Any]:
        """A message, marked as read in the machine's own inbox and the given workspace's.

        Where another session works on it, it is shown and not marked: that session may still have to read it.
        """
        workspace, speaker = asked.workspace, await self._sessions.sender(asked)
        known = await self._facts.found(message_id)
        row = known.row
        text_of(row, known.entry)  # what the disk changed is not read by anybody
        unread = [delivery for delivery in known.boxes(workspace) if delivery.status == "unread"]
        boxes = self._waking.takes.free_for(unread, speaker)
        if boxes:
            places = tuple(box.workspace for box in boxes)
            await self._performer.request(MarkRead(message=row.entry, author=row.author, workspaces=places))
            await self._waking.done(boxes)
        known = await self._facts.store(lambda reader: read_known(reader, row))
        return await self._facts.shown(known, workspace)

    async def _page(self, query: InboxQuery) -> InboxPage:
        return await self._facts.store(lambda reader: reader.inbox(query))
