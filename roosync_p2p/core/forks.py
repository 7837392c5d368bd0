"""Two headers for one place: evidence that is kept, and what follows (docs/protocol/entries.md §4 and §5).

A fork is what a copied disk, or two machines with one id, look like. Both headers are kept, the machine is shown in
conflict, and nothing after the fork is accepted from it until a person settles it. The evidence is passed on, because
peers may each have seen one branch only. What was settled proves nothing more, and stays readable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.links import Links
from roosync_p2p.core.rows import ForkRow, MetaRow
from roosync_p2p.core.wire import Fork
from roosync_p2p.entries.chains import ChainKey, Chains, Fit
from roosync_p2p.entries.entry import Entry, Header
from roosync_p2p.ids import Chain, EntryId, MachineId
from roosync_p2p.trust.envelopes import parse_envelope

__all__ = ["Forks"]

_PREFIX: Final = "settled."


class _Settled(Record, frozen=True, kw_only=True):
    author: str
    incarnation: int
    chain: str
    sequence: int
    keep: bytes


class Forks:
    """The forks that this node can prove, and which of them were settled."""

    def __init__(
        self, desk: Desk, links: Links, chains: Chains, rows: Iterable[ForkRow], meta: Mapping[str, bytes]
    ) -> None:
        self._desk = desk
        self._links = links
        self._chains = chains
        self._proofs: dict[MachineId, list[ForkRow]] = {}
        self._open: dict[MachineId, list[ForkRow]] = {}
        self._settled: dict[ChainKey, dict[int, EntryId]] = {}
        for key, value in sorted(meta.items()):
            if key.startswith(_PREFIX):
                said = decode(value, _Settled)
                place: ChainKey = (MachineId(said.author), said.incarnation, Chain(said.chain))
                self._settled.setdefault(place, {})[said.sequence] = EntryId(said.keep)
        for row in rows:
            self._proofs.setdefault(row.author, []).append(row)
            if self._is_open(row):
                self._open.setdefault(row.author, []).append(row)
        self._fresh: list[MachineId] = []

    # --- what is known --------------------------------------------------------------------------------------------

    def frozen(self, author: MachineId) -> bool:
        """Whether that author forked, and nobody settled it: no new life of it is countersigned."""
        return author in self._open

    def stop(self, key: ChainKey) -> int | None:
        """From which entry of a chain on nothing is accepted because its author forked; None if it did not.

        What stands before the fork is accepted; of its other chains nothing, since no order tells before from after.
        """
        proofs = self._open.get(key[0])
        if proofs is None:
            return None
        return min((row.sequence for row in proofs if _key(row) == key), default=1)

    def full(self, author: MachineId) -> bool:
        """Whether more evidence against that author would prove nothing more."""
        return len(self._open.get(author, ())) >= limits.FORK_EVIDENCE_MAX

    def traced(self, key: ChainKey, sequence: int) -> bool:
        """Whether it is known, for two entries in that place, where their branches parted; or that was settled."""
        if sequence <= max(self._settled.get(key, (0,))):
            return True
        return any(_key(row) == key and row.sequence <= sequence and _parts(row) for row in self._open.get(key[0], ()))

    def authors(self) -> dict[MachineId, ForkRow]:
        """Who forked, with the first proof of each."""
        return {author: self.beginnings(author)[0] for author in sorted(self._open)}

    def beginnings(self, author: MachineId) -> list[ForkRow]:
        """Where each chain of an author forked, as far as that is known here."""
        earliest: dict[ChainKey, ForkRow] = {}
        for row in sorted(self._open.get(author, ()), key=lambda row: (row.incarnation, row.chain, row.sequence)):
            earliest.setdefault(_key(row), row)
        return list(earliest.values())

    def branches(self, author: MachineId) -> dict[EntryId, ForkRow]:
        """The entries at which a person can settle a fork: where its branches part."""
        return {_id(raw): row for row in self.beginnings(author) if _parts(row) for raw in (row.first, row.second)}

    # --- settled --------------------------------------------------------------------------------------------------

    def settle(self, key: ChainKey, sequence: int, keep: EntryId) -> bool:
        """A fork was settled: of its branches the one with that entry goes on; whether that is news."""
        known = self._settled.setdefault(key, {})
        if known.get(sequence) == keep:
            return False
        known[sequence] = keep
        author, incarnation, chain = key
        said = _Settled(author=author, incarnation=incarnation, chain=chain, sequence=sequence, keep=keep)
        self._desk.persist(MetaRow(key=f"{_PREFIX}{author}.{incarnation}.{chain}.{sequence}", value=encode(said)))
        still = [row for row in self._open.get(author, ()) if self._is_open(row)]
        self._open.pop(author, None)
        if still:
            self._open[author] = still
        return True

    def settled(self, key: ChainKey) -> bool:
        """Whether a fork of that chain was settled."""
        return key in self._settled

    def settlements(self, author: MachineId) -> bytes:
        """32 bytes that are equal exactly when the same is known to be settled of that author; empty if nothing is."""
        rows = sorted((key, sorted(kept.items())) for key, kept in self._settled.items() if key[0] == author)
        return sha256(pack(rows)) if rows else b""

    def keeps(self, entry: Entry) -> bool:
        """Whether an entry may stand in its place: where a fork was settled only the one that is kept may."""
        return self._settled.get(entry.place, {}).get(entry.header.sequence, entry.id) == entry.id

    def beside(self, entry: Entry) -> bool:
        """Whether an entry behind a settled fork does not follow on what is held: perhaps it does on what was lost."""
        if entry.header.sequence < min(self._settled.get(entry.place, (limits.NUMBER_MAX + 1,))):
            return False
        fit = self._chains.fit(entry)
        return fit is not Fit.KNOWN and (fit is not Fit.NEXT or not self.keeps(entry))

    def lost(self, author: MachineId) -> ChainKey | None:
        """A chain of that author of which this node holds the branch that was not kept."""
        for key, kept in sorted(self._settled.items()):
            if key[0] == author:
                for sequence, keep in kept.items():
                    if self._chains.state(key).id_at(sequence) not in (None, keep):
                        return key
        return None

    def _is_open(self, row: ForkRow) -> bool:
        """Whether it proves more than what was settled: behind that only a fork of the branch that is kept counts."""
        settled = self._settled.get(_key(row))
        if settled is None:
            return True
        parent = self._chains.state(_key(row)).id_at(row.sequence - 1)
        return row.sequence > max(settled) and _parts(row) and _header(row.first).previous == parent

    # --- evidence -------------------------------------------------------------------------------------------------

    def found(self, held: bytes, entry: Entry) -> None:
        """Both headers verified, by one author, for one place, and different."""
        header = entry.header
        row = ForkRow(
            author=entry.author,
            incarnation=header.incarnation,
            chain=entry.chain,
            sequence=header.sequence,
            first=min(held, entry.raw),
            second=max(held, entry.raw),
        )
        if row in self._open.get(entry.author, ()) or self.full(entry.author) or not self._is_open(row):
            return
        ticket = self._desk.newest_ticket
        proofs = self._proofs.setdefault(entry.author, [])
        if row not in proofs:
            proofs.append(row)
            ticket = self._desk.persist(row)
        first = not self.frozen(entry.author)
        self._open.setdefault(entry.author, []).append(row)
        if first:
            self._fresh.append(entry.author)
            data: dict[str, object] = {
                "machine": entry.author,
                "chain": entry.chain,
                "incarnation": header.incarnation,
                "sequence": header.sequence,
            }
            self._desk.notify("fork", data, after=ticket)
        if first or row in self.beginnings(entry.author):
            self._links.broadcast(Fork(first=row.first, second=row.second), after=ticket)

    def received(self, parts: tuple[object, ...]) -> bool:
        """Evidence from a peer, both halves verified; whether it proves a fork."""
        entries = [part for part in parts if isinstance(part, Entry)]
        if len(entries) != 2:
            return False
        first, second = entries
        same_place = first.place == second.place and first.header.sequence == second.header.sequence
        if not same_place or first.id == second.id:
            return False
        self.found(first.raw, second)
        return True

    def opened(self, peer: MachineId) -> None:
        """A link is up: the peer learns of every forked machine."""
        for author in sorted(self._open):
            for row in self.beginnings(author):
                self._links.send(peer, Fork(first=row.first, second=row.second))

    def fresh(self) -> list[MachineId]:
        """Machines found forked since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def describe(self, author: MachineId) -> str:
        """One line for people."""
        row = self.beginnings(author)[0]
        return (
            f"two different entries {row.sequence} in its {row.chain} chain, incarnation {row.incarnation}, "
            "both signed with its key: its disk was copied, or two computers use its identity"
        )


def _key(row: ForkRow) -> ChainKey:
    return row.author, row.incarnation, row.chain


def _header(raw: bytes) -> Header:
    return decode(parse_envelope(raw, size_max=limits.ENTRY_HEADER_BYTES_MAX).payload, Header)


def _id(raw: bytes) -> EntryId:
    return EntryId(sha256(parse_envelope(raw, size_max=limits.ENTRY_HEADER_BYTES_MAX).signed_bytes()))


def _parts(row: ForkRow) -> bool:
    """Whether both entries follow on the same one: there the branches part."""
    return _header(row.first).previous == _header(row.second).previous
