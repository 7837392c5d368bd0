"""Committed items become numbers, outcomes and state (docs/protocol/ordering.md §3).

    item committed ──▶ bodies here? ──no──▶ read from the store, or asked of the others
                           │yes
                           ▼
        takes: next by its cursor? ──no──▶ no number
                           │yes
                           ▼
        number, outcome, changed pairs, leaf hash: one transaction

Everything that is written for an item becomes durable together, with how far that is: after a crash the item is
applied again, and gives the same. Applying everything again from the first item is also how a state that this disk
changed is made good, and how this node goes back to the base of a new epoch (§7).
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.clock import rfc3339
from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.consensus.items import Batch, LogItem, Noop, Voters
from roosync_p2p.core.commit.changes import epoch_of_change
from roosync_p2p.core.commit.row_digests import outcomes_after, rows_after
from roosync_p2p.core.commit.waiting import Waiting
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import ReadId, ReadOrdered, Ticket
from roosync_p2p.core.rows import CommitCutRow, CommitRow, Loaded, LogLoaded, MetaRow, StateRow
from roosync_p2p.entries.entry import Entry, stored_entry
from roosync_p2p.ids import CommitNumber, EntryId, Epoch, LogIndex, Term
from roosync_p2p.ledger.apply import apply, apply_voters
from roosync_p2p.ledger.cursors import Take, takes
from roosync_p2p.ledger.outcomes import Applied, Event, Outcome
from roosync_p2p.ledger.state import REGISTER, State
from roosync_p2p.proof.compact import CompactTree
from roosync_p2p.proof.hashing import leaf_hash
from roosync_p2p.proof.leaves import commit_leaf
from roosync_p2p.trust.envelopes import parse_envelope

__all__ = ["Applier", "Committed", "Progress", "is_sound"]

META: Final = "commit.applied"
MEND: Final = "commit.mend"  # this disk changed its commits: the next start applies everything again
VOTERS_KIND: Final = "voters"
HISTORY: Final = "outcomes"  # the key under which the state covers every outcome, not only what outcomes changed
MARK_EVERY: Final = 256  # nodes of different progress compare their digests at multiples of this


class Progress(Record, frozen=True, kw_only=True):
    """How far the log is applied: what a restart begins from.

    Attributes:
        tree: the right edge of the Merkle tree over ``number`` leaves.
        voters: index of the item that made the voters what they are.
        epoch: of the newest number.
        at: index of the item that gave the newest number; the ones behind it gave none.
        again: up to this index items are applied once more.
        rows: digest over the commits up to ``number`` as they were written; empty where an older program wrote some.
    """

    index: int
    number: int
    time_ms: int
    digest: bytes
    tree: bytes
    voters: int = 0
    epoch: int = 0
    at: int = 0
    again: int = 0
    rows: bytes = b""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """One thing that got a commit number.

    Attributes:
        entry: None for a voter change.
        leaf: its leaf of the fleet's tree.
        again: this node had applied it before.
    """

    number: CommitNumber
    index: LogIndex
    time_ms: int
    entry: Entry | None
    outcome: Outcome
    events: tuple[Event, ...]
    ticket: Ticket
    digest: bytes
    register_changed: bool
    leaf: bytes
    again: bool

    @property
    def kind(self) -> str:
        """The kind of the entry; ``voters`` for a voter change."""
        return VOTERS_KIND if self.entry is None else self.entry.header.kind

    def data(self) -> dict[str, object]:
        """The event of it, JSON-compatible."""
        return {
            "number": self.number,
            "time": rfc3339(self.time_ms),
            "kind": self.kind,
            "author": None if self.entry is None else self.entry.author,
            "id": None if self.entry is None else self.entry.id.hex(),
            "outcome": {"accepted": self.outcome.accepted, "reason": self.outcome.reason},
        }


class Applier:
    """Applies what was committed, in order.

    Args:
        desk: of the core.
        waiting: where headers and bodies of unordered entries are.
        loaded: what the store holds.
        state: loaded from its pairs, the digest computed anew.
        wanted: asks the others for entries that a committed item names and that are nowhere here.
    """

    def __init__(
        self,
        desk: Desk,
        waiting: Waiting,
        loaded: Loaded,
        state: State,
        *,
        wanted: Callable[[tuple[EntryId, ...]], None],
    ) -> None:
        self._desk = desk
        self._waiting = waiting
        self._wanted = wanted
        self._queue: collections.deque[LogItem] = collections.deque()
        self._reading: ReadId | None = None
        self._next_read = 1
        self._to_load: dict[EntryId, None] = {}
        self.needs_rules: int | None = None
        self._missing = False  # the first item names entries that are nowhere here; they were asked for
        self._recent: dict[EntryId, None] = {}  # applied a moment ago: a message may name them again
        self._done: list[Committed] = []
        self.index: LogIndex
        self.number: CommitNumber
        self.time_ms: int
        self.epoch: Epoch
        self.at: LogIndex  # of the item that gave the newest number
        self.mark: tuple[int, bytes] | None
        self._again: LogIndex
        self._voters_index: LogIndex
        self._tree: CompactTree
        self.rows: bytes
        self._digests: collections.OrderedDict[int, bytes]
        self.alarm: tuple[bytes, bytes] | None = None
        self._expected: tuple[int, bytes] | None = None
        self.contradicted = False  # another root stands where one was expected
        # The highest number that was ever applied here in this epoch: what heartbeats may have told.
        self.reached = loaded.commits
        stored = _stored(loaded)
        self.state = state
        if stored.digest != state.digest:
            # The state on this disk is not the one that was applied: an alarm, and everything is applied once more.
            self.alarm = (stored.digest, state.digest)
            stored = self._emptied(again=max(stored.index, stored.again))
        elif MEND in loaded.meta:
            if stored.index >= stored.again:
                # Applying again writes every row anew, and leaves what a disk put behind the last one.
                self.reached = CommitNumber(stored.number)
                desk.persist(CommitCutRow(first=CommitNumber(stored.number + 1)))
            stored = self._emptied(again=max(stored.index, stored.again))
            desk.persist(MetaRow(key=MEND, value=None))
        self._place(stored)
        self._queue.extend(_items(loaded.log, stored.index, stored.again))

    # --- what is known --------------------------------------------------------------------------------------------

    @property
    def behind(self) -> bool:
        """Whether committed items are not applied yet."""
        return bool(self._queue)

    @property
    def going_back(self) -> bool:
        """Whether it applies what it had applied before; until then the state is older than this node."""
        return self.index < self._again

    @property
    def root(self) -> bytes:
        """The Merkle root over all commit numbers (RFC 6962)."""
        return self._tree.root()

    def digest_at(self, number: int) -> bytes | None:
        """The digest after that number, as long as it is remembered."""
        return self._digests.get(number)

    def drain(self) -> list[Committed]:
        """What got a number since the last call."""
        done, self._done = self._done, []
        return done

    @property
    def queued(self) -> LogIndex:
        """Up to where committed items were taken in."""
        return LogIndex(self.index + len(self._queue))

    # --- another epoch --------------------------------------------------------------------------------------------

    def expect(self, number: int, root: bytes) -> None:
        """At that number the tree has to have this root: an epoch began on it."""
        self._expected = (number, root)
        self.contradicted = False

    def go_back(self, number: CommitNumber, items: Iterable[LogItem]) -> None:
        """Back to a number; what was applied behind it is not any more.

        Args:
            items: the log up to the item that gave the number, from its first item on.
        """
        self._queue.clear()
        self._reading = None
        self._missing = False
        log = list(items)
        if number == self.number:
            self.index = self.at  # only items without a number are given up
            self._again = min(self._again, self.index)
        else:
            self._desk.persist(CommitCutRow(first=CommitNumber(number + 1)))
            self._recent.clear()
            self._waiting.all_again()
            self._place(self._emptied(again=len(log)))
            self._queue.extend(log)
        self.reached = number
        self._keep_progress()

    # --- items in -------------------------------------------------------------------------------------------------

    def committed(self, item: LogItem) -> None:
        """The next committed item, durable in the log."""
        if item.index <= self.queued:
            return
        assert item.index == self.queued + 1, (item.index, self.queued)
        self._queue.append(item)

    def run(self) -> None:
        """Applies what can be applied now."""
        while self._queue and self._may_apply():
            missing = self._first_lacks()
            if missing:
                self._read(missing)
                return
            self._apply(self._queue.popleft())
        if self._to_load and self._reading is None:
            self._read(())

    def _may_apply(self) -> bool:
        return self._reading is None and not self._missing and not self.contradicted and not self._lacks_rules()

    def arrived(self) -> None:
        """An entry came that may have been missing here."""
        if self._missing:
            self._missing = False
            self.run()

    def load(self, entry: EntryId) -> None:
        """Brings header and body of a waiting entry into memory, for whoever wants to propose it."""
        self._to_load[entry] = None
        if self._reading is None:
            self._read(())

    def read(self, read: ReadId, entries: Mapping[EntryId, tuple[bytes, bytes]]) -> None:
        """The store's answer about bodies. What even the store lacks is asked of the others."""
        if read != self._reading:
            return
        self._reading = None
        for header, body in entries.values():
            self._waiting.keep(stored_entry(header, body))
        missing = self._first_lacks()
        if missing and not any(entry in entries for entry in missing):
            self._missing = True
            self._wanted(missing)
        self.run()

    def dropped(self, entries: Iterable[EntryId]) -> None:
        """These left their chain: another branch of it was kept. What of them has a number is read by its id."""
        self._waiting.applied(entries)

    def ordered(self, entry: EntryId) -> bool:
        """Whether that entry was taken in already with a committed item, or is kept here beside its chain."""
        return self._waiting.entry(entry) is not None or entry in self._recent

    def _first_lacks(self) -> tuple[EntryId, ...]:
        item = self._queue[0].payload if self._queue else None
        return tuple(id_ for id_ in item.entries if self._lacks(id_)) if isinstance(item, Batch) else ()

    def _lacks(self, entry: EntryId) -> bool:
        return self._waiting.entry(entry) is None

    def _lacks_rules(self) -> bool:
        """Whether the rules in force are newer than this program: then it stores and passes on, and applies nothing."""
        self.needs_rules = self._desk.rules.lacks(self.state)
        return self.needs_rules is not None

    def _read(self, missing: tuple[EntryId, ...]) -> None:
        ids = tuple(dict.fromkeys([*missing, *self._to_load]))[: limits.READ_ORDERED_MAX]
        for entry in ids:
            self._to_load.pop(entry, None)
        self._reading = ReadId(self._next_read)
        self._next_read += 1
        self._desk.emit(ReadOrdered(read=self._reading, ids=ids))

    # --- applying -------------------------------------------------------------------------------------------------

    def _apply(self, item: LogItem) -> None:
        before = self.number
        match item.payload:
            case Batch(time_ms=time_ms, entries=entries):
                for entry_id in entries:
                    if self._lacks_rules():
                        # It was another entry of this batch that put them in force. What has its number is passed over
                        # when a newer program applies this item again.
                        self._queue.appendleft(item)
                        self._keep_progress()
                        return
                    entry = self._waiting.entry(entry_id)
                    assert entry is not None
                    if takes(self.state, entry, root=self._desk.identity.root) is Take.NEXT:
                        self._entry(item, time_ms, entry)
                    else:
                        self._desk.count("commit.duplicates")
                self._waiting.applied(entries)
                self._recent.update(dict.fromkeys(entries))
                while len(self._recent) > limits.DIGESTS_REMEMBERED:
                    del self._recent[next(iter(self._recent))]
            case Voters() as voters:
                self._voters(item, voters)
            case Noop():
                pass
        self.index = item.index
        if self.number != before:
            self.at = item.index
            self._remember()
        self._keep_progress()

    def _entry(self, item: LogItem, time_ms: int, entry: Entry) -> None:
        number = CommitNumber(self.number + 1)
        applied = apply(
            self.state,
            number=number,
            time_ms=time_ms,
            epoch=self.epoch,
            entry=entry,
            root=self._desk.identity.root,
            rules=self._desk.rules,
        )
        signed = parse_envelope(entry.raw, size_max=limits.ENTRY_HEADER_BYTES_MAX).signed_bytes()
        self._numbered(item, number, time_ms, applied, signed=signed, entry=entry)

    def _voters(self, item: LogItem, voters: Voters) -> None:
        number = CommitNumber(self.number + 1)
        if voters.replaces == self._voters_index:
            self._voters_index = item.index
            # The configuration that begins an epoch is signed as of that epoch.
            self.epoch = max(self.epoch, epoch_of_change(voters))
            seats = tuple((seat.machine, seat.store) for seat in voters.voters)
            applied = apply_voters(self.state, number=number, time_ms=voters.time_ms, epoch=self.epoch, voters=seats)
        else:
            # Made for a log that never came to be: the consensus passes it over too.
            applied = Applied(outcome=Outcome(accepted=False, reason="void"), changes={})
        self._numbered(item, number, voters.time_ms, applied, signed=voters.envelope, entry=None)

    def _numbered(
        self, item: LogItem, number: CommitNumber, time_ms: int, applied: Applied, *, signed: bytes, entry: Entry | None
    ) -> None:
        outcome = applied.outcome
        leaf = leaf_hash(commit_leaf(number, time_ms, self.epoch, signed))
        row = CommitRow(
            number=number,
            index=item.index,
            time_ms=time_ms,
            epoch=self.epoch,
            entry=None if entry is None else entry.id,
            author=None if entry is None else entry.author,
            kind=VOTERS_KIND if entry is None else entry.header.kind,
            accepted=outcome.accepted,
            reason=outcome.reason,
            detail=pack(outcome.detail),
            leaf=leaf,
        )
        changes = {**applied.changes, HISTORY: outcomes_after(self.state.get(HISTORY) or b"", row)}
        self.state = self.state.with_changes(changes)
        self.number, self.time_ms = number, time_ms
        self._tree.append(leaf)
        if self.rows or number == 1:
            self.rows = rows_after(self.rows, row)
        self.reached = max(self.reached, number)
        if self._expected is not None and self._expected[0] == number:
            self.contradicted = self._expected[1] != self._tree.root()
        rows = [StateRow(key=key, value=value) for key, value in changes.items()]
        ticket = self._desk.persist(row, *rows, lingers=True)
        self._done.append(
            Committed(
                number=number,
                index=item.index,
                time_ms=time_ms,
                entry=entry,
                outcome=outcome,
                events=applied.events,
                ticket=ticket,
                digest=self.state.digest,
                register_changed=REGISTER in changes,
                leaf=leaf,
                again=item.index <= self._again,
            )
        )
        if number % MARK_EVERY == 0:
            self.mark = (number, self.state.digest)

    # --- how far --------------------------------------------------------------------------------------------------

    def _place(self, stored: Progress) -> None:
        """Stands where that says, with nothing remembered of what is behind it."""
        self.index = LogIndex(stored.index)
        self.number = CommitNumber(stored.number)
        self.time_ms = stored.time_ms
        self.epoch = Epoch(stored.epoch)
        self.at = LogIndex(stored.at)
        self._again = LogIndex(stored.again)
        self._voters_index = LogIndex(stored.voters)
        self._tree = CompactTree.load(stored.tree)
        self.rows = stored.rows
        self.mark = None
        self._digests = collections.OrderedDict()
        self._remember()

    def _emptied(self, *, again: int) -> Progress:
        """Removes every pair of the state; everything up to that index is to be applied once more."""
        self._desk.persist(*(StateRow(key=key, value=None) for key, _ in self.state.items()))
        self.state = State.load(())
        return msgspec.structs.replace(_nothing(), again=again)

    def _keep_progress(self) -> None:
        progress = Progress(
            index=self.index,
            number=self.number,
            time_ms=self.time_ms,
            digest=self.state.digest,
            tree=self._tree.dump(),
            voters=self._voters_index,
            epoch=self.epoch,
            at=self.at,
            again=self._again,
            rows=self.rows,
        )
        self._desk.persist(MetaRow(key=META, value=encode(progress)), lingers=True)

    def _remember(self) -> None:
        self._digests[self.number] = self.state.digest
        while len(self._digests) > limits.DIGESTS_REMEMBERED:
            self._digests.popitem(last=False)


def _nothing() -> Progress:
    return Progress(index=0, number=0, time_ms=0, digest=State.load(()).digest, tree=CompactTree().dump())


def is_sound(state: State, loaded: Loaded) -> bool:
    """Whether the state can be begun from: its pairs give the digest that was applied, and nothing is to be mended."""
    return MEND not in loaded.meta and _stored(loaded).digest == state.digest


def _stored(loaded: Loaded) -> Progress:
    return decode(loaded.meta[META], Progress) if META in loaded.meta else _nothing()


def _items(log: LogLoaded, after: int, last: int) -> Iterable[LogItem]:
    for at in range(after, min(last, len(log))):
        yield LogItem(LogIndex(at + 1), Term(log.terms[at]), log.data[at])
