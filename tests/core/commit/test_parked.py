"""Items that come before their entries wait in order, not for ever."""

from __future__ import annotations

from roosync_p2p.consensus.items import Batch, make_item
from roosync_p2p.consensus.messages import Append
from roosync_p2p.core.commit.parked import PATIENCE_S, Parked
from roosync_p2p.ids import EntryId, Epoch, LogIndex, StoreId, Term
from tests.helpers.actors import A, B

_ONE, _TWO = EntryId(b"1" * 32), EntryId(b"2" * 32)


def _append(index: int, *entries: EntryId) -> Append:
    items = (make_item(LogIndex(index), Term(1), Batch(time_ms=1, entries=entries)),) if entries else ()
    return Append(
        epoch=Epoch(0),
        term=Term(1),
        to=StoreId(b"t" * 16),
        by=StoreId(b"b" * 16),
        prev_index=LogIndex(index - 1),
        prev_term=Term(0),
        commit=LogIndex(0),
        round=0,
        items=items,
    )


class _Desk:
    def __init__(self) -> None:
        self.held: set[EntryId] = set()
        self.settled = LogIndex(0)
        self.wanted: list[tuple[list[EntryId], str]] = []
        self.parked = Parked(
            settled=lambda: self.settled,
            holds=self.held.__contains__,
            want=lambda entries, peer: self.wanted.append((list(entries), peer)),
        )


def test_an_item_whose_entries_are_here_does_not_wait() -> None:
    desk = _Desk()
    desk.held.add(_ONE)
    assert not desk.parked.park(A, _append(1, _ONE), 0.0)
    assert desk.wanted == []


def test_an_item_waits_for_its_entry_which_is_asked_of_the_sender() -> None:
    desk = _Desk()
    message = _append(1, _ONE)
    assert desk.parked.park(A, message, 0.0)
    assert desk.wanted == [([_ONE], A)]
    assert desk.parked.released() == []
    desk.held.add(_ONE)
    assert desk.parked.released() == [(A, message)]
    assert desk.parked.released() == []


def test_what_comes_behind_a_parked_one_keeps_its_place() -> None:
    desk = _Desk()
    desk.held.add(_TWO)
    first, second = _append(1, _ONE), _append(2, _TWO)
    assert desk.parked.park(A, first, 0.0)
    assert desk.parked.park(A, second, 0.0)
    assert not desk.parked.park(B, second, 0.0)
    desk.held.add(_ONE)
    assert desk.parked.released() == [(A, first), (A, second)]


def test_a_peer_is_not_kept_waiting_for_entries_that_do_not_come() -> None:
    desk = _Desk()
    assert desk.parked.park(A, _append(1, _ONE), 0.0)
    assert not desk.parked.park(A, _append(2), PATIENCE_S + 0.01)
    assert desk.parked.released() == []


def test_entries_of_items_that_are_committed_here_are_not_asked_for() -> None:
    desk = _Desk()
    desk.settled = LogIndex(1)
    assert not desk.parked.park(A, _append(1, _ONE), 0.0)


def test_a_peer_that_is_gone_leaves_nothing() -> None:
    desk = _Desk()
    assert desk.parked.park(A, _append(1, _ONE), 0.0)
    desk.parked.forget(A)
    desk.held.add(_ONE)
    assert desk.parked.released() == []
