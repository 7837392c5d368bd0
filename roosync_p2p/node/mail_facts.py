"""What is known of a message: the store's rows joined with the core's facts (docs/protocol/messages.md §2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.clock import rfc3339
from roosync_p2p.core.mail_rows import AmendmentRow
from roosync_p2p.core.ports import InboxItem, Reader
from roosync_p2p.core.rows import CommitRow, DeliveryRow, EntryRow, MessageRow, ReceiptRow
from roosync_p2p.errors import InputFault, MalformedError
from roosync_p2p.ids import CommitNumber, MachineId, parse_address, parse_message_id
from roosync_p2p.ledger.register import register_of
from roosync_p2p.mailbox.message import decode_message
from roosync_p2p.mailbox.states import states
from roosync_p2p.mailbox.threads import cited_commits
from roosync_p2p.node.mail_views import (
    amendment_of,
    attachments_in,
    commit_view,
    inbox_line,
    message_view,
    receipt_views,
    status_in,
    text_of,
)
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.sealing import Opened, Seals

__all__ = ["Known", "MailFacts"]

T = TypeVar("T")

_LIFE_MS: Final = round(limits.UNREAD_LIFE_S * 1000)


class Known(NamedTuple):
    """All that the store knows of a message."""

    row: MessageRow
    entry: EntryRow | None
    receipts: list[ReceiptRow]
    deliveries: list[DeliveryRow]
    amendments: list[tuple[AmendmentRow, EntryRow | None]]
    kept: bool

    def boxes(self, workspace: str | None) -> list[DeliveryRow]:
        """Its deliveries to the machine's own inbox and the given workspace's."""
        return [delivery for delivery in self.deliveries if delivery.workspace in ("", workspace or "")]

    def read_by(self) -> list[str]:
        """Who has read it, by its receipts."""
        found = (row for row in self.receipts if row.state != "expired")
        return sorted({row.reader if not row.workspace else f"{row.reader}:{row.workspace}" for row in found})


class MailFacts:
    """Finds messages, and shows them with all that is known of them."""

    def __init__(self, performer: Performer, reader: Reader, seals: Seals | None = None) -> None:
        self._performer = performer
        self._reader = reader
        self.seals: Final = Seals(performer, None) if seals is None else seals

    @property
    def me(self) -> MachineId:
        """This machine."""
        return self._performer.core.me

    async def store(self, read: Callable[[Reader], T]) -> T:
        """A read of the store, in a thread: one hop costs more than many reads."""
        return await anyio.to_thread.run_sync(read, self._reader)

    async def found(self, message_id: str) -> Known:
        """The message of that id; two machines may have drawn the same one, and then the id names neither.

        Raises:
            InputFault: there is none, or more than one.
        """
        try:
            parsed = parse_message_id(message_id)
        except MalformedError as error:
            raise InputFault(error.message, code=error.code) from error
        rows = await self.store(lambda reader: reader.messages(parsed))
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
        return await self.known(rows[0])

    async def is_there(self, message_id: str) -> bool:
        """Whether any message has that id."""
        try:
            parsed = parse_message_id(message_id)
        except MalformedError:
            return False
        return bool(await self.store(lambda reader: reader.messages(parsed)))

    async def known(self, row: MessageRow) -> Known:
        """All that the store knows of a message."""
        return await self.store(lambda reader: read_known(reader, row))

    def states(self, known: Known) -> dict[str, str]:
        """How far it got, for each recipient."""
        core, row, entry = self._performer.core, known.row, known.entry
        said = {(receipt.reader, receipt.workspace): receipt.state for receipt in known.receipts}
        for delivery in known.deliveries:
            if delivery.status == "read":
                said.setdefault((self.me, delivery.workspace), "read")

        def delivered(machine: MachineId) -> bool:
            if machine == self.me:
                return True
            place = None if entry is None else (entry.author, entry.incarnation, entry.chain)
            return entry is not None and place is not None and core.delivery.holds(machine, place, entry.sequence)

        register = register_of(core.commit.state, core.desk.identity.root)

        def gone(machine: MachineId) -> bool:
            return machine != self.me and (register.ended(machine) or core.revocations.out(machine) is not None)

        def members() -> set[MachineId]:
            """Whom a broadcast is for: the members that its sender's log had, and who is known beside the log."""
            commit = _commit_of(entry)
            if not commit:
                return {machine for machine in core.members() if not gone(machine)}
            known = {MachineId(machine) for machine in register.belonged(commit)}
            return known | {machine for machine in core.members() if machine not in register.members}

        return states(
            tuple(parse_address(address) for address in row.to),
            author=row.author,
            members=members() | {reader for reader, _ in said},
            delivered=delivered,
            said=lambda machine, box: said.get((machine, box)),
            gone=gone,
            overdue=min(row.expires_ms or limits.WALL_MS_MAX, row.time_ms + _LIFE_MS) <= core.desk.now.wall_ms,
        )

    async def shown(self, known: Known, workspace: str | None) -> dict[str, Any]:
        """A message with its body and everything that is known of it."""
        opened = await anyio.to_thread.run_sync(self.seals.opened, known.row, known.entry)
        versions = _versions(known)
        if opened is not None:
            versions[0]["body"] = None if opened.text is None else opened.text.body
        subject = known.row.subject if opened is None or opened.text is None else opened.text.subject
        texts = [subject, *(str(version["body"] or "") for version in versions)]
        return {
            **message_view(known.row, status_in(known.deliveries, workspace), opened),
            "body": versions[-1]["body"],
            "attachments": self.attachments(known, opened),
            "states": self.states(known),
            "receipts": receipt_views(known.receipts),
            "escalate": known.row.escalate or None,
            "kept": known.kept,
            "amended": len(versions) > 1,
            "history": versions if len(versions) > 1 else [],
            "commits": await self.cited(texts),
        }

    async def lines(self, items: Sequence[InboxItem]) -> list[dict[str, Any]]:
        """Messages as an inbox lists them, sealed ones opened where that can be done."""

        def look(reader: Reader) -> list[dict[str, Any]]:
            return [inbox_line(item, self.peek(reader, item.message)) for item in items]

        if not any(item.message.sealed for item in items):
            return [inbox_line(item) for item in items]
        return await self.store(look)

    def peek(self, reader: Reader, row: MessageRow) -> Opened | None:
        """What is in a message, if it is sealed; for who reads the store in a thread anyhow."""
        return self.seals.opened(row, reader.entry(row.entry)) if row.sealed else None

    def attachments(self, known: Known, opened: Opened | None) -> list[dict[str, Any]]:
        """What it brings along, and where that is."""
        files = () if opened is None or opened.text is None else opened.text.files
        return [
            {
                "number": number,
                "name": files[number].name if files else attachment.name,
                "size": files[number].size if files else attachment.size,
                "sha256": (files[number] if files else attachment).sha256.hex(),
                **self._performer.core.attachments.state(known.row.entry, attachment.sha256),
            }
            for number, attachment in enumerate(attachments_in(known.row, known.entry))
        ]

    async def cited(self, texts: Iterable[str]) -> list[dict[str, Any]]:
        """The commits that texts cite, with their outcomes; numbers that nothing has are left out."""
        numbers = cited_commits(texts)

        def look(reader: Reader) -> list[CommitRow]:
            found = [reader.commits(CommitNumber(number), 1) for number in numbers]
            return [rows[0] for number, rows in zip(numbers, found, strict=True) if rows and rows[0].number == number]

        return [commit_view(row) for row in await self.store(look)] if numbers else []


