"""Drives the consensus: its messages become frames, its writes rows, its committed items go on (ordering.md §1).

    frame ─▶ entries that it names are here? ─no─▶ parked, and they are asked for
                        │yes
                        ▼
                      Raft ─▶ Ready ─▶ rows under this input's ticket
                                   ├─▶ messages, once that is durable (a leader's items at once)
                                   └─▶ committed items ─▶ applier

A follower acknowledges a batch only when every entry that it names is on its disk: the entry's row stands in the same
transaction as the item, or in one before it.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.consensus.items import Batch, LogItem, Seat, Voters
from roosync_p2p.consensus.log import Configuration
from roosync_p2p.consensus.messages import Append, Message, VoteAnswer, encode_message
from roosync_p2p.consensus.raft import Raft, Ready, Status, StoredLog
from roosync_p2p.consensus.state import Role, Timing
from roosync_p2p.consensus.writes import HardState
from roosync_p2p.core.commit.changes import epoch_of_change
from roosync_p2p.core.commit.parked import Parked, Run
from roosync_p2p.core.commit.stamps import Stamps
from roosync_p2p.core.commit.votes import Votes
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.links import Links
from roosync_p2p.core.rows import Loaded, LogCutRow, LogItemRow, LogLoaded, MetaRow
from roosync_p2p.core.wire import Committed, RaftFrame, WantCommitted
from roosync_p2p.entropy import Entropy
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import EntryId, Epoch, LogIndex, MachineId, StoreId, Term
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import Verified, seal

__all__ = ["Order"]

HARD: Final = "raft.hard"


class _Hard(Record, frozen=True, kw_only=True):
    """Term, vote and epoch on disk."""

    term: int
    epoch: int
    vote: tuple[str, bytes] | None = None


class Order:
    """The consensus of one node; silent before :meth:`begin`.

    Args:
        loaded: what the store holds.
        applied: up to where the items are applied.
        holds: whether an entry is held here, whole, or is applied already.
        want: asks a peer for entries.
        believes: whether a follower may acknowledge an item with that stamp.
        committed: gets the committed items, each durable here, in order.
        read_done: gets the answers to :meth:`read`.
        changed: called when role, term, leader or configuration changed.
        unwritten: the ticket of the newest own entry that is still on its way to the disk; 0 for none.
    """

    def __init__(
        self,
        desk: Desk,
        links: Links,
        votes: Votes,
        loaded: Loaded,
        *,
        applied: LogIndex,
        holds: Callable[[EntryId], bool],
        want: Callable[[Iterable[EntryId], MachineId], None],
        believes: Callable[[int], bool],
        committed: Callable[[Sequence[LogItem]], None],
        read_done: Callable[[Hashable, LogIndex | None], None],
        changed: Callable[[Status], None],
        unwritten: Callable[[], Ticket],
    ) -> None:
        self._desk = desk
        self._links = links
        self._votes = votes
        self._stored: tuple[HardState, LogLoaded, LogIndex] | None = (_stored_hard(loaded), loaded.log, applied)
        self._committed = committed
        self._read_done = read_done
        self._changed = changed
        self._unwritten = unwritten
        self._marks: collections.deque[tuple[Ticket, int]] = collections.deque()
        self._parked = Parked(
            settled=lambda: LogIndex(0) if self._raft is None else self._raft.commit, holds=holds, want=want
        )
        self._stamps = Stamps(believes)
        self._proposed = False  # something was proposed since the last drain
        self._asked_at: dict[MachineId, float] = {}
        self.hard = self._stored[0]
        self.me: Seat | None = None
        self._raft: Raft | None = None
        self._halted: Raft | None = None  # of an epoch that has ended, or of a life of the store

    # --- life -----------------------------------------------------------------------------------------------------

    def begin(self, store: StoreId) -> None:
        """Takes part from now on, as that life of this machine's store."""
        assert self._stored is not None
        hard, log, applied = self._stored
        self._stored = None
        self.me = Seat(self._desk.me, store)
        items = (
            (LogIndex(at), Term(term), data) for at, (term, data) in enumerate(zip(log.terms, log.data, strict=True), 1)
        )
        self._raft = self._joined(StoredLog(hard=hard, items=items, commit=applied))
        self.drain()

    def stop(self) -> None:
        """Takes no part any more, until :meth:`restart` or :meth:`resume`."""
        if self._raft is None:
            return
        self._halted, self._raft = self._raft, None
        self._marks.clear()
        self._parked.clear()
        self._asked_at.clear()
        self._changed(dataclasses.replace(self._halted.status, role=Role.FOLLOWER, leader=None))

    def log_up_to(self, last: LogIndex) -> tuple[LogItem, ...]:
        """The items of the log that was stopped, from the first on."""
        assert self._halted is not None
        return self._halted.items(LogIndex(1), count_max=last, bytes_max=1 << 40)

    @property
    def voters(self) -> tuple[Seat, ...]:
        """Who votes by this node's log, also while it takes no part."""
        raft = self._raft or self._halted
        return () if raft is None else raft.status.configuration.voters

    @property
    def votes(self) -> bool:
        """Whether this node is a voter of its epoch, by its own log."""
        raft = self._raft or self._halted
        if raft is None or self.me not in self.voters:
            return False
        return self._of_this_epoch(raft, raft.status.configuration)

    def alone(self) -> bool:
        """Whether this node holds the only vote, and somebody is linked who could hold a copy of what it decides."""
        raft = self._raft
        return raft is not None and raft.status.configuration.voters == (self.me,) and bool(self._links.peers())

    def copied(self, index: LogIndex) -> bool:
        """Whether somebody else has everything up to that item on disk."""
        return self._raft is None or any(peer.match >= index for peer in self._raft.peers())

    @property
    def contradicted(self) -> bool:
        """Whether the leader has something else where this node knows its log to be committed."""
        return self._raft is not None and self._raft.counters["contradiction_of_committed"] > 0

    def restart(self, epoch: Epoch, last: LogIndex) -> None:
        """Takes part again, with the log up to that item; the rest of it is removed.

        In a later epoch the terms begin anew behind the log's last one: nobody has voted in it yet, and the terms that
        the epoch before went through elsewhere mean nothing in it. In the same epoch this is for a learner alone:
        nobody has counted on what it removes.
        """
        items = self.log_up_to(last)
        assert len(items) == last, "the log has every item that was applied"
        if epoch == self.epoch:
            assert not self.votes
        else:
            self.hard = HardState(term=items[-1].term if items else Term(0), vote=None, epoch=epoch)
        self._desk.persist(LogCutRow(first=LogIndex(last + 1)), _hard_row(self.hard))
        kept = ((item.index, item.term, item.data) for item in items)
        self._raft = self._joined(StoredLog(hard=self.hard, items=kept, commit=last))
        self._halted = None
        self.drain()

    def _joined(self, stored: StoredLog) -> Raft:
        assert self.me is not None
        raft = Raft(
            me=self.me,
            stored=stored,
            timing=Timing(),
            entropy=Entropy(self._desk.entropy.bytes(32)),
            now_s=self._now,
            seal=self._seal,
        )
        raft.keep_still(not self._of_this_epoch(raft, raft.status.configuration))
        return raft

    def resume(self, store: StoreId, applied: LogIndex) -> None:
        """Takes part again as another life of this machine's store, which has no vote."""
        self.me = Seat(self._desk.me, store)
        self.restart(self.epoch, applied)

    @staticmethod
    def _of_this_epoch(raft: Raft, configuration: Configuration) -> bool:
        """Whether a configuration was made in the epoch of the log.

        An epoch begins with a configuration; a log that does not have it yet knows nothing of who votes. Its own last
        configuration may name this very node as the one voter, which it was before it was given up.
        """
        items = raft.items(configuration.index, count_max=1, bytes_max=limits.LOG_ITEM_BYTES_MAX)
        if configuration.index == 0 or not items:
            return False
        change = items[0].payload
        assert isinstance(change, Voters)
        return epoch_of_change(change) == raft.epoch

    @property
    def raft(self) -> Raft | None:
        """The consensus; None before :meth:`begin`, and between two epochs."""
        return self._raft

    @property
    def status(self) -> Status | None:
        """What this node believes; None while there is no consensus."""
        return None if self._raft is None else self._raft.status

    @property
    def leads(self) -> bool:
        """Whether this node leads."""
        return self._raft is not None and self._raft.status.role is Role.LEADER

    @property
    def epoch(self) -> Epoch:
        """The epoch of the log."""
        return self.hard.epoch

    def bootstrap(self, time_ms: int) -> None:
        """This machine founds a fleet: its log begins."""
        if self._raft is not None and self._raft.last_index == 0 and self.epoch == 0:
            self.begin_epoch(time_ms)

    def begin_epoch(self, time_ms: int) -> None:
        """This machine is the one voter that an epoch begins with; its log ends with the epoch's base."""
        assert self._raft is not None
        self._raft.bootstrap(time_ms=time_ms, now_s=self._now)
        self.drain()

    # --- messages in ----------------------------------------------------------------------------------------------

    def received(self, peer: MachineId, message: Message, parts: Sequence[object]) -> None:
        """A message of a peer; what is signed in it was verified.

        Raises:
            PeerFault: the vote in it is none.
        """
        if self._raft is None:
            return
        if isinstance(message, VoteAnswer) and message.granted and not message.pre:
            for part in parts:
                if isinstance(part, Verified):
                    self._votes.given(part)
        if isinstance(message, Append):
            believable = self._stamps.believable(peer, message, self._raft.commit)
            if believable is not message:
                self._desk.count("consensus.stamp_refused")
            if believable is None or self._parked.park(peer, believable, self._now):
                return
            message = believable
        self._pass(peer, message)
        self.drain()

    def committed_received(self, peer: MachineId, frame: Committed, items: Sequence[LogItem]) -> None:
        """Committed items that this node asked for."""
        if self._raft is None or frame.epoch != self.epoch or not items:
            return
        run = Run(items=tuple(items), commit=LogIndex(frame.commit))
        if not self._parked.park(peer, run, self._now):
            self._raft.committed(run.items, run.commit, self._now)
            self.drain()
        self._asked_at.pop(peer, None)
        if run.items[-1].index < run.commit:
            self.behind(peer)

    def behind(self, peer: MachineId) -> None:
        """A peer has applied more than is committed here, and nobody sends it: it is asked."""
        at_s = self._asked_at.get(peer, 0.0)
        if self._raft is None or at_s > self._now:
            return
        self._asked_at[peer] = self._now + limits.WANT_RETRY_S
        self._links.send(peer, WantCommitted(first=self._raft.commit + 1))

    def asked(self, peer: MachineId, want: WantCommitted) -> None:
        """A peer wants committed items.

        Raises:
            MalformedError: an impossible index.
        """
        if not 1 <= want.first <= limits.NUMBER_MAX:
            raise MalformedError("a want names an impossible item", code="bad_field")
        raft = self._raft
        if raft is None or want.first > raft.commit:
            return
        items = raft.items(
            LogIndex(want.first),
            count_max=min(limits.APPEND_ITEMS_MAX, raft.commit - want.first + 1),
            bytes_max=limits.APPEND_BYTES_TARGET,
        )
        frame = Committed(epoch=self.epoch, first=want.first, items=[item.data for item in items], commit=raft.commit)
        self._links.send(peer, frame, after=self._desk.newest_ticket, droppable=True)

    def arrived(self) -> None:
        """Entries came: what was parked for them may go on."""
        if self._raft is None:
            return
        released = self._parked.released()
        for peer, message in released:
            if isinstance(message, Append):
                self._pass(peer, message)
            else:
                self._raft.committed(message.items, message.commit, self._now)
        if released:
            self.drain()

    def gone(self, peer: MachineId) -> None:
        """The last link to a peer is gone."""
        self._parked.forget(peer)
        self._asked_at.pop(peer, None)

    def _pass(self, peer: MachineId, message: Message) -> None:
        assert self._raft is not None
        self._raft.received(Seat(peer, message.by), message, self._now)

    # --- wishes ---------------------------------------------------------------------------------------------------

    def propose(self, batch: Batch) -> bool:
        """Appends a batch; whether this leader took it."""
        assert self._raft is not None
        self._proposed = True
        return isinstance(self._raft.propose(batch, self._now), int)

    @property
    def in_flight(self) -> int:
        """How many items of this node's log are not committed yet."""
        return 0 if self._raft is None else self._raft.last_index - self._raft.commit

    def read(self, read: Hashable) -> None:
        """A linearizable read at this leader; its answer goes to ``read_done``."""
        if self._raft is None:
            self._read_done(read, None)
            return
        self._raft.read(read, self._now)
        self.drain()

    def leader_lost(self) -> None:
        """Liveness says that the leader is gone."""
        if self._raft is not None:
            self._raft.leader_lost(self._now)
            self.drain()

    def tail(self) -> list[tuple[EntryId, ...]]:
        """The batches of the log that are not committed yet."""
        assert self._raft is not None
        first = LogIndex(self._raft.commit + 1)
        items = self._raft.items(first, count_max=limits.UNCOMMITTED_ITEMS_MAX * 2, bytes_max=1 << 40)
        return [item.payload.entries for item in items if isinstance(item.payload, Batch)]

    # --- time and disk --------------------------------------------------------------------------------------------

    def persisted(self, ticket: Ticket) -> None:
        """Everything up to this ticket is durable."""
        mark = None
        while self._marks and self._marks[0][0] <= ticket:
            mark = self._marks.popleft()[1]
        if mark is not None and self._raft is not None:
            self._raft.stored(mark, self._now)
            self.drain()

    def next_deadline(self) -> float | None:
        """When the consensus wants to be woken (monotonic seconds)."""
        return None if self._raft is None else self._raft.next_deadline()

    def tick(self) -> None:
        """Time passed, or something was proposed."""
        if self._raft is None:
            return
        at = self._raft.next_deadline()
        if at is not None and at <= self._now:
            self._raft.tick(self._now)
            self._proposed = True
        if self._proposed:
            self.drain()

    @property
    def _now(self) -> float:
        return self._desk.now.monotonic_s

    # --- results --------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Performs whatever the consensus wants done."""
        assert self._raft is not None
        self._proposed = False
        while (ready := self._raft.ready()) is not None:
            self._perform(ready)

    def _perform(self, ready: Ready) -> None:
        own = self._unwritten()
        for seat, message in ready.before_store:
            # An own entry that a new item names is not with the others before it is on this disk, nor is the item.
            self._send(seat, message, own if isinstance(message, Append) and message.items else Ticket(0))
        if ready.writes:
            if ready.hard is not None:
                self.hard = ready.hard
                self._desk.persist(_hard_row(ready.hard))
            if ready.cut_from is not None:
                self._desk.persist(LogCutRow(first=ready.cut_from))
            rows = [LogItemRow(index=item.index, term=item.term, data=item.data) for item in ready.append]
            self._marks.append((self._desk.persist(*rows), ready.mark))
        # Whatever a message reports was written now or before, and is durable with the newest ticket.
        for seat, message in ready.messages:
            self._send(seat, self._with_vote(seat, message), self._desk.newest_ticket)
        if ready.committed:
            self._committed(ready.committed)
        for read, index in ready.reads:
            self._read_done(read, index)
        if ready.status is not None:
            assert self._raft is not None
            self._raft.keep_still(not self._of_this_epoch(self._raft, ready.status.configuration))
            self._changed(ready.status)

    def _send(self, seat: Seat, message: Message, after: Ticket) -> None:
        if not self._links.send(seat.machine, RaftFrame(message=encode_message(message)), after=after):
            self._desk.count("raft.no_way")

    def _with_vote(self, candidate: Seat, message: Message) -> Message:
        """A granted vote goes with this machine's signature (docs/protocol/ordering.md §6)."""
        if not isinstance(message, VoteAnswer) or not message.granted or message.pre or message.record:
            return message
        assert self.me is not None
        record = self._votes.signed(
            store=self.me.store,
            epoch=message.epoch,
            term=message.term,
            candidate=candidate.machine,
            candidate_store=candidate.store,
        )
        return msgspec.structs.replace(message, record=record)

    def _seal(self, payload: bytes) -> bytes:
        identity = self._desk.identity
        return seal(
            identity.key, context=contexts.VOTERS, fleet=identity.fleet, author=identity.machine, payload=payload
        )


def _stored_hard(loaded: Loaded) -> HardState:
    if HARD not in loaded.meta:
        return HardState(term=Term(0), vote=None, epoch=Epoch(0))
    stored = decode(loaded.meta[HARD], _Hard)
    vote = None if stored.vote is None else Seat(MachineId(stored.vote[0]), StoreId(stored.vote[1]))
    return HardState(term=Term(stored.term), vote=vote, epoch=Epoch(stored.epoch))


def _hard_row(hard: HardState) -> MetaRow:
    vote = None if hard.vote is None else (str(hard.vote.machine), bytes(hard.vote.store))
    return MetaRow(key=HARD, value=encode(_Hard(term=hard.term, epoch=hard.epoch, vote=vote)))
