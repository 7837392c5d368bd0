"""What every store promises about the one order of the fleet (docs/protocol/store.md §3.4); part of ``store_suite``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import pytest

from roosync_p2p.core import effects, inputs
from roosync_p2p.core.ports import Store
from roosync_p2p.core.rows import EntryRow, LogItemRow, MetaRow, OrderKeyRow, StateRow
from roosync_p2p.core.store_reads import answered, unanswered
from roosync_p2p.core.store_rules import PromiseBroken
from roosync_p2p.ids import CommitNumber, EntryId, LogIndex
from tests.conformance.order_rows import commit, commit_cut, cut, item, side_entry
from tests.conformance.store_rows import AUTHORS, CHAINS, entry, entry_id

__all__ = ["OrderSuite", "Reopen"]

Reopen: TypeAlias = Callable[[], Store]

FIRST = CommitNumber(1)


def whole_log(store: Store) -> list[LogItemRow]:
    """The log as it is loaded, as items."""
    log = store.load().log
    assert len(log) == len(log.terms) == len(log.data)
    return [item(index, term, data) for index, (term, data) in enumerate(zip(log.terms, log.data, strict=True), 1)]


def numbers(store: Store, first: int, count_max: int) -> list[int]:
    """The numbers of the commits that are read."""
    return [row.number for row in store.commits(CommitNumber(first), count_max)]


class OrderSuite:
    """The tests of the contract; see the module."""

    # --- the log ------------------------------------------------------------------------------------------------

    def test_the_log_is_loaded_from_its_first_item(self, reopen: Reopen) -> None:
        items = [item(1, 1), item(2, 1), item(3, 4)]
        reopen().commit([items[2], items[0], items[1]])
        assert whole_log(reopen()) == items
        assert list(reopen().load().log.terms) == [1, 1, 4]

    def test_an_item_written_again_replaces(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([item(1, 1), item(2, 1)])
        store.commit([item(2, 3)])
        assert whole_log(reopen()) == [item(1, 1), item(2, 3)]

    def test_a_cut_removes_the_item_it_names_and_all_behind(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([item(index) for index in range(1, 6)])
        store.commit([cut(6)])
        assert len(store.load().log) == 5
        store.commit([cut(3)])
        assert whole_log(reopen()) == [item(1), item(2)]
        store = reopen()
        store.commit([cut(1)])
        assert not store.load().log

    def test_rows_of_one_commit_act_in_their_order(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([item(1), item(2), item(3), cut(2), item(2, 5), item(3, 5), item(4, 5), cut(4)])
        assert whole_log(reopen()) == [item(1), item(2, 5), item(3, 5)]

    @pytest.mark.parametrize("indexes", [(2,), (1, 3), (0, 1), (1, 2, 4)])
    def test_a_log_with_a_gap_is_not_loaded(self, reopen: Reopen, indexes: tuple[int, ...]) -> None:
        store = reopen()
        store.commit([item(index) for index in indexes])
        with pytest.raises(PromiseBroken, match="gap"):
            store.load()

    def test_a_load_is_the_callers_own(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([item(1)])
        log = store.load().log
        log.terms.append(2)
        log.data.append(b"")
        assert whole_log(store) == [item(1)]

    def test_items_are_read_within_bounds_up_to_a_gap_but_one_at_least(self, reopen: Reopen) -> None:
        store = reopen()
        items = [item(index, data=bytes(1000)) for index in (1, 2, 3, 5)]
        store.commit(items)
        assert store.log_items(LogIndex(2), 9, 1 << 20) == items[1:3]
        assert store.log_items(LogIndex(1), 2, 1 << 20) == items[:2]
        assert store.log_items(LogIndex(1), 9, 2000) == items[:2]
        assert store.log_items(LogIndex(1), 9, 1999) == items[:1]
        assert store.log_items(LogIndex(1), 0, 0) == items[:1]
        assert store.log_items(LogIndex(4), 9, 1 << 20) == []
        assert store.log_items(LogIndex(6), 9, 1 << 20) == []

    # --- the state ----------------------------------------------------------------------------------------------

    def test_a_pair_of_the_state_is_replaced_and_removed(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([StateRow(key="b", value=b"1"), StateRow(key="a", value=b""), StateRow(key="c", value=b"1")])
        store.commit([StateRow(key="b", value=b"2"), StateRow(key="c", value=None), StateRow(key="d", value=None)])
        assert reopen().load().state == (("a", b""), ("b", b"2"))

    def test_the_state_is_loaded_by_code_points(self, reopen: Reopen) -> None:
        keys = ["a", "z", "é", "\uffff", "\U0001f600"]
        reopen().commit([StateRow(key=key, value=key.encode()) for key in reversed(keys)])
        assert [key for key, _ in reopen().load().state] == keys

    # --- commit numbers -----------------------------------------------------------------------------------------

    def test_commits_are_read_ascending_from_a_number_on(self, reopen: Reopen) -> None:
        reopen().commit([commit(number, entry_id(number)) for number in (3, 1, 2, 4)])
        store = reopen()
        assert store.commits(CommitNumber(2), 2) == [commit(2, entry_id(2)), commit(3, entry_id(3))]
        assert numbers(store, 0, 100) == [1, 2, 3, 4]
        assert numbers(store, 5, 100) == []
        assert numbers(store, 1, 0) == numbers(store, 1, -1) == []
        loaded = store.load()
        assert (loaded.commits, loaded.last_commit) == (4, commit(4, entry_id(4)))

    def test_a_commit_written_again_replaces(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([commit(1, entry_id("old"), accepted=False)])
        store.commit([commit(1, entry_id("new"))])
        store = reopen()
        assert store.commits(FIRST, 9) == [commit(1, entry_id("new"))]
        assert store.commit_of(entry_id("old")) is None
        assert store.commit_of(entry_id("new")) == commit(1, entry_id("new"))

    def test_a_change_of_voters_has_a_number_and_no_entry(self, reopen: Reopen) -> None:
        reopen().commit([commit(1), commit(2)])
        assert reopen().commits(FIRST, 9) == [commit(1), commit(2)]
        assert reopen().load().last_commit == commit(2)

    def test_of_several_numbers_of_an_entry_the_lowest_is_told(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([commit(7, entry_id("e"), accepted=False), commit(3, entry_id("e"))])
        assert store.commit_of(entry_id("e")) == commit(3, entry_id("e"))
        store.commit([commit(3, entry_id("f"))])
        assert reopen().commit_of(entry_id("e")) == commit(7, entry_id("e"), accepted=False)

    def test_a_leaf_stands_at_the_place_of_its_number(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([commit(number) for number in (1, 2, 3, 5)])
        assert store.leaves(FIRST, 100) == [b"leaf 1", b"leaf 2", b"leaf 3"]
        assert store.leaves(CommitNumber(2), 1) == [b"leaf 2"]
        assert store.leaves(CommitNumber(4), 100) == store.leaves(FIRST, 0) == store.leaves(FIRST, -1) == []

    def test_a_cut_of_commits_removes_the_number_it_names_and_all_behind(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([item(1), *(commit(number, entry_id(number)) for number in (1, 2, 3, 4))])
        store.commit([commit_cut(5)])
        assert numbers(store, 1, 9) == [1, 2, 3, 4]
        store.commit([commit_cut(3)])
        store = reopen()
        assert numbers(store, 1, 9) == [1, 2]
        assert (store.load().commits, store.load().last_commit) == (2, commit(2, entry_id(2)))
        assert store.commit_of(entry_id(3)) is None
        assert store.leaves(FIRST, 9) == [b"leaf 1", b"leaf 2"]
        assert whole_log(store) == [item(1)]
        store.commit([commit_cut(0)])
        assert (reopen().load().commits, reopen().load().last_commit) == (0, None)

    def test_a_commit_behind_a_cut_in_the_same_transaction_stays(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([commit(1), commit(2, entry_id("lost")), commit(3)])
        store.commit([commit_cut(2), commit(2, entry_id("new"))])
        assert reopen().commits(FIRST, 9) == [commit(1), commit(2, entry_id("new"))]
        assert reopen().commit_of(entry_id("lost")) is None

    def test_the_first_entry_of_an_ordered_request_stays(self, reopen: Reopen) -> None:
        first = OrderKeyRow(key="k", request=b"1", entry=entry_id(1))
        store = reopen()
        store.commit([first])
        store.commit([OrderKeyRow(key="k", request=b"2", entry=entry_id(2))])
        assert reopen().order_key("k") == first
        assert reopen().order_key("other") is None
        assert reopen().idempotency("k") is None

    # --- entries beside the chains --------------------------------------------------------------------------------

    def test_ordered_entries_come_from_the_chains_and_from_beside_them(self, reopen: Reopen) -> None:
        beside = side_entry(entry_id("beside"))
        reopen().commit([entry(1), beside])
        store = reopen()
        assert store.ordered_entries([entry_id("missing"), beside.id, entry(1).id, beside.id]) == {
            beside.id: (beside.header, beside.body),
            entry(1).id: (entry(1).header, entry(1).body),
        }
        assert store.ordered_entries(()) == {}

    def test_an_entry_beside_the_chains_is_in_no_chain(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([entry(1), side_entry(entry_id("beside"))])
        assert store.entry(entry_id("beside")) is None
        assert [heads.ids for heads in store.load().chains] == [entry(1).id]
        run = store.entries(AUTHORS[0], 1, CHAINS[0], 1, count_max=9, bytes_max=1 << 20)
        assert run == [entry(1)]

    def test_an_ordered_entry_without_a_body_is_left_out_unless_it_is_kept_beside(self, reopen: Reopen) -> None:
        store = reopen()
        dropped = dataclasses.replace(entry(1), body=None)
        store.commit([dropped, entry(2, body=b"")])
        assert store.ordered_entries([dropped.id, entry(2).id]) == {entry(2).id: (entry(2).header, b"")}
        store.commit([side_entry(dropped.id, b"kept")])
        assert store.ordered_entries([dropped.id]) == {dropped.id: (b"side header", b"kept")}

    def test_the_first_writing_of_an_entry_beside_the_chains_stays(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([side_entry(entry_id(1), b"1")])
        store.commit([side_entry(entry_id(1), b"2")])
        assert reopen().ordered_entries([entry_id(1)]) == {entry_id(1): (b"side header", b"1")}

    # --- together -----------------------------------------------------------------------------------------------

    def test_a_broken_promise_undoes_the_rows_of_the_order_too(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([entry(1), item(1), StateRow(key="a", value=b"1"), commit(1)])
        before = store.load()
        forged: EntryRow = dataclasses.replace(entry(1), id=EntryId(b"forged"))
        with pytest.raises(PromiseBroken):
            store.commit(
                [cut(1), StateRow(key="a", value=None), commit(1, entry_id(1)), MetaRow(key="m", value=b""), forged]
            )
        assert store.load() == before

    def test_what_the_core_asks_for_is_answered_by_its_number(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([entry(1), side_entry(entry_id("beside"))])
        ordered = effects.ReadOrdered(read=effects.ReadId(7), ids=(entry_id("beside"), entry_id("missing")))
        assert answered(store, ordered) == inputs.OrderedRead(
            read=effects.ReadId(7), entries={entry_id("beside"): (b"side header", b"side body")}
        )
        assert unanswered(ordered) == inputs.OrderedRead(read=effects.ReadId(7), entries={})
        store.commit([commit(1), commit(2), commit(3)])
        rows = effects.ReadCommits(read=effects.ReadId(9), first=CommitNumber(2), count_max=1)
        assert answered(store, rows) == inputs.CommitsRead(read=effects.ReadId(9), rows=(commit(2),))
        assert unanswered(rows) == inputs.CommitsRead(read=effects.ReadId(9), rows=(), unread=True)
        run = effects.ReadEntries(
            read=effects.ReadId(8),
            author=AUTHORS[0],
            incarnation=1,
            chain=CHAINS[0],
            first=1,
            count_max=9,
            bytes_max=1 << 20,
        )
        assert answered(store, run) == inputs.EntriesRead(read=effects.ReadId(8), entries=(entry(1),))
        assert unanswered(run) == inputs.EntriesRead(read=effects.ReadId(8), entries=())
