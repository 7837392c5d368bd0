"""With a single voter an answer waits a moment until somebody else has it too (docs/protocol/ordering.md §4).

A single voter commits alone. Were its disk lost right after, what it acknowledged would be gone with it; so its answers
wait until one learner has them on disk, at most 200 ms, because a fleet whose others sleep must go on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from roosync_p2p import limits
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Answer
from roosync_p2p.ids import LogIndex

__all__ = ["LoneVoter"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    answer: Answer
    index: LogIndex
    deadline_s: float


class LoneVoter:
    """Holds answers back.

    ``alone``: whether this node is the only voter and somebody linked could take a copy. ``copied``: whether somebody
    else has the log up to an index on disk.
    """

    def __init__(self, desk: Desk, *, alone: Callable[[], bool], copied: Callable[[LogIndex], bool]) -> None:
        self._desk = desk
        self._alone = alone
        self._copied = copied
        self._held: list[_Held] = []

    def answer(self, answer: Answer, index: LogIndex) -> None:
        """Answers now, or when a copy exists, or when it has waited long enough."""
        if not self._alone() or self._copied(index):
            self._desk.emit(answer)
            return
        deadline_s = self._desk.now.monotonic_s + limits.LONE_VOTER_WAIT_S
        self._held.append(_Held(answer=answer, index=index, deadline_s=deadline_s))

    def next_deadline(self) -> float | None:
        """When the oldest answer has waited long enough (monotonic seconds)."""
        return self._held[0].deadline_s if self._held else None

    def tick(self) -> None:
        """Gives the answers that are due."""
        now_s = self._desk.now.monotonic_s
        held, self._held = self._held, []
        for item in held:
            if item.deadline_s <= now_s or self._copied(item.index):
                self._desk.emit(item.answer)
            else:
                self._held.append(item)
