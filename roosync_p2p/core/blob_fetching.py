"""Blobs that come here: one holder at a time, chunk after chunk, from where the last try ended (blobs.md §3).

What is asked for and not written yet is bounded, so a blob costs the same memory whatever its size. Chunks come over a
link in order; one that was dropped on the way is asked for again when nothing came for a while.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping

from roosync_p2p import limits
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import KeepChunk
from roosync_p2p.core.inputs import ChunkKept
from roosync_p2p.core.wire import BlobFrame, WantBlob
from roosync_p2p.errors import MalformedError
from roosync_p2p.gossip.blobs import Pace
from roosync_p2p.ids import MachineId

__all__ = ["NO_SOURCE", "QUEUED", "Fetch", "Fetching"]

NO_SOURCE = "no_source"  # nobody who may have it is reached
QUEUED = "queued"  # others come first


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    offset: int
    count: int
    at_s: float


class Fetch:
    """One blob that is to come. Times are monotonic seconds.

    Attributes:
        have: bytes on the disk.
        peer: who is asked for it now.
        reason: why nobody is.
    """

    def __init__(self, digest: bytes, size: int, have: int) -> None:
        self.digest = digest
        self.size = size
        self.have = have
        self.peer: MachineId | None = None
        self.reason = QUEUED
        self.not_before_s = 0.0
        self.retry_at_s = 0.0
        self.asked = have
        self.writing = 0
        self.flight: collections.deque[_Asked] = collections.deque()
        self.avoided: dict[MachineId, float] = {}
        self.pace = Pace()

    def let_go(self, reason: str) -> None:
        """Nobody is asked any more; what is on its way is not waited for."""
        self.peer, self.reason = None, reason
        self.flight.clear()

    def avoid(self, peer: MachineId, until_s: float, reason: str) -> None:
        """That peer is not asked for a while."""
        self.avoided[peer] = until_s
        self.let_go(reason)


class Fetching:
    """All blobs that are to come.

    Args:
        sources: who may have a blob, the best first, of those that a frame reaches now.
        send: a frame to a machine, over a link or by a detour.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        sources: Callable[[bytes], Iterable[MachineId]],
        send: Callable[[MachineId, WantBlob], bool],
    ) -> None:
        self._desk = desk
        self._sources = sources
        self._send = send
        self.fetches: dict[bytes, Fetch] = {}

    # --- what is wanted ---------------------------------------------------------------------------------------------

    def follow(self, wanted: Mapping[bytes, int], partial: Mapping[bytes, int]) -> None:
        """These are wanted, (digest, size), and nothing else; ``partial``: how much of each is on the disk."""
        for digest in self.fetches.keys() - wanted.keys():
            del self.fetches[digest]
        for digest, size in wanted.items():
            if digest not in self.fetches:
                self.fetches[digest] = Fetch(digest, size, min(partial.get(digest, 0), size))

    def next_deadline(self) -> float | None:
        """When somebody else is to be asked (monotonic seconds)."""
        return min((fetch.retry_at_s for fetch in self.fetches.values() if fetch.peer is not None), default=None)

    def tick(self) -> None:
        """Gives up who is silent, and asks for what can be had now, the smallest rest first."""
        now_s = self._desk.now.monotonic_s
        for fetch in self.fetches.values():
            if fetch.peer is not None and fetch.retry_at_s <= now_s:
                fetch.pace.slower()
                self._desk.count("blobs.silent")
                fetch.avoid(fetch.peer, now_s + limits.BLOB_RETRY_S, NO_SOURCE)
        busy = sum(fetch.peer is not None for fetch in self.fetches.values())
        for fetch in sorted(self.fetches.values(), key=lambda fetch: (fetch.size - fetch.have, fetch.digest)):
            if fetch.peer is not None or fetch.writing or now_s < fetch.not_before_s:
                continue
            if busy >= limits.BLOB_FETCHES_MAX:
                fetch.reason = QUEUED
                continue
            busy += self._begin(fetch)

    def _begin(self, fetch: Fetch) -> bool:
        """Whether somebody is asked now."""
        if fetch.have == fetch.size:  # of no bytes, or whole and not verified when the node died
            self._keep(fetch, fetch.have, b"")
            return True
        now_s = self._desk.now.monotonic_s
        peer = next((one for one in self._sources(fetch.digest) if fetch.avoided.get(one, 0.0) <= now_s), None)
        if peer is None:
            fetch.reason = NO_SOURCE if fetch.reason == QUEUED else fetch.reason
            return False
        fetch.peer, fetch.asked = peer, fetch.have
        fetch.retry_at_s = now_s + limits.BLOB_RETRY_S
        self._ask(fetch)
        return fetch.peer is not None

    def _ask(self, fetch: Fetch) -> None:
        while (
            fetch.peer is not None
            and fetch.asked < fetch.size
            and len(fetch.flight) + fetch.writing < limits.BLOB_CHUNKS_AHEAD
        ):
            count = min(fetch.pace.bytes, fetch.size - fetch.asked)
            if not self._send(fetch.peer, WantBlob(digest=fetch.digest, offset=fetch.asked, count=count)):
                fetch.let_go(NO_SOURCE)
                return
            fetch.flight.append(_Asked(fetch.asked, count, self._desk.now.monotonic_s))
            fetch.asked += count

    def _keep(self, fetch: Fetch, offset: int, data: bytes) -> None:
        fetch.writing += 1
        self._desk.emit(KeepChunk(digest=fetch.digest, size=fetch.size, offset=offset, data=data))

    # --- what comes -------------------------------------------------------------------------------------------------

    def opened(self, peer: MachineId) -> None:
        """A link leads there: it is asked again, also for what it was asked by a detour."""
        for fetch in self.fetches.values():
            if fetch.avoided.get(peer, 0.0) <= self._desk.now.monotonic_s + limits.BLOB_ASK_AGAIN_S:
                fetch.avoided.pop(peer, None)  # who gave something else stays avoided
            if fetch.peer == peer:
                fetch.let_go(NO_SOURCE)

    def closed(self, peer: MachineId) -> None:
        """The last link to a peer is gone: somebody else is asked, or it itself by a detour."""
        for fetch in self.fetches.values():
            if fetch.peer == peer:
                fetch.let_go(NO_SOURCE)

    def received(self, peer: MachineId, frame: BlobFrame) -> None:
        """A chunk, or why there is none.

        Raises:
            MalformedError: it is not what was asked for.
        """
        fetch = self.fetches.get(frame.digest)
        if fetch is None or fetch.peer != peer or not fetch.flight or fetch.flight[0].offset != frame.offset:
            self._desk.count("blobs.unasked")
            return
        now_s = self._desk.now.monotonic_s
        if frame.refusal:
            self._desk.count("blobs.refused")
            fetch.avoid(peer, now_s + limits.BLOB_ASK_AGAIN_S, frame.refusal[: limits.WORD_CHARS_MAX])
            return
        asked = fetch.flight[0]
        if len(frame.data) != asked.count:
            fetch.avoid(peer, now_s + limits.BLOB_DAMAGED_S, "damaged")
            raise MalformedError("a chunk of a blob has another length than was asked for", code="bad_field")
        fetch.flight.popleft()
        fetch.pace.came(now_s - asked.at_s)
        fetch.retry_at_s = now_s + limits.BLOB_RETRY_S
        self._keep(fetch, frame.offset, frame.data)

    def kept(self, answer: ChunkKept) -> None:
        """What became of a chunk with which the blob is not whole."""
        fetch = self.fetches.get(answer.digest)
        if fetch is None:
            return
        now_s = self._desk.now.monotonic_s
        fetch.writing = max(0, fetch.writing - 1)
        fetch.have = answer.have
        if answer.fault is not None:
            fetch.not_before_s = now_s + limits.BLOB_FAULT_S
            fetch.let_go(answer.fault.code)
        elif answer.damaged:
            self._desk.count("blobs.damaged")
            if fetch.peer is not None:
                fetch.avoid(fetch.peer, now_s + limits.BLOB_DAMAGED_S, "damaged")
            fetch.let_go("damaged")
        else:
            self._ask(fetch)
