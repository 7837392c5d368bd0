"""What a store that comes from a backup is marked with (docs/protocol/entries.md §3)."""

from __future__ import annotations

from roosync_p2p.codec.records import encode
from roosync_p2p.core.rows import Loaded, MetaRow
from roosync_p2p.entries.entry import LEDGER, MAIL
from roosync_p2p.entries.incarnations import Known, Renewal
from roosync_p2p.ids import Chain, EntryId, MachineId, StoreId
from roosync_p2p.ledger.fleet import voters_of
from roosync_p2p.ledger.state import State

__all__ = ["held_only_vote", "mark", "next_life"]

_ID_BYTES = 32


def next_life(loaded: Loaded, machine: MachineId, store: StoreId) -> Renewal:
    """The life that begins behind what a restored store holds; behind more, if the others show more."""
    lived = int.from_bytes(loaded.meta.get("incarnation", b"\x01"), "big")
    return Renewal(
        machine=machine,
        incarnation=lived + 1,
        store=store,
        ledger=_newest(loaded, machine, LEDGER),
        mail=_newest(loaded, machine, MAIL),
    )


def mark(renewal: Renewal) -> MetaRow:
    """With this in its store a node writes nothing before that life was countersigned."""
    return MetaRow(key="renewal", value=encode(renewal))


def held_only_vote(loaded: Loaded, machine: MachineId) -> bool:
    """Whether that machine alone voted, as far as this store has applied the log."""
    return [voter for voter, _ in voters_of(State.load(loaded.state))] == [machine]


def _newest(loaded: Loaded, machine: MachineId, chain: Chain) -> Known | None:
    held = [heads for heads in loaded.chains if (heads.author, heads.chain) == (machine, chain) and heads.ids]
    newest = max(held, key=lambda heads: heads.incarnation, default=None)
    if newest is None:
        return None
    sequence = newest.floor + len(newest.ids) // _ID_BYTES - 1
    return Known(incarnation=newest.incarnation, sequence=sequence, id=EntryId(newest.ids[-_ID_BYTES:]))
