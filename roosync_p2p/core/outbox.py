"""Persist, then send: holds back every effect until the facts it reports are durable.

Used by the performer of the node and by the simulation, so both keep the same rule (docs/protocol/core.md §2).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from roosync_p2p.core.effects import Answer, Effect, Notify, Persist, PublishFiles, Send, Ticket

__all__ = ["Outbox"]


class Outbox:
    """Orders effects by dependency: what waits for nothing goes at once, the rest when its ticket is durable.

    Effects that wait for the same ticket, and those with earlier tickets, keep their order.
    """

    def __init__(self) -> None:
        self._durable = Ticket(0)
        self._waiting: list[tuple[int, int, Effect]] = []
        self._order = 0

    @property
    def durable(self) -> Ticket:
        """The newest ticket that is durable."""
        return self._durable

    @property
    def waiting(self) -> int:
        """How many effects are held back."""
        return len(self._waiting)

    def feed(self, effects: Iterable[Effect]) -> tuple[list[Persist], list[Effect]]:
        """Splits new effects into what must be persisted and what may be done now; the rest waits."""
        persist: list[Persist] = []
        ready: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Persist):
                persist.append(effect)
            elif isinstance(effect, Send | Answer | Notify | PublishFiles) and effect.after > self._durable:
                self._order += 1
                heapq.heappush(self._waiting, (effect.after, self._order, effect))
            else:
                ready.append(effect)
        return persist, ready

    def persisted(self, ticket: Ticket) -> list[Effect]:
        """Everything that may be done because all tickets up to this one are durable."""
        self._durable = max(self._durable, ticket)
        released: list[Effect] = []
        while self._waiting and self._waiting[0][0] <= self._durable:
            released.append(heapq.heappop(self._waiting)[2])
        return released

    def abandon(self) -> list[Effect]:
        """Takes out what waits for something that will never be durable (the store failed)."""
        waiting = [effect for _, _, effect in sorted(self._waiting, key=lambda item: item[:2])]
        self._waiting.clear()
        return waiting