def read_known(reader: Reader, row: MessageRow) -> Known:
    """All reads of one message."""
    return Known(
        row=row,
        entry=reader.entry(row.entry),
        receipts=reader.receipts(row.entry),
        deliveries=reader.deliveries(row.entry),
        amendments=[(amendment, reader.entry(amendment.entry)) for amendment in reader.amendments(row.entry)],
        kept=reader.kept(row.entry),
    )


def _commit_of(entry: EntryRow | None) -> int:
    """How far its sender had applied the log; 0 where it did not say, or its body is gone."""
    if entry is None or entry.body is None:
        return 0
    try:
        return decode_message(entry.body).commit
    except MalformedError:
        return 0


def _versions(known: Known) -> list[dict[str, Any]]:
    """Every body that it has had, oldest first, and whether somebody had read it when the next one was signed."""
    row = known.row
    first: dict[str, Any] = {
        "body": text_of(row, known.entry),
        "time": rfc3339(row.time_ms),
        "reason": "",
        "read_by": [],
    }
    versions: list[dict[str, Any]] = [first]
    begins = [row.time_ms]
    for amendment, entry in known.amendments:
        said = amendment_of(row, entry, amendment.entry)
        versions.append(
            {
                "body": None if said is None else said.body,
                "time": rfc3339(amendment.time_ms),
                "reason": "" if said is None else said.reason,
                "read_by": [],
            }
        )
        begins.append(amendment.time_ms)
    for receipt in known.receipts:
        if receipt.state != "expired":
            seen = max((n for n, begin in enumerate(begins) if begin <= receipt.time_ms), default=0)
            name = receipt.reader if not receipt.workspace else f"{receipt.reader}:{receipt.workspace}"
            versions[seen]["read_by"].append(name)
    return versions
