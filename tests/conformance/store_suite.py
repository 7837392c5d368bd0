"""What every store promises (docs/protocol/store.md §3); inherit it and say in ``reopen`` how yours is opened.

    class TestMyStore(StoreSuite):
        @pytest.fixture
        def reopen(self) -> Iterator[Reopen]: ...

``reopen()`` opens the store of this test, and closes the one that was open before, so that what a test reads after it
comes from where it is durable.
"""

from __future__ import annotations

import dataclasses
import itertools
import threading

import pytest

from roosync_p2p import limits
from roosync_p2p.core.ports import InboxPage, InboxQuery
from roosync_p2p.core.rows import (
    AddressRow,
    ChainCutRow,
    ChainFloorRow,
    ForkRow,
    IdempotencyRow,
    InviteRow,
    MemberRow,
    MetaRow,
    PendingRow,
    ReceiptRow,
    RecordRow,
)
from roosync_p2p.core.store_rules import PromiseBroken
from roosync_p2p.errors import StoreError, UsageError
from roosync_p2p.ids import EntryId, KeyId
from tests.conformance.mail_suite import MailSuite
from tests.conformance.order_suite import OrderSuite, Reopen
from tests.conformance.store_rows import AUTHORS, CHAINS, delivery, entry, entry_id, mail, message

__all__ = ["Reopen", "StoreSuite"]

A, B = AUTHORS
MAIL, LEDGER = CHAINS
_KINDS = ("chain.start", "receipt", "message", "amendment", "receipt", "note")
LIMITS = {"count_max": 100, "bytes_max": 1 << 20}


def subjects(page: InboxPage) -> list[int]:
    """The numbers of the messages on a page."""
    return [int(item.message.message_id[-6:]) for item in page.items]


