"""Which missing entries to ask from whom (docs/protocol/gossip.md §3).

A chain is pulled from one holder at a time, so that a machine that comes back gets everything once, however many
peers could send it. A pull that brings nothing for a while goes to another holder. Entries that are probably on
their way from their author are not asked for at once.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Hashable
from typing import Generic, TypeVar

from roosync_p2p import limits
from roosync_p2p.entries.chains import ChainKey

__all__ = ["Pull", "Pulls"]

P = TypeVar("P", bound=Hashable)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pull(Generic[P]):
    """Ask ``peer`` for the entries of ``key`` from ``first`` on."""

    peer: P
    key: ChainKey
    first: int


@dataclasses.dataclass(slots=True)
class _Asked(Generic[P]):
    peer: P
    retry_at: float


class Pulls(Generic[P]):
    """Holders by chain, and what is being asked of whom. ``P`` names a peer."""

    def __init__(self) -> None:
        self._holders: dict[ChainKey, dict[P, int]] = {}
        self._named: collections.Counter[P] = collections.Counter()
        self._asked: dict[ChainKey, _Asked[P]] = {}
        self._due: dict[ChainKey, float] = {}

    def offered(self, peer: P, key: ChainKey, head: int, *, mine: int, at: float, now_s: float) -> None:
        """A peer holds a chain up to ``head``, of which I hold up to ``mine``; ask from ``at`` (monotonic) on.

        Of the chains that one peer names, only ``limits.FRONTIER_CHAINS_MAX`` are remembered.
        """
        if not self._noted(peer, key, head):
            return
        if head > mine and key not in self._asked:
            self._due[key] = min(self._due.get(key, at), max(at, now_s))

    def held_by(self, peer: P, key: ChainKey) -> int:
        """How far that peer is known to hold the chain."""
        return self._holders.get(key, {}).get(peer, 0)

    def sent(self, peer: P, key: ChainKey, head: int) -> None:
        """That peer was sent the chain up to there and holds it, unless it got lost; a digest would show that."""
        self._noted(peer, key, head)

    def progressed(self, key: ChainKey, mine: int, now_s: float) -> None:
        """Entries of the chain came in; what is still missing is asked for at once."""
        self._asked.pop(key, None)
        if self._best(key, mine) is None:
            self._due.pop(key, None)
        else:
            self._due[key] = now_s

    def forget_peer(self, peer: P, now_s: float) -> None:
        """A link is gone: what was asked of it is asked elsewhere."""
        for key in [key for key, holders in self._holders.items() if peer in holders]:
            self._drop(peer, key)
        for key, asked in list(self._asked.items()):
            if asked.peer == peer:
                del self._asked[key]
                self._due[key] = now_s

    def forget_holder(self, peer: P, key: ChainKey, now_s: float) -> None:
        """What that peer holds of a chain is of no use: if it was asked, another holder is."""
        self._drop(peer, key)
        asked = self._asked.get(key)
        if asked is not None and asked.peer == peer:
            del self._asked[key]
            self._due[key] = now_s

    def next_deadline(self) -> float | None:
        """When :meth:`due` has something to say (monotonic seconds)."""
        times = [*self._due.values(), *(asked.retry_at for asked in self._asked.values())]
        return min(times, default=None)

    def due(self, now_s: float, heads: dict[ChainKey, int]) -> list[Pull[P]]:
        """The pulls to send now. ``heads``: what I hold of the chains in question (missing: nothing)."""
        for key, asked in list(self._asked.items()):
            if asked.retry_at <= now_s:
                del self._asked[key]
                self._drop(asked.peer, key)  # it had its chance; its next digest brings it back
                self._due[key] = now_s
        pulls: list[Pull[P]] = []
        for key, at in sorted(self._due.items(), key=lambda item: (item[0][2], item[0])):
            if at > now_s:
                continue
            del self._due[key]
            mine = heads.get(key, 0)
            peer = self._best(key, mine)
            if peer is not None:
                self._asked[key] = _Asked(peer, now_s + limits.WANT_RETRY_S)
                pulls.append(Pull(peer=peer, key=key, first=mine + 1))
        return pulls

    def waiting(self) -> frozenset[ChainKey]:
        """Chains of which something is known to be missing."""
        return frozenset(self._due) | frozenset(self._asked)

    def _noted(self, peer: P, key: ChainKey, head: int) -> bool:
        holders = self._holders.get(key, {})
        if peer not in holders:
            if self._named[peer] >= limits.FRONTIER_CHAINS_MAX:
                return False
            self._named[peer] += 1
        holders[peer] = max(head, holders.get(peer, 0))
        self._holders[key] = holders
        return True

    def _drop(self, peer: P, key: ChainKey) -> None:
        holders = self._holders.get(key, {})
        if holders.pop(peer, None) is not None:
            self._named[peer] -= 1
        if not holders:
            self._holders.pop(key, None)

    def _best(self, key: ChainKey, mine: int) -> P | None:
        holders = [(head, peer) for peer, head in self._holders.get(key, {}).items() if head > mine]
        # The first that offered the most: dictionaries keep the order of offers, so this is deterministic.
        return max(holders, key=lambda item: item[0])[1] if holders else None
