"""Whether this node's store may take part in the consensus (docs/protocol/ordering.md §6)."""

from __future__ import annotations

from collections.abc import Callable

from roosync_p2p.core.authorship import Authorship, Phase
from roosync_p2p.core.commit.order import Order
from roosync_p2p.ids import LogIndex

__all__ = ["Standing"]


class Standing:
    """Whoever may not write as this machine may not vote or lead as it either: another store may do the same.

    That a disk is old may come out after its node had begun to take part: the one who can show it came late.

    ``applied``: up to where the log is applied.
    """

    def __init__(self, authorship: Authorship, order: Order, *, applied: Callable[[], LogIndex]) -> None:
        self._authorship = authorship
        self._order = order
        self._applied = applied
        self._down = False

    def holds(self) -> bool:
        """Whether this node takes part as far as its identity goes; it stands down where it may no longer.

        In conflict whoever has no vote goes on following the log; a new life begins under another seat.
        """
        phase = self._authorship.phase
        if self._order.raft is not None and (phase is Phase.WAITING or (phase is Phase.CONFLICT and self._order.votes)):
            self._down = True
            self._order.stop()
        return not self._down

    def resume(self) -> None:
        """This machine may write again, in a new life."""
        if self._down:
            self._down = False
            self._order.resume(self._authorship.store, self._applied())
