"""Wakes agents of this computer for messages, by the user's settings alone (docs/protocol/waking.md).

What is due the book says; whether a message still waits, the store; here both are brought together. What was counted is
on the disk before anybody is woken. After a start the inboxes are looked through: what came while the node was off, or
was not written down, is found there.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import anyio
import anyio.abc
import anyio.to_thread
import msgspec

from roosync_p2p import limits
from roosync_p2p.adapters.permissions import write_private
from roosync_p2p.adapters.waking.port import Waker
from roosync_p2p.core.commands import SendMessage
from roosync_p2p.core.ports import InboxQuery, Reader
from roosync_p2p.core.rows import DeliveryRow, MessageRow
from roosync_p2p.core.wake_settings import WakeSettings
from roosync_p2p.errors import EnvironmentFault, RoosyncError
from roosync_p2p.ids import Address, MessageId
from roosync_p2p.mailbox.notices import TAG, UNATTENDED, is_notice, unattended
from roosync_p2p.mailbox.wakes import Arrived, Waiting, WakeBook, WakeRule, Woken
from roosync_p2p.node.event_log import EventLog, NodeEvent
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.sessions import Sessions
from roosync_p2p.node.takes import Take, Takes

__all__ = ["Waking", "rule_of"]

_LOG: Final = logging.getLogger(__name__)


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What outlives the program."""

    waiting: list[Waiting] = []
    takes: list[Take] = []


class _Found(NamedTuple):
    """A message that waits in an inbox."""

    row: MessageRow
    box: DeliveryRow


