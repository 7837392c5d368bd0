"""Committed items become numbers, outcomes and state (docs/protocol/ordering.md §3).

    item committed ──▶ bodies here? ──no──▶ read from the store, or asked of the others
                           │yes
                           ▼
        takes: next by its cursor? ──no──▶ no number
                           │yes
                           ▼
        number, outcome, changed pairs, leaf hash: one transaction

Everything that is written for an item becomes durable together, with how far that is: after a crash the item is
applied again, and gives the same.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.consensus.log import Batch, LogItem, Noop, Voters
from roosync_p2p.core.commit.waiting import Cursor, Waiting
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import ReadId, ReadOrdered, Ticket
from roosync_p2p.core.rows import CommitRow, Loaded, LogLoaded, MetaRow, StateRow
from roosync_p2p.entries.entry import Entry, stored_entry
from roosync_p2p.ids import CommitNumber, EntryId, Epoch, LogIndex, MachineId
from roosync_p2p.ledger.apply import Applied, Event, Outcome, Take, apply, apply_voters, cursor_of, takes
from roosync_p2p.ledger.state import State
from roosync_p2p.proof.commit_leaf import commit_leaf
from roosync_p2p.proof.tree import CompactTree

__all__ = ["Applier", "Committed", "Progress"]

META: Final = "commit.applied"
HISTORY: Final = "history"  # the key under which the state covers every outcome, not only what outcomes changed
MARK_EVERY: Final = 256  # nodes of different progress compare their digests at multiples of this


class Progress(Record, frozen=True, kw_only=True):
    """How far the log is applied: what a restart begins from.

    ``tree`` is the right edge of the Merkle tree over ``number`` leaves.
    """

    index: int
    number: int
    time_ms: int
    digest: bytes
    tree: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """One thing that got a commit number. ``entry`` is None for a voter change."""

    number: CommitNumber
    index: LogIndex
    time_ms: int
    entry: Entry | None
    outcome: Outcome
    events: tuple[Event, ...]
    ticket: Ticket


class Applier:
    """Applies what was committed, in order.

    Args:
        desk: of the core.
        waiting: where headers and bodies of unordered entries are.
        loaded: what the store holds.
        log: the replicated log as stored, for a replay.
        wanted: asks the others for entries that a committed item names and that are nowhere here.
    """

    def __init__(
        self,
        desk: Desk,
        waiting: Waiting,
        loaded: Loaded,
        *,
        wanted: Callable[[tuple[EntryId, ...]], None],
    ) -> None:
        self._desk = desk
        self._waiting = waiting
        self._wanted = wanted
        self._queue: collections.deque[LogItem] = collections.deque()
        self._queued: int = 0
        self._reading: ReadId | None = None
        self._next_read = 1
        self._done: list[Committed] = []
        self.alarm: tuple[bytes, bytes] | None = None
        stored = decode(loaded.meta[META], Progress) if META in loaded.meta else None
        self.state = State.load(loaded.state)
        self.epoch = Epoch(0)
        if stored is None:
            stored = Progress(index=0, number=0, time_ms=0, digest=self.state.digest, tree=b"")
        elif stored.digest != self.state.digest:
            stored = self._begin_again(stored, loaded)
        self.index = LogIndex(stored.index)
        self.number = CommitNumber(stored.number)
        self.time_ms = stored.time_ms
        self._tree = CompactTree.load(stored.tree, stored.number)
        self._queued = self.index
        self.mark: tuple[int, bytes] | None = None
        self._digests: collections.OrderedDict[int, bytes] = collections.OrderedDict()
        self._remember()

    # --- what is known --------------------------------------------------------------------------------------------

    @property
    def behind(self) -> bool:
        """Whether committed items are not applied yet."""
        return bool(self._queue)

    @property
    def root(self) -> bytes:
        """The Merkle root over all commit numbers (RFC 6962)."""
        return self._tree.root()

    def digest_at(self, number: int) -> bytes | None:
        """The digest after that number, as long as it is remembered."""
        return self._digests.get(number)

    def cursor(self, author: MachineId) -> Cursor | None:
        """How far that author is ordered; None before it is admitted."""
        found = cursor_of(self.state, author)
        return None if found is None else Cursor(*found)

    def drain(self) -> list[Committed]:
        """What got a number since the last call."""
        done, self._done = self._done, []
        return done

    # --- items in -------------------------------------------------------------------------------------------------

    def committed(self, item: LogItem) -> None:
        """The next committed item, durable in the log."""
        if item.index <= self._queued:
            return
        assert item.index == self._queued + 1, (item.index, self._queued)
        self._queued = item.index
        self._queue.append(item)

    def run(self) -> None:
        """Applies what can be applied now."""
        while self._queue and self._reading is None:
            item = self._queue[0]
            if isinstance(item.payload, Batch):
                missing = tuple(id_ for id_ in item.payload.entries if self._lacks(id_))
                if missing:
                    self._read(missing)
                    return
            self._queue.popleft()
            self._apply(item)

    def read(self, read: ReadId, entries: Mapping[EntryId, tuple[bytes, bytes]]) -> None:
        """The store's answer about bodies. What even the store lacks is asked of the others."""
        if read != self._reading:
            return
        self._reading = None
        for header, body in entries.values():
            self._waiting.keep(stored_entry(header, body))
        head = self._queue[0].payload
        assert isinstance(head, Batch)
        missing = tuple(id_ for id_ in head.entries if self._lacks(id_))
        if missing:
            self._wanted(missing)
        else:
            self.run()

    def _lacks(self, entry: EntryId) -> bool:
        return self._waiting.entry(entry) is None

    def _read(self, missing: tuple[EntryId, ...]) -> None:
        self._reading = ReadId(self._next_read)
        self._next_read += 1
        self._desk.emit(ReadOrdered(read=self._reading, ids=missing))

    # --- applying -------------------------------------------------------------------------------------------------

    def _apply(self, item: LogItem) -> None:
        before = self.number
        match item.payload:
            case Batch(time_ms=time_ms, entries=entries):
                for entry_id in entries:
                    entry = self._waiting.entry(entry_id)
                    assert entry is not None
                    if takes(self.state, entry.header) is Take.NEXT:
                        self._entry(item, time_ms, entry)
                    else:
                        self._desk.count("commit.duplicates")
                self._waiting.applied(entries)
            case Voters() as voters:
                self._voters(item, voters)
            case Noop():
                pass
        self.index = item.index
        if self.number != before:
            self._remember()
        progress = Progress(
            index=self.index,
            number=self.number,
            time_ms=self.time_ms,
            digest=self.state.digest,
            tree=self._tree.dump(),
        )
        self._desk.persist(MetaRow(key=META, value=encode(progress)))

    def _entry(self, item: LogItem, time_ms: int, entry: Entry) -> None:
        number = CommitNumber(self.number + 1)
        applied = apply(
            self.state,
            number=number,
            time_ms=time_ms,
            epoch=self.epoch,
            entry=entry,
            root=self._desk.identity.root,
        )
        self._numbered(item, number, time_ms, applied, signed=entry.raw, entry=entry)

    def _voters(self, item: LogItem, voters: Voters) -> None:
        number = CommitNumber(self.number + 1)
        seats = tuple((seat.machine, seat.store) for seat in voters.voters)
        applied = apply_voters(self.state, number=number, time_ms=voters.time_ms, epoch=self.epoch, voters=seats)
        self._numbered(item, number, voters.time_ms, applied, signed=voters.envelope, entry=None)

    def _numbered(
        self, item: LogItem, number: CommitNumber, time_ms: int, applied: Applied, *, signed: bytes, entry: Entry | None
    ) -> None:
        outcome = applied.outcome
        leaf = commit_leaf(number, time_ms, self.epoch, signed)
        history = sha256(
            pack([self.state.get(HISTORY) or b"", number, leaf, outcome.accepted, outcome.reason])
        )
        changes = {**applied.changes, HISTORY: history}
        self.state = self.state.with_changes(changes)
        self.number, self.time_ms = number, time_ms
        self._tree.append(leaf)
        rows = [StateRow(key=key, value=value) for key, value in changes.items()]
        ticket = self._desk.persist(
            CommitRow(
                number=number,
                index=item.index,
                time_ms=time_ms,
                epoch=self.epoch,
                entry=None if entry is None else entry.id,
                author=None if entry is None else entry.author,
                kind="voters" if entry is None else entry.header.kind,
                accepted=outcome.accepted,
                reason=outcome.reason,
                detail=pack(outcome.detail),
                leaf=leaf,
            ),
            *rows,
        )
        self._done.append(
            Committed(
                number=number,
                index=item.index,
                time_ms=time_ms,
                entry=entry,
                outcome=outcome,
                events=applied.events,
                ticket=ticket,
            )
        )
        if number % MARK_EVERY == 0:
            self.mark = (number, self.state.digest)

    def _remember(self) -> None:
        self._digests[self.number] = self.state.digest
        while len(self._digests) > limits.DIGESTS_REMEMBERED:
            self._digests.popitem(last=False)

    def _begin_again(self, stored: Progress, loaded: Loaded) -> Progress:
        """The state on this disk is not the one that was applied: an alarm, and everything is applied once more."""
        self.alarm = (stored.digest, self.state.digest)
        self._desk.persist(*(StateRow(key=key, value=None) for key, _ in loaded.state))
        self.state = State.load(())
        return Progress(index=0, number=0, time_ms=0, digest=self.state.digest, tree=b"")
