"""What the leader knows of one peer's log, and how much it sends ahead (docs/protocol/consensus.md §4.4).

Two states as in etcd raft. *Probe*: where the logs agree is not known, one message at a time. *Replicate*: messages
follow each other without waiting, bounded in count and bytes; a refusal goes back to *probe*.
"""

from __future__ import annotations

import collections
import enum

from roosync_p2p import limits
from roosync_p2p.consensus.items import Seat
from roosync_p2p.ids import LogIndex

__all__ = ["Progress", "ProgressState", "Standing"]

_NEVER = float("-inf")


class ProgressState(enum.Enum):
    """How the leader sends."""

    PROBE = "probe"
    REPLICATE = "replicate"


class Standing(enum.Enum):
    """Why the leader sends."""

    VOTER = "voter"
    LEARNER = "learner"
    DEPARTING = "departing"  # was a voter until the newest configuration, and is to learn that it no longer is


class Progress:
    """One peer, in the eyes of the leader of one term.

    Attributes:
        match: up to where the peer's log is known to be the leader's, durably.
        next: the place of the first item to send next.
        commit: up to where the peer knows the log to be committed.
        round: the newest round of reads that it answered.
        heard_s: when it last answered in this term.
        answered: whether it ever did.
        sent_s: when something was last sent to it.
        dirty: there may be something to send.
        forced: something is to be sent even if there is nothing new.
    """

    __slots__ = (
        "_inflight",
        "_inflight_bytes",
        "_paused",
        "answered",
        "commit",
        "commit_sent",
        "dirty",
        "forced",
        "heard_s",
        "match",
        "next",
        "round",
        "seat",
        "sent_s",
        "standing",
        "state",
    )

    def __init__(self, seat: Seat, standing: Standing, *, next_index: LogIndex, heard_s: float = _NEVER) -> None:
        self.seat = seat
        self.standing = standing
        self.state = ProgressState.PROBE
        self.match = LogIndex(0)
        self.next = next_index
        self.commit = LogIndex(0)
        self.commit_sent = LogIndex(0)
        self.round = 0
        self.heard_s = heard_s
        self.answered = False
        self.sent_s = _NEVER
        self.dirty = True
        self.forced = True
        self._paused = False
        self._inflight: collections.deque[tuple[LogIndex, int]] = collections.deque()
        self._inflight_bytes = 0

    @property
    def may_send_items(self) -> bool:
        """Whether the flow control lets more items go out."""
        if self.state is ProgressState.PROBE:
            return not self._paused
        return (
            len(self._inflight) < limits.APPENDS_INFLIGHT_MAX
            and self._inflight_bytes < limits.APPENDS_INFLIGHT_BYTES_MAX
        )

    @property
    def unanswered(self) -> bool:
        """Whether the peer has not acknowledged all that it was sent."""
        return self._paused or self.next - 1 > self.match or self.commit < self.commit_sent

    def sent_items(self, last: LogIndex, size_bytes: int) -> None:
        """An Append with items up to ``last`` is on its way."""
        if self.state is ProgressState.PROBE:
            self._paused = True  # the next one goes when this is answered, or a heartbeat was
        else:
            self.next = LogIndex(last + 1)
            self._inflight.append((last, size_bytes))
            self._inflight_bytes += size_bytes

    def acknowledged(self, match: LogIndex) -> bool:
        """The peer has everything up to there. Whether that is news."""
        inflight = self._inflight
        while inflight and inflight[0][0] <= match:
            self._inflight_bytes -= inflight.popleft()[1]
        news = match > self.match
        if news:
            self.match = match
        if self.state is ProgressState.PROBE and match >= self.match:
            self.state = ProgressState.REPLICATE
            self._paused = False
            self.next = LogIndex(match + 1)
        else:
            self.next = max(self.next, LogIndex(self.match + 1))
        return news

    def refused(self, prev_index: LogIndex, agree_at: LogIndex) -> bool:
        """The peer has another item at ``prev_index``, or none. Whether that is news: answers may be old.

        ``agree_at``: the last place where the logs may agree.
        """
        if self.state is ProgressState.REPLICATE:
            if prev_index <= self.match:
                return False
            self.state = ProgressState.PROBE
            self.next = LogIndex(self.match + 1)
        else:
            if prev_index != self.next - 1:
                return False
            self.next = LogIndex(max(min(prev_index, agree_at + 1), self.match + 1))
        self._inflight.clear()
        self._inflight_bytes = 0
        self._paused = False
        return True
