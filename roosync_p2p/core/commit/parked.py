"""Items that came before the entries that they name (docs/protocol/ordering.md §1).

A peer's messages keep their order: what comes behind a parked one waits too, or the log would seem to have a gap. If
the entries do not come soon the parked messages are dropped: the peer sends them again, and is not taken for dead.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from roosync_p2p import limits
from roosync_p2p.consensus.items import Batch, LogItem
from roosync_p2p.consensus.messages import Append
from roosync_p2p.ids import EntryId, LogIndex, MachineId

__all__ = ["Parked", "Run"]

PATIENCE_S: Final = 0.3  # well below an election timeout


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Committed items that came by gossip."""

    items: tuple[LogItem, ...]
    commit: LogIndex


Items: TypeAlias = Append | Run


@dataclasses.dataclass(slots=True)
class _Lane:
    since_s: float
    messages: collections.deque[Items]


class Parked:
    """Messages that wait, by peer.

    ``settled`` is the place up to which items are committed here, with their entries; ``holds`` says whether an entry
    is here; ``want`` asks a peer for entries.
    """

    def __init__(
        self,
        *,
        settled: Callable[[], LogIndex],
        holds: Callable[[EntryId], bool],
        want: Callable[[Iterable[EntryId], MachineId], None],
    ) -> None:
        self._settled = settled
        self._holds = holds
        self._want = want
        self._lanes: dict[MachineId, _Lane] = {}

    def park(self, peer: MachineId, message: Items, now_s: float) -> bool:
        """Whether a message has to wait; then it is kept here, and what it lacks is asked for."""
        lane = self._lanes.get(peer)
        if lane is not None and (now_s - lane.since_s > PATIENCE_S or len(lane.messages) >= limits.APPENDS_PARKED_MAX):
            del self._lanes[peer]
            lane = None
        missing = self._missing(message)
        if not missing and lane is None:
            return False
        if lane is None:
            lane = self._lanes[peer] = _Lane(now_s, collections.deque())
        lane.messages.append(message)
        self._want(missing, peer)
        return True

    def released(self) -> list[tuple[MachineId, Items]]:
        """What may go on because entries came, in each peer's order."""
        released: list[tuple[MachineId, Items]] = []
        for peer, lane in list(self._lanes.items()):
            while lane.messages and not self._missing(lane.messages[0]):
                released.append((peer, lane.messages.popleft()))
            if not lane.messages:
                del self._lanes[peer]
        return released

    def forget(self, peer: MachineId) -> None:
        """The peer is gone."""
        self._lanes.pop(peer, None)

    def clear(self) -> None:
        """Nothing of it means anything any more."""
        self._lanes.clear()

    def _missing(self, message: Items) -> list[EntryId]:
        settled = self._settled()
        return [
            entry
            for item in message.items
            if item.index > settled and isinstance(item.payload, Batch)
            for entry in item.payload.entries
            if not self._holds(entry)
        ]
