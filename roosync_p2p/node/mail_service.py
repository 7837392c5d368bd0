"""Messages for users: the store's reads joined with the core's facts (docs/protocol/messages.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import anyio
import anyio.to_thread

from roosync_p2p.clock import rfc3339
from roosync_p2p.core.commands import MarkRead, SendMessage
from roosync_p2p.core.ports import InboxItem, InboxPage, InboxQuery, Reader
from roosync_p2p.core.rows import DeliveryRow, EntryRow, MessageRow, ReceiptRow
from roosync_p2p.entries.entry import stored_entry
from roosync_p2p.errors import InputFault, MalformedError, StoreError
from roosync_p2p.ids import Address, EntryId, MachineId, MessageId, parse_address, parse_machine_id, parse_message_id
from roosync_p2p.mailbox.message import decode_message, reply_subject
from roosync_p2p.mailbox.states import states
from roosync_p2p.node.event_log import EventLog
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.requests import InboxAsked, ReplyAsked, SendAsked, SendLike

__all__ = ["MailService"]

T = TypeVar("T")


class _Facts(NamedTuple):
    entry: EntryRow | None
    receipts: list[ReceiptRow]
    deliveries: list[DeliveryRow]


class MailService:
    """Sends, lists, shows and marks messages."""

    def __init__(self, performer: Performer, reader: Reader, events: EventLog) -> None:
        self._performer = performer
        self._reader = reader
        self._events = events

    @property
    def _me(self) -> MachineId:
        return self._performer.core.me

    # --- sending --------------------------------------------------------------------------------------------------

    async def send(self, asked: SendLike, *, in_reply_to: MessageId | None = None) -> dict[str, Any]:
        """Writes a message; returns once it is durable here."""
        key = asked.idempotency_key
        remembered = None if key is None else await self._store(lambda: self._reader.idempotency(key))
        result = await self._performer.request(
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
            )
        )
        entry = EntryId(bytes.fromhex(str(result["entry"])))
        row, facts = await self._store(lambda: (self._reader.message(entry), self._facts(entry)))
        assert row is not None, "what was answered is durable"
        return {"id": row.message_id, "thread_id": row.thread_id, "states": self._states(row, facts)}

    async def reply(self, message_id: str, asked: ReplyAsked) -> dict[str, Any]:
        """Answers the author of a message, in its thread."""
        row = (await self._found(message_id))[0]
        # Answering oneself goes on to the same recipients.
        recipients = row.to if row.author == self._me else (str(Address(row.author, row.workspace)),)
        return await self.send(
            SendAsked(
                to=recipients,
                subject=reply_subject(row.subject),
                body=asked.body,
                type=asked.type,
                priority=asked.priority or row.priority,
                tags=tuple(asked.tags),
                thread_id=row.thread_id,
                workspace=asked.workspace,
                idempotency_key=asked.idempotency_key,
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
        )
        seen = self._events.newest
        page = await self._page(query)
        with anyio.move_on_after(asked.wait_s):
            while not page.items and asked.wait_s > 0:
                await self._events.beyond(seen)
                seen = self._events.newest
                page = await self._page(query)
        return {"messages": [_line(item) for item in page.items], "next": page.next, "unread": page.unread}

    async def message(self, message_id: str) -> dict[str, Any]:
        """A message without marking it."""
        return await self._shown((await self._found(message_id))[0], None)

    async def read(self, message_id: str, workspace: str | None) -> dict[str, Any]:
        """A message, marked as read in the machine's own inbox and the given workspace's."""
        row = (await self._found(message_id))[0]
        facts = await self._store(lambda: self._facts(row.entry))
        _text(row, facts.entry)  # what the disk changed is not read by anybody
        boxes = tuple(
            delivery.workspace
            for delivery in facts.deliveries
            if delivery.status == "unread" and delivery.workspace in ("", workspace or "")
        )
        if boxes:
            await self._performer.request(MarkRead(message=row.entry, author=row.author, workspaces=boxes))
        return await self._shown(row, workspace)

    # --- inside ---------------------------------------------------------------------------------------------------

    async def _page(self, query: InboxQuery) -> InboxPage:
        return await self._store(lambda: self._reader.inbox(query))

    async def _found(self, message_id: str) -> list[MessageRow]:
        """The messages of that id; two machines may have drawn the same one, and then the id names neither.

        Raises:
            InputFault: there is none, or more than one.
        """
        try:
            parsed = parse_message_id(message_id)
        except MalformedError as error:
            raise InputFault(error.message, code=error.code) from error
        rows = await self._store(lambda: self._reader.messages(parsed))
        if not rows:
            raise InputFault(
                f"there is no message {message_id} here", code="no_such_message", remedy="roosync inbox --status all"
            )
        if len(rows) > 1:
            raise InputFault(
                f"{len(rows)} messages have the id {message_id}",
                code="ambiguous_message",
                remedy="name the machine that signed it: " + ", ".join(sorted(row.author for row in rows)),
                details={"authors": sorted(row.author for row in rows)},
            )
        return rows

    async def _shown(self, row: MessageRow, workspace: str | None) -> dict[str, Any]:
        facts = await self._store(lambda: self._facts(row.entry))
        return {
            **_message(row, _status(facts.deliveries, workspace)),
            "body": _text(row, facts.entry),
            "attachments": [],
            "states": self._states(row, facts),
        }

    def _facts(self, entry: EntryId) -> _Facts:
        """All that the store knows of a message, for a thread: one hop costs more than all the reads."""
        return _Facts(
            entry=self._reader.entry(entry),
            receipts=self._reader.receipts(entry),
            deliveries=self._reader.deliveries(entry),
        )

    def _states(self, row: MessageRow, facts: _Facts) -> dict[str, str]:
        core = self._performer.core
        entry = facts.entry
        read = {(receipt.reader, receipt.workspace) for receipt in facts.receipts}
        read |= {(self._me, delivery.workspace) for delivery in facts.deliveries if delivery.status != "unread"}

        def delivered(machine: MachineId) -> bool:
            if machine == self._me:
                return True
            return entry is not None and _covered(core.delivery.holds, machine, entry)

        return states(
            tuple(parse_address(address) for address in row.to),
            author=row.author,
            members=core.members(),
            delivered=delivered,
            read=lambda machine, box: (machine, box) in read,
        )

    async def _store(self, read: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(read)


def _text(row: MessageRow, entry: EntryRow | None) -> str | None:
    """The text that was signed, None once retention dropped it.

    Raises:
        StoreError: ``store_corrupt``: the disk holds another one.
    """
    if entry is None or entry.body is None:
        return None
    try:
        kept = stored_entry(entry.header, entry.body)
        message = decode_message(entry.body)
    except MalformedError as error:
        raise _changed(row, error.message) from error
    if kept.id != row.entry or (kept.author, message.subject) != (row.author, row.subject):
        raise _changed(row, "its header or its line in the inbox is not the one that was signed")
    return message.body


def _changed(row: MessageRow, cause: str) -> StoreError:
    return StoreError(
        f"{row.message_id} of {row.author} was changed on this machine's disk: {cause}; it is not shown",
        code="store_corrupt",
        remedy="check the disk with `roosync doctor`; ask the sender, or put back a copy of node.db that you trust",
        details={"id": row.message_id, "cause": cause},
    )


def _covered(holds: Callable[..., bool], machine: MachineId, entry: EntryRow) -> bool:
    return holds(machine, (entry.author, entry.incarnation, entry.chain), entry.sequence)


def _status(deliveries: list[DeliveryRow], workspace: str | None) -> str:
    boxes = {delivery.workspace: delivery.status for delivery in deliveries}
    return boxes.get(workspace or "") or boxes.get("") or next(iter(boxes.values()), "sent")


def _line(item: InboxItem) -> dict[str, Any]:
    return {**_message(item.message, item.delivery.status), "workspace": item.delivery.workspace or None}


def _message(row: MessageRow, status: str) -> dict[str, Any]:
    return {
        "id": row.message_id,
        "from": str(Address(row.author, row.workspace)),
        "to": list(row.to),
        "subject": row.subject,
        "type": row.type,
        "priority": row.priority,
        "tags": list(row.tags),
        "thread_id": row.thread_id,
        "in_reply_to": row.in_reply_to,
        "status": status,
        "time": rfc3339(row.time_ms),
        "verified": True,
        "signer": row.author,
    }
