"""The state of one Raft node and what every part of it uses (docs/protocol/consensus.md §4).

Elections, replication, reads and membership are functions over this one object, each in its own module. It is not
public: :class:`~roosync_p2p.consensus.raft.Raft` owns it.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
from collections.abc import Hashable
from typing import Final

from roosync_p2p import limits
from roosync_p2p.consensus import quorum
from roosync_p2p.consensus.items import Seat
from roosync_p2p.consensus.log import Log
from roosync_p2p.consensus.messages import Message
from roosync_p2p.consensus.progress import Progress
from roosync_p2p.consensus.writes import HardState, Writes
from roosync_p2p.entropy import Entropy
from roosync_p2p.ids import LogIndex, Term

__all__ = ["NEVER", "Read", "Refusal", "Role", "State", "Timing"]

NEVER: Final = float("-inf")


class Role(enum.Enum):
    """What a node does. Learners and those that are no voter are followers."""

    FOLLOWER = "follower"
    PRE_CANDIDATE = "pre-candidate"
    CANDIDATE = "candidate"
    LEADER = "leader"


class Refusal(enum.Enum):
    """Why something was not done; nothing was changed."""

    NOT_LEADER = "not_leader"
    TRANSFERRING = "transferring"  # leadership is on its way to another
    BUSY = "busy"  # too much is uncommitted already
    NOTHING_COMMITTED = "nothing_committed_in_this_term"  # a change needs that first
    CHANGE_PENDING = "change_pending"  # one voter change at a time
    STALE_CONFIGURATION = "stale_configuration"  # decided under another configuration than the one in force
    NOT_A_VOTER = "not_a_voter"
    ALREADY_A_VOTER = "already_a_voter"
    LAST_VOTER = "last_voter"
    TOO_MANY_VOTERS = "too_many_voters"
    ALREADY_LEADER = "already_leader"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Spans in seconds.

    Attributes:
        heartbeat_s: from one heartbeat of a leader to the next.
        election_min_s: a leader that was heard within this is stood by; one that hears no majority within it resigns.
        election_max_s: a follower waits between the two for its leader.
        lost_max_s: how long a follower waits at most once it knows that the leader is gone.
        retry_min_s, retry_max_s: between these a candidate tries again after a split vote.
        learner_retry_s: a learner that does not answer is sent to again after this.
        learner_beat_s: a learner that has everything hears of its leader once within this.
        departed_s: how long a removed voter is told so.
    """

    heartbeat_s: float = 0.25
    election_min_s: float = 1.0
    election_max_s: float = 2.0
    lost_max_s: float = 0.15
    retry_min_s: float = 0.15
    retry_max_s: float = 0.5
    learner_retry_s: float = 1.0
    learner_beat_s: float = 5.0
    departed_s: float = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """A read that waits for a majority to confirm ``round``; it may be answered from ``index`` on."""

    id: Hashable
    round: int
    index: LogIndex


