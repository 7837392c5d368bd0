"""Linearizable reads: up to where must be applied before an answer is current (docs/protocol/ordering.md §5).

The leader confirms that it still leads (Raft dissertation §6.4) and names its commit index; this node answers once it
has applied that much. If nobody confirms in time the answer says that it may be stale, and as of when it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Answer, RequestId, Ticket
from roosync_p2p.ids import CommitNumber, LogIndex

__all__ = ["Reads"]


@dataclasses.dataclass(slots=True, kw_only=True)
class _Read:
    request: RequestId
    deadline_s: float
    index: LogIndex | None = None


class Reads:
    """Whoever waits to read.

    ``confirm`` asks for the read index, under a number of ours; the answer comes to :meth:`confirmed`.
    ``as_of`` is the newest applied number.
    """

    def __init__(self, desk: Desk, *, confirm: Callable[[int], None], as_of: Callable[[], CommitNumber]) -> None:
        self._desk = desk
        self._confirm = confirm
        self._as_of = as_of
        self._reads: dict[int, _Read] = {}
        self._next = 1

    def ask(self, request: RequestId, timeout_s: float) -> None:
        """A user wants to read what is decided now."""
        number, self._next = self._next, self._next + 1
        self._reads[number] = _Read(request=request, deadline_s=self._desk.now.monotonic_s + timeout_s)
        self._confirm(number)

    def confirmed(self, number: int, index: LogIndex | None) -> None:
        """The leader's word: everything up to the index must be applied; None: it could not say."""
        read = self._reads.get(number)
        if read is None:
            return
        if index is None:
            self._answer(number, read, stale=True)
        else:
            read.index = index

    def applied(self, index: LogIndex) -> None:
        """This much is applied: answers whoever waited for it."""
        for number, read in list(self._reads.items()):
            if read.index is not None and read.index <= index:
                self._answer(number, read, stale=False)

    def next_deadline(self) -> float | None:
        """When the next read has waited long enough (monotonic seconds)."""
        return min((read.deadline_s for read in self._reads.values()), default=None)

    def tick(self) -> None:
        """Answers whoever waited long enough with what is here."""
        for number, read in list(self._reads.items()):
            if read.deadline_s <= self._desk.now.monotonic_s:
                self._answer(number, read, stale=True)

    def _answer(self, number: int, read: _Read, *, stale: bool) -> None:
        del self._reads[number]
        result: dict[str, object] = {"as_of": self._as_of(), "stale": stale}
        self._desk.emit(Answer(request=read.request, result=result, after=Ticket(0)))