class StoreSuite(MailSuite, OrderSuite):
    """The tests of the contract; see the module."""

    # --- commits ------------------------------------------------------------------------------------------------

    def test_a_new_store_is_empty(self, reopen: Reopen) -> None:
        loaded = reopen().load()
        assert loaded.meta == {}
        assert all(not getattr(loaded, field.name) for field in dataclasses.fields(loaded))

    def test_what_was_committed_is_there_after_reopening(self, reopen: Reopen) -> None:
        reopen().commit([MetaRow(key="start", value=b"1"), *mail(1)])
        store = reopen()
        assert store.load().meta == {"start": b"1"}
        assert store.entry(entry(1).id) == entry(1)
        assert store.message(entry(1).id) == message(1)
        assert store.deliveries(entry(1).id) == [delivery(1, at_ms=1)]

    def test_committing_the_same_rows_again_changes_nothing(self, reopen: Reopen) -> None:
        store = reopen()
        rows = [MetaRow(key="start", value=b"1"), *mail(1), *mail(2, "URGENT", "w")]
        store.commit(rows)
        before = (store.load(), store.inbox(InboxQuery()))
        store.commit(rows)
        assert (store.load(), store.inbox(InboxQuery())) == before

    def test_an_empty_commit_is_allowed(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([])
        assert store.load().meta == {}

    def test_a_commit_that_breaks_a_promise_leaves_nothing_behind(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([entry(1)])
        forged = dataclasses.replace(entry(1), id=entry_id("forged"))
        with pytest.raises(PromiseBroken):
            store.commit([MetaRow(key="start", value=b"1"), entry(2), *mail(1, "HIGH"), forged])
        assert store.load().meta == {}
        assert store.entry(entry(2).id) is None
        assert store.inbox(InboxQuery()).items == ()
        store.commit([entry(2), *mail(3)])
        assert store.load().chains[0].ids == entry(1).id + entry(2).id + entry(3).id

    def test_a_closed_store_refuses_and_may_be_closed_again(self, reopen: Reopen) -> None:
        store = reopen()
        store.close()
        store.close()
        for use in (store.load, lambda: store.commit([]), lambda: store.entry(entry(1).id)):
            with pytest.raises(StoreError) as caught:
                use()
            assert caught.value.code == "store_closed"

    def test_reads_come_from_many_threads_while_commits_go_on(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit(mail(1))
        seen: list[bool] = []

        def read() -> None:
            for _ in range(50):
                run = store.entries(A, 1, MAIL, 1, **LIMITS)
                numbers = [row.sequence for row in run]
                seen.append(numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= 1)

        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        for number in range(2, 40):
            store.commit(mail(number))
        for thread in threads:
            thread.join(timeout=30)
        assert len(seen) == 300
        assert all(seen)

    # --- entries ------------------------------------------------------------------------------------------------

    def test_a_chain_is_loaded_as_its_ids_in_sequence(self, reopen: Reopen) -> None:
        reopen().commit([entry(3), entry(1), entry(2), entry(7, B, LEDGER)])
        heads = reopen().load().chains
        assert [(head.author, head.chain, head.floor) for head in heads] == [(A, MAIL, 1), (B, LEDGER, 7)]
        assert heads[0].ids == b"".join(entry(number).id for number in (1, 2, 3))

    def test_a_chain_with_a_gap_is_not_loaded(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([entry(1), entry(3)])
        with pytest.raises(PromiseBroken):
            store.load()

    def test_incarnations_are_different_chains(self, reopen: Reopen) -> None:
        store = reopen()
        second = dataclasses.replace(entry(1), incarnation=2, id=entry_id("second"))
        store.commit([entry(1), second])
        assert [head.incarnation for head in store.load().chains] == [1, 2]
        assert store.entries(A, 2, MAIL, 1, **LIMITS) == [second]

    def test_the_first_writing_of_an_entry_stays(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([entry(1)])
        store.commit([dataclasses.replace(entry(1), received_ms=9, body=None)])
        assert store.entry(entry(1).id) == entry(1)

    def test_an_entry_does_not_move_to_another_place(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([entry(1)])
        with pytest.raises(PromiseBroken):
            store.commit([dataclasses.replace(entry(1), sequence=2)])

    def test_a_dropped_body_is_none_and_an_empty_one_is_not(self, reopen: Reopen) -> None:
        reopen().commit([dataclasses.replace(entry(1), body=None), entry(2, body=b"")])
        assert [row.body for row in reopen().entries(A, 1, MAIL, 1, **LIMITS)] == [None, b""]

    def test_a_run_begins_where_asked_and_ends_at_a_gap(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([entry(number) for number in (1, 2, 3, 5)])
        assert store.entries(A, 1, MAIL, 2, **LIMITS) == [entry(2), entry(3)]
        assert store.entries(A, 1, MAIL, 4, **LIMITS) == []
        assert store.entries(A, 1, MAIL, 6, **LIMITS) == []
        assert store.entries(B, 1, MAIL, 1, **LIMITS) == []

    def test_a_run_keeps_its_bounds_but_holds_one_entry_at_least(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([entry(number, body=b"x" * 1000) for number in range(1, 6)])
        size = len(entry(1).header) + 1000
        assert len(store.entries(A, 1, MAIL, 1, count_max=3, bytes_max=1 << 20)) == 3
        assert len(store.entries(A, 1, MAIL, 1, count_max=9, bytes_max=2 * size)) == 2
        assert len(store.entries(A, 1, MAIL, 1, count_max=9, bytes_max=2 * size - 1)) == 1
        assert len(store.entries(A, 1, MAIL, 1, count_max=9, bytes_max=1)) == 1

    # --- small facts --------------------------------------------------------------------------------------------

    def test_a_meta_row_replaces_and_none_removes(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([MetaRow(key="a", value=b"1"), MetaRow(key="b", value=b"")])
        store.commit([MetaRow(key="a", value=b"2"), MetaRow(key="b", value=None), MetaRow(key="c", value=None)])
        assert reopen().load().meta == {"a": b"2"}

    def test_the_later_certificate_of_a_member_replaces(self, reopen: Reopen) -> None:
        rows = [MemberRow(machine=A, key_id=KeyId(b"k" * 32), leaf=leaf, issuer=b"i") for leaf in (b"1", b"2")]
        reopen().commit(rows)
        assert reopen().load().members == (rows[1],)

    def test_only_a_newer_record_replaces(self, reopen: Reopen) -> None:
        def record(start: int, counter: int, envelope: bytes) -> RecordRow:
            return RecordRow(kind="k", author=A, subject="", start=start, counter=counter, envelope=envelope)

        store = reopen()
        for start, counter, envelope in ((1, 5, b"first"), (1, 5, b"same"), (1, 4, b"older"), (0, 9, b"start before")):
            store.commit([record(start, counter, envelope)])
        assert store.load().records == (record(1, 5, b"first"),)
        store.commit([record(2, 1, b"next start")])
        assert reopen().load().records == (record(2, 1, b"next start"),)

    def test_entries_that_leave_their_chain_are_kept_and_may_come_back(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([*mail(1), *mail(2), *mail(3)])
        other = dataclasses.replace(entry(2), id=entry_id("other branch"))
        store.commit([ChainCutRow(author=A, incarnation=1, chain=MAIL, first=2), other])
        store = reopen()
        assert store.load().chains[0].ids == entry(1).id + other.id
        assert [row.id for row in store.entries(A, 1, MAIL, 1, **LIMITS)] == [entry(1).id, other.id]
        assert store.entry(entry(3).id) == entry(3)
        assert store.message(entry(2).id) == message(2)
        with pytest.raises(PromiseBroken):
            store.commit([entry(2)])
        store.commit([ChainCutRow(author=A, incarnation=1, chain=MAIL, first=2), entry(2), entry(3)])
        store = reopen()
        assert store.load().chains[0].ids == entry(1).id + entry(2).id + entry(3).id
        store.commit([ChainCutRow(author=A, incarnation=1, chain=MAIL, first=1)])
        assert reopen().load().chains == ()

    def test_below_a_floor_only_messages_and_amendments_are_found(self, reopen: Reopen) -> None:
        rows = [dataclasses.replace(entry(n), kind=kind) for n, kind in enumerate(_KINDS, 1)]
        floor = ChainFloorRow(author=A, incarnation=1, chain=MAIL, first=5)
        store = reopen()
        store.commit([*rows, message(3), delivery(3)])
        store.commit([dataclasses.replace(entry(9), author=B, id=entry_id("of B")), entry(1, chain=LEDGER)])
        store.commit([floor])
        store = reopen()
        (of_b, ledger, mail_of_a) = sorted(store.load().chains, key=lambda run: (run.author == A, run.chain))
        assert (mail_of_a.floor, mail_of_a.ids) == (5, rows[4].id + rows[5].id)
        assert (of_b.floor, ledger.floor) == (9, 1)
        assert [store.entry(row.id) is not None for row in rows] == [False, False, True, True, True, True]
        assert store.entries(A, 1, MAIL, 1, **LIMITS) == []
        assert store.message(message(3).entry) == message(3)
        assert len(store.inbox(InboxQuery()).items) == 1
        store.commit([floor, dataclasses.replace(entry(7), kind="note")])
        assert [row.sequence for row in reopen().entries(A, 1, MAIL, 5, **LIMITS)] == [5, 6, 7]
        skipped = ChainFloorRow(author=A, incarnation=1, chain=MAIL, first=20)
        reopen().commit([skipped, dataclasses.replace(entry(20), kind="note")])
        assert [run.floor for run in reopen().load().chains if (run.author, run.chain) == (A, MAIL)] == [20]

    def test_forks_are_kept_once_each(self, reopen: Reopen) -> None:
        forks = [
            ForkRow(author=A, incarnation=1, chain=MAIL, sequence=1, first=b"1", second=second)
            for second in (b"2", b"3", b"2")
        ]
        reopen().commit(forks)
        assert reopen().load().forks == (forks[0], forks[1])

    def test_invites_are_replaced_and_removed(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([InviteRow(invite_id=b"1", data=b"new"), InviteRow(invite_id=b"2", data=b"new")])
        store.commit([InviteRow(invite_id=b"1", data=b"used"), InviteRow(invite_id=b"2", data=None)])
        left = InviteRow(invite_id=b"1", data=b"used")
        assert store.invites() == [left]
        assert reopen().load().invites == (left,)

    def test_pending_entries_keep_their_order_until_they_are_removed(self, reopen: Reopen) -> None:
        rows = [PendingRow(number=number, kind="fleet.found", body=b"%d" % number) for number in (2, 1, 3)]
        store = reopen()
        store.commit(rows)
        assert [row.number for row in store.load().pending] == [1, 2, 3]
        store.commit([PendingRow(number=1, kind="fleet.found", body=None)])
        assert [row.number for row in reopen().load().pending] == [2, 3]

    def test_the_newest_addresses_of_a_machine_are_kept(self, reopen: Reopen) -> None:
        most = limits.ADDRESSES_PER_MACHINE_MAX
        store = reopen()
        store.commit([AddressRow(machine=A, address=f"10.0.0.{n}:1", seen_ms=n) for n in range(most + 4)])
        store.commit(
            [AddressRow(machine=A, address="10.0.0.9:1", seen_ms=1), AddressRow(machine=B, address="b:1", seen_ms=0)]
        )
        kept = reopen().load().addresses
        assert [row.seen_ms for row in kept if row.machine == A] == list(range(most + 3, 3, -1))
        assert [row.address for row in kept if row.machine == B] == ["b:1"]

    def test_the_first_answer_to_a_request_key_stays(self, reopen: Reopen) -> None:
        first = IdempotencyRow(key="k", request=b"1", entry=entry_id(1), message_id=message(1).message_id)
        store = reopen()
        store.commit([first])
        store.commit([dataclasses.replace(first, request=b"2")])
        assert store.idempotency("k") == first
        assert store.idempotency("other") is None

    # --- messages -----------------------------------------------------------------------------------------------

    def test_two_machines_may_have_drawn_the_same_message_id(self, reopen: Reopen) -> None:
        store = reopen()
        twin = dataclasses.replace(message(1, author=B), message_id=message(1).message_id)
        store.commit([message(1), twin, message(2)])
        assert {row.entry for row in store.messages(message(1).message_id)} == {message(1).entry, twin.entry}

    def test_a_thread_is_read_oldest_first(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([message(3), message(1), message(2, thread="t-2"), message(4, author=B)])
        assert [row.time_ms % 10 for row in store.thread("t-1")] == [1, 3, 4]
        assert store.thread("t-9") == []

    def test_a_delivery_written_again_keeps_its_arrival(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([message(1), delivery(1, at_ms=5)])
        store.commit([delivery(1, status="read", at_ms=9)])
        assert reopen().deliveries(message(1).entry) == [
            dataclasses.replace(delivery(1, status="read", at_ms=9), arrived_ms=5)
        ]

    def test_a_delivery_may_stand_before_its_message_in_a_commit(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([delivery(1), message(1)])
        assert subjects(store.inbox(InboxQuery())) == [1]

    def test_a_delivery_without_its_message_breaks_a_promise(self, reopen: Reopen) -> None:
        store = reopen()
        with pytest.raises(PromiseBroken):
            store.commit([delivery(1)])

    def test_the_furthest_receipt_stays(self, reopen: Reopen) -> None:
        def receipt(state: str, time_ms: int, workspace: str = "") -> ReceiptRow:
            return ReceiptRow(message=EntryId(b"m"), reader=B, workspace=workspace, state=state, time_ms=time_ms)

        store = reopen()
        store.commit([receipt("read", 1), receipt("read", 2), receipt("read", 1, "w")])
        assert store.receipts(EntryId(b"m")) == [receipt("read", 1), receipt("read", 1, "w")]
        store.commit([receipt("acted", 3), receipt("read", 4), receipt("declined", 5)])
        assert reopen().receipts(EntryId(b"m"))[0] == receipt("acted", 3)

    def test_an_unknown_receipt_breaks_a_promise(self, reopen: Reopen) -> None:
        store = reopen()
        with pytest.raises(PromiseBroken):
            store.commit([ReceiptRow(message=EntryId(b"m"), reader=B, workspace="", state="eaten", time_ms=1)])

    # --- inbox --------------------------------------------------------------------------------------------------

    def test_urgent_and_high_come_first_then_the_newest(self, reopen: Reopen) -> None:
        store = reopen()
        for number, priority in enumerate(["URGENT", "LOW", "HIGH", "MEDIUM", "URGENT"]):
            store.commit(mail(number, priority))
        assert subjects(store.inbox(InboxQuery())) == [4, 2, 0, 3, 1]

    def test_arrival_is_counted_and_not_timed(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([message(1), delivery(1, at_ms=1_000)])
        store = reopen()
        store.commit([message(2), delivery(2, at_ms=10)])
        assert subjects(store.inbox(InboxQuery())) == [2, 1]

    @pytest.mark.parametrize("status", ["unread", "read", "archived", None, "all"])
    def test_pages_follow_each_other_without_gap_or_overlap(self, reopen: Reopen, status: str | None) -> None:
        store = reopen()
        states = itertools.cycle(["unread", "read", "archived", "unread"])
        for number, state in zip(range(23), states, strict=False):
            priority = "HIGH" if number % 3 == 0 else "LOW"
            store.commit([message(number, priority), delivery(number, ("", "w")[number % 2], state)])
        query = InboxQuery(status=status, limit=200)
        everything = subjects(store.inbox(query))
        found: list[int] = []
        before = None
        for _ in range(30):
            page = store.inbox(dataclasses.replace(query, limit=2, before=before))
            found += subjects(page)
            before = page.next
            if before is None:
                break
        assert found == everything
        assert len(set(found)) == len(found)

    def test_what_arrives_while_paging_does_not_shift_the_next_page(self, reopen: Reopen) -> None:
        store = reopen()
        for number in range(6):
            store.commit(mail(number))
        first = store.inbox(InboxQuery(limit=3))
        store.commit(mail(6))
        assert subjects(first) == [5, 4, 3]
        assert subjects(store.inbox(InboxQuery(limit=3, before=first.next))) == [2, 1, 0]

    def test_a_page_that_is_just_full_has_no_next(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([*mail(1), *mail(2)])
        assert store.inbox(InboxQuery(limit=2)).next is None

    def test_the_filters_narrow_and_combine(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([message(1), delivery(1, "w"), delivery(1, "v")])
        store.commit([message(2, author=B, thread="t-2"), delivery(2, "w", author=B)])
        store.commit([message(3), delivery(3, "")])

        def found(**filters: object) -> list[tuple[int, str]]:
            page = store.inbox(dataclasses.replace(InboxQuery(), **filters))  # type: ignore[arg-type]  # by name
            return [(int(item.message.message_id[-2:]), item.delivery.workspace) for item in page.items]

        assert found(workspaces=("w",)) == [(2, "w"), (1, "w")]
        assert found(workspaces=("w", "", "w")) == [(3, ""), (2, "w"), (1, "w")]
        assert found(workspaces=()) == []
        assert found(sender=B) == [(2, "w")]
        assert found(thread_id="t-1") == [(3, ""), (1, "v"), (1, "w")]
        assert found(thread_id="t-1", workspaces=("w",), sender=A) == [(1, "w")]
        assert found(thread_id="t-2", sender=A) == []

    def test_unread_counts_the_inboxes_and_not_the_page(self, reopen: Reopen) -> None:
        store = reopen()
        for number in range(5):
            store.commit([message(number), delivery(number, "w" if number else "")])
        store.commit([delivery(1, "w", "read"), delivery(2, "w", "archived")])
        assert store.inbox(InboxQuery(limit=1)).unread == 3
        assert store.inbox(InboxQuery(workspaces=("w", "w"), status="read")).unread == 2
        store.commit([delivery(1, "w", "unread"), delivery(3, "w", "unread")])
        assert reopen().inbox(InboxQuery(workspaces=("w",), sender=B)).unread == 3
        assert reopen().inbox(InboxQuery(workspaces=("nowhere",))).unread == 0

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            (InboxQuery(before="x"), "bad_cursor"),
            (InboxQuery(before="-1"), "bad_cursor"),
            (InboxQuery(before="9" * 19), "bad_cursor"),
            (InboxQuery(before="٣"), "bad_cursor"),
            (InboxQuery(status="eaten"), "bad_status"),
            (InboxQuery(limit=0), "bad_limit"),
            (InboxQuery(limit=limits.INBOX_PAGE_MAX + 1), "bad_limit"),
        ],
    )
    def test_a_bad_query_is_refused_with_its_code(self, reopen: Reopen, query: InboxQuery, code: str) -> None:
        store = reopen()
        with pytest.raises(UsageError) as caught:
            store.inbox(query)
        assert caught.value.code == code