class Waking:
    """The adapters of one node, and who took which message.

    Args:
        wakers: by the name of the adapter.
        path: where the book is kept.
        now_ms: the wall clock.
    """

    def __init__(
        self,
        performer: Performer,
        reader: Reader,
        events: EventLog,
        sessions: Sessions,
        settings: tuple[WakeSettings, ...],
        wakers: Mapping[str, Waker],
        *,
        path: Path,
        now_ms: Callable[[], int],
    ) -> None:
        kept = _load(path)
        self._performer = performer
        self._reader = reader
        self._events = events
        self._wakers = wakers
        self._path = path
        self._now_ms = now_ms
        self._book = WakeBook({one.name: rule_of(one) for one in settings}, kept.waiting)
        self.takes = Takes(sessions, now_ms=now_ms, kept=kept.takes)
        self._writing = anyio.Lock()
        self._changed = anyio.Event()
        self._to_look = True
        self._busy: set[tuple[str, str]] = set()
        self._faults: dict[str, EnvironmentFault] = {}

    def warnings(self) -> list[dict[str, object]]:
        """The adapters whose last wake went wrong."""
        return [
            {"code": "wake_failed", "message": f"[wake.{name}] woke nobody: {fault.message}", "remedy": fault.remedy}
            for name, fault in sorted(self._faults.items())
        ]

    # --- takes --------------------------------------------------------------------------------------------------------

    async def take(self, row: MessageRow, boxes: list[DeliveryRow], session: str, *, lease_s: float) -> int:
        """A session works on a message; until when.

        Raises:
            InputFault: ``taken``, ``too_many_takes``; nothing was changed.
        """
        until_ms = self.takes.take(row.message_id, boxes, session, lease_s=lease_s)
        for box in boxes:
            self._book.put_off(row.message_id, box.workspace, until_ms)
        await self._write()
        return until_ms

    async def done(self, boxes: list[DeliveryRow]) -> None:
        """A message was read, answered or put aside in these inboxes."""
        if self.takes.done(boxes):
            await self._write()

    # --- going on -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until it is cancelled. Without adapters there is nothing to do."""
        if not self._wakers:
            return
        arriving = self._events.stream(None)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen, arriving)
            while True:
                self._changed = anyio.Event()
                try:
                    if self._to_look:
                        await self._look_through()
                    await self._wake_who_is_due(tasks)
                except RoosyncError as error:
                    _LOG.warning("nobody was woken: %s", error.message)
                    await anyio.sleep(limits.WAKE_EVERY_S)
                due_ms = self._book.next_ms(self._now_ms(), self._is_busy)
                until_s = None if due_ms is None else (due_ms - self._now_ms()) / 1000
                with anyio.move_on_after(None if until_s is None else max(until_s, limits.WAKE_POLL_S)):
                    await self._changed.wait()

    async def _listen(self, arriving: AsyncIterator[NodeEvent]) -> None:
        async for event in arriving:
            if event.type == "gap":
                self._to_look = True
                self._changed.set()
            elif event.type == "message":
                data = event.data
                self._arrived(data["id"], data["workspace"], data["from"], data["type"], data["priority"])
            elif event.type == "session" and event.data["state"] in ("closed", "expired"):
                self._changed.set()

    def _arrived(self, message: str, workspace: str, sender: str, kind: str, priority: str) -> None:
        mail = Arrived(message, workspace, sender, kind, priority)
        if self._book.arrived(mail, self._now_ms()):
            self._changed.set()

    async def _look_through(self) -> None:
        """Everything that is unread is found, also what came before there was an adapter; what is not, is forgotten."""
        query = InboxQuery(workspaces=None, status="unread", limit=limits.INBOX_PAGE_MAX)
        before, unread = self._book.waiting, set[tuple[str, str, str]]()
        while True:
            page = await anyio.to_thread.run_sync(self._reader.inbox, query)
            for item in page.items:
                row, workspace = item.message, item.delivery.workspace
                unread.add((row.message_id, workspace, row.author))
                self._arrived(row.message_id, workspace, row.author, row.type, row.priority)
            if page.next is None:
                break
            query = dataclasses.replace(query, before=page.next)
        for one in before:
            if (one.message, one.workspace, one.sender) not in unread:
                self._book.gone(one.message, one.workspace, one.sender)
        self._to_look = False

    async def _wake_who_is_due(self, tasks: anyio.abc.TaskGroup) -> None:
        now_ms = self._now_ms()
        self._free_what_was_left(now_ms)
        due = self._book.due(now_ms)
        if not due:
            return
        found = await anyio.to_thread.run_sync(self._still_unread, due)
        for one in due:
            there = found.get(one.key)
            take = None if there is None else self.takes.holder(there.box)
            if there is None:
                self._book.gone(one.message, one.workspace, one.sender)
            elif take is not None:
                self._book.put_off(one.message, one.workspace, take.until_ms)
        lapsed = self._book.lapsed(now_ms)
        for one in lapsed:
            await self._tell_of(one, found[one.key])
        wakes = self._book.wake(now_ms, self._is_busy)
        if lapsed or wakes:
            await self._write()
        for woken in wakes:
            self._busy.add((woken.wake, woken.workspace))
            tasks.start_soon(self._perform, woken)

    def _is_busy(self, name: str, workspace: str) -> bool:
        return (name, workspace) in self._busy

    def _free_what_was_left(self, now_ms: int) -> None:
        """What a session had taken that is over is due at once: nobody is on it any more."""
        for take in self.takes.left():
            self._book.put_off(take.message, take.workspace, now_ms)

    def _still_unread(self, due: list[Waiting]) -> dict[tuple[str, str, str, str], _Found]:
        found: dict[tuple[str, str, str, str], _Found] = {}
        for one in due:
            rows = [row for row in self._reader.messages(MessageId(one.message)) if row.author == one.sender]
            for row in rows:
                for box in self._reader.deliveries(row.entry):
                    if (box.workspace, box.status) == (one.workspace, "unread"):
                        found[one.key] = _Found(row, box)
        return found

    async def _perform(self, woken: Woken) -> None:
        data = {"wake": woken.wake, "workspace": woken.workspace, "messages": list(woken.messages)}
        self._events.add("wake", {**data, "attempt": woken.attempt})
        try:
            await self._wakers[woken.wake].wake(woken)
            self._faults.pop(woken.wake, None)
        except EnvironmentFault as fault:
            _LOG.warning("wake.%s: %s", woken.wake, fault.message)
            self._faults[woken.wake] = fault
        finally:
            self._busy.discard((woken.wake, woken.workspace))
            self._changed.set()

    # --- the sender ---------------------------------------------------------------------------------------------------

    async def _tell_of(self, one: Waiting, found: _Found) -> None:
        """A machine that must not write, or cannot, tells later."""
        try:
            await self._tell_sender(found)
        except RoosyncError as error:
            if error.code != "unknown_recipient":  # its sender is no member any more: nobody is to be told
                _LOG.warning("the sender of %s is not told yet: %s", one.message, error.message)
                self._book.put_off(one.message, one.workspace, self._now_ms() + round(limits.WAKE_EVERY_S * 1000))
                return
        self._book.told(one)

    async def _tell_sender(self, found: _Found) -> None:
        """Once, also over a crash: the key makes a second notice the first one."""
        row, me = found.row, self._performer.core.me
        if is_notice(row.type, row.tags):
            return
        recipient = str(Address(me, found.box.workspace or None))
        subject, body = unattended(row.subject, id=row.message_id, sent_ms=row.time_ms, at=recipient)
        key = f"unattended {row.entry.hex()} {found.box.workspace}"[: limits.IDEMPOTENCY_KEY_CHARS_MAX]
        remembered = await anyio.to_thread.run_sync(self._reader.idempotency, key)
        if remembered is not None:
            return
        await self._performer.request(
            SendMessage(
                to=(Address(row.author, row.workspace),),
                subject=subject,
                body=body,
                type="status",
                priority="MEDIUM",
                tags=(TAG, UNATTENDED),
                workspace=found.box.workspace or None,
                thread_id=row.thread_id,
                in_reply_to=row.message_id,
                idempotency_key=key,
                remembered=None,
            )
        )

    # --- kept ---------------------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        async with self._writing:
            kept = _Kept(waiting=[one for one in self._book.waiting if one.wakes], takes=self.takes.live)
            await anyio.to_thread.run_sync(write_private, self._path, msgspec.json.encode(kept))


def rule_of(chosen: WakeSettings) -> WakeRule:
    """What an adapter wakes for, by its settings."""
    return WakeRule(
        workspaces=frozenset(chosen.workspaces),
        types=frozenset(chosen.types),
        priorities=frozenset(chosen.priorities),
        senders=frozenset(chosen.senders),
        gather_ms=round(chosen.gather_s * 1000),
        lease_ms=round(chosen.lease_s * 1000),
        every_ms=round(chosen.every_s * 1000),
    )


def _load(path: Path) -> _Kept:
    """What the last node wrote; without it everything unread is woken for anew."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return _Kept()
    except (OSError, msgspec.MsgspecError) as error:
        _LOG.warning("%s cannot be read, and what was woken for is not known: %s", path, error)
        return _Kept()
