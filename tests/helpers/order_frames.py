"""One good frame of each kind that is about the one order, with a voter change that is really signed."""

from __future__ import annotations

from typing import Any

from roosync_p2p.codec.records import encode
from roosync_p2p.consensus.items import Batch, LogItem, Seat, VoterChange, Voters, make_item
from roosync_p2p.consensus.messages import Append, encode_message
from roosync_p2p.core import wire
from roosync_p2p.entries.entry import Entry
from roosync_p2p.ids import Epoch, LogIndex, StoreId, Term
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import seal
from roosync_p2p.trust.statements import Recovery, seal_statement
from tests.helpers.actors import NOW, A, B, C, identity, keys

__all__ = ["order_frames", "recovery", "voters_item"]

_STORES = {A: StoreId(b"a" * 16), B: StoreId(b"b" * 16)}


def voters_item(index: int = 1, term: int = 1) -> LogItem:
    """A founds: it is the only voter."""
    seats = (Seat(A, _STORES[A]),)
    bare = Voters(time_ms=NOW.wall_ms, replaces=LogIndex(0), voters=seats)
    change = VoterChange.of(bare, epoch=Epoch(0), term=Term(term), index=LogIndex(index))
    envelope = seal(identity(A).key, context=contexts.VOTERS, fleet=identity(A).fleet, author=A, payload=encode(change))
    signed = Voters(time_ms=NOW.wall_ms, replaces=LogIndex(0), voters=seats, envelope=envelope)
    return make_item(LogIndex(index), Term(term), signed)


def recovery(**changed: Any) -> Recovery:
    """What the root says when A and C are lost: B goes on alone, from commit 7."""
    fields = {
        "epoch": 1,
        "machine": B,
        "store": _STORES[B],
        "size": 7,
        "root_hash": bytes(range(32)),
        "serial": bytes(range(16)),
        "dead": (A, C),
        "reason": "fire",
    }
    return Recovery(**{**fields, **changed})


def order_frames(entry: Entry) -> dict[str, wire.Frame]:
    """By name. ``entry`` is one of a ledger chain."""
    batch = make_item(LogIndex(2), Term(1), Batch(time_ms=NOW.wall_ms + 1, entries=(entry.id,)))
    append = Append(
        epoch=Epoch(0),
        term=Term(1),
        to=_STORES[B],
        by=_STORES[A],
        prev_index=LogIndex(0),
        prev_term=Term(0),
        commit=LogIndex(1),
        round=7,
        items=(voters_item(), batch),
    )
    return {
        "raft": wire.RaftFrame(message=encode_message(append)),
        "ordered?": wire.WantOrdered(ids=[bytes(entry.id)]),
        "ordered": wire.OrderedFrame(entries=[wire.WireEntry(header=entry.raw, body=entry.body)]),
        "committed?": wire.WantCommitted(first=2),
        "committed": wire.Committed(epoch=0, first=1, items=[voters_item().data, batch.data], commit=2),
        "epochs?": wire.WantEpochs(after=0),
        "epochs": wire.EpochsFrame(
            statements=[seal_statement(keys().root_key, recovery(), fleet=identity(A).fleet)],
        ),
        "index?": wire.ReadIndexQuery(request=9),
        "index": wire.ReadIndexAnswer(request=9, index=2),
        "leaving": wire.LeavingSoon(),
    }
