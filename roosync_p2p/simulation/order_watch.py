"""Watches the one order of a world: rows, messages and beliefs of its members become facts for the checkers.

What a member says about its disk is compared with the disk at that moment, not only after a crash: a granted vote, an
acknowledged item, a commit number in a heartbeat.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from roosync_p2p.consensus.items import Batch, Seat, Voters, parse_item
from roosync_p2p.consensus.messages import Append, AppendAnswer, Message, TimeoutNow, VoteAnswer, VoteRequest
from roosync_p2p.consensus.raft import Raft, Status
from roosync_p2p.consensus.state import Role
from roosync_p2p.core.commit import applier
from roosync_p2p.core.commit.changes import epoch_of_change
from roosync_p2p.core.rows import CommitCutRow, CommitRow, LogCutRow, LogItemRow, MetaRow, Row
from roosync_p2p.ids import LogIndex
from roosync_p2p.simulation import order_facts
from roosync_p2p.simulation.checkers.claims import ClaimChecker
from roosync_p2p.simulation.checkers.elections import Deposed, ElectionChecker, EpochTerm
from roosync_p2p.simulation.checkers.seats import SeatChecker, Step
from roosync_p2p.simulation.checkers.violation import Violation
from roosync_p2p.simulation.checkers.voters import VoterChecker
from roosync_p2p.simulation.member import Member
from roosync_p2p.simulation.order_branches import Branches
from roosync_p2p.simulation.order_facts import seat_of

if TYPE_CHECKING:
    from roosync_p2p.simulation.fleet import Fleet

__all__ = ["OrderWatch"]

CLEAR_S: Final = 15.0  # what a way held back before that has arrived or is lost


@dataclasses.dataclass(slots=True)
class _Seen:
    """What is remembered of one life of a member's node, in one epoch."""

    life: int
    epoch: int
    leads: EpochTerm | None = None
    commit: int = 0
    asked_to_lead: set[EpochTerm] = dataclasses.field(default_factory=set)


