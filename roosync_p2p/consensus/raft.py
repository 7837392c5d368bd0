"""Raft as a pure state machine: one node's part in agreeing on one log (docs/protocol/consensus.md).

Feed it messages, proposals, time and what became durable; drain :meth:`Raft.ready` until it is None after each; call
:meth:`Raft.tick` at :meth:`Raft.next_deadline`. It does no I/O and reads no clock; ``now_s`` is monotonic and never
goes back. Names and structure are those of etcd's raft, the rules those of the Raft dissertation.

What the caller owes (§4.3): it writes the parts of a Ready in order, and lets ``messages`` leave only when the write
of its mark and all before are durable. It has verified who sent a message, and the envelopes of voter changes in it,
before the message gets in. What Raft does not promise: it tolerates crashes, not malice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Mapping, Sequence

from roosync_p2p import limits
from roosync_p2p.consensus import election, membership, reads, replication
from roosync_p2p.consensus.items import Batch, LogItem, Seat
from roosync_p2p.consensus.log import Configuration, Log, StoredItem
from roosync_p2p.consensus.membership import Seal
from roosync_p2p.consensus.messages import Append, AppendAnswer, Message, TimeoutNow, VoteAnswer, VoteRequest
from roosync_p2p.consensus.progress import Standing
from roosync_p2p.consensus.state import Refusal, Role, State, Timing
from roosync_p2p.consensus.writes import HardState
from roosync_p2p.entropy import Entropy
from roosync_p2p.ids import Epoch, LogIndex, Term

__all__ = ["Peer", "Raft", "Ready", "Status", "StoredLog"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoredLog:
    """What the store has.

    Attributes:
        hard: the newest hard state written.
        items: (index, term, bytes) in order from 1 on.
        commit: up to where the items were applied. They are not handed out again.
    """

    hard: HardState
    items: Iterable[StoredItem]
    commit: LogIndex

    @classmethod
    def empty(cls, epoch: Epoch) -> StoredLog:
        """A store that has taken part in nothing yet."""
        return cls(hard=HardState(term=Term(0), vote=None, epoch=epoch), items=(), commit=LogIndex(0))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What this node believes.

    Attributes:
        leader: of ``term``, None while not known.
        configuration: the one in force here; of a change that is not committed yet too.
    """

    role: Role
    term: Term
    leader: Seat | None
    configuration: Configuration


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What a leader knows of another seat.

    Attributes:
        match: up to where it has the log on disk.
        commit: up to where it knows it to be committed.
        heard_s: when it last answered in this term; when this term began, if not yet.
        answered: whether it did.
    """

    seat: Seat
    standing: Standing
    match: LogIndex
    commit: LogIndex
    heard_s: float
    answered: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What is to be done, in this order.

    Attributes:
        before_store: a leader's Appends, and its request to take over; they may leave at once.
        mark: of the write in this Ready, or of the newest before.
        hard: to be written; None when unchanged.
        cut_from: items from there on are to be removed from the store, before ``append``.
        append: items to be written. With ``hard`` and ``cut_from`` in one transaction.
        messages: leave when the write of ``mark`` and all before it are durable.
        committed: durable here and committed everywhere; to be applied, in order, each once.
        reads: the ids of reads with the index up to which is to be applied first; None: ask again, or another.
        status: when it changed.
    """

    before_store: Sequence[tuple[Seat, Message]]
    mark: int
    hard: HardState | None
    cut_from: LogIndex | None
    append: tuple[LogItem, ...]
    messages: Sequence[tuple[Seat, Message]]
    committed: Sequence[LogItem]
    reads: Sequence[tuple[Hashable, LogIndex | None]]
    status: Status | None

    @property
    def writes(self) -> bool:
        """Whether there is something to write; then :meth:`Raft.stored` is owed for its mark."""
        return self.hard is not None or self.cut_from is not None or bool(self.append)


