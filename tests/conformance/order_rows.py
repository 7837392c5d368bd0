"""Rows of the one order of the fleet for tests of stores: plain ones by hand, random ones from few names."""

from __future__ import annotations

from hypothesis import strategies as st

from roosync_p2p.core.rows import (
    CommitCutRow,
    CommitRow,
    LogCutRow,
    LogItemRow,
    OrderKeyRow,
    Row,
    SideEntryRow,
    StateRow,
)
from roosync_p2p.ids import CommitNumber, EntryId, Epoch, LogIndex, Term
from tests.conformance.store_rows import AUTHORS, CHAINS, entry_id

__all__ = ["ORDER_KEYS", "SIDE_IDS", "STATE_KEYS", "commit", "commit_cut", "cut", "item", "order_groups", "side_entry"]

STATE_KEYS = ("claim/a", "clé", "\uffff", "\U0001f600", "")  # by code point, which UTF-16 would order differently
ORDER_KEYS = ("k1", "k2")
SIDE_IDS = (entry_id("side", 1), entry_id("side", 2), entry_id(AUTHORS[0], CHAINS[0], 1))  # one is in a chain as well


def item(index: int, term: int = 1, data: bytes = b"") -> LogItemRow:
    """The item at one place of the log."""
    return LogItemRow(index=LogIndex(index), term=Term(term), data=data or b"item %d of %d" % (index, term))


def cut(first: int) -> LogCutRow:
    """What removes the log from there on."""
    return LogCutRow(first=LogIndex(first))


def commit(number: int, entry: EntryId | None = None, *, accepted: bool = True, leaf: bytes = b"") -> CommitRow:
    """What became of one number; without an entry a change of voters."""
    return CommitRow(
        number=CommitNumber(number),
        index=LogIndex(number + 1),
        time_ms=1_700_000_000_000 + number,
        epoch=Epoch(0),
        entry=entry,
        author=None if entry is None else AUTHORS[0],
        kind="voters" if entry is None else "claim.take",
        accepted=accepted,
        reason="" if accepted else "old_epoch",
        detail=b"\x80",
        leaf=leaf or b"leaf %d" % number,
    )


def commit_cut(first: int) -> CommitCutRow:
    """What removes the commits from there on."""
    return CommitCutRow(first=CommitNumber(first))


def side_entry(entry: EntryId, body: bytes = b"side body") -> SideEntryRow:
    """An entry whose place another one has."""
    return SideEntryRow(id=entry, header=b"side header", body=body)


# --- random rows ----------------------------------------------------------------------------------------------------

_small = st.integers(0, 3)
_blob = st.binary(max_size=3)
_entry = st.sampled_from(SIDE_IDS)


@st.composite
def _logs(draw: st.DrawFn) -> list[Row]:
    """The log from its beginning, cut somewhere and continued; no gap remains, whatever was there."""
    length = draw(st.integers(1, 6))
    first = draw(st.integers(1, length + 1))
    end = draw(st.integers(first, 8))
    items = [item(index, draw(_small), draw(_blob)) for index in (*range(1, length + 1), *range(first, end))]
    return [*items[:length], cut(first), *items[length:]]


_singles = st.one_of(
    st.integers(-1, 7).map(cut),
    st.integers(-1, 6).map(commit_cut),
    st.builds(item, st.integers(1, 7), _small),  # may leave a gap, which both stores refuse to load
    st.builds(StateRow, key=st.sampled_from(STATE_KEYS), value=st.none() | _blob),
    st.builds(
        CommitRow,
        number=st.integers(1, 5).map(CommitNumber),
        index=_small.map(LogIndex),
        time_ms=_small,
        epoch=_small.map(Epoch),
        entry=st.none() | _entry,
        author=st.none() | st.sampled_from(AUTHORS),
        kind=st.sampled_from(("voters", "claim.take")),
        accepted=st.booleans(),
        reason=st.sampled_from(("", "old_epoch")),
        detail=_blob,
        leaf=_blob,
    ),
    st.builds(OrderKeyRow, key=st.sampled_from(ORDER_KEYS), request=_blob, entry=_entry),
    st.builds(side_entry, _entry, _blob),
)

order_groups: st.SearchStrategy[list[Row]] = st.one_of(_logs(), _singles.map(lambda row: [row]))
"""A few rows that belong together, in their order."""
