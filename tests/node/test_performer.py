"""The task that owns a core: group commit, a disk that fails and recovers, an orderly end."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import anyio
import pytest

from roosync_p2p import limits
from roosync_p2p.core.commands import MarkRead
from roosync_p2p.core.inputs import Tick
from roosync_p2p.core.memory_store import MemoryStore
from roosync_p2p.core.rows import MemberRow, MetaRow, Row
from roosync_p2p.entries.entry import MAIL
from roosync_p2p.errors import EnvironmentFault, RoosyncError, StoreError
from tests.helpers.cores import A, B, identity, message
from tests.helpers.running_node import running, until

pytestmark = pytest.mark.anyio


class _SlowStore(MemoryStore):
    """A disk that a test can hold up, and that remembers its transactions."""

    def __init__(self) -> None:
        super().__init__()
        self.transactions: list[int] = []
        self.go = threading.Event()
        self.go.set()

    def commit(self, rows: Sequence[Row]) -> None:
        """Makes these rows durable, once it may."""
        assert self.go.wait(10.0)
        super().commit(rows)
        self.transactions.append(len(rows))


def _store(kind: type[MemoryStore] = MemoryStore) -> MemoryStore:
    store = kind()
    other = identity(B)
    store.commit([MemberRow(machine=B, key_id=other.key.key_id, leaf=other.leaf, issuer=other.issuer)])
    return store


def _mail(store: MemoryStore) -> int:
    return len(store.entries(A, 1, MAIL, 2, count_max=999, bytes_max=10**7))


async def test_a_request_is_answered_once_it_is_durable() -> None:
    store = _store()
    async with running(identity(A), store) as node:
        await node.performer.request(message("machine-b"))
        assert _mail(store) == 1


async def test_a_refusal_is_raised_with_its_words() -> None:
    async with running(identity(A), _store()) as node:
        with pytest.raises(RoosyncError) as caught:
            await node.performer.request(message("machine-z"))
        assert caught.value.code == "unknown_recipient"


async def test_what_gathers_while_the_disk_is_busy_becomes_one_transaction() -> None:
    store = _store(_SlowStore)
    assert isinstance(store, _SlowStore)
    async with running(identity(A), store) as node:
        await until(lambda: node.performer.core.authorship.phase.value == "ready")
        await node.performer.request(message("machine-b"))
        store.go.clear()
        store.transactions.clear()
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(node.performer.request, message("machine-b"))
            await anyio.sleep(0.05)
            store.go.set()
        assert _mail(store) == 51
        assert len(store.transactions) <= 5


async def test_what_nobody_waits_for_is_written_with_what_comes_next_or_after_a_moment() -> None:
    store = _store(_SlowStore)
    assert isinstance(store, _SlowStore)
    async with running(identity(A), store) as node:
        await until(lambda: node.performer.core.authorship.phase.value == "ready")
        await node.performer.request(message("machine-b"))
        await node.performer.flushed()
        desk, row = node.performer.core.desk, MetaRow(key="test.lingers", value=b"1")
        store.transactions.clear()
        desk.persist(row, lingers=True)
        node.performer.feed(Tick())
        await node.performer.request(message("machine-b"))
        assert store.load().meta["test.lingers"] == b"1"
        assert len(store.transactions) == 1
        desk.persist(MetaRow(key="test.lingers", value=b"2"), lingers=True)
        node.performer.feed(Tick())
        await until(lambda: store.load().meta["test.lingers"] == b"2")
        desk.persist(MetaRow(key="test.lingers", value=b"3"), lingers=True)
        node.performer.feed(Tick())
        await node.performer.flushed()
        assert store.load().meta["test.lingers"] == b"3"


async def test_a_disk_that_takes_nothing_keeps_nobody_from_reading_it_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FLUSH_S", 0.05)
    store = _store(_SlowStore)
    assert isinstance(store, _SlowStore)
    async with running(identity(A), store) as node:
        await node.performer.request(message("machine-b"))
        store.go.clear()
        node.performer.core.desk.persist(MetaRow(key="test.lingers", value=b"1"), lingers=True)
        node.performer.feed(Tick())
        with anyio.fail_after(5.0):
            await node.performer.flushed()
        assert "test.lingers" not in store.load().meta
        store.go.set()


async def test_a_disk_that_fails_is_told_to_who_waits_and_nothing_is_lost() -> None:
    store = _store()
    async with running(identity(A), store) as node:
        await node.performer.request(message("machine-b", "before"))
        store.fault = StoreError("the disk is full", code="disk_full", remedy="make room")
        with pytest.raises(EnvironmentFault) as caught:
            await node.performer.request(message("machine-b", "during", key="k"))
        assert caught.value.code == "disk_full"
        assert "stored when the disk recovers" in caught.value.message
        assert _mail(store) == 1
        store.fault = None
        await until(lambda: _mail(store) == 2)
        await until(lambda: [event.data["ok"] for event in node.told if event.event == "store"] == [False, True])


async def test_while_the_disk_fails_new_requests_are_refused_and_nothing_is_done() -> None:
    store = _store()
    async with running(identity(A), store) as node:
        await node.performer.request(message("machine-b"))
        store.fault = StoreError("the disk is full", code="disk_full", remedy="make room")
        with pytest.raises(EnvironmentFault):
            await node.performer.request(message("machine-b"))
        with pytest.raises(EnvironmentFault) as caught:
            await node.performer.request(message("machine-b"))
        assert "nothing was done" in caught.value.message
        store.fault = None
        await until(lambda: _mail(store) == 2)


async def test_a_retry_after_the_disk_recovered_is_the_same_message() -> None:
    store = _store()
    async with running(identity(A), store) as node:
        await node.performer.request(message("machine-b"))
        store.fault = StoreError("the disk is full", code="disk_full", remedy="make room")
        with pytest.raises(EnvironmentFault):
            await node.performer.request(message("machine-b", key="k"))
        store.fault = None
        await until(lambda: _mail(store) == 2)
        await until(lambda: node.performer.core.requests.store_fault is None)
        await node.performer.request(message("machine-b", key="k"))
        assert _mail(store) == 2


async def test_a_request_that_the_disk_does_not_take_in_time_says_so() -> None:
    store = _store(_SlowStore)
    assert isinstance(store, _SlowStore)
    async with running(identity(A), store) as node:
        await node.performer.request(message("machine-b"))
        store.go.clear()
        with pytest.raises(EnvironmentFault) as caught:
            await node.performer.request(message("machine-b"), timeout_s=0.05)
        assert caught.value.code == "not_durable"
        store.go.set()


async def test_events_are_told_after_what_they_report_is_durable() -> None:
    store = _store(_SlowStore)
    assert isinstance(store, _SlowStore)
    async with running(identity(A), store) as node:
        await node.performer.request(message("machine-b"))
        store.go.clear()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(node.performer.request, message("machine-a"))
            await anyio.sleep(0.05)
            assert [event for event in node.told if event.event == "message"] == []
            store.go.set()
        assert len([event for event in node.told if event.event == "message"]) == 1


async def test_an_orderly_end_waits_for_the_last_writes() -> None:
    store = _store()
    async with running(identity(A), store) as node:
        sent = await node.performer.request(message("machine-a"))
        async with anyio.create_task_group() as tasks:
            entry = bytes.fromhex(str(sent["entry"]))
            read = MarkRead(message=entry, author=A, workspaces=("",))  # type: ignore[arg-type]  # an entry id
            tasks.start_soon(node.performer.request, read)
    assert [row.status for row in store.deliveries(entry)] == ["read"]  # type: ignore[arg-type]  # an entry id
    assert node.performer.stop_reason == "the test is over"


async def test_a_node_that_starts_again_has_a_higher_start_number() -> None:
    store = _store()
    starts = []
    for _ in range(2):
        async with running(identity(A), store) as node:
            await node.performer.request(message("machine-b"))
            starts.append(node.performer.core.authorship.start)
    assert starts == [1, 2]
