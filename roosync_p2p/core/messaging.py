"""Messages in and out of this machine's mail chain (docs/protocol/messages.md §1, §4 and §6)."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from roosync_p2p.clock import rfc3339
from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import encode
from roosync_p2p.core.attachments import Attachments
from roosync_p2p.core.authorship import Authorship
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.flooring import flooring_of
from roosync_p2p.core.mail_commands import (
    AmendMessage,
    AnswerMessage,
    ArchiveMessages,
    KeepMessage,
    MailCommand,
    MarkRead,
    RaiseFloors,
    Retain,
    SendMessage,
)
from roosync_p2p.core.mail_rows import AmendmentRow, AttachmentRow, BodyDropRow, Cited, KeptRow, WatchRow, WordsRow
from roosync_p2p.core.outgoing import Outgoing
from roosync_p2p.core.receipting import Receipting
from roosync_p2p.core.rows import DeliveryRow, IdempotencyRow, Loaded, MessageRow
from roosync_p2p.entries.chains import ChainKey
from roosync_p2p.entries.entry import MAIL, Entry
from roosync_p2p.errors import InputFault, MalformedError
from roosync_p2p.ids import EntryId, MachineId, MessageId, format_message_id
from roosync_p2p.mailbox.amendments import KIND as AMENDMENT
from roosync_p2p.mailbox.amendments import Amendment, check_amendment, decode_amendment
from roosync_p2p.mailbox.message import KIND as MESSAGE
from roosync_p2p.mailbox.message import MessageBody, check_message, decode_message
from roosync_p2p.mailbox.receipts import FETCHED, decode_receipt, said_in
from roosync_p2p.mailbox.receipts import KIND as RECEIPT

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["Messaging", "messaging_of", "request_digest"]

KEYS_REMEMBERED = 4_096  # idempotency keys kept in memory: longer than a commit takes, so none is missed between


class Messaging:
    """Writes messages, amendments and receipts, and takes in those of others."""

    def __init__(
        self,
        desk: Desk,
        authorship: Authorship,
        attachments: Attachments,
        unsent: bytes | None,
        watches: Iterable[WatchRow],
        *,
        holds: Callable[[MachineId, ChainKey, int], bool],
        gone: Callable[[MachineId], bool],
        members_seen: Callable[[], tuple[object, ...]],
        applied: Callable[[], int],
        raise_floors: Callable[[RaiseFloors], Ticket],
    ) -> None:
        """What is not named here is for :class:`Outgoing`.

        Args:
            unsent: receipts that an earlier run had not written.
            applied: the newest commit that is applied here.
            raise_floors: does what that command asks.
        """
        self._desk = desk
        self._authorship = authorship
        self._applied = applied
        self._raise_floors = raise_floors
        self._attachments = attachments
        self.gone = gone  # whether a machine was in the fleet, and is no more
        self._outgoing = Outgoing(
            desk,
            authorship,
            watches,
            holds=holds,
            gone=gone,
            members_seen=members_seen,
            write=self._write,
        )
        self._receipting = Receipting(desk, authorship, unsent, heard=self._heard)
        attachments.tell = self._receipting.fetched
        self._remembered: collections.OrderedDict[str, IdempotencyRow] = collections.OrderedDict()

    # --- sending --------------------------------------------------------------------------------------------------

    def send(self, command: SendMessage) -> tuple[IdempotencyRow, Ticket]:
        """Writes a message to the mail chain; sending the same key twice is sending once.

        Raises:
            InputFault: this machine must not write now, a recipient is unknown, or the key was used for another
                message.
            MalformedError: a field breaks its bound.
        """
        request = request_digest(command) if command.sealed is None else command.sealed.request
        known = self._known(command, request)
        if known is not None:
            return known, self._desk.newest_ticket
        self.require_recipients(command)
        self._attachments.check(command.attachments)
        message = self._message(command)
        check_message(message)
        entry, ticket = self._write(message)
        self._outgoing.sent(entry, message)
        row = IdempotencyRow(
            key=command.idempotency_key or "", request=request, entry=entry.id, message_id=message.message_id
        )
        if command.idempotency_key is not None:
            self._desk.persist(row)
            self._remember(row)
        return row, ticket

    def _write(self, message: MessageBody) -> tuple[Entry, Ticket]:
        entry, ticket = self._authorship.append(MAIL, MESSAGE, encode(message))
        self._index(entry, message)
        return entry, ticket

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

    def require_recipients(self, command: SendMessage) -> None:
        """Returns if every address of a message leads to a member.

        Raises:
            InputFault: ``unknown_recipient``; nothing was sent.
        """
        members = self._desk.directory.members
        escalate = () if command.escalate is None else (command.escalate,)
        for address in (*command.to, *escalate):
            machine = MachineId(address.machine)
            if machine != "all" and (machine not in members or self.gone(machine)):
                raise InputFault(
                    f"no machine {machine} is known in this fleet; nothing was sent",
                    code="unknown_recipient",
                    remedy="roosync machines lists them",
                    details={"machine": machine, "known": sorted(m for m in members if not self.gone(m))},
                )

    def _message(self, command: SendMessage) -> MessageBody:
        sealed = command.sealed
        return MessageBody(
            id=sealed.id if sealed else format_message_id(self._desk.now.wall_ms, self._desk.entropy.bytes(3)),
            to=list(dict.fromkeys(str(address) for address in command.to)),
            subject=command.subject,
            body=command.body,
            type=command.type,
            priority=command.priority,
            tags=command.tags,
            workspace=command.workspace,
            thread=command.thread_id or "",
            in_reply_to=command.in_reply_to,
            expires_ms=self._later(command.expires_s),
            ack_by_ms=self._later(command.ack_within_s),
            escalate="" if command.escalate is None else str(command.escalate),
            session=command.session,
            commit=self._applied(),
            attachments=command.attachments,
            sealed=sealed.box if sealed else b"",
        )

    def _later(self, after_s: float | None) -> int:
        return 0 if after_s is None else self._desk.now.wall_ms + max(1, round(after_s * 1000))

    # --- other commands -------------------------------------------------------------------------------------------

    def take(self, command: MailCommand) -> tuple[dict[str, object], Ticket]:
        """Does what a user asks; the answer, and when it is durable.

        Raises:
            RoosyncError: it cannot be done; nothing was changed.
        """
        match command:
            case SendMessage():
                row, ticket = self.send(command)
                return {"id": row.message_id, "entry": row.entry.hex()}, ticket
            case MarkRead():
                return {}, self._receipting.mark_read(command)
            case AnswerMessage():
                return {}, self._receipting.answer(command)
            case ArchiveMessages(deliveries=deliveries):
                return {}, self._archive(deliveries)
            case KeepMessage(message=message, kept=kept):
                return {}, self._desk.persist(KeptRow(entry=message, kept=kept))
            case AmendMessage():
                return {}, self._amend(command)
            case Retain(aged=aged):
                for author, late in aged.expire:
                    self._receipting.expired(late.entry, author, (late.workspace,))
                self._desk.persist(*(BodyDropRow(message=message) for message in aged.drop))
                self._attachments.dropped(aged.drop)
                return {}, self._archive(aged.archive)
            case RaiseFloors():
                return {}, self._raise_floors(command)

    def _archive(self, deliveries: Iterable[DeliveryRow]) -> Ticket:
        now_ms = self._desk.now.wall_ms
        self._desk.persist(*(dataclasses.replace(row, status="archived", changed_ms=now_ms) for row in deliveries))
        return self._desk.newest_ticket

    def _amend(self, command: AmendMessage) -> Ticket:
        amendment = Amendment(
            message=command.message, body=command.body, reason=command.reason, session=command.session
        )
        check_amendment(amendment)
        entry, ticket = self._authorship.append(MAIL, AMENDMENT, encode(amendment))
        self._amended(entry, amendment)
        return ticket

    def next_deadline(self) -> float | None:
        """When receipts are to be written, or a message is to be judged (monotonic seconds)."""
        times = (self._receipting.next_deadline(), self._outgoing.next_deadline())
        return min((at for at in times if at is not None), default=None)

    def tick(self) -> None:
        """Writes the receipts that are due, and tells what has to be told of messages that were sent."""
        self._receipting.tick()
        self._outgoing.tick()

    def _heard(self, entry: EntryId, reader: MachineId, workspace: str, state: str) -> None:
        if state == FETCHED:
            self._attachments.fetched_by(entry, reader)
        else:
            self._outgoing.heard(entry, reader, workspace, state)

    # --- what others wrote ----------------------------------------------------------------------------------------

    def accepted(self, entry: Entry) -> None:
        """Indexes an accepted entry of the mail chain. What does not parse stays in its chain and is counted."""
        if entry.body is None:
            return
        try:
            if entry.header.kind == MESSAGE:
                self._index(entry, decode_message(entry.body))
            elif entry.header.kind == RECEIPT:
                for said in said_in(decode_receipt(entry.body)):
                    self._receipting.received(entry.author, said)
            elif entry.header.kind == AMENDMENT:
                self._amended(entry, decode_amendment(entry.body))
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
                expires_ms=message.expires_ms,
                ack_by_ms=message.ack_by_ms,
                escalate=message.escalate,
                session=message.session,
                sealed=bool(message.sealed),
            ),
            WordsRow(
                message=entry.id,
                author=entry.author,
                session=message.session,
                incarnation=entry.header.incarnation,
                sequence=entry.header.sequence,
                body=message.body,
            ),
        )
        self._cite(entry, message)
        boxes = message.boxes(self._desk.me)
        mine = entry.author == self._desk.me
        if mine and not any(address.machine == self._desk.me for address in message.addresses()):
            return  # a broadcast does not come back to its author
        if 0 < message.expires_ms <= now_ms and not mine:
            self._receipting.expired(entry.id, entry.author, boxes)
            return
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

    def _cite(self, entry: Entry, message: MessageBody) -> None:
        blobs = tuple((attachment.sha256, attachment.size) for attachment in message.attachments)
        if not blobs:
            return
        for number, (digest, size) in enumerate(blobs):
            self._desk.persist(AttachmentRow(message=entry.id, number=number, digest=digest, size=size))
        self._attachments.cite(
            Cited(
                message=entry.id,
                author=entry.author,
                to=tuple(message.to),
                time_ms=entry.header.time_ms,
                expires_ms=message.expires_ms,
                blobs=blobs,
            )
        )

    def _amended(self, entry: Entry, amendment: Amendment) -> None:
        """Whether it counts is found where the message is: it may not be here."""
        message = EntryId(amendment.message)
        place = {"incarnation": entry.header.incarnation, "sequence": entry.header.sequence}
        ticket = self._desk.persist(
            AmendmentRow(
                entry=entry.id,
                message=message,
                author=entry.author,
                session=amendment.session,
                time_ms=entry.header.time_ms,
                **place,
            ),
            WordsRow(message=message, author=entry.author, session=amendment.session, body=amendment.body, **place),
        )
        self._desk.notify("amended", {"entry": message.hex(), "by": entry.author}, after=ticket)


def messaging_of(core: NodeCore, loaded: Loaded) -> Messaging:
    """The mail of that core, with what its other parts know of members and of what they hold."""

    def gone(machine: MachineId) -> bool:
        register = core.commit.seats.known.register
        return machine != core.me and (register.ended(machine) or core.revocations.out(machine) is not None)

    return Messaging(
        core.desk,
        core.authorship,
        core.attachments,
        loaded.meta.get("receipts"),
        loaded.watches,
        holds=core.delivery.holds,
        gone=gone,
        members_seen=lambda: (core.commit.seats.known.register, core.desk.directory),
        applied=lambda: core.commit.applier.number,
        raise_floors=flooring_of(core, loaded.meta, gone=gone).take,
    )


def request_digest(command: SendMessage, *, private: bool = False) -> bytes:
    """What makes two requests the same: everything that the sender said, and whether it is to be sealed."""
    later = (
        str(command.expires_s or ""),
        str(command.ack_within_s or ""),
        str(command.escalate or ""),
        command.session,
    )
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
                # What came later counts only where it is used: a key of an older version stays the same request.
                *([list(later)] if any(later) else []),
                *([[[a.name, a.sha256] for a in command.attachments]] if command.attachments else []),
                *(["private"] if private else []),
            ]
        )
    )