class Raft:
    """One node.

    Args:
        me: this life of this machine's store.
        stored: what the store has.
        timing: spans; the defaults suit a LAN.
        entropy: for randomised waits.
        now_s: monotonic seconds.
        seal: signs a voter change of this node's own: the bytes of a
            :class:`~roosync_p2p.consensus.items.VoterChange` to the envelope.
    """

    def __init__(
        self, *, me: Seat, stored: StoredLog, timing: Timing, entropy: Entropy, now_s: float, seal: Seal
    ) -> None:
        log = Log(stored.items, handed_out=stored.commit)
        self._state = State(me=me, log=log, hard=stored.hard, timing=timing, entropy=entropy, now_s=now_s)
        self._seal = seal
        self._now_s = now_s
        self._told: tuple[object, ...] | None = None

    # --- facts ----------------------------------------------------------------------------------------------------

    def received(self, sender: Seat, message: Message, now_s: float) -> None:
        """A message came, decoded, from that seat: its machine is proved, its store is what the message says."""
        state = self._at(now_s)
        if message.epoch != state.hard.epoch or message.to != state.me.store or message.by != sender.store:
            state.counters["not_for_this_life"] += 1
            return
        if isinstance(message, VoteRequest):
            election.on_vote_request(state, sender, message, now_s)
            return
        if isinstance(message, VoteAnswer) and message.pre and (message.granted or message.term <= state.term):
            election.on_vote_answer(state, sender, message, now_s)
            return
        if message.term < state.term:
            state.counters["old_term"] += 1
            if isinstance(message, Append):
                replication.refuse_old_leader(state, sender, message)
            return
        if message.term > state.term:
            state.follow(message.term, sender if isinstance(message, Append) else None, now_s)
        match message:
            case Append():
                replication.on_append(state, sender, message, now_s)
            case AppendAnswer():
                if state.role is Role.LEADER:
                    replication.on_append_answer(state, sender, message, now_s)
            case VoteAnswer():
                election.on_vote_answer(state, sender, message, now_s)
            case TimeoutNow():
                election.on_timeout_now(state, now_s)

    def stored(self, mark: int, now_s: float) -> None:
        """The write of that mark, and all before it, are durable."""
        state = self._at(now_s)
        state.writes.became_durable(mark)
        if state.role is Role.LEADER:
            replication.advance_commit(state)
        else:
            election.count_own_vote(state, now_s)

    def leader_lost(self, now_s: float) -> None:
        """Liveness says that the leader this node believes in is gone."""
        election.leader_lost(self._at(now_s), now_s)

    def committed(self, items: Sequence[LogItem], commit: LogIndex, now_s: float) -> None:
        """Committed items came by gossip, consecutive; what is known already is passed over.

        The caller vouches that they were committed in this epoch, up to ``commit``.
        """
        replication.take_committed(self._at(now_s), items, commit, now_s)

    # --- wishes ---------------------------------------------------------------------------------------------------

    def propose(self, batch: Batch, now_s: float) -> LogIndex | Refusal:
        """The place where the batch will be committed, if this leader's term lasts."""
        state = self._at(now_s)
        if state.role is not Role.LEADER:
            return Refusal.NOT_LEADER
        if state.transfer_to is not None:
            return Refusal.TRANSFERRING
        if state.full:
            return Refusal.BUSY
        return replication.append_own(state, batch)

    def read(self, read_id: Hashable, now_s: float) -> None:
        """A linearizable read; its answer is in :attr:`Ready.reads`. It fails at once where nobody leads."""
        reads.ask(self._at(now_s), read_id)

    def transfer(self, to: Seat, now_s: float) -> Refusal | None:
        """Leadership is to go to that voter. None: it was asked, or will be once it has everything."""
        return membership.transfer(self._at(now_s), to, now_s)

    def change_voters(
        self, *, add: Seat | None = None, remove: Seat | None = None, replaces: LogIndex, time_ms: int, now_s: float
    ) -> LogIndex | Refusal:
        """One voter more or less: the place of the change, which is in force from there on.

        Args:
            add: the new voter, or
            remove: the one to go; the leader itself too.
            replaces: index of the configuration under which this was decided.
            time_ms: commit time by the leader's rule.
            now_s: monotonic seconds.
        """
        return membership.change_voters(
            self._at(now_s), add=add, remove=remove, replaces=replaces, time_ms=time_ms, seal=self._seal, now_s=now_s
        )

    def set_learners(self, seats: Iterable[Seat], now_s: float) -> None:
        """To whom this node sends besides the voters while it leads."""
        membership.set_learners(self._at(now_s), seats, now_s)

    def keep_still(self, still: bool) -> None:
        """Whether this node does not campaign, because the configuration in its log is not of its epoch."""
        self._state.still = still

    def bootstrap(self, *, time_ms: int, now_s: float) -> LogIndex:
        """Makes this node the only voter of a new fleet, or of a new epoch as the root's statement names it.

        The caller promises that nobody else does the same, and that a log from before was cut at the epoch's base.
        """
        return membership.bootstrap(self._at(now_s), time_ms=time_ms, seal=self._seal, now_s=now_s)

    # --- time -----------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When :meth:`tick` is wanted at the latest; None while nothing happens by itself."""
        state = self._state
        if state.role is not Role.LEADER:
            return state.election_at if state.may_campaign else None
        due = [state.transfer_ends_at] if state.transfer_to is not None else []
        if state.progress:
            due.append(replication.beat_at(state))
        return min(due, default=None)

    def tick(self, now_s: float) -> None:
        """Time passed. Early and late calls are harmless."""
        state = self._at(now_s)
        if state.role is Role.LEADER:
            replication.lead_on(state, now_s)
        else:
            election.wait_on(state, now_s)

    # --- results --------------------------------------------------------------------------------------------------

    def ready(self) -> Ready | None:
        """What is to be done now; each thing is given out once. None: nothing."""
        state = self._state
        if state.role is Role.LEADER:
            reads.begin_round(state)
            replication.replicate(state, self._now_s)
        writes = state.writes.wanted(state.log, state.hard)
        # Nothing is handed out as committed that a power loss could take back here.
        durable = min(state.commit, state.writes.stored)
        applicable = durable > state.log.handed_out
        status = self._news()
        if not (writes or applicable or status or state.messages or state.before_store or state.reads_done):
            return None
        hard: HardState | None = None
        cut_from: LogIndex | None = None
        append: tuple[LogItem, ...] = ()
        if writes:
            hard, cut_from, append = state.writes.hand_out(state.log, state.hard)
        ready = Ready(
            before_store=state.before_store,
            mark=state.writes.mark,
            hard=hard,
            cut_from=cut_from,
            append=append,
            messages=state.messages,
            committed=state.log.hand_out(durable, count_max=limits.COMMITTED_ITEMS_AT_ONCE) if applicable else (),
            reads=state.reads_done,
            status=status,
        )
        state.before_store, state.messages, state.reads_done = [], [], []
        return ready

    @property
    def status(self) -> Status:
        """What this node believes now."""
        state = self._state
        return Status(role=state.role, term=state.term, leader=state.leader, configuration=state.log.configuration)

    @property
    def epoch(self) -> Epoch:
        """Of the log."""
        return self._state.hard.epoch

    @property
    def commit(self) -> LogIndex:
        """Up to where this node knows the log to be committed, perhaps not yet durable here."""
        return self._state.commit

    @property
    def last_index(self) -> LogIndex:
        """The place of the last item of this node's log, committed or not; 0 for an empty one."""
        return self._state.log.last_index

    @property
    def last_term(self) -> Term:
        """The term of that item; 0 for an empty log."""
        return self._state.log.last_term

    @property
    def may_campaign(self) -> bool:
        """Whether this node may become the leader, or is it."""
        return self._state.may_campaign

    @property
    def damaged(self) -> bool:
        """Whether the store lost what it had: such a node neither votes nor leads, and needs a new store id."""
        return self._state.damaged

    @property
    def counters(self) -> Mapping[str, int]:
        """What was ignored or resigned, and how often."""
        return self._state.counters

    def items(self, first: LogIndex, *, count_max: int, bytes_max: int) -> tuple[LogItem, ...]:
        """Items from a place on, of the log in memory, as many as fit: one at least if there is one."""
        return self._state.log.items(first, count_max=count_max, bytes_max=bytes_max)

    def peers(self) -> list[Peer]:
        """What a leader knows of the others; nothing for everybody else."""
        return [
            Peer(
                seat=peer.seat,
                standing=peer.standing,
                match=peer.match,
                commit=peer.commit,
                heard_s=peer.heard_s,
                answered=peer.answered,
            )
            for peer in self._state.progress.values()
        ]

    def _news(self) -> Status | None:
        state = self._state
        now = (state.role, state.term, state.leader, state.log.configuration)
        if now == self._told:
            return None
        self._told = now
        return self.status

    def _at(self, now_s: float) -> State:
        self._now_s = now_s
        return self._state
