"""Watches what was sent from here, and tells the sender without being asked (docs/protocol/messages.md §8).

That something was told is written in one transaction with the notice and, where there is one, the escalation: so each
is sent once, also over a crash.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from roosync_p2p import limits
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core.authorship import Authorship, Phase
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.mail_rows import WatchRow
from roosync_p2p.entries.chains import ChainKey
from roosync_p2p.entries.entry import MAIL, Entry
from roosync_p2p.ids import EntryId, MachineId, format_message_id
from roosync_p2p.mailbox.message import MessageBody
from roosync_p2p.mailbox.notices import escalation, notice
from roosync_p2p.mailbox.states import recipients
from roosync_p2p.mailbox.watches import OVERDUE, Verdict, Watch, begin_watch, due_ms, hear, judge, machine_of

__all__ = ["Outgoing"]


class Outgoing:
    """The watches of this machine.

    Args:
        holds: whether a machine has signed that it holds an entry of a chain.
        gone: whether a machine was in the fleet, and is no more.
        members_seen: what ``gone`` rests on; other objects when it may answer otherwise.
        write: writes a message to the mail chain.
    """

    def __init__(
        self,
        desk: Desk,
        authorship: Authorship,
        kept: Iterable[WatchRow],
        *,
        holds: Callable[[MachineId, ChainKey, int], bool],
        gone: Callable[[MachineId], bool],
        members_seen: Callable[[], tuple[object, ...]],
        write: Callable[[MessageBody], tuple[Entry, Ticket]],
    ) -> None:
        self._desk = desk
        self._authorship = authorship
        self._holds = holds
        self._gone = gone
        self._members_seen = members_seen
        self._write = write
        self._seen: tuple[object, ...] = ()
        self._ready_at: float | None = None
        self._watches: dict[EntryId, Watch] = {}  # the oldest first
        self._due: list[tuple[int, EntryId]] = []  # a heap; what was put off or ended is passed over
        rows = [(row.entry, decode(row.data, Watch)) for row in kept if row.data is not None]
        for entry, watch in sorted(rows, key=lambda row: (row[1].sent_ms, row[0])):
            self._put(entry, watch)

    # --- what happens -----------------------------------------------------------------------------------------------

    def sent(self, entry: Entry, message: MessageBody) -> None:
        """A message was written here: it is watched from now on, with those who are members now."""
        there = [machine for machine in self._desk.directory.members if not self._gone(machine)]
        named = recipients(message.addresses(), author=self._desk.me, members=there)
        watch = begin_watch(
            message,
            named,
            sent_ms=entry.header.time_ms,
            incarnation=entry.header.incarnation,
            sequence=entry.header.sequence,
        )
        if watch is None:
            return
        while len(self._watches) >= limits.WATCHES_MAX:
            self._keep(next(iter(self._watches)), None)
            self._desk.count("watches.dropped")
        self._keep(entry.id, watch)

    def heard(self, entry: EntryId, reader: MachineId, workspace: str, state: str) -> None:
        """A recipient said something about a message, perhaps about one of somebody else's."""
        watch = self._watches.get(entry)
        if watch is not None:
            changed = hear(watch, reader, workspace, state)
            if changed != watch:
                self._keep(entry, changed)

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When something is to be judged (monotonic seconds)."""
        if not self._due or self._ready_at is None or self._authorship.phase is not Phase.READY:
            return None
        now = self._desk.now
        left_s = (self._due[0][0] - now.wall_ms) / 1000 + limits.WATCH_LATE_S
        return max(now.monotonic_s + max(left_s, 0.0), self._ready_at + limits.WATCH_SETTLE_S)

    def tick(self) -> None:
        """Judges what is due, or everything when somebody went.

        Not at once after a start: what others said meanwhile is on its way.
        """
        now = self._desk.now
        if self._authorship.phase is not Phase.READY:
            self._ready_at = None
            return
        if self._ready_at is None:
            self._ready_at = now.monotonic_s
        if now.monotonic_s < self._ready_at + limits.WATCH_SETTLE_S:
            return
        for entry in self._to_judge():
            watch = self._watches.get(entry)
            if watch is not None:
                self._judge(entry, watch)

    def _to_judge(self) -> list[EntryId]:
        seen = self._members_seen()
        if len(seen) != len(self._seen) or any(one is not other for one, other in zip(seen, self._seen, strict=True)):
            self._seen = seen
            return list(self._watches)
        found: list[EntryId] = []
        until_ms = self._desk.now.wall_ms - round(limits.WATCH_LATE_S * 1000)
        while self._due and self._due[0][0] <= until_ms:
            found.append(heapq.heappop(self._due)[1])
        return found

    def _judge(self, entry: EntryId, watch: Watch) -> None:
        key: ChainKey = (self._desk.me, watch.incarnation, MAIL)

        def delivered(machine: MachineId) -> bool:
            return machine == self._desk.me or self._holds(machine, key, watch.sequence)

        late_ms = round(limits.WATCH_LATE_S * 1000)
        judged = judge(watch, now_ms=self._desk.now.wall_ms - late_ms, delivered=delivered, gone=self._gone)
        self._keep(entry, judged.watch)
        for verdict in judged.verdicts:
            self._tell(entry, watch, verdict)

    # --- telling ------------------------------------------------------------------------------------------------------

    def _tell(self, entry: EntryId, watch: Watch, verdict: Verdict) -> None:
        escalated = self._escalate(watch, verdict) if verdict.what == OVERDUE and watch.escalate else ""
        told, ticket = self._write(notice(watch, verdict, me=self._desk.me, id=self._fresh_id(), escalated=escalated))
        data: dict[str, object] = {
            "id": watch.id,
            "entry": entry.hex(),
            "state": verdict.what,
            "recipients": list(verdict.recipients),
            "escalated": watch.escalate if verdict.what == OVERDUE and watch.escalate else None,
            "notice": told.id.hex(),
        }
        self._desk.notify("undelivered", data, after=ticket)

    def _escalate(self, watch: Watch, verdict: Verdict) -> str:
        machine = machine_of(watch.escalate)
        if machine != "all" and machine not in self._desk.directory.members:
            return f"{watch.escalate} was to be told, and is no machine of this fleet any more."
        self._write(escalation(watch, verdict, me=self._desk.me, id=self._fresh_id()))
        return f"{watch.escalate} was told."

    def _fresh_id(self) -> str:
        return format_message_id(self._desk.now.wall_ms, self._desk.entropy.bytes(3))

    # --- kept ---------------------------------------------------------------------------------------------------------

    def _keep(self, entry: EntryId, watch: Watch | None) -> None:
        self._desk.persist(WatchRow(entry=entry, data=None if watch is None else encode(watch)))
        if watch is None:
            self._watches.pop(entry, None)
        else:
            self._put(entry, watch)

    def _put(self, entry: EntryId, watch: Watch) -> None:
        known = self._watches.get(entry)
        self._watches[entry] = watch
        if known is None or due_ms(known) != due_ms(watch):
            heapq.heappush(self._due, (due_ms(watch), entry))
