"""Persist, then send: holds back every effect until the facts it reports are durable.

Used by the performer of the node and by the simulation, so both keep the same rule (docs/protocol/core.md §2).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from roosync_p2p import limits
from roosync_p2p.core.effects import REPORTS, Effect, Persist, Push, Send, Ticket
from roosync_p2p.core.ports import LinkId
from roosync_p2p.core.wire import EntriesFrame, WireEntry, encode_frame

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
            elif isinstance(effect, REPORTS) and effect.after > self._durable:
                self._order += 1
                heapq.heappush(self._waiting, (effect.after, self._order, effect))
            else:
                ready.append(effect)
        return persist, _in_frames(ready)

    def persisted(self, ticket: Ticket) -> list[Effect]:
        """Everything that may be done because all tickets up to this one are durable."""
        self._durable = max(self._durable, ticket)
        released: list[Effect] = []
        while self._waiting and self._waiting[0][0] <= self._durable:
            released.append(heapq.heappop(self._waiting)[2])
        return _in_frames(released)

    def abandon(self) -> list[Effect]:
        """Takes out what waits for something that will never be durable (the store failed)."""
        waiting = [effect for _, _, effect in sorted(self._waiting, key=lambda item: item[:2])]
        self._waiting.clear()
        return waiting


def _in_frames(released: list[Effect]) -> list[Effect]:
    """The same with frames in the place of pushes, each as early as the first of the entries in it."""
    if not any(isinstance(effect, Push) for effect in released):
        return released
    at: dict[int, _Filling] = {}
    open_ones: dict[LinkId, _Filling] = {}
    for place, effect in enumerate(released):
        if not isinstance(effect, Push):
            continue
        filling = open_ones.get(effect.link)
        if filling is None or not filling.has_room(effect.entry):
            filling = at[place] = open_ones[effect.link] = _Filling(effect.link, effect.after)
        filling.add(effect)
    encoded: dict[tuple[bytes, ...], bytes] = {}  # peers mostly get the same
    framed: list[Effect] = []
    for place, effect in enumerate(released):
        if place in at:
            framed.append(at[place].send(encoded))
        elif not isinstance(effect, Push):
            framed.append(effect)
    return framed


class _Filling:
    """A frame of entries for one link."""

    def __init__(self, link: LinkId, after: Ticket) -> None:
        self._link = link
        self._after = after
        self._entries: list[WireEntry] = []
        self._bytes = 0

    def has_room(self, entry: WireEntry) -> bool:
        """Whether one more fits."""
        is_small = self._bytes + len(entry.header) + len(entry.body or b"") <= limits.ENTRIES_FRAME_BYTES_TARGET
        return is_small and len(self._entries) < limits.ENTRIES_PER_FRAME_MAX

    def add(self, push: Push) -> None:
        """One more."""
        self._entries.append(push.entry)
        self._bytes += len(push.entry.header) + len(push.entry.body or b"")
        self._after = max(self._after, push.after)

    def send(self, encoded: dict[tuple[bytes, ...], bytes]) -> Send:
        """The frame on its link."""
        content = tuple(entry.header for entry in self._entries)
        if content not in encoded:
            encoded[content] = encode_frame(EntriesFrame(entries=self._entries))
        return Send(link=self._link, frame=encoded[content], after=self._after, droppable=True)
