"""The store in memory: the contract of every store, and the ways in which a disk fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from roosync_p2p.core.memory_store import MemoryStore
from roosync_p2p.core.ports import InboxQuery, Store
from roosync_p2p.core.rows import MetaRow, StateRow
from roosync_p2p.errors import StoreError
from tests.conformance.order_rows import commit, cut, item, side_entry
from tests.conformance.store_rows import entry, entry_id, mail
from tests.conformance.store_suite import Reopen, StoreSuite


class TestMemoryStore(StoreSuite):
    """The contract."""

    @pytest.fixture
    def reopen(self) -> Iterator[Reopen]:
        store = MemoryStore()

        def opened() -> Store:
            store.close()
            store.reopen()
            return store

        yield opened
        store.close()


def start(number: int) -> MetaRow:
    return MetaRow(key="start", value=b"%d" % number)


def test_what_is_written_is_not_readable_before_the_sync() -> None:
    store = MemoryStore()
    store.write(mail(1))
    assert store.unsynced == 1
    assert store.load().chains == ()
    assert store.inbox(InboxQuery()).items == ()
    assert store.sync() == 1
    assert store.entry(entry(1).id) == entry(1)
    assert store.unsynced == 0


def test_a_crash_loses_everything_unsynced_and_nothing_else() -> None:
    store = MemoryStore()
    store.commit([start(1)])
    store.write([start(2)])
    store.write([start(3)])
    assert store.crash() == 2
    assert store.load().meta == {"start": b"1"}
    assert store.sync() == 0


def test_a_crash_may_lose_the_later_batches_only() -> None:
    store = MemoryStore()
    for number in (1, 2, 3):
        store.write([start(number)])
    assert store.crash(keep=2) == 1
    assert store.load().meta == {"start": b"2"}


def test_a_commit_syncs_what_was_written_before_it() -> None:
    store = MemoryStore()
    store.write([start(1), MetaRow(key="other", value=b"")])
    store.commit([start(2)])
    store.crash()
    assert store.load().meta == {"start": b"2", "other": b""}


def test_closing_is_no_sync() -> None:
    store = MemoryStore()
    store.write([start(1)])
    store.close()
    store.reopen()
    assert store.sync() == 0
    assert store.load().meta == {}


def test_a_snapshot_is_not_changed_by_what_follows_and_can_be_restored_twice() -> None:
    store = MemoryStore()
    store.commit([*mail(1), start(1)])
    snapshot = store.snapshot()
    for _ in range(2):
        store.commit([*mail(2), start(2)])
        store.write([start(3)])
        store.restore(snapshot)
        assert store.unsynced == 0
        assert store.load().meta == {"start": b"1"}
        assert len(store.load().chains[0].ids) == 32
        assert store.inbox(InboxQuery()).unread == 1


def test_a_snapshot_holds_the_order_as_it_was() -> None:
    store = MemoryStore()
    store.commit([item(1), item(2), commit(1, entry_id("e")), StateRow(key="a", value=b"1"), side_entry(entry_id("s"))])
    before = store.load()
    snapshot = store.snapshot()
    store.commit([cut(2), commit(1), commit(2, entry_id("e")), StateRow(key="a", value=None)])
    store.restore(snapshot)
    assert store.load() == before
    assert store.commit_of(entry_id("e")) == commit(1, entry_id("e"))
    assert list(store.ordered_entries([entry_id("s")])) == [entry_id("s")]


def test_a_copied_disk_leads_its_own_life() -> None:
    original, copy = MemoryStore(), MemoryStore()
    original.commit(mail(1))
    copy.restore(original.snapshot())
    copy.commit(mail(2))
    assert original.entry(entry(2).id) is None
    assert copy.entry(entry(1).id) == entry(1)


def test_a_fault_keeps_everything_out_until_it_is_over() -> None:
    store = MemoryStore()
    store.fault = StoreError("the disk is full", code="disk_full")
    store.write([start(1)])
    for action in (store.sync, lambda: store.commit([start(2)])):
        with pytest.raises(StoreError, match="full"):
            action()
    assert store.load().meta == {}
    store.fault = None
    store.sync()
    assert store.load().meta == {"start": b"1"}
