"""Whatever a core writes, the store in memory and the store on disk answer every read alike."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_p2p.adapters.sqlite import SqliteStore
from roosync_p2p.core.memory_store import MemoryStore
from roosync_p2p.core.ports import AgedQuery, InboxQuery, SearchQuery, Store
from roosync_p2p.core.rows import Loaded, Row
from roosync_p2p.core.store_rules import PromiseBroken
from roosync_p2p.ids import CommitNumber, LogIndex
from tests.conformance.order_rows import ORDER_KEYS, SIDE_IDS, order_groups
from tests.conformance.store_rows import AUTHORS, CHAINS, MESSAGE_IDS, THREADS, WORKSPACES, entry_id, row_groups

# Batches as a core may write them: replayed, overlapping, in any order that the contract allows.
row_batches: st.SearchStrategy[list[list[Row]]] = st.lists(
    st.lists(row_groups | order_groups, max_size=8).map(lambda groups: [row for group in groups for row in group]),
    max_size=6,
)


def loaded(store: Store) -> Loaded | str:
    """What a core starts from, or that there is a gap."""
    try:
        return store.load()
    except PromiseBroken:
        return "a gap"


def order_answers(store: Store) -> Iterator[tuple[str, object]]:
    """The reads of the one order."""
    ids = [*SIDE_IDS, *(entry_id(author, CHAINS[0], number) for author in AUTHORS for number in range(4))]
    yield "ordered entries", store.ordered_entries(ids)
    yield from (("commit of", store.commit_of(entry)) for entry in ids)
    yield from ((f"order key {key}", store.order_key(key)) for key in ORDER_KEYS)
    for first, count in itertools.product(range(7), (-1, 0, 2, 100)):
        yield f"commits from {first}", store.commits(CommitNumber(first), count)
        yield f"leaves from {first}", store.leaves(CommitNumber(first), count)
        yield f"log from {first}", store.log_items(LogIndex(first), count, 12)


def answers(store: Store) -> Iterator[tuple[str, object]]:
    """Every read, with arguments that cover the names that the random rows use."""
    yield "load", loaded(store)
    yield "invites", store.invites()
    yield from order_answers(store)
    for author, chain, first in itertools.product(AUTHORS, CHAINS, (1, 3)):
        yield "entries", store.entries(author, 1, chain, first, count_max=3, bytes_max=20)
        for number in range(7):
            entry = entry_id(author, chain, number)
            yield "entry", store.entry(entry)
            yield "message", store.message(entry)
            yield "deliveries", store.deliveries(entry)
            yield "receipts", store.receipts(entry)
            yield "amendments", store.amendments(entry)
            yield "kept", store.kept(entry)
    yield from ((f"messages {name}", store.messages(name)) for name in MESSAGE_IDS)
    yield from ((f"thread {name}", store.thread(name)) for name in THREADS)
    yield from ((f"idempotency {key}", store.idempotency(key)) for key in ("k1", "k2"))
    workspaces: tuple[tuple[str, ...] | None, ...] = (None, WORKSPACES[:1], WORKSPACES[1:])
    statuses = ("unread", "read", "archived", None, "all")
    for query in (
        InboxQuery(workspaces=workspace, status=status, sender=sender, thread_id=thread, limit=2)
        for workspace in workspaces
        for status in statuses
        for sender in (None, AUTHORS[0])
        for thread in (None, THREADS[0])
    ):
        page = store.inbox(query)
        yield f"{query}", page
        if page.next is not None:
            yield f"next of {query}", store.inbox(InboxQuery(status=query.status, before=page.next))


def mail_answers(store: Store) -> Iterator[tuple[str, object]]:
    """The filters of the inbox, and searches."""
    for changes in (
        {"priority": "HIGH"},
        {"type": "task"},
        {"tag": "a"},
        {"tag": "épargne", "workspaces": WORKSPACES[:2]},
        {"since_ms": 1},
        {"until_ms": 1, "type": "text"},
        {"tag": "a", "since_ms": 0, "until_ms": 1, "sender": AUTHORS[0], "thread_id": THREADS[0]},
    ):
        query = InboxQuery(status="all", limit=2, **changes)
        page = store.inbox(query)
        yield f"{query}", page
        if page.next is not None:
            yield f"next of {query}", store.inbox(dataclasses.replace(query, before=page.next))
    for at_ms, cited in itertools.product((0, 1, 3), ((), MESSAGE_IDS[:1])):
        yield (
            f"aged {at_ms}",
            store.aged(
                AgedQuery(
                    mine=AUTHORS[0],
                    read_ms=at_ms,
                    unread_ms=at_ms,
                    shown_ms=at_ms,
                    archived_ms=at_ms,
                    elsewhere_ms=1_700_000_000_000 + at_ms,
                    cited=cited,
                    limit=2,
                )
            ),
        )
    for words in (
        "reunion",
        "REUN*",
        "été",
        "sujet aé",
        "la-reunion",
        "epargne",
        "deux-mots",
        "d",
        "9",
        "²",
        "œ",
        "ss",
    ):
        found = store.search(SearchQuery(words=words, mine=AUTHORS[1], limit=1))
        yield f"search {words}", found
        if found.next is not None:
            yield f"next of {words}", store.search(SearchQuery(words=words, mine=AUTHORS[1], before=found.next))


@settings(max_examples=80)
@given(row_batches)
def test_both_stores_answer_every_read_alike(batches: list[list[Row]]) -> None:
    memory = MemoryStore()
    with tempfile.TemporaryDirectory() as folder:
        disk = SqliteStore.open(Path(folder) / "node.db")
        try:
            for rows in batches:
                memory.commit(rows)
                disk.commit(rows)
            pairs = itertools.chain(
                zip(answers(memory), answers(disk), strict=True),
                zip(mail_answers(memory), mail_answers(disk), strict=True),
            )
            for (question, expected), (_, found) in pairs:
                assert found == expected, question
            disk.check()
        finally:
            disk.close()