class State:
    """One node of one epoch. ``now_s`` never goes back between calls."""

    __slots__ = (
        "before_store",
        "commit",
        "counters",
        "damaged",
        "departed_at",
        "election_at",
        "entropy",
        "hard",
        "heartbeat_at",
        "hurry",
        "leader",
        "leader_heard_s",
        "learners",
        "led_from",
        "log",
        "me",
        "messages",
        "patience_s",
        "progress",
        "reads_confirming",
        "reads_done",
        "reads_waiting",
        "retiring",
        "role",
        "round",
        "still",
        "timing",
        "transfer_ends_at",
        "transfer_to",
        "votes",
        "writes",
    )

    def __init__(self, *, me: Seat, log: Log, hard: HardState, timing: Timing, entropy: Entropy, now_s: float) -> None:
        self.me = me
        self.log = log
        self.timing = timing
        self.entropy = entropy
        self.hard = hard
        self.writes = Writes(hard=hard, last=log.last_index, rest_unusable=log.damaged)
        self.commit = min(log.handed_out, log.last_index)
        # A store that lost what it had applied may have lost what it acknowledged: it may follow, but its word in an
        # election would count for a log that it no longer has.
        self.damaged = log.damaged or log.handed_out > log.last_index
        self.still = False  # its configuration is of another epoch, and makes nobody a leader
        # Of this term.
        self.role = Role.FOLLOWER
        self.leader: Seat | None = None
        self.leader_heard_s = NEVER
        self.hurry = 0  # how often to campaign after a short wait, because the leader is known to be gone
        self.votes: dict[Seat, bool] = {}
        self.patience_s = 0.0  # how long to wait for the leader, drawn anew for each
        self.election_at = now_s
        # Of a leader.
        self.learners: tuple[Seat, ...] = ()
        self.progress: dict[Seat, Progress] = {}
        self.led_from = LogIndex(0)  # the first item of its term
        self.heartbeat_at = NEVER
        self.transfer_to: Seat | None = None
        self.transfer_ends_at = NEVER
        self.retiring = False  # is no voter any more, and goes when it has told the others
        self.departed_at = NEVER
        self.round = 0
        self.reads_waiting: list[Hashable] = []  # for the first commit of the term
        self.reads_confirming: collections.deque[Read] = collections.deque()
        # To be drained.
        self.reads_done: list[tuple[Hashable, LogIndex | None]] = []
        self.messages: list[tuple[Seat, Message]] = []
        self.before_store: list[tuple[Seat, Message]] = []
        self.counters: collections.Counter[str] = collections.Counter()
        self.restart_election_timer(now_s)

    # --- views ----------------------------------------------------------------------------------------------------

    @property
    def term(self) -> Term:
        """The current term."""
        return self.hard.term

    @property
    def voters(self) -> tuple[Seat, ...]:
        """Those of the configuration in force."""
        return self.log.configuration.voters

    @property
    def is_voter(self) -> bool:
        """Whether this node is a voter in its own eyes."""
        return self.me in self.log.configuration.voters

    @property
    def may_campaign(self) -> bool:
        """Whether this node may lead: a voter, which an empty log makes nobody, with an undamaged log.

        One that is being removed may too, until it knows that this is committed (dissertation §4.2.2): it may be the
        only one whose log a majority does not find too old. Its own vote does not count.
        """
        return not self.damaged and not self.still and self.log.may_need(self.me, self.commit)

    def quorum_heard_s(self, now_s: float) -> float:
        """Since when a leader has no older word from a majority than that."""
        if not self.voters:
            return NEVER
        return quorum.reached([now_s if peer is None else peer.heard_s for peer in self._voters_progress()])

    def quorum_round(self) -> int:
        """The newest round of reads that a majority answered."""
        return quorum.reached([self.round if peer is None else peer.round for peer in self._voters_progress()])

    def quorum_match(self) -> LogIndex:
        """Up to where a majority has the log on disk. A leader that is no voter counts for nothing (§4.2.2)."""
        return LogIndex(
            quorum.reached([self.writes.stored if peer is None else peer.match for peer in self._voters_progress()])
        )

    def stands_by_leader(self, now_s: float) -> bool:
        """Whether votes for another are ignored because the leader was just heard (dissertation §4.2.3)."""
        if self.role is Role.LEADER:
            return now_s - self.quorum_heard_s(now_s) < self.timing.election_min_s
        return self.leader is not None and now_s - self.leader_heard_s < self.timing.election_min_s

    def _voters_progress(self) -> list[Progress | None]:
        """Of each voter; None is this node itself. Only of a leader, who keeps one for each voter."""
        progress = self.progress
        return [None if seat == self.me else progress[seat] for seat in self.log.configuration.voters]

    # --- transitions ----------------------------------------------------------------------------------------------

    def follow(self, term: Term, leader: Seat | None, now_s: float) -> None:
        """Becomes a follower in a term that is not older."""
        assert term >= self.term
        if term > self.term:
            self.set_hard(term, None)
        if self.role is Role.LEADER:
            self._resign()
        self.role = Role.FOLLOWER
        self.leader = leader
        self.votes.clear()
        if leader is not None:
            self.hurry = 0
        self.restart_election_timer(now_s)

    def set_hard(self, term: Term, vote: Seat | None) -> None:
        """Another term or vote; the next Ready writes it."""
        self.hard = HardState(term=term, vote=vote, epoch=self.hard.epoch)

    def restart_election_timer(self, now_s: float) -> None:
        """A follower waits anew; alone there is nobody to wait for."""
        alone = self.leader is None and self.voters == (self.me,)
        self.patience_s = 0.0 if alone else self.between(self.timing.election_min_s, self.timing.election_max_s)
        self.election_at = now_s + self.patience_s

    def between(self, least_s: float, most_s: float) -> float:
        """A random span, so that two candidates seldom start together."""
        return least_s + (most_s - least_s) * self.entropy.fraction()

    def send(self, to: Seat, message: Message) -> None:
        """Leaves when everything that is decided by now is durable."""
        self.messages.append((to, message))

    def _resign(self) -> None:
        self.progress.clear()
        self.transfer_to = None
        self.retiring = False
        self.reads_done += [(read.id, None) for read in self.reads_confirming]
        self.reads_done += [(read, None) for read in self.reads_waiting]
        self.reads_confirming.clear()
        self.reads_waiting.clear()

    # --- the log ---------------------------------------------------------------------------------------------------

    def cut(self, first: LogIndex) -> None:
        """Removes the items from that place on, none of them committed."""
        self.log.cut(first)
        self.writes.cut(first)

    @property
    def full(self) -> bool:
        """Whether a leader has as much uncommitted as it may."""
        return self.log.last_index - self.commit >= limits.UNCOMMITTED_ITEMS_MAX
