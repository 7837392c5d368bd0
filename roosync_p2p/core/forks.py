"""Two headers for one place: evidence that is kept, and what follows (docs/protocol/entries.md §4).

A fork is what a copied disk, or two machines with one id, look like. Both headers are kept, the machine is shown in
conflict, and nothing after the fork is accepted from it until a person settles it. The evidence is passed on, because
peers may each have seen one branch only.
"""

from __future__ import annotations

from collections.abc import Iterable

from roosync_p2p import limits
from roosync_p2p.codec.records import decode
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.links import Links
from roosync_p2p.core.rows import ForkRow
from roosync_p2p.core.wire import Fork
from roosync_p2p.entries.chains import ChainKey
from roosync_p2p.entries.entry import Entry, Header
from roosync_p2p.ids import MachineId
from roosync_p2p.trust.envelopes import parse_envelope

__all__ = ["Forks"]


class Forks:
    """The forks that this node can prove."""

    def __init__(self, desk: Desk, links: Links, rows: Iterable[ForkRow]) -> None:
        self._desk = desk
        self._links = links
        self._proofs: dict[MachineId, list[ForkRow]] = {}
        for row in rows:
            self._proofs.setdefault(row.author, []).append(row)
        self._fresh: list[MachineId] = []

    def frozen(self, author: MachineId) -> bool:
        """Whether that author forked: no new life of it is countersigned."""
        return author in self._proofs

    def stop(self, key: ChainKey) -> int | None:
        """From which entry of a chain on nothing is accepted because its author forked; None if it did not.

        What stands before the fork is accepted; of its other chains nothing, since no order tells before from after.
        """
        proofs = self._proofs.get(key[0])
        if proofs is None:
            return None
        return min((row.sequence for row in proofs if (row.incarnation, row.chain) == key[1:]), default=1)

    def full(self, author: MachineId) -> bool:
        """Whether more evidence against that author would prove nothing more."""
        return len(self._proofs.get(author, ())) >= limits.FORK_EVIDENCE_MAX

    def authors(self) -> dict[MachineId, ForkRow]:
        """Who forked, with the first proof of each."""
        return {author: proofs[0] for author, proofs in sorted(self._proofs.items())}

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
        proofs = self._proofs.setdefault(entry.author, [])
        if row in proofs or len(proofs) >= limits.FORK_EVIDENCE_MAX:
            return
        first = not proofs
        proofs.append(row)
        ticket = self._desk.persist(row)
        if first:
            self._fresh.append(entry.author)
            data: dict[str, object] = {
                "machine": entry.author,
                "chain": entry.chain,
                "incarnation": header.incarnation,
                "sequence": header.sequence,
            }
            self._desk.notify("fork", data, after=ticket)
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
        for row in self.authors().values():
            self._links.send(peer, Fork(first=row.first, second=row.second))

    def fresh(self) -> list[MachineId]:
        """Machines found forked since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def describe(self, author: MachineId) -> str:
        """One line for people."""
        row = self._proofs[author][0]
        header = decode(parse_envelope(row.first, size_max=limits.ENTRY_HEADER_BYTES_MAX).payload, Header)
        return (
            f"two different entries {row.sequence} in its {row.chain} chain, incarnation {header.incarnation}, "
            "both signed with its key: its disk was copied, or two computers use its identity"
        )
