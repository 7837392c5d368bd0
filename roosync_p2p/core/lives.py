"""Which incarnations began where, and what surfaced too late (docs/protocol/entries.md §3).

A new incarnation names the last known entries of the one before it. What turns up behind those later was signed by
somebody with the machine's key after its store was lost, or by a copy of it: it is kept and shown as stranded, and has
no effect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.entries.chains import ChainKey, Chains
from roosync_p2p.entries.entry import CHAIN_START, LEDGER, MAIL, Entry
from roosync_p2p.entries.incarnations import ChainStart, Known, Renewal
from roosync_p2p.ids import Chain, MachineId
from roosync_p2p.trust.envelopes import parse_envelope

__all__ = ["Lives", "Renewed"]

_PREFIX: Final = "life."
SHOWN_MS: Final = 7 * 24 * 3600 * 1000  # a renewed store is shown for seven days


class _Beginning(Record, frozen=True, kw_only=True):
    machine: str
    incarnation: int
    chain: str
    time_ms: int
    previous: Known | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """A machine whose store began a new life lately."""

    machine: MachineId
    incarnation: int
    stranded: int


class Lives:
    """The beginnings of later incarnations that this node has accepted.

    ``cut``: from which entry on a chain of a machine that is out does not count.
    """

    def __init__(
        self,
        desk: Desk,
        meta: Mapping[str, bytes],
        *,
        cut: Callable[[ChainKey], int | None] = lambda _key: None,
    ) -> None:
        self._desk = desk
        self._cut = cut
        self._beginnings: dict[tuple[MachineId, Chain], list[_Beginning]] = {}
        for key, value in sorted(meta.items()):
            if key.startswith(_PREFIX):
                self._add(decode(value, _Beginning))

    def accepted(self, entry: Entry) -> None:
        """Remembers an accepted first entry of a later incarnation, and tells people."""
        header = entry.header
        if header.kind != CHAIN_START or header.incarnation == 1 or entry.body is None:
            return
        start = decode(entry.body, ChainStart)
        beginning = _Beginning(
            machine=entry.author,
            incarnation=header.incarnation,
            chain=entry.chain,
            time_ms=self._desk.now.wall_ms,
            previous=start.previous,
        )
        self._add(beginning)
        ticket = self._desk.persist(_row(beginning))
        if start.countersignature is not None and entry.chain == LEDGER:
            # The mail may begin here at a floor, without the entry that says where it stood: the same is signed here.
            signed = parse_envelope(start.countersignature, size_max=limits.RECORD_BYTES_MAX)
            mail = msgspec.structs.replace(beginning, chain=MAIL, previous=decode(signed.payload, Renewal).mail)
            self._add(mail)
            ticket = self._desk.persist(_row(mail))
        data: dict[str, object] = {"machine": entry.author, "incarnation": header.incarnation, "chain": entry.chain}
        self._desk.notify("incarnation", data, after=ticket)

    def stranded(self, entry: Entry) -> bool:
        """Whether a later incarnation had begun without knowing of this entry."""
        return self.stranded_place(entry.author, entry.header.incarnation, entry.chain, entry.header.sequence)

    def stranded_place(self, author: MachineId, incarnation: int, chain: Chain, sequence: int) -> bool:
        """The same by the place of an entry; also whether its author was out before it."""
        cut = self._cut((author, incarnation, chain))
        if cut is not None and sequence >= cut:
            return True
        place = (incarnation, sequence)
        return any(
            incarnation < beginning.incarnation and place > _cut(beginning)
            for beginning in self._beginnings.get((author, chain), ())
        )

    def renewed(self, chains: Chains) -> list[Renewed]:
        """Machines that began a new life in the last seven days, with how much surfaced too late."""
        since_ms = self._desk.now.wall_ms - SHOWN_MS
        newest: dict[MachineId, Renewed] = {}
        for (machine, _), beginnings in sorted(self._beginnings.items()):
            recent = [beginning for beginning in beginnings if beginning.time_ms >= since_ms]
            if recent:
                stranded = sum(self._stranded_of(beginning, chains) for beginning in recent)
                before = newest.get(machine)
                newest[machine] = Renewed(
                    machine=machine,
                    incarnation=max(beginning.incarnation for beginning in recent),
                    stranded=stranded + (before.stranded if before is not None else 0),
                )
        return list(newest.values())

    def _stranded_of(self, beginning: _Beginning, chains: Chains) -> int:
        incarnation = beginning.incarnation - 1
        head = chains.state((MachineId(beginning.machine), incarnation, Chain(beginning.chain))).head
        cut_incarnation, cut_sequence = _cut(beginning)
        return max(0, head - (cut_sequence if cut_incarnation == incarnation else 0))

    def _add(self, beginning: _Beginning) -> None:
        key = (MachineId(beginning.machine), Chain(beginning.chain))
        held = self._beginnings.setdefault(key, [])
        if all(other.incarnation != beginning.incarnation for other in held):
            held.append(beginning)


def _row(beginning: _Beginning) -> MetaRow:
    key = f"{_PREFIX}{beginning.machine}.{beginning.incarnation}.{beginning.chain}"
    return MetaRow(key=key, value=encode(beginning))


def _cut(beginning: _Beginning) -> tuple[int, int]:
    previous = beginning.previous
    return (0, 0) if previous is None else (previous.incarnation, previous.sequence)
