"""What counts as durable, also when the log is cut while a write is on its way."""

from __future__ import annotations

from roosync_p2p.consensus.items import Noop, make_item
from roosync_p2p.consensus.log import Log
from roosync_p2p.consensus.writes import HardState, Writes
from roosync_p2p.ids import Epoch, LogIndex, Term

HARD = HardState(term=Term(1), vote=None, epoch=Epoch(1))


def test_nothing_counts_before_it_is_durable() -> None:
    log, writes = started(0)
    grow(log, 3)
    _, cut_from, items = writes.hand_out(log, HARD)
    assert (cut_from, [item.index for item in items]) == (None, [1, 2, 3])
    assert writes.stored == 0
    writes.became_durable(writes.mark)
    assert writes.stored == 3


def test_a_later_mark_stands_for_all_before_it() -> None:
    log, writes = started(0)
    for size in (1, 2, 3):
        grow(log, size)
        writes.hand_out(log, HARD)
    writes.became_durable(2)
    assert writes.stored == 2
    writes.became_durable(3)
    assert writes.stored == 3


def test_a_write_of_items_that_were_cut_meanwhile_counts_up_to_the_cut() -> None:
    log, writes = started(0)
    grow(log, 4)
    writes.hand_out(log, HARD)
    cut(log, writes, 3)
    grow(log, 5, term=2)
    writes.hand_out(log, HARD)
    writes.became_durable(1)
    assert writes.stored == 2
    writes.became_durable(2)
    assert writes.stored == 5


def test_a_cut_of_what_was_handed_out_is_written_and_one_of_the_rest_is_not() -> None:
    log, writes = started(0)
    grow(log, 2)
    writes.hand_out(log, HARD)
    grow(log, 4)
    cut(log, writes, 4)
    grow(log, 4, term=2)
    assert writes.hand_out(log, HARD)[1] is None
    cut(log, writes, 3)
    cut(log, writes, 2)
    grow(log, 3, term=3)
    _, cut_from, items = writes.hand_out(log, HARD)
    assert cut_from == 2
    assert [(item.index, item.term) for item in items] == [(2, 3), (3, 3)]


def test_a_cut_takes_back_what_was_durable() -> None:
    log, writes = started(5)
    cut(log, writes, 3)
    assert writes.stored == 2
    assert writes.wanted(log, HARD)


def test_the_hard_state_is_handed_out_when_it_changed() -> None:
    log, writes = started(0)
    newer = HardState(term=Term(2), vote=None, epoch=Epoch(1))
    assert not writes.wanted(log, HARD)
    assert writes.wanted(log, newer)
    assert writes.hand_out(log, newer)[0] == newer
    assert writes.hard_stored == HARD
    writes.became_durable(1)
    assert writes.hard_stored == newer
    assert not writes.wanted(log, newer)


def started(last: int) -> tuple[Log, Writes]:
    """A log of which so many items are on disk."""
    log = Log((), handed_out=LogIndex(0))
    grow(log, last)
    return log, Writes(hard=HARD, last=log.last_index)


def grow(log: Log, last: int, *, term: int = 1) -> None:
    """Appends items up to that place."""
    for index in range(log.last_index + 1, last + 1):
        log.append(make_item(LogIndex(index), Term(term), Noop()))


def cut(log: Log, writes: Writes, first: int) -> None:
    """Cuts the log, and what is to be written of it."""
    log.cut(LogIndex(first))
    writes.cut(LogIndex(first))