class OrderWatch:
    """The part of a world's watch that knows the consensus and the ledger.

    Args:
        found: takes violations.
        made: takes the hexadecimal identity of everything that a member signed.
        reach_s: for how long a member has been in reach of another, both awake; None: a member is not there.
    """

    def __init__(
        self,
        *,
        found: Callable[[Iterable[Violation]], None],
        made: Callable[[str], None],
        reach_s: Callable[[str, str], float],
    ) -> None:
        self.elections = ElectionChecker()
        self.branches = Branches()
        self.voters = VoterChecker()
        self.claims = ClaimChecker()
        self.seats = SeatChecker()
        self.proposed_again = 0
        self.one_seat_twice = False
        self.ended: Callable[[str, str], None] = lambda _machine, _kind: None  # a membership ended, by a commit's kind
        self._report = found
        self._made = made
        self._reach_s = reach_s
        self._fleet: Fleet
        self._seen: dict[str, _Seen] = {}
        self._known: set[str] = set()
        self._stores: dict[bytes, str] = {}  # whose each is
        self._used: dict[bytes, tuple[str, int]] = {}  # by which computer, with how old a disk
        self._disks: collections.Counter[str] = collections.Counter()  # how often an older one came back
        self._proposals: dict[bytes, tuple[int, int]] = {}
        self._checked: dict[tuple[str, EpochTerm], int] = {}
        self._answers: dict[tuple[str, str], float] = {}  # by voter and leader: when, by the leader's monotonic clock

    def attach(self, fleet: Fleet) -> None:
        """Whom to watch."""
        self._fleet = fleet

    @property
    def _now_s(self) -> float:
        return self._fleet.now_s

    def counts(self) -> collections.Counter[str]:
        """What happened, for the figures of a run."""
        return collections.Counter(
            {
                "elections": self.elections.elections,
                "leader changes": self.elections.leader_changes,
                "leaders deposed": self.elections.depositions,
                "voter changes": self.voters.changes,
                "steps of the autopilot": self.seats.steps,
                "truncated tails": sum(branch.replication.cuts for branch in self.branches),
                "proposed again": self.proposed_again,
                "requests decided": sum(branch.commits.answers for branch in self.branches),
                "claims granted": self.claims.grants,
                "claims refused": self.claims.refusals,
                "reads": sum(branch.commits.reads for branch in self.branches),
                "stale reads": sum(branch.commits.stale_reads for branch in self.branches),
                "recoveries": self.branches.newest,
            }
        )

    def found(self, violations: Iterable[Violation]) -> None:
        """Two stores under one seat may vote twice and forget what they acknowledged: no consensus survives that.

        The start-up check is there to prevent it, and cannot where nobody was in reach; that it does where somebody
        was, and that people are told, is checked apart (``identity``).
        """
        if not self.one_seat_twice:
            self._report(violations)

    # --- rows -----------------------------------------------------------------------------------------------------

    def wrote(self, member: Member, rows: Sequence[Row]) -> None:
        """Rows are on their way to a disk."""
        for row in rows:
            match row:
                case LogItemRow():
                    self._wrote_item(member, row)
                case LogCutRow(first=first):
                    self._know(member)
                    self._cut(member, first)
                case CommitCutRow():
                    self.branches.of(member.name).commits.cut(member.name)
                case CommitRow():
                    self._know(member)
                    commits, commit = self.branches.of(member.name).commits, order_facts.commit_of(row)
                    self.found(commits.applied(member.name, commit, self._now_s))
                    if ended := order_facts.ended_by(commit):
                        self.ended(ended, commit.kind)
                case MetaRow(key=applier.META, value=bytes(value)):
                    progress = order_facts.progress_in(value)
                    commits = self.branches.of(member.name).commits
                    self.found(commits.progressed(member.name, progress, self._now_s))
                case _:
                    pass

    def _cut(self, member: Member, first: LogIndex) -> None:
        """A tail that came to nothing; or everything behind the base of a new epoch."""
        commit = member.node().commit
        base = commit.recovery.base
        if commit.order.epoch == self.branches.epoch_of(member.name) or base is None:
            self.found(self.branches.of(member.name).replication.cut(member.name, first, self._now_s))
            return
        epoch, name = commit.order.epoch, member.name
        self.found(self.branches.moves(name, epoch, base=base.size, kept=first - 1, at_s=self._now_s))

    def _wrote_item(self, member: Member, row: LogItemRow) -> None:
        self._know(member)
        replication = self.branches.of(member.name).replication
        self.found(replication.appended(member.name, row.index, (row.term, row.data), self._now_s))
        payload = parse_item(row.index, row.data).payload
        if isinstance(payload, Voters):
            if any(order_facts.made_by(payload.envelope, member.identity.machine, key) for key in member.keys):
                self._made(payload.envelope.hex())
        elif isinstance(payload, Batch):
            for entry in payload.entries:
                place = self._proposals.setdefault(entry, (row.index, row.term))
                if place != (row.index, row.term):
                    self._proposals[entry] = (row.index, row.term)
                    self.proposed_again += 1

    def _know(self, member: Member) -> None:
        """The first that is heard of a disk: what it brought along is looked at."""
        if member.name not in self._known:
            self._disk(member)

    def _disk(self, member: Member) -> None:
        self._known.add(member.name)
        items = order_facts.items_on_disk(member.disk)
        self.branches.stands(member.name, order_facts.hard_state(member.disk)[0][0])
        branch = self.branches.of(member.name)
        self.found(branch.replication.found(member.name, items, self._now_s))
        number = order_facts.last_number(member.disk)
        self.found(branch.commits.crashed(member.name, number, self._now_s))

    def crashed(self, member: Member) -> None:
        """A node is gone; its disk is as the next start will find it."""
        self._disk(member)

    def replaced(self, member: Member) -> None:
        """A disk was replaced by an older one."""
        self._disks[member.name] += 1
        self.branches.of(member.name).commits.forget(member.name)
        self._disk(member)

    # --- messages -------------------------------------------------------------------------------------------------

    def sent(self, member: Member, message: Message) -> None:
        """A message of the consensus left a node."""
        me = order_facts.seat_text(member.identity.machine, message.by)
        term = (message.epoch, message.term)
        if isinstance(message, AppendAnswer | VoteAnswer):
            self._answered(me, message.to)
        match message:
            case VoteRequest(pre=False):
                # It may have stood down since it wrote this.
                voters = frozenset(map(seat_of, member.node().commit.order.voters))
                self.elections.campaigned(me, term, voters, handed_over=message.transfer)
            case VoteAnswer(granted=True):
                self._sent_vote(member, me, term, message)
            case AppendAnswer(ok=True):
                self._sent_acknowledgement(member, me, term, message)
            case TimeoutNow():
                self._seen_of(member).asked_to_lead.add(term)
            case Append() | VoteRequest() | VoteAnswer() | AppendAnswer():
                pass

    def _sent_vote(self, member: Member, me: str, term: EpochTerm, message: VoteAnswer) -> None:
        candidate = self._seat_with(message.to)
        if message.pre:
            self.elections.pre_voted(me, term, candidate)
            return
        self._made(message.record.hex())
        on_disk = order_facts.hard_state(member.disk)
        self.found(self.elections.voted(me, term, candidate, self._now_s, on_disk=on_disk))

    def _sent_acknowledgement(self, member: Member, me: str, term: EpochTerm, message: AppendAnswer) -> None:
        leader = self._seat_with(message.to)
        on_disk = order_facts.item_on_disk(member.disk, message.match)
        replication = self.branches.at(message.epoch).replication
        self.found(replication.acknowledged(me, leader, term, message.match, self._now_s, on_disk=on_disk))
        first = self._checked.get((member.name, term), 0) + 1
        for index in range(first, message.match + 1):
            item = order_facts.item_on_disk(member.disk, index)
            payload = None if item is None else parse_item(LogIndex(index), item[1]).payload
            if isinstance(payload, Batch) and len(member.disk.ordered_entries(payload.entries)) < len(payload.entries):
                text = f"{me} acknowledges item {index}, and its disk lacks an entry that it names"
                self.found([Violation(checker="replication", at_s=self._now_s, text=text)])
        self._checked[member.name, term] = max(first - 1, message.match)

    def _answered(self, me: str, store: bytes) -> None:
        for home in self._fleet.of(self._stores[store]):
            seat = _seat(home)
            if seat is not None and seat.store == store:
                self._answers[me, seat_of(seat)] = home.clock.now().monotonic_s

    def _seat_with(self, store: bytes) -> str:
        """The seat with that store; it took part before anybody could write to it."""
        return order_facts.seat_text(self._stores[store], store)

    def told_number(self, member: Member, number: int) -> None:
        """A heartbeat says how far a node is; a crash right now must leave as much."""
        self.branches.of(member.name).commits.told(member.name, number)
        if number and not order_facts.holds_number(member.disk, number):
            text = f"{member.name} tells others that it applied {number}, its disk does not"
            self.found([Violation(checker="commits", at_s=self._now_s, text=text)])

    def moved_seat(self, member: Member, step: str, machine: str) -> None:
        """An autopilot changed who votes."""
        raft, seat = _raft(member), _seat(member)
        assert raft is not None
        assert seat is not None
        me, voters = seat_of(seat), raft.status.configuration.voters
        now_s = member.clock.now().monotonic_s
        names = {seat_of(voter): home.name for voter in voters for home in self._fleet.of(voter.machine)}
        self.found(
            self.seats.stepped(
                Step(
                    leader=me,
                    machine=machine,
                    adds=step == "add",
                    voters=frozenset(map(seat_of, voters)),
                    answered_s={voter: now_s - at_s for (voter, leader), at_s in self._answers.items() if leader == me},
                    clear=frozenset(voter for voter in names if self._reach_s(member.name, names[voter]) > CLEAR_S),
                ),
                self._now_s,
            )
        )

    # --- beliefs --------------------------------------------------------------------------------------------------

    def handled(self, member: Member) -> None:
        """A node took something in: whether it leads now, what it takes for committed, what it counts."""
        raft = _raft(member)
        if raft is None:
            return
        seen, status = self._seen_of(member), raft.status
        term = (int(raft.epoch), int(status.term))
        if raft.commit > seen.commit:
            self._committed(member, raft, seen, term)
        leads = status.role is Role.LEADER
        if seen.leads is not None and (not leads or seen.leads != term):
            self._lost_lead(member, seen, status, term)
        if leads:
            self._leads(member, raft, seen, term)

    def finish(self, members: Sequence[Member], taking_part: Sequence[Member]) -> None:
        """Everything has come to rest: the verdict on what users were told, on claims and on voters.

        Args:
            members: all that run.
            taking_part: those that must have heard of everything; nobody, if too few voters are left.
        """
        now_s = self._now_s
        newest = self.branches.at(self.branches.newest)
        epoch = 0
        for index, data in enumerate(newest.replication.committed_items(), 1):
            payload = parse_item(LogIndex(index), data).payload
            if isinstance(payload, Voters):
                voters = frozenset(map(seat_of, payload.voters))
                before, epoch = epoch, epoch_of_change(payload)
                begins = epoch > before
                self.found(self.voters.committed(index, payload.replaces, voters, now_s, begins=begins))
        applied = {}
        for member in taking_part:
            raft = _raft(member)
            assert raft is not None
            applied[member.name] = int(member.node().commit.applier.number)
            configuration = raft.status.configuration
            believed = frozenset(map(seat_of, configuration.voters))
            self.found(self.voters.believes(member.name, configuration.index, believed, now_s))
        self.found(newest.commits.finish(applied, now_s))
        there = [member for member in members if self.branches.epoch_of(member.name) == self.branches.newest]
        furthest = max(there, key=lambda member: order_facts.last_number(member.disk), default=None)
        if furthest is not None:
            self.found(self.claims.finish(order_facts.claim_commits(furthest.disk), now_s))

    def _committed(self, member: Member, raft: Raft, seen: _Seen, term: EpochTerm) -> None:
        first = LogIndex(seen.commit + 1)
        replication = self.branches.at(raft.epoch).replication
        for item in raft.items(first, count_max=raft.commit - seen.commit, bytes_max=order_facts.ALL_ITEMS):
            found = (item.term, item.data)
            self.found(replication.committed(member.name, item.index, found, term, self._now_s))
        seen.commit = raft.commit

    def _leads(self, member: Member, raft: Raft, seen: _Seen, term: EpochTerm) -> None:
        seat = _seat(member)
        assert seat is not None
        replication = self.branches.at(raft.epoch).replication
        if seen.leads != term:
            seen.leads = term
            self.found(self.elections.leads(seat_of(seat), term, self._now_s))
            self.found(replication.leads(member.name, term, self._now_s))
        for peer in raft.peers():
            self.found(replication.counts(seat_of(seat), term, seat_of(peer.seat), peer.match, self._now_s))

    def _lost_lead(self, member: Member, seen: _Seen, status: Status, term: EpochTerm) -> None:
        led, seen.leads = seen.leads, None
        assert led is not None
        if term <= led or member.name in self._fleet.outside:
            return  # it resigned by itself, or whoever knows that it was revoked follows it no more
        found = Deposed(
            leader=member.name,
            term=led,
            newer=term,
            handed_over=led in seen.asked_to_lead,
            well_for_s=self._majority_for_s(member, status.configuration.voters),
        )
        self.found(self.elections.deposed(found, self._now_s))

    def _majority_for_s(self, leader: Member, voters: Sequence[Seat]) -> float:
        """For how long a majority of the voters has been in reach of a leader that is one of them."""
        for_s = []
        for seat in voters:
            there = [member for member in self._fleet.members.values() if _seat(member) == seat]
            for_s.append(max((self._reach_s(leader.name, member.name) for member in there), default=0.0))
        return sorted(for_s, reverse=True)[len(for_s) // 2] if for_s else 0.0

    def _seen_of(self, member: Member) -> _Seen:
        seen = self._seen.get(member.name)
        raft = _raft(member)
        epoch = 0 if raft is None else int(raft.epoch)
        if seen is None or (seen.life, seen.epoch) != (member.life, epoch):
            seen = self._seen[member.name] = _Seen(member.life, epoch)
            seat = _seat(member)
            assert seat is not None, "who takes part has a seat"
            self._stores[seat.store] = seat.machine
            disk = (member.name, self._disks[member.name])
            self.one_seat_twice |= self._used.setdefault(seat.store, disk) != disk
        return seen


def _raft(member: Member) -> Raft | None:
    return None if member.core is None else member.core.commit.order.raft


def _seat(member: Member) -> Seat | None:
    return None if member.core is None else member.core.commit.order.me
