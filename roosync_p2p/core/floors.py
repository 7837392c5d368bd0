"""From where the mail chains of others are held, by their authors' floors (docs/protocol/gossip.md §4).

Where nothing of a chain is held it begins at its author's floor. Where everything up to the floor is held, what lies
below leaves the chain. Where something between is missing, the floor's entry is asked for, and the chain goes on from
there once it came: until then nothing that is held is given up, so a floor beyond anything that exists costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from roosync_p2p import limits
from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.rows import ChainFloorRow, MetaRow
from roosync_p2p.entries.chains import ChainKey, Chains
from roosync_p2p.entries.entry import MAIL, Entry
from roosync_p2p.ids import EntryId, MachineId

__all__ = ["Floors", "Skipped"]

_PREFIX: Final = "begun."


class Skipped(NamedTuple):
    """Mail of a machine that this one missed for good: it was off for longer than that is kept."""

    machine: MachineId
    entries: int
    time_ms: int  # when it was found out here


class _Begun(Record, frozen=True, kw_only=True):
    """A chain that was taken from ``sequence`` on; ``missed``: entries before it, behind what was held."""

    sequence: int
    missed: int
    time_ms: int


class _Floor(NamedTuple):
    sequence: int
    id: EntryId


class Floors:
    """The floors that were heard of, and what follows from them.

    Args:
        stop: from which entry on a chain is not taken; a floor there has no effect.
    """

    def __init__(
        self, desk: Desk, chains: Chains, meta: Mapping[str, bytes], *, stop: Callable[[ChainKey], int | None]
    ) -> None:
        self._desk = desk
        self._chains = chains
        self._stop = stop
        self._heard: dict[ChainKey, _Floor] = {}
        self._begun: dict[ChainKey, _Begun] = {}
        for key, value in meta.items():
            if key.startswith(_PREFIX):
                machine, _, incarnation = key.removeprefix(_PREFIX).rpartition(".")
                self._begun[(MachineId(machine), int(incarnation), MAIL)] = decode(value, _Begun)

    def received(self, key: ChainKey, sequence: int, entry: EntryId, *, durable: int) -> None:
        """An author signed from where its chain can be had. ``durable``: up to where it is held on the disk."""
        self.kept(key, sequence, entry)
        self.follow(key, durable)

    def kept(self, key: ChainKey, sequence: int, entry: EntryId) -> None:
        """The same, of an earlier run: what it had for the chain was done then."""
        state = self._chains.state(key)
        if key[0] == self._desk.me and not state.ids:
            return  # an own chain begins with what this machine writes
        if sequence <= state.floor:
            return
        self._heard[key] = _Floor(sequence, entry)
        if not state.ids:
            self._chains.begin_at(key, sequence)

    def follow(self, key: ChainKey, durable: int) -> None:
        """A chain is held up to there on the disk: what lies below its floor leaves it."""
        floor = self._heard.get(key)
        state = self._chains.state(key)
        if floor is None or not state.ids or floor.sequence > durable or self._is_stopped(key, floor.sequence):
            return
        del self._heard[key]
        if state.id_at(floor.sequence) != floor.id:
            self._desk.count("floors.other_branch")
        elif floor.sequence > state.floor:
            self._chains.raise_floor(key, floor.sequence)
            self._desk.persist(_row(key, floor.sequence))

    def after(self, key: ChainKey) -> int:
        """What follows on that sequence is wanted next: the head, or what stands before a floor above it."""
        floor, head = self._heard.get(key), self._chains.state(key).head
        return head if floor is None else max(head, floor.sequence - 1)

    def is_other(self, entry: Entry) -> bool:
        """Whether a chain would begin with another entry than the one that its author signed as its floor."""
        floor = self._heard.get(entry.place)
        return floor is not None and not self._chains.state(entry.place).ids and floor.id != entry.id

    def skips_to(self, entry: Entry) -> bool:
        """Whether it is the floor of a chain of which something before is missing here."""
        floor = self._heard.get(entry.place)
        sequence = entry.header.sequence
        return floor is not None and floor == (sequence, entry.id) and not self._is_stopped(entry.place, sequence)

    def begin_with(self, entry: Entry) -> None:
        """The entry is taken next, though something before it is not held; nothing where all of it is."""
        key, sequence = entry.place, entry.header.sequence
        state = self._chains.state(key)
        if sequence == 1 or (state.ids and state.head == sequence - 1):
            return
        missed = sequence - 1 - state.head if state.ids else 0
        if state.ids:
            self._chains.skip_to(key, sequence)
            self._desk.persist(_row(key, sequence))
        self._heard.pop(key, None)
        author, incarnation, _ = key
        self._begun[key] = _Begun(sequence=sequence, missed=missed, time_ms=self._desk.now.wall_ms)
        ticket = self._desk.persist(MetaRow(key=f"{_PREFIX}{author}.{incarnation}", value=encode(self._begun[key])))
        if missed:
            self._desk.count("entries.skipped")
            self._desk.notify("skipped", {"machine": author, "entries": missed, "from": sequence}, after=ticket)

    def _is_stopped(self, key: ChainKey, sequence: int) -> bool:
        stop = self._stop(key)
        return stop is not None and sequence >= stop

    def begun(self, key: ChainKey) -> int:
        """From which entry on this node took the chain without a gap; what lies before never came."""
        known = self._begun.get(key)
        return 1 if known is None else known.sequence

    def skipped(self) -> list[Skipped]:
        """What was missed for good lately, by machine."""
        since_ms = self._desk.now.wall_ms - round(limits.SKIPPED_SHOWN_S * 1000)
        return [
            Skipped(key[0], begun.missed, begun.time_ms)
            for key, begun in sorted(self._begun.items())
            if begun.missed and begun.time_ms >= since_ms
        ]


def _row(key: ChainKey, first: int) -> ChainFloorRow:
    author, incarnation, chain = key
    return ChainFloorRow(author=author, incarnation=incarnation, chain=chain, first=first)
