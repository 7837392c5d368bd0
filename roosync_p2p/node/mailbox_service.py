"""What is done with messages beyond sending and reading them (docs/protocol/messages.md §3, §5 and §6)."""

from __future__ import annotations

from typing import Any

from roosync_p2p import limits
from roosync_p2p.clock import rfc3339
from roosync_p2p.core.mail_commands import AmendMessage, AnswerMessage, ArchiveMessages, KeepMessage
from roosync_p2p.core.ports import Reader, SearchQuery
from roosync_p2p.core.rows import DeliveryRow
from roosync_p2p.errors import InputFault
from roosync_p2p.mailbox.receipts import ACTED, ANSWERS, DECLINED
from roosync_p2p.mailbox.threads import Post, arrange
from roosync_p2p.node.mail_facts import Known, MailFacts, read_known
from roosync_p2p.node.mail_views import message_view, status_in
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.quotas import Quotas
from roosync_p2p.node.requests import AckAsked, AmendAsked, ArchiveAsked, SearchAsked, TakeAsked
from roosync_p2p.node.sealing import Seals
from roosync_p2p.node.sessions import Sessions
from roosync_p2p.node.waking import Waking

__all__ = ["MailboxService"]


class MailboxService:
    """Answers, puts aside, keeps, amends and finds messages, and shows threads."""

    def __init__(
        self,
        performer: Performer,
        reader: Reader,
        sessions: Sessions,
        quotas: Quotas,
        waking: Waking,
        seals: Seals | None = None,
    ) -> None:
        self._performer = performer
        self._quotas = quotas
        self._waking = waking
        self._sessions = sessions
        self._facts = MailFacts(performer, reader, seals)

    # --- changing -------------------------------------------------------------------------------------------------

    async def ack(self, message_id: str, asked: AckAsked) -> dict[str, Any]:
        """A message was acted on, or declined; it is read by that, too."""
        known = await self._facts.found(message_id)
        boxes = _own_boxes(known, asked.workspace)
        self._waking.takes.require_free(boxes, await self._sessions.sender(asked))
        said = {row.workspace: row.state for row in known.receipts if row.reader == self._facts.me}
        await self._performer.request(
            AnswerMessage(
                message=known.row.entry,
                author=known.row.author,
                workspaces=tuple(box.workspace for box in boxes),
                unread=tuple(box.workspace for box in boxes if box.status == "unread"),
                state=DECLINED if asked.decline else ACTED,
                note=asked.note,
                known={workspace: state for workspace, state in said.items() if state in ANSWERS},
            )
        )
        await self._waking.done(boxes)
        return await self._facts.shown(await self._facts.known(known.row), asked.workspace)

    async def take(self, message_id: str, asked: TakeAsked) -> dict[str, Any]:
        """A session works on a message: nobody else is woken for it, takes or answers it, until it is read or left.

        Raises:
            InputFault: ``not_a_recipient``, ``another_workspace``, ``already_read``, ``taken``; nothing was changed.
        """
        known = await self._facts.found(message_id)
        speaker = await self._sessions.speaker(asked)
        workspace = asked.workspace if asked.secret is None else self._sessions.workspace_of(speaker, asked.workspace)
        boxes = [box for box in _own_boxes(known, workspace) if box.status == "unread"]
        if not boxes:
            raise InputFault(
                f"{known.row.message_id} was read before; nothing was changed",
                code="already_read",
                remedy="roosync inbox lists what nobody has read",
            )
        until_ms = await self._waking.take(known.row, boxes, speaker, lease_s=asked.lease_s)
        places = [box.workspace or None for box in boxes]
        return {"id": known.row.message_id, "session": speaker, "workspaces": places, "until": rfc3339(until_ms)}

    async def archive(self, asked: ArchiveAsked) -> dict[str, Any]:
        """Messages leave the workspace's inbox and the machine's own; all of them or, after an error, none."""
        known = [await self._facts.found(message_id) for message_id in dict.fromkeys(asked.ids)]
        boxes = [box for found in known for box in _own_boxes(found, asked.workspace) if box.status != "archived"]
        self._waking.takes.require_free(boxes, await self._sessions.sender(asked))
        if boxes:
            await self._performer.request(ArchiveMessages(deliveries=tuple(boxes)))
            await self._waking.done(boxes)
        return {"archived": [found.row.message_id for found in known]}

    async def keep(self, message_id: str, *, kept: bool) -> dict[str, Any]:
        """Retention leaves it alone, on this machine."""
        row = (await self._facts.found(message_id)).row
        await self._performer.request(KeepMessage(message=row.entry, kept=kept))
        return {"id": row.message_id, "kept": kept}

    async def amend(self, message_id: str, asked: AmendAsked) -> dict[str, Any]:
        """Another body for an own message; those who read the old one still can.

        Raises:
            InputFault: ``not_the_author``, ``another_session``, ``sealed_not_amended``: nothing was changed.
        """
        row = (await self._facts.found(message_id)).row
        if row.author != self._facts.me:
            raise InputFault(
                f"{row.message_id} was written on {row.author}, and only there it can be amended",
                code="not_the_author",
                remedy="to answer it: roosync reply",
                details={"author": row.author},
            )
        if row.sealed:
            raise InputFault(
                f"{row.message_id} is sealed, and an amendment would be open to everybody; nothing was changed",
                code="sealed_not_amended",
                remedy="send another one: roosync reply",
            )
        speaker = await self._sessions.sender(asked)
        session = speaker if asked.secret else ""
        if row.session and session != row.session:
            raise InputFault(
                f"{row.message_id} was written in a session of its own, and only there it can be amended",
                code="another_session",
                remedy="set ROOSYNC_SESSION to the secret of that session, or send another message",
            )
        # What was not written in a session is amended by whoever reaches this node.
        command = AmendMessage(message=row.entry, session=row.session, body=asked.body, reason=asked.reason)
        with self._quotas.sending(speaker, asked.body):
            await self._performer.request(command)
        return await self._facts.shown(await self._facts.known(row), row.workspace)

    # --- finding --------------------------------------------------------------------------------------------------

    async def search(self, asked: SearchAsked) -> dict[str, Any]:
        """A page of messages to and from this machine with all the words."""
        query = SearchQuery(words=asked.words, mine=self._facts.me, limit=asked.limit, before=asked.before)

        def look(reader: Reader) -> tuple[list[dict[str, Any]], str | None]:
            page = reader.search(query)
            found = [
                message_view(row, status_in(reader.deliveries(row.entry), None), self._facts.peek(reader, row))
                for row in page.messages
            ]
            return found, page.next

        messages, following = await self._facts.store(look)
        return {"messages": messages, "next": following}

    async def thread(self, thread_id: str) -> dict[str, Any]:
        """A thread as a tree: of its own name, or of the message that is named; of a very long one the newest part.

        Raises:
            InputFault: ``no_such_thread``.
        """

        def look(reader: Reader) -> tuple[str, list[Known], int]:
            name, rows = thread_id, reader.thread(thread_id)
            if not rows:  # perhaps a message in the middle of one
                named = reader.messages(thread_id)  # type: ignore[arg-type]  # an id that nothing has finds nothing
                name = named[0].thread_id if named else thread_id
                rows = reader.thread(name) if named else []
            return name, [read_known(reader, row) for row in rows[-limits.THREAD_SHOWN_MAX :]], len(rows)

        name, known, count = await self._facts.store(look)
        if not known:
            raise InputFault(
                f"there is no thread {thread_id[:60]} here", code="no_such_thread", remedy="see `roosync inbox`"
            )
        by_key = {found.row.entry: found for found in known}
        posts = (
            Post(key=row.entry, id=row.message_id, answers=row.in_reply_to, time_ms=row.time_ms)
            for row in (found.row for found in known)
        )
        messages = [
            {**await self._facts.shown(found, None), "depth": place.depth, "read_by": found.read_by()}
            for place in arrange(posts)
            for found in [by_key[place.key]]  # type: ignore[index]  # the keys are those given
        ]
        texts = (str(text or "") for message in messages for text in (message["subject"], message["body"]))
        newest_ms = max(found.row.time_ms for found in known)
        return {
            "thread_id": name,
            "messages": messages,
            "count": count,
            "participants": sorted({found.row.author for found in known}),
            "last_activity": rfc3339(newest_ms),
            "unread": sum(any(box.status == "unread" for box in found.deliveries) for found in known),
            "commits": await self._facts.cited(texts),
        }


def _own_boxes(known: Known, workspace: str | None) -> list[DeliveryRow]:
    """In which inboxes the message is, of those that a caller in a workspace looks into.

    Raises:
        InputFault: ``not_a_recipient``: in none of them.
    """
    boxes = known.boxes(workspace)
    if not boxes:
        others = sorted(delivery.workspace for delivery in known.deliveries)
        raise InputFault(
            f"{known.row.message_id} is not in this inbox; nothing was changed",
            code="not_a_recipient",
            remedy=f"it is in the inbox of: --workspace {', '.join(others)}" if others else "see `roosync inbox`",
            details={"workspaces": others},
        )
    return boxes
