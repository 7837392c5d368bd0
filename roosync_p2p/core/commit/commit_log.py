"""The commit log of a node, joined for its core: entries and messages in, outcomes and answers out (ordering.md)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from roosync_p2p import limits
from roosync_p2p.consensus.items import Batch, LogItem, Seat
from roosync_p2p.consensus.raft import Status
from roosync_p2p.consensus.state import Role
from roosync_p2p.core import wire
from roosync_p2p.core.authorship import Authorship, Phase
from roosync_p2p.core.commands import AcceptClock, HandOver, OrderCommand, OrderEntry, ReadLedger, Recover, SeeLost
from roosync_p2p.core.commit.again import Again
from roosync_p2p.core.commit.applier import Applier, Committed, is_sound
from roosync_p2p.core.commit.asks import Asks
from roosync_p2p.core.commit.bases import Bases
from roosync_p2p.core.commit.beat_facts import BeatFacts
from roosync_p2p.core.commit.clock import CommitClock
from roosync_p2p.core.commit.digests import Digests
from roosync_p2p.core.commit.durable import Durable, Writing
from roosync_p2p.core.commit.entries_by_id import EntriesById
from roosync_p2p.core.commit.epochs import Epochs
from roosync_p2p.core.commit.lone import LoneVoter
from roosync_p2p.core.commit.lost import Lost
from roosync_p2p.core.commit.order import Order
from roosync_p2p.core.commit.proposer import Proposer
from roosync_p2p.core.commit.reads import Reads
from roosync_p2p.core.commit.recovery import Recovery
from roosync_p2p.core.commit.seat_facts import META as AWAKE
from roosync_p2p.core.commit.seats import Seats
from roosync_p2p.core.commit.standing import Standing
from roosync_p2p.core.commit.unordered import Unordered, unordered_of
from roosync_p2p.core.commit.votes import Votes
from roosync_p2p.core.commit.waiting import Place, Waiting
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Answer, ReadId, RequestId, Ticket
from roosync_p2p.core.exchange import Exchange
from roosync_p2p.core.inputs import CommitsRead, OrderedRead
from roosync_p2p.core.intake import Prepared
from roosync_p2p.core.links import Links
from roosync_p2p.core.lives import Lives
from roosync_p2p.core.presence import Presence
from roosync_p2p.core.rows import EntryRow, Loaded
from roosync_p2p.entries.chains import Chains
from roosync_p2p.entries.entry import LEDGER, Entry
from roosync_p2p.ids import EntryId, LogIndex, MachineId, StoreId
from roosync_p2p.ledger.bodies import MEMBER_SETTLE
from roosync_p2p.ledger.cursors import cursor_of
from roosync_p2p.ledger.fleet import voters_of
from roosync_p2p.ledger.state import State
from roosync_p2p.liveness.heartbeat import Heartbeat
from roosync_p2p.liveness.verdicts import State as Verdict
from roosync_p2p.trust.statements import FLEET_FOUND

__all__ = ["CommitLog"]

FOUNDING_ENTRIES = 4  # the founding stands among the first entries of the founder's ledger chain


class CommitLog:
    """One node's part in the fleet's one order.

    Until the start-up check has ended it takes no part in the consensus; what is applied can be read meanwhile.
    """

    def __init__(
        self,
        desk: Desk,
        links: Links,
        chains: Chains,
        lives: Lives,
        authorship: Authorship,
        presence: Presence,
        exchange: Exchange,
        loaded: Loaded,
    ) -> None:
        self._desk = desk
        self._links = links
        self._chains = chains
        self._lives = lives
        self._authorship = authorship
        self._presence = presence
        self._exchange = exchange
        state = State.load(loaded.state)
        ordered = state if is_sound(state, loaded) else State()
        self._waiting = Waiting(chains, lambda author: cursor_of(ordered, author).place)
        self._applier = Applier(desk, self._waiting, loaded, state, wanted=self._want_anywhere)
        self.votes = Votes(desk, loaded.meta)
        self._by_id = EntriesById(desk, links, holds=self._holds, kept=self._waiting.entry, arrived=self._arrived_by_id)
        self._order = Order(
            desk,
            links,
            self.votes,
            loaded,
            applied=self._applier.queued,
            holds=self._holds,
            want=self._by_id.want,
            believes=lambda time_ms: self._clock.believes(time_ms),  # noqa: PLW0108 - it is made below
            committed=self._committed,
            read_done=self._read_done,
            changed=self._changed,
            unwritten=lambda: self._writing.entries,
        )
        self._loading: dict[ReadId, EntryId] = {}
        self._proposer = Proposer(
            desk.me,
            self._waiting,
            state=lambda: self._applier.state,
            root=desk.identity.root,
            held_back=self._held_back,
            load=self._applier.load,
        )
        self._clock = CommitClock(desk, presence, self._order, self._applier)
        self.epochs = Epochs(desk, links, loaded.meta, current=lambda: self._order.epoch)
        self.lost = Lost(desk, loaded.meta)
        self.again = Again(
            desk,
            authorship,
            loaded.meta,
            epoch=lambda: self._order.epoch,
            ordered=lambda: cursor_of(self._applier.state, desk.me).place,
            lost=self.lost.names,
            rewritten=lambda old, new: self._asks.rewritten(old, new),  # noqa: PLW0108 - they are made below
        )
        self._asks = Asks(
            desk,
            authorship,
            epoch=lambda: self._order.epoch,
            now_ms=self._clock.now_ms,
            waits_for=self.waits_for,
            now=self.again.now,
            state=lambda: self._applier.state,
            overtaken=self.again.withdrawn,
        )
        self._bases = Bases(desk, links, self.epochs, self._applier, present=lambda: self._order.epoch)
        self.recovery = Recovery(
            desk,
            authorship,
            self.epochs,
            self._bases,
            self.lost,
            self._applier,
            self._order,
            self._clock,
            loaded.meta,
            moved=self._moved,
        )
        self._reads = Reads(desk, confirm=self._confirm_read, as_of=lambda: self._applier.number)
        self._lone = LoneVoter(desk, alone=self._order.alone, copied=self._order.copied)
        self._seats = Seats(
            desk, links, presence, self._order, self._applier, self._clock, stored=loaded.meta.get(AWAKE, b"")
        )
        self._digests = Digests(desk, self._applier, loaded, epoch=lambda: self._order.epoch)
        self._remote_reads: dict[int, tuple[MachineId, int]] = {}
        self._next_remote = 0
        self._writing = Writing(Durable.of(self._order.epoch, self._applier, desk.me))
        self._may_propose = False
        self._standing = Standing(authorship, self._order, applied=lambda: self._applier.queued)
        self.leader: Seat | None = None
        self.settlements: list[Entry] = []  # applied, and not acted on yet

    # --- what is known --------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The applied state of the ledger."""
        return self._applier.state

    @property
    def applier(self) -> Applier:
        """How far everything is applied."""
        return self._applier

    @property
    def reached(self) -> tuple[int, int]:
        """Epoch and number of the newest commit that was ever applied here."""
        base = self.recovery.base
        return self._order.epoch, max(self._applier.number, self._applier.reached, 0 if base is None else base.reached)

    def has_vote(self, store: StoreId) -> bool:
        """Whether that store of this machine is a voter, by what is applied."""
        return (self._desk.me, store) in voters_of(self._applier.state)

    @property
    def order(self) -> Order:
        """The consensus."""
        return self._order

    @property
    def digests(self) -> Digests:
        """Alarms about states that differ."""
        return self._digests

    @property
    def seats(self) -> Seats:
        """Who votes, and who should."""
        return self._seats

    @property
    def clock(self) -> CommitClock:
        """Commit time as this node knows it."""
        return self._clock

    @property
    def durable(self) -> Durable:
        """How far this node has applied the log, on its disk."""
        return self._writing.durable

    def beat_facts(self) -> BeatFacts:
        """What this node's heartbeats say of it."""
        me = self._order.me
        if me is None:
            return BeatFacts(rules=self._desk.rules.newest)
        on_battery, rules = self._seats.on_battery, self._desk.rules.newest
        return BeatFacts.of(self.durable, self._applier.mark, store=me.store, rules=rules, on_battery=on_battery)

    def unordered(self) -> list[Unordered]:
        """This machine's own entries that have no number yet, in their order, also those of earlier starts."""
        return unordered_of(self._waiting, self._desk.me)

    def waits_for(self) -> tuple[str, dict[str, object]]:
        """What an undecided request waits for, in words and as facts."""
        return self._seats.waits_for()

    # --- life -----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """This machine may write: its node takes part, under a new seat where it had stood down."""
        if self._order.me is not None:
            self._standing.resume()
            return
        self._order.begin(self._authorship.store)
        raft = self._order.raft
        assert raft is not None
        if raft.last_index == 0 and self._authorship.incarnation == 1:
            key = (self._desk.me, 1, LEDGER)
            self._exchange.read(key, 1, FOUNDING_ENTRIES, self._founded_before)
        self._applier.run()
        for _, entry in self._waiting.of(self._desk.me):
            self._applier.load(entry)

    def _founded_before(self, rows: tuple[EntryRow, ...]) -> None:
        """A fleet that was founded before there was a commit log gets one."""
        if any(row.kind == FLEET_FOUND for row in rows):
            self._order.bootstrap(self._clock.stamp_ms())

    # --- entries --------------------------------------------------------------------------------------------------

    def entry_written(self, entry: Entry, ticket: Ticket) -> None:
        """An own entry, on its way to the disk. A leader's proposal of it goes there with it, and to others after."""
        self._writing.entry(ticket)
        self.entry_held(entry)
        if entry.header.kind == FLEET_FOUND:  # here and now; brought back by others it begins no second log
            self._order.bootstrap(self._clock.stamp_ms())

    def entry_held(self, entry: Entry) -> None:
        """An entry of a ledger chain was accepted, or written here."""
        if entry.chain != LEDGER:
            return
        if cursor_of(self._applier.state, entry.author).place < (entry.header.incarnation, entry.header.sequence):
            self._waiting.arrived(entry)
        self._arrived_by_id(entry)
        self._by_id.found(entry.id)

    def _arrived_by_id(self, entry: Entry) -> None:
        self._waiting.keep(entry)
        self.epochs.carried(entry)
        self._proposer.arrived(entry.author)
        self._applier.arrived()
        self._order.arrived()

    def store_read(self, answer: OrderedRead | CommitsRead) -> None:
        """The store's answer to a read by ids, or of commits."""
        match answer:
            case CommitsRead(read=read, rows=rows):
                if not self._digests.recheck.read(answer):
                    self._bases.read(read, rows)
            case OrderedRead(read=read, entries=entries):
                if not self._by_id.read(read, entries):
                    self._applier.read(read, entries)
                    self._proposer.loaded(entries)
                    self._finish()

    def _holds(self, entry: EntryId) -> bool:
        return entry in self._waiting or self._applier.ordered(entry)

    def _held_back(self, place: Place) -> bool:
        return self._lives.stranded_place(place.author, place.incarnation, LEDGER, place.sequence)

    def _want_anywhere(self, entries: tuple[EntryId, ...]) -> None:
        """A committed item names entries that are nowhere here: whoever is linked is asked."""
        for peer in self._links.peers():
            self._by_id.want(entries, peer)

    # --- frames ---------------------------------------------------------------------------------------------------

    def received(self, peer: MachineId, prepared: Prepared) -> None:
        """A frame about the order.

        Raises:
            PeerFault: it breaks its bounds, or something signed in it is no good.
        """
        match prepared.frame:
            case wire.RaftFrame():
                assert prepared.message is not None
                for part in prepared.parts:
                    if isinstance(part, Exception):
                        raise part
                self._order.received(peer, prepared.message, prepared.parts)
            case wire.WantOrdered() as frame:
                self._by_id.asked(peer, frame)
            case wire.OrderedFrame():
                entries = [part for part in prepared.parts if isinstance(part, Entry)]
                self._by_id.received(entries)
            case wire.WantCommitted() as frame:
                self._order.asked(peer, frame)
            case wire.Committed() as frame:
                self._order.committed_received(peer, frame, prepared.items)
            case wire.WantEpochs() as frame:
                self.epochs.asked(peer, frame)
            case wire.EpochsFrame():
                self.epochs.shown(prepared.parts)
            case wire.ReadIndexQuery(request=request):
                self._next_remote += 1
                self._remote_reads[self._next_remote] = (peer, request)
                self._order.read(("remote", self._next_remote))
            case wire.LeavingSoon():
                self._seats.leaving_soon(peer)
            case wire.ReadIndexAnswer(request=request, index=index):
                self._reads.confirmed(request, None if index is None else LogIndex(index))
        self._finish()

    def opened(self) -> None:
        """A link is up."""
        self._seats.reachable_changed()

    def closed(self, peer: MachineId) -> None:
        """The last link to a peer is gone."""
        self._order.gone(peer)
        self.epochs.gone(peer)
        self._seats.reachable_changed()

    def heard(self, heartbeat: Heartbeat) -> None:
        """A heartbeat of another machine, newer than those before."""
        machine = MachineId(heartbeat.machine)
        if machine == self._desk.me:
            return
        self._seats.heard(heartbeat)
        self._digests.compare(heartbeat)
        self.epochs.heard(machine, heartbeat.epoch)
        same = heartbeat.epoch == self._order.epoch
        if same and heartbeat.commit_size is not None and heartbeat.commit_size > self._applier.number:
            self._seats.ahead(machine, heartbeat.commit_size)

    def verdict(self, machine: MachineId, state: Verdict) -> None:
        """Liveness changed its mind about a machine."""
        if state in (Verdict.OFFLINE, Verdict.LEAVING) and self.leader is not None and self.leader.machine == machine:
            self._order.leader_lost()
        self._seats.verdict_changed()

    # --- requests -------------------------------------------------------------------------------------------------

    def take(self, request: RequestId, command: OrderCommand) -> None:
        """A request of a user; it is answered when the order says, or its timeout.

        Raises:
            InputFault: refused at once; nothing was written.
        """
        match command:
            case OrderEntry():
                if self._order.me is None:
                    self._authorship.check_writable()
                self._asks.ask(request, command)
            case ReadLedger(timeout_s=timeout_s):
                self._reads.ask(request, timeout_s)
            case AcceptClock():
                self._clock.accept()
                self._desk.emit(Answer(request=request, result={"accepted": True}, after=Ticket(0)))
            case HandOver(timeout_s=timeout_s):
                self._seats.hand_over_for(request, timeout_s)
            case Recover() | SeeLost():
                self.recovery.take(request, command)

    def _confirm_read(self, number: int) -> None:
        if self._order.leads:
            self._order.read(("own", number))
        elif self.leader is None or not self._links.send(self.leader.machine, wire.ReadIndexQuery(request=number)):
            self._reads.confirmed(number, None)

    def _read_done(self, read: Hashable, index: LogIndex | None) -> None:
        assert isinstance(read, tuple)
        origin, number = read
        if origin == "own":
            self._reads.confirmed(number, index)
            self._reads.applied(self._applier.index)
            return
        peer, request = self._remote_reads.pop(number)
        self._links.send(peer, wire.ReadIndexAnswer(request=request, index=index))

    # --- the consensus speaks -------------------------------------------------------------------------------------

    def _committed(self, items: Sequence[LogItem]) -> None:
        for item in items:
            self._applier.committed(item)
        self._finish()

    def _changed(self, status: Status) -> None:
        led_by = self.leader
        self.leader = status.leader
        self._may_propose = status.role is Role.LEADER
        if self._may_propose:
            self._proposer.inherit(self._order.tail())
        if led_by != status.leader:
            self._desk.notify(
                "leader", {"leader": None if status.leader is None else status.leader.machine, "term": status.term}
            )
        self._seats.changed(status)

    def _finish(self) -> None:
        """Applies what can be applied, and tells whoever waits for it."""
        self._applier.run()
        for done in self._applier.drain():
            self._tell(done)
        self._reads.applied(self._applier.index)

    def _tell(self, done: Committed) -> None:
        self._writing.applied(done.ticket, self._writing.newest.then(self._order.epoch, done, self._desk.me))
        if done.register_changed:
            self._proposer.register_changed()
        self._clock.applied(done)
        self._seats.applied(done)
        if not self.again.takes(done):
            self._asks.applied(done, answer=self._lone.answer)
        if done.kind == MEMBER_SETTLE and done.outcome.accepted and done.entry is not None:
            self.settlements.append(done.entry)
        if self.lost.came_again(done, self._order.epoch) or done.again:
            return  # everybody was told before
        self._desk.notify("commit", done.data(), after=done.ticket)
        for event in done.events:
            data = {"commit_number": done.number, "to": list(event.to), **event.detail}
            self._desk.notify(event.name, data, after=done.ticket)

    def _moved(self) -> None:
        """This node is in another epoch, and its state at that epoch's base or on the way there."""
        self._writing.applied(self._desk.newest_ticket, Durable.of(self._order.epoch, self._applier, self._desk.me))
        self._remote_reads.clear()
        self._digests.new_epoch()
        self._clock.begin_again()
        self._asks.new_epoch()

    # --- time and disk --------------------------------------------------------------------------------------------

    def persisted(self, ticket: Ticket) -> None:
        """Everything up to this ticket is durable."""
        self._writing.persisted(ticket)
        self._order.persisted(ticket)

    def next_deadline(self) -> float | None:
        """When the next thing is due (monotonic seconds)."""
        parts = (self._order, self._asks, self._reads, self._lone, self._seats, self._bases, self._digests.recheck)
        return min((at for part in parts if (at := part.next_deadline()) is not None), default=None)

    def tick(self) -> None:
        """What is due, and what came to be proposed while an input was handled."""
        for machine, state in self._presence.changed():
            self.verdict(machine, state)
        if self._standing.holds():
            self.recovery.tick()
        self._seats.tick()
        if self._may_propose and not self._applier.going_back:
            self._propose()
        self._order.tick()
        self._finish()
        self.again.write()
        self._asks.tick()
        self._reads.tick()
        self._lone.tick()
        self._digests.recheck.tick()

    def _propose(self) -> None:
        if not len(self._waiting) or not self._clock.may_stamp():
            return
        # What comes while items are on their way gathers for the next one: under load that makes fewer, larger batches.
        while self._order.in_flight < limits.ITEMS_IN_FLIGHT_MAX and (entries := self._proposer.batch()):
            if not self._order.propose(Batch(time_ms=self._clock.stamp_ms(), entries=entries)):
                # Taken back: the next leader computes what is proposed from the log.
                self._proposer.inherit(self._order.tail())
                return

    # --- the end --------------------------------------------------------------------------------------------------

    def hand_over(self) -> None:
        """This node is about to stop: its vote and its lead go to others."""
        self._seats.hand_over()

    @property
    def handing_over(self) -> bool:
        """Whether it is still worth waiting for that."""
        return self._authorship.phase is Phase.READY and self._seats.handing_over
