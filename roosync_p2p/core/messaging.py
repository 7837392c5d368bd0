"""Messages in and out of this machine's mail chain (docs/protocol/messages.md §1, §3 and §4)."""

from __future__ import annotations

import collections

from roosync_p2p import limits
from roosync_p2p.clock import rfc3339
from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core.authorship import Authorship
from roosync_p2p.core.commands import MarkRead, SendMessage
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.rows import DeliveryRow, IdempotencyRow, MessageRow, MetaRow, ReceiptRow
from roosync_p2p.entries.entry import MAIL, Entry
from roosync_p2p.errors import InputFault, MalformedError
from roosync_p2p.ids import EntryId, MachineId, MessageId, format_message_id
from roosync_p2p.mailbox import receipts
from roosync_p2p.mailbox.message import KIND as MESSAGE
from roosync_p2p.mailbox.message import MessageBody, check_message, decode_message
from roosync_p2p.mailbox.receipts import KIND as RECEIPT
from roosync_p2p.mailbox.receipts import Receipt, ReceiptItem, decode_receipt

__all__ = ["Messaging"]

KEYS_REMEMBERED = 4_096  # idempotency keys kept in memory: longer than a commit takes, so none is missed between


class Messaging:
    """Writes messages and receipts, and takes in those of others."""

    def __init__(self, desk: Desk, authorship: Authorship, unsent: bytes | None) -> None:
        self._desk = desk
        self._authorship = authorship
        self._unsent = list(decode(unsent, Receipt, size_max=len(unsent)).read) if unsent is not None else []
        self._receipt_at: float | None = 0.0 if self._unsent else None
        self._remembered: collections.OrderedDict[str, IdempotencyRow] = collections.OrderedDict()

    # --- sending --------------------------------------------------------------------------------------------------

    def send(self, command: SendMessage) -> tuple[IdempotencyRow, Ticket]:
        """Writes a message to the mail chain; sending the same key twice is sending once.

        Raises:
            InputFault: this machine must not write now, a recipient is unknown, or the key was used for another
                message.
            MalformedError: a field breaks its bound.
        """
        request = _digest(command)
        known = self._known(command, request)
        if known is not None:
            return known, self._desk.newest_ticket
        self._check_recipients(command)
        message = self._message(command)
        check_message(message)
        entry, ticket = self._authorship.append(MAIL, MESSAGE, encode(message))
        self._index(entry, message)
        row = IdempotencyRow(
            key=command.idempotency_key or "", request=request, entry=entry.id, message_id=message.message_id
        )
        if command.idempotency_key is not None:
            self._desk.persist(row)
            self._remember(row)
        return row, ticket

    def _known(self, command: SendMessage, request: bytes) -> IdempotencyRow | None:
        if command.idempotency_key is None:
            return None
        known = self._remembered.get(command.idempotency_key) or command.remembered
        if known is not None and known.request != request:
            raise InputFault(
                "this idempotency key was used for another message; nothing was sent",
                code="key_reused",
                remedy="a retry repeats every field; another message takes another key",
                details={"id": known.message_id},
            )
        return known

    def _remember(self, row: IdempotencyRow) -> None:
        self._remembered[row.key] = row
        while len(self._remembered) > KEYS_REMEMBERED:
            self._remembered.popitem(last=False)

    def _check_recipients(self, command: SendMessage) -> None:
        members = self._desk.directory.members
        for address in command.to:
            if address.machine != "all" and address.machine not in members:
                raise InputFault(
                    f"no machine {address.machine} is known in this fleet; nothing was sent",
                    code="unknown_recipient",
                    remedy="roosync machines lists them",
                    details={"machine": address.machine, "known": sorted(members)},
                )

    def _message(self, command: SendMessage) -> MessageBody:
        return MessageBody(
            id=format_message_id(self._desk.now.wall_ms, self._desk.entropy.bytes(3)),
            to=list(dict.fromkeys(str(address) for address in command.to)),
            subject=command.subject,
            body=command.body,
            type=command.type,
            priority=command.priority,
            tags=command.tags,
            workspace=command.workspace,
            thread=command.thread_id or "",
            in_reply_to=command.in_reply_to,
        )

    # --- reading --------------------------------------------------------------------------------------------------

    def mark_read(self, command: MarkRead) -> Ticket:
        """Remembers that a message was read, and that its author is to be told; both in one transaction."""
        now_ms = self._desk.now.wall_ms
        rows = [
            DeliveryRow(entry=command.message, workspace=workspace, status="read", arrived_ms=now_ms, changed_ms=now_ms)
            for workspace in command.workspaces
        ]
        ticket = self._desk.persist(*rows)
        if command.author == self._desk.me:
            for workspace in command.workspaces:
                self._told(command.message, self._desk.me, workspace, ticket)
        else:
            self._unsent += [
                ReceiptItem(message=command.message, workspace=workspace, time_ms=now_ms)
                for workspace in command.workspaces
            ]
            self._desk.persist(self._unsent_row())
            if self._receipt_at is None:
                self._receipt_at = self._desk.now.monotonic_s
        return ticket

    def next_deadline(self) -> float | None:
        """When receipts are to be written (monotonic seconds)."""
        return self._receipt_at if self._unsent and self._authorship.phase.value == "ready" else None

    def tick(self) -> None:
        """Writes the receipts that are due: at once after a pause, else one entry a second."""
        at = self.next_deadline()
        if at is None or at > self._desk.now.monotonic_s:
            return
        batch, self._unsent = self._unsent[: limits.RECEIPT_IDS_MAX], self._unsent[limits.RECEIPT_IDS_MAX :]
        self._authorship.append(MAIL, RECEIPT, encode(Receipt(read=batch)))
        self._desk.persist(self._unsent_row())
        self._receipt_at = self._desk.now.monotonic_s + limits.RECEIPT_INTERVAL_S

    def _unsent_row(self) -> MetaRow:
        return MetaRow(key="receipts", value=encode(Receipt(read=self._unsent)) if self._unsent else None)

    # --- what others wrote ----------------------------------------------------------------------------------------

    def accepted(self, entry: Entry) -> None:
        """Indexes an accepted entry of the mail chain. What does not parse stays in its chain and is counted."""
        if entry.body is None:
            return
        try:
            if entry.header.kind == MESSAGE:
                self._index(entry, decode_message(entry.body))
            elif entry.header.kind == RECEIPT:
                self._receipt(entry.author, decode_receipt(entry.body))
        except MalformedError as fault:
            self._desk.fault(fault)

    def _index(self, entry: Entry, message: MessageBody) -> None:
        now_ms = self._desk.now.wall_ms
        self._desk.persist(
            MessageRow(
                entry=entry.id,
                message_id=message.message_id,
                author=entry.author,
                workspace=message.workspace,
                time_ms=entry.header.time_ms,
                to=tuple(message.to),
                subject=message.subject,
                type=message.type,
                priority=message.priority,
                tags=message.tags,
                thread_id=message.thread_id,
                in_reply_to=message.in_reply_to if message.in_reply_to is None else MessageId(message.in_reply_to),
            )
        )
        boxes = message.boxes(self._desk.me)
        mine = entry.author == self._desk.me
        if mine and not any(address.machine == self._desk.me for address in message.addresses()):
            return  # a broadcast does not come back to its author
        for workspace in boxes:
            row = DeliveryRow(
                entry=entry.id, workspace=workspace, status="unread", arrived_ms=now_ms, changed_ms=now_ms
            )
            ticket = self._desk.persist(row)
            data: dict[str, object] = {
                "id": message.id,
                "from": entry.author,
                "workspace": workspace,
                "subject": message.subject,
                "priority": message.priority,
                "type": message.type,
                "thread_id": message.thread_id,
                "time": rfc3339(entry.header.time_ms),
            }
            self._desk.notify("message", data, after=ticket)

    def _receipt(self, reader: MachineId, receipt: Receipt) -> None:
        for item in receipt.read:
            ticket = self._desk.persist(
                ReceiptRow(
                    message=EntryId(item.message),
                    reader=reader,
                    workspace=item.workspace,
                    state=receipts.READ,
                    time_ms=item.time_ms,
                )
            )
            self._told(EntryId(item.message), reader, item.workspace, ticket)

    def _told(self, message: EntryId, reader: MachineId, workspace: str, ticket: Ticket) -> None:
        data: dict[str, object] = {"entry": message.hex(), "reader": reader, "workspace": workspace}
        self._desk.notify("receipt", data, after=ticket)


def _digest(command: SendMessage) -> bytes:
    """What makes two requests the same: everything that the sender said."""
    return sha256(
        pack(
            [
                [str(address) for address in command.to],
                command.subject,
                command.body,
                command.type,
                command.priority,
                list(command.tags),
                command.workspace,
                command.thread_id,
                command.in_reply_to,
            ]
        )
    )
