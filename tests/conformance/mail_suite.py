"""What every store promises about the mailbox beside messages and receipts (store.md §3.5); part of ``store_suite``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TypeAlias

import pytest

from roosync_p2p import limits
from roosync_p2p.core.mail_rows import (
    AmendmentRow,
    AttachmentRow,
    BodyDropRow,
    FetchedRow,
    KeptRow,
    WatchRow,
    WordsRow,
)
from roosync_p2p.core.ports import Aged, AgedQuery, InboxQuery, SearchQuery, Store
from roosync_p2p.core.rows import DeliveryRow, MessageRow, ReceiptRow
from roosync_p2p.entries.entry import MAIL
from roosync_p2p.errors import UsageError
from tests.conformance.store_rows import AUTHORS, CHAINS, delivery, entry, entry_id, message

__all__ = ["MailSuite", "Reopen"]

Reopen: TypeAlias = Callable[[], Store]

A, B = AUTHORS[:2]


def words(number: int, body: str, *, sequence: int = 1, session: str = "", author: str = A) -> WordsRow:
    """The body of ``message(number)``."""
    return WordsRow(
        message=entry_id(A, entry(1).chain, number),
        author=author,  # type: ignore[arg-type]  # a name of the test
        session=session,
        incarnation=1,
        sequence=sequence,
        body=body,
    )


def amendment(number: int, sequence: int, *, session: str = "", author: str = A) -> AmendmentRow:
    """Of ``message(number)``."""
    return AmendmentRow(
        entry=entry(sequence).id,
        message=message(number).entry,
        author=author,  # type: ignore[arg-type]  # a name of the test
        session=session,
        incarnation=1,
        sequence=sequence,
        time_ms=sequence,
    )


def found(store: Store, text: str, *, mine: str = A, limit: int = 50, before: str | None = None) -> list[int]:
    """Numbers of the messages that a search finds."""
    page = store.search(SearchQuery(words=text, mine=mine, limit=limit, before=before))  # type: ignore[arg-type]  # name
    return [int(row.message_id[-6:]) for row in page.messages]


def aged(store: Store, *, cited: tuple[str, ...] = (), limit: int = 9, **times: int) -> Aged:
    """What retention finds; times that are not given are before everything."""
    names = ("read_ms", "unread_ms", "shown_ms", "archived_ms", "elsewhere_ms")
    return store.aged(AgedQuery(mine=A, cited=cited, limit=limit, **{name: times.get(name, -1) for name in names}))


def _numbers(rows: Iterable[DeliveryRow]) -> list[int]:
    numbers = {entry_id(A, entry(1).chain, number): number for number in range(10)}
    return [numbers[row.entry] for row in rows]


class MailSuite:
    """The tests of the contract; see the module."""

    def test_a_message_comes_back_with_all_that_its_sender_said(self, reopen: Reopen) -> None:
        said = dataclasses.replace(
            message(1), expires_ms=5, ack_by_ms=6, escalate="machine-b", session="s", sealed=True
        )
        reopen().commit([said])
        assert reopen().message(said.entry) == said

    def test_sealed_messages_are_known_as_long_as_they_have_a_body(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([message(1), *(dataclasses.replace(message(n), sealed=True) for n in (2, 3))])
        assert reopen().sealed() == sorted(message(n).entry for n in (2, 3))
        reopen().commit([BodyDropRow(message=message(2).entry)])
        assert reopen().sealed() == [message(3).entry]

    def test_what_a_message_cites_and_who_has_it_is_loaded_until_its_body_goes(self, reopen: Reopen) -> None:
        first, second = message(1), dataclasses.replace(message(2), expires_ms=7)
        rows = [AttachmentRow(message=first.entry, number=n, digest=bytes([n]) * 32, size=n) for n in (1, 0, 1)]
        other = AttachmentRow(message=second.entry, number=0, digest=bytes(32), size=9)
        told = [FetchedRow(message=m.entry, machine=machine) for m in (first, second) for machine in (B, A, B)]
        reopen().commit([*rows, *told, first, second, other])
        reopen().commit(rows[:1])
        loaded = reopen().load()
        assert {cited.message: (cited.author, cited.to, cited.expires_ms, cited.blobs) for cited in loaded.cited} == {
            first.entry: (A, first.to, 0, ((bytes(32), 0), (b"\x01" * 32, 1))),
            second.entry: (A, second.to, 7, ((bytes(32), 9),)),
        }
        assert [(row.message, row.machine) for row in loaded.fetched] == sorted({(r.message, r.machine) for r in told})
        reopen().commit([BodyDropRow(message=first.entry)])
        loaded = reopen().load()
        assert [cited.message for cited in loaded.cited] == [second.entry]
        assert {row.message for row in loaded.fetched} == {second.entry}

    def test_a_message_is_kept_until_it_is_kept_no_more(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([KeptRow(entry=message(1).entry, kept=True)] * 2)
        assert reopen().kept(message(1).entry)
        reopen().commit([KeptRow(entry=message(1).entry, kept=False)])
        assert not reopen().kept(message(1).entry)

    def test_the_mail_of_each_author_is_measured_as_it_is_kept(self, reopen: Reopen) -> None:
        assert reopen().mail_bytes() == {}
        rows = [entry(1), entry(2, body=b"x" * 1_000), entry(1, author=B), entry(1, author=B, chain=CHAINS[1])]
        mail = dict.fromkeys((A, B), 0)
        for row in rows:
            if row.chain == MAIL:
                mail[row.author] += len(row.header) + len(row.body or b"")
        reopen().commit([*rows, message(2)])
        assert reopen().mail_bytes() == {author: size for author, size in mail.items() if size}
        cited = [AttachmentRow(message=message(2).entry, number=n, digest=bytes(32), size=50) for n in (0, 1)]
        reopen().commit(cited)
        assert reopen().mail_bytes()[A] == mail[A] + 100
        reopen().commit([BodyDropRow(message=message(2).entry)])
        assert reopen().mail_bytes()[A] == mail[A] - 1_000

    def test_a_watch_is_replaced_and_removed(self, reopen: Reopen) -> None:
        store = reopen()
        rows = [WatchRow(entry=entry_id(number), data=b"1") for number in range(3)]
        store.commit([*rows, WatchRow(entry=entry_id(1), data=None), WatchRow(entry=entry_id(2), data=b"2")])
        kept = {row.entry: row.data for row in reopen().load().watches}
        assert kept == {entry_id(0): b"1", entry_id(2): b"2"}

    def test_an_amendment_counts_if_the_author_wrote_it_in_the_session_of_the_message(self, reopen: Reopen) -> None:
        said = dataclasses.replace(message(1), session="s")
        rows = [
            amendment(1, 5, session="s"),
            amendment(1, 4, session="s"),
            amendment(1, 3),
            amendment(1, 6, session="s", author=B),
        ]
        store = reopen()
        store.commit([*rows, *rows])
        assert store.amendments(said.entry) == []
        store.commit([said])
        assert [row.sequence for row in reopen().amendments(said.entry)] == [4, 5]

    def test_a_search_ignores_accents_and_capitals_and_wants_every_word(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([message(1), words(1, "Réunion à l'ÉCURIE, e\u0301te\u0301")])
        for text in ("reunion", "RÉUNION ecurie", "été", "objet 1 réunion", "reun*", "l'écurie"):
            assert found(store, text) == [1], text
        assert found(store, "reunion demain") == []
        assert found(store, "reun") == []

    def test_words_that_are_joined_stand_together(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([message(1), words(1, "config-sync"), message(2), words(2, "sync config")])
        assert found(store, "config-sync") == [1]
        assert found(store, "config sync") == [2, 1]

    def test_nothing_in_the_words_is_a_command_to_the_index(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([message(1), words(1, "a OR b")])
        for text in ("a OR b", "b OR a", '"a', "(a", "a)", "^a", "+ a", "a* b*"):
            assert found(store, text) == [1], text
        for text in ("a OR c", "a NOT b", "subject:a", "a^2", "NEAR(a b)", "{a b}: c"):
            assert found(store, text) == [], text

    def test_a_search_finds_subject_and_tags_too(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([message(7), words(7, "corps")])
        assert found(store, "objet") == found(store, "e") == found(store, "objet corps e") == [7]

    def test_only_messages_to_and_from_this_machine_are_found(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([message(1), words(1, "mot"), message(2), words(2, "mot"), delivery(2)])
        assert found(store, "mot") == [2, 1]
        assert found(store, "mot", mine=B) == [2]

    def test_the_pages_of_a_search_follow_each_other_newest_arrival_first(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([row for number in range(1, 6) for row in (message(number), words(number, "mot"))])
        page = store.search(SearchQuery(words="mot", mine=A, limit=2))
        assert page.next is not None
        assert found(store, "mot", limit=2) == [5, 4]
        store.commit([message(6), words(6, "mot")])
        assert found(store, "mot", before=page.next) == [3, 2, 1]

    def test_the_latest_body_of_its_author_is_what_is_found(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([message(1), words(1, "un"), words(1, "deux", sequence=3), words(1, "trois", sequence=2)])
        store.commit([words(1, "quatre", sequence=9, author=B), words(1, "cinq", sequence=9, session="s")])
        assert found(store, "deux") == [1]
        for text in ("un", "trois", "quatre", "cinq"):
            assert found(store, text) == [], text

    def test_a_dropped_body_is_gone_from_entry_amendments_and_search(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([entry(1), message(1), words(1, "un"), entry(2), amendment(1, 2), words(1, "deux", sequence=2)])
        store.commit([entry(3), amendment(1, 3, author=B)])
        store.commit([BodyDropRow(message=message(1).entry)])
        store = reopen()
        assert [row.body for row in store.entries(A, 1, entry(1).chain, 1, count_max=9, bytes_max=999)] == [
            None,
            None,
            b"body",
        ]
        assert found(store, "un") == found(store, "deux") == []
        assert found(store, "objet") == [1]
        store.commit([entry(1), words(1, "un")])
        kept = store.entry(entry(1).id)
        assert kept is not None
        assert kept.body is None

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"priority": "HIGH"}, [3]),
            ({"type": "task"}, [2]),
            ({"tag": "équipe"}, [3, 2]),
            ({"tag": "équipe", "type": "task"}, [2]),
            ({"tag": "équipe", "workspaces": ("w",)}, []),
            ({"since_ms": 1_700_000_000_002}, [3, 2]),
            ({"until_ms": 1_700_000_000_002}, [1]),
            ({"since_ms": 1_700_000_000_002, "until_ms": 1_700_000_000_003, "sender": A}, [2]),
        ],
    )
    def test_an_inbox_is_filtered(self, reopen: Reopen, filters: dict[str, object], expected: list[int]) -> None:
        store = reopen()
        said: list[MessageRow] = [
            message(1),
            dataclasses.replace(message(2), type="task", tags=("équipe",)),
            dataclasses.replace(message(3, "HIGH"), tags=("équipe", "équipe")),
        ]
        for number, row in enumerate(said, 1):
            store.commit([row, delivery(number)])
        page = store.inbox(InboxQuery(**filters))  # type: ignore[arg-type]  # by name
        assert [int(item.message.message_id[-6:]) for item in page.items] == expected
        store.commit([delivery(number, status="archived") for number in (1, 2, 3)])
        assert store.inbox(InboxQuery(**filters)).items == ()  # type: ignore[arg-type]  # by name
        archived = store.inbox(InboxQuery(status="archived", **filters))  # type: ignore[arg-type]  # by name
        assert [int(item.message.message_id[-6:]) for item in archived.items] == expected

    # --- age ----------------------------------------------------------------------------------------------------

    def test_what_was_read_long_ago_is_to_be_archived_and_nothing_newer(self, reopen: Reopen) -> None:
        store = reopen()
        for number, at_ms in ((1, 10), (2, 30), (3, 20)):
            store.commit([entry(number), message(number), delivery(number, status="read", at_ms=at_ms)])
        store.commit([message(4), delivery(4, at_ms=5)])
        assert _numbers(aged(store, read_ms=20).archive) == [1, 3]
        assert _numbers(aged(store, read_ms=20, limit=1).archive) == [1]
        assert aged(store).archive == ()

    def test_what_is_unread_expires_by_its_sending_and_not_on_its_first_day_here(self, reopen: Reopen) -> None:
        store = reopen()
        store.commit([message(1), delivery(1, at_ms=50), message(2, author=B), delivery(2, "w", at_ms=20, author=B)])
        sent_ms = message(2).time_ms
        found_ = aged(store, unread_ms=sent_ms, shown_ms=20).expire
        assert [(author, row.workspace) for author, row in found_] == [(B, "w")]
        assert aged(store, unread_ms=sent_ms - 1, shown_ms=99).expire == ((A, delivery(1, at_ms=50)),)

    def test_a_body_goes_when_every_inbox_has_archived_it_long_ago(self, reopen: Reopen) -> None:
        store = reopen()
        late_ms = message(9).time_ms
        store.commit([entry(1), message(1), delivery(1, status="archived", at_ms=late_ms)])
        store.commit([entry(2), message(2), delivery(2, status="archived", at_ms=late_ms), delivery(2, "w")])
        store.commit([entry(3), message(3), delivery(3, status="archived", at_ms=late_ms + 1)])
        assert aged(store, archived_ms=late_ms).drop == (message(1).entry,)
        store.commit([BodyDropRow(message=message(1).entry)])
        assert aged(reopen(), archived_ms=late_ms).drop == ()

    def test_a_body_stays_while_an_amendment_is_young(self, reopen: Reopen) -> None:
        store = reopen()
        late_ms = message(9).time_ms
        store.commit([entry(1), message(1), delivery(1, status="archived"), amendment(1, 2)])
        store.commit([dataclasses.replace(amendment(1, 3), time_ms=late_ms)])
        assert aged(store, archived_ms=late_ms - 1).drop == ()
        assert aged(store, archived_ms=late_ms).drop == (message(1).entry,)

    def test_a_body_that_is_in_no_inbox_here_goes_later(self, reopen: Reopen) -> None:
        store = reopen()
        received_ms = entry(1).received_ms
        store.commit([entry(1), message(1)])
        assert aged(store, archived_ms=2 * received_ms, elsewhere_ms=received_ms - 1).drop == ()
        assert aged(store, archived_ms=2 * received_ms, elsewhere_ms=received_ms).drop == (message(1).entry,)

    @pytest.mark.parametrize("exemption", ["kept", "cited", "task"])
    def test_some_messages_are_exempt(self, reopen: Reopen, exemption: str) -> None:
        store = reopen()
        ever = {"read_ms": 1 << 50, "unread_ms": 1 << 50, "shown_ms": 1 << 50, "archived_ms": 1 << 50}
        for number, status in ((1, "read"), (2, "unread"), (3, "archived")):
            said = dataclasses.replace(message(number), type="task" if exemption == "task" else "text")
            store.commit([entry(number), said, delivery(number, status=status)])
            if exemption == "kept":
                store.commit([KeptRow(entry=said.entry, kept=True)])
        cited = tuple(message(number).message_id for number in (1, 2, 3)) if exemption == "cited" else ()
        found_ = aged(store, cited=cited, **ever)
        assert (found_.archive, found_.expire, found_.drop) == ((), (), ())
        for number in (1, 2, 3):
            store.commit([KeptRow(entry=message(number).entry, kept=False)])
            said_ = ReceiptRow(message=message(number).entry, reader=A, workspace="", state="declined", time_ms=1)
            store.commit([said_])
        found_ = aged(store, **ever)  # type: ignore[arg-type]  # by name
        assert (_numbers(found_.archive), len(found_.expire), found_.drop) == ([1], 1, (message(3).entry,))

    @pytest.mark.parametrize("text", ["", "  ", "!!!", "- *", "a " * (limits.SEARCH_WORDS_MAX + 1)])
    def test_a_search_without_words_is_refused(self, reopen: Reopen, text: str) -> None:
        with pytest.raises(UsageError) as caught:
            found(reopen(), text)
        assert caught.value.code == "bad_search"
