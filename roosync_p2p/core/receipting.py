"""What became of messages here, and that their authors are told (docs/protocol/messages.md §3).

That something was read, and that its author is to be told, is written in one transaction. Receipts are entries, at most
one a second; what is not written yet survives a crash.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Final

from roosync_p2p import limits
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core.authorship import Authorship, Phase
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.mail_commands import AnswerMessage, MarkRead
from roosync_p2p.core.mail_rows import FetchedRow
from roosync_p2p.core.rows import DeliveryRow, MetaRow, ReceiptRow
from roosync_p2p.entries.entry import MAIL
from roosync_p2p.errors import InputFault
from roosync_p2p.ids import EntryId, MachineId
from roosync_p2p.mailbox.receipts import (
    ACTED,
    DECLINED,
    EXPIRED,
    FETCHED,
    KIND,
    READ,
    AnswerItem,
    Receipt,
    ReceiptItem,
    Said,
)

__all__ = ["Receipting"]

_ANSWERS_REMEMBERED: Final = 4_096  # longer than a commit takes, so that no second answer slips in between
_UNSENT: Final = "receipts"  # key of the row with what is to be told


class Receipting:
    """Marks messages, and writes the receipts.

    Args:
        unsent: what an earlier run had not written yet.
        heard: called with message, reader, workspace and state of what was said about a message.
    """

    def __init__(
        self,
        desk: Desk,
        authorship: Authorship,
        unsent: bytes | None,
        *,
        heard: Callable[[EntryId, MachineId, str, str], None],
    ) -> None:
        self._desk = desk
        self._heard = heard
        self._authorship = authorship
        kept = Receipt(read=[]) if unsent is None else decode(unsent, Receipt, size_max=len(unsent))
        self._read = list(kept.read)
        self._expired = list(kept.expired)
        self._fetched = list(kept.fetched)
        self._answers = [(ACTED, item) for item in kept.acted] + [(DECLINED, item) for item in kept.declined]
        self._due_at: float | None = 0.0 if self._is_unsent else None
        self._answered: collections.OrderedDict[tuple[EntryId, str], str] = collections.OrderedDict()

    @property
    def _is_unsent(self) -> bool:
        return bool(self._read or self._expired or self._answers or self._fetched)

    # --- what users do ----------------------------------------------------------------------------------------------

    def mark_read(self, command: MarkRead) -> Ticket:
        """Remembers that a message was read, and that its author is to be told; both in one transaction."""
        self._mark(command.message, command.workspaces)
        ticket = self._desk.newest_ticket
        if command.author == self._desk.me:
            for workspace in command.workspaces:
                self._told(command.message, workspace, READ, ticket)
        else:
            now_ms = self._desk.now.wall_ms
            self._read += [
                ReceiptItem(message=command.message, workspace=workspace, time_ms=now_ms)
                for workspace in command.workspaces
            ]
            self._to_be_told()
        return ticket

    def answer(self, command: AnswerMessage) -> Ticket:
        """Remembers that a message was acted on or declined, in the same way. Saying the same again changes nothing.

        Raises:
            InputFault: ``already_answered``: the other was said before in one of the boxes; nothing was changed.
        """
        known = {
            workspace: self._answered.get((command.message, workspace)) or command.known.get(workspace)
            for workspace in command.workspaces
        }
        other = sorted({state for state in known.values() if state is not None and state != command.state})
        if other:
            raise InputFault(
                f"the message was {other[0]} before, and its sender was told so; nothing was changed",
                code="already_answered",
                remedy="to say more about it: roosync reply",
                details={"state": other[0]},
            )
        fresh = [workspace for workspace in command.workspaces if known[workspace] is None]
        now_ms = self._desk.now.wall_ms
        self._mark(command.message, command.unread)
        ticket = self._desk.newest_ticket
        for workspace in fresh:
            self._remember(command, workspace)
            row = ReceiptRow(
                message=command.message,
                reader=self._desk.me,
                workspace=workspace,
                state=command.state,
                time_ms=now_ms,
                note=command.note,
            )
            ticket = self._desk.persist(row)
            if command.author == self._desk.me:
                self._told(command.message, workspace, command.state, ticket)
            else:
                item = AnswerItem(message=command.message, workspace=workspace, time_ms=now_ms, note=command.note)
                self._answers.append((command.state, item))
        if fresh and command.author != self._desk.me:
            self._to_be_told()
        return ticket

    def expired(self, message: EntryId, author: MachineId, workspaces: tuple[str, ...]) -> None:
        """Its time was over before anybody here was shown it: it is put aside, and its author is told."""
        now_ms = self._desk.now.wall_ms
        for workspace in workspaces:
            self._put(message, workspace, "archived", EXPIRED)
        if author != self._desk.me:
            self._expired += [
                ReceiptItem(message=message, workspace=workspace, time_ms=now_ms) for workspace in workspaces
            ]
            self._to_be_told()

    def fetched(self, message: EntryId) -> Ticket:
        """All that a message of somebody else brings along is on this disk: that is remembered, and told to everybody.

        In one transaction, so that whoever kept it for this machine hears of it also after a crash.
        """
        self._desk.persist(FetchedRow(message=message, machine=self._desk.me))
        self._fetched.append(ReceiptItem(message=message, workspace="", time_ms=self._desk.now.wall_ms))
        self._to_be_told()
        return self._desk.newest_ticket

    def _mark(self, message: EntryId, workspaces: tuple[str, ...]) -> None:
        for workspace in workspaces:
            self._put(message, workspace, "read", READ)

    def _put(self, message: EntryId, workspace: str, status: str, state: str) -> None:
        now_ms = self._desk.now.wall_ms
        self._desk.persist(
            DeliveryRow(entry=message, workspace=workspace, status=status, arrived_ms=now_ms, changed_ms=now_ms),
            ReceiptRow(message=message, reader=self._desk.me, workspace=workspace, state=state, time_ms=now_ms),
        )

    def _remember(self, command: AnswerMessage, workspace: str) -> None:
        self._answered[(command.message, workspace)] = command.state
        while len(self._answered) > _ANSWERS_REMEMBERED:
            self._answered.popitem(last=False)

    # --- telling the authors ----------------------------------------------------------------------------------------

    def _to_be_told(self) -> None:
        self._desk.persist(self._unsent_row())
        if self._due_at is None:
            self._due_at = self._desk.now.monotonic_s

    def next_deadline(self) -> float | None:
        """When receipts are to be written (monotonic seconds)."""
        return self._due_at if self._is_unsent and self._authorship.phase is Phase.READY else None

    def tick(self) -> None:
        """Writes the receipts that are due: at once after a pause, else one entry a second."""
        at = self.next_deadline()
        if at is None or at > self._desk.now.monotonic_s:
            return
        self._authorship.append(MAIL, KIND, encode(self._batch()))
        self._desk.persist(self._unsent_row())
        self._due_at = self._desk.now.monotonic_s + limits.RECEIPT_INTERVAL_S

    def _batch(self) -> Receipt:
        """What goes into one entry: answers with their notes by themselves, because they are long."""
        if self._answers:
            batch, self._answers = self._answers[: limits.RECEIPT_NOTES_MAX], self._answers[limits.RECEIPT_NOTES_MAX :]
            return _receipt(batch)
        read, self._read = self._read[: limits.RECEIPT_IDS_MAX], self._read[limits.RECEIPT_IDS_MAX :]
        room = limits.RECEIPT_IDS_MAX - len(read)
        expired, self._expired = self._expired[:room], self._expired[room:]
        room -= len(expired)
        fetched, self._fetched = self._fetched[:room], self._fetched[room:]
        return Receipt(read=read, expired=tuple(expired), fetched=tuple(fetched))

    def _unsent_row(self) -> MetaRow:
        if not self._is_unsent:
            return MetaRow(key=_UNSENT, value=None)
        unsent = _receipt(self._answers, self._read, tuple(self._expired), tuple(self._fetched))
        return MetaRow(key=_UNSENT, value=encode(unsent))

    # --- what others say --------------------------------------------------------------------------------------------

    def received(self, reader: MachineId, said: Said) -> Ticket:
        """A recipient says what became of a message."""
        message = EntryId(said.message)
        if said.state == FETCHED:  # of the machine, about its disk: nobody's reading
            ticket = self._desk.persist(FetchedRow(message=message, machine=reader))
            self._told(message, "", FETCHED, ticket, by=reader)
            return ticket
        ticket = self._desk.persist(
            ReceiptRow(
                message=message,
                reader=reader,
                workspace=said.workspace,
                state=said.state,
                time_ms=said.time_ms,
                note=said.note,
            )
        )
        self._told(message, said.workspace, said.state, ticket, by=reader)
        return ticket

    def _told(
        self, message: EntryId, workspace: str, state: str, ticket: Ticket, *, by: MachineId | None = None
    ) -> None:
        reader = self._desk.me if by is None else by
        self._heard(message, reader, workspace, state)
        data: dict[str, object] = {
            "entry": message.hex(),
            "reader": reader,
            "workspace": workspace,
            "state": state,
        }
        self._desk.notify("receipt", data, after=ticket)


def _receipt(
    answers: list[tuple[str, AnswerItem]],
    read: list[ReceiptItem] | None = None,
    expired: tuple[ReceiptItem, ...] = (),
    fetched: tuple[ReceiptItem, ...] = (),
) -> Receipt:
    return Receipt(
        read=read or [],
        acted=tuple(item for state, item in answers if state == ACTED),
        declined=tuple(item for state, item in answers if state == DECLINED),
        expired=expired,
        fetched=fetched,
    )
