"""Ledger entries by their ids: asked for, given, and kept beside a forked chain (docs/protocol/ordering.md §1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from roosync_p2p import limits
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import ReadId, ReadOrdered
from roosync_p2p.core.links import Links
from roosync_p2p.core.rows import SideEntryRow
from roosync_p2p.core.wire import OrderedFrame, WantOrdered, WireEntry
from roosync_p2p.entries.entry import LEDGER, Entry
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import EntryId, MachineId

__all__ = ["EntriesById"]

_ID_BYTES: Final = 32


class EntriesById:
    """What is wanted, whom it was asked of, and what others want.

    Args:
        holds: whether an entry is here, whole, or applied already.
        kept: an entry that is in memory, perhaps not durable yet.
        arrived: gets every entry that was wanted and is here now.
    """

    def __init__(
        self,
        desk: Desk,
        links: Links,
        *,
        holds: Callable[[EntryId], bool],
        kept: Callable[[EntryId], Entry | None],
        arrived: Callable[[Entry], None],
    ) -> None:
        self._desk = desk
        self._links = links
        self._holds = holds
        self._kept = kept
        self._arrived = arrived
        self._wanted: dict[EntryId, float] = {}  # until when the one who was asked has time
        self._reads: dict[ReadId, MachineId] = {}
        self._next_read = _FOR_PEERS

    # --- wanted here ----------------------------------------------------------------------------------------------

    def want(self, entries: Iterable[EntryId], peer: MachineId) -> None:
        """Asks a peer for what is not here, unless somebody was asked a moment ago."""
        now_s = self._desk.now.monotonic_s
        missing = [entry for entry in entries if not self._holds(entry) and self._wanted.get(entry, 0.0) <= now_s]
        for first in range(0, len(missing), limits.WANT_ORDERED_MAX):
            ids = missing[first : first + limits.WANT_ORDERED_MAX]
            if self._links.send(peer, WantOrdered(ids=[bytes(entry) for entry in ids])):
                for entry in ids:
                    self._wanted[entry] = now_s + limits.WANT_RETRY_S

    def found(self, entry: EntryId) -> None:
        """It came by gossip."""
        self._wanted.pop(entry, None)

    def received(self, entries: Iterable[Entry]) -> None:
        """Verified entries that were asked for and did not fit their chains: a place is taken, so they go beside it."""
        for entry in entries:
            if entry.chain != LEDGER or entry.id not in self._wanted:
                continue
            if entry.body is not None and not self._holds(entry.id):
                self._desk.count("commit.side_entries")
                self._desk.persist(SideEntryRow(id=entry.id, header=entry.raw, body=entry.body))
            self._wanted.pop(entry.id, None)
            self._arrived(entry)

    # --- wanted elsewhere -----------------------------------------------------------------------------------------

    def asked(self, peer: MachineId, frame: WantOrdered) -> None:
        """A peer wants entries.

        Raises:
            MalformedError: too many, or not ids.
        """
        if len(frame.ids) > limits.WANT_ORDERED_MAX or any(len(id_) != _ID_BYTES for id_ in frame.ids):
            raise MalformedError("a want names too many entries, or what is no id", code="bad_field")
        ids = [EntryId(id_) for id_ in frame.ids]
        # A leader's items may be on their way before its own disk has them (Raft dissertation §10.2.1).
        kept = [entry for id_ in ids if (entry := self._kept(id_)) is not None]
        self._give(peer, [(entry.raw, entry.body or b"") for entry in kept])
        stored = tuple(id_ for id_ in ids if self._kept(id_) is None)
        if not stored:
            return
        if len(self._reads) >= limits.READS_WAITING_MAX:
            self._desk.count("wants.dropped")
            return
        self._next_read = ReadId(self._next_read + 1)
        self._reads[self._next_read] = peer
        self._desk.emit(ReadOrdered(read=self._next_read, ids=stored))

    def read(self, read: ReadId, entries: Mapping[EntryId, tuple[bytes, bytes]]) -> bool:
        """The store's answer, if it was asked for a peer."""
        peer = self._reads.pop(read, None)
        if peer is None:
            return False
        self._give(peer, entries.values())
        return True

    def _give(self, peer: MachineId, entries: Iterable[tuple[bytes, bytes]]) -> None:
        batch: list[WireEntry] = []
        size = 0
        for header, body in entries:
            if batch and size + len(body) > limits.ENTRIES_FRAME_BYTES_TARGET:
                self._send(peer, batch)
                batch, size = [], 0
            batch.append(WireEntry(header=header, body=body))
            size += len(header) + len(body)
        if batch:
            self._send(peer, batch)

    def _send(self, peer: MachineId, entries: list[WireEntry]) -> None:
        self._links.send(peer, OrderedFrame(entries=entries), after=self._desk.newest_ticket)


_FOR_PEERS: Final = ReadId(1 << 40)  # the numbers below are those of reads for this node itself
