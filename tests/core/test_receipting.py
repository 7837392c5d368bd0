"""Answers to messages: the first stays, the author is told, a crash loses none. What was read: ``test_messaging``."""

from __future__ import annotations

import dataclasses

import pytest

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.core.mail_commands import AmendMessage, AnswerMessage, ArchiveMessages, KeepMessage, MarkRead
from roosync_p2p.core.mail_rows import AmendmentRow
from roosync_p2p.core.ports import SearchQuery
from roosync_p2p.core.rows import EntryRow, ReceiptRow
from roosync_p2p.entries.entry import MAIL
from roosync_p2p.ids import EntryId
from roosync_p2p.mailbox.amendments import KIND as AMENDMENT
from roosync_p2p.mailbox.amendments import Amendment
from roosync_p2p.mailbox.message import KIND as MESSAGE
from roosync_p2p.mailbox.message import MessageBody
from roosync_p2p.mailbox.receipts import KIND as RECEIPT
from roosync_p2p.mailbox.receipts import AnswerItem, Receipt, Said, decode_receipt, said_in
from tests.helpers.cores import NOW, A, Actor, B, C, Rig, entries, message

_ID = "msg-20260115T091530-a1b2c3"


def _mailed(rig: Rig, to: str = "machine-b") -> EntryId:
    """The rig gets a message from A."""
    author = Actor(A)
    said = author.say(to)
    rig.receive(rig.meet(Actor(C)), entries(*author.chains[MAIL]))
    return said.id


def _answer(entry: EntryId, state: str = "acted", **changes: object) -> AnswerMessage:
    command = AnswerMessage(
        message=entry, author=A, workspaces=("",), unread=("",), state=state, note="déjà fait", known={}
    )
    return dataclasses.replace(command, **changes)  # type: ignore[arg-type]  # fields of the test's choice


def _told(rig: Rig) -> list[list[Said]]:
    """What the receipts say that were written."""
    rows = [row for row in rig.rows(EntryRow) if row.kind == RECEIPT and row.author == rig.machine]
    return [list(said_in(decode_receipt(row.body or b""))) for row in rows]


def _statuses(rig: Rig, entry: EntryId) -> list[str]:
    return [row.status for row in rig.store.deliveries(entry)]


@pytest.mark.parametrize("state", ["acted", "declined"])
def test_an_answer_marks_the_message_as_read_and_tells_its_author(state: str) -> None:
    rig = Rig().ready()
    entry = _mailed(rig)
    rig.answered(_answer(entry, state))
    rig.advance(0.0)
    assert _statuses(rig, entry) == ["read"]
    assert [[(said.message, said.state, said.note) for said in batch] for batch in _told(rig)] == [
        [(entry, state, "déjà fait")]
    ]
    assert [(row.reader, row.state, row.note) for row in rig.store.receipts(entry)] == [(B, state, "déjà fait")]


def test_of_two_answers_the_first_stays_and_the_second_is_refused() -> None:
    rig = Rig().ready()
    entry = _mailed(rig)
    rig.answered(_answer(entry))
    refused = rig.refused(_answer(entry, "declined"))
    assert (refused.code, refused.details) == ("already_answered", {"state": "acted"})
    rig.advance(5.0)
    assert [said.state for batch in _told(rig) for said in batch] == ["acted"]


def test_the_same_answer_again_changes_nothing() -> None:
    rig = Rig().ready()
    entry = _mailed(rig)
    rig.answered(_answer(entry))
    rig.answered(_answer(entry, note="autrement"))
    rig.advance(5.0)
    assert [said.note for batch in _told(rig) for said in batch] == ["déjà fait"]


def test_an_answer_that_only_the_store_remembers_counts_too() -> None:
    rig = Rig().ready()
    entry = _mailed(rig)
    refused = rig.refused(_answer(entry, "declined", known={"": "acted"}))
    assert refused.code == "already_answered"


def test_boxes_are_answered_each_for_itself() -> None:
    rig = Rig().ready()
    entry = _mailed(rig, "all:web")
    rig.answered(_answer(entry, workspaces=("web",), unread=("web",)))
    rig.answered(_answer(entry, "declined", workspaces=("api",), unread=()))
    assert [(row.workspace, row.state) for row in rig.store.receipts(entry)] == [("api", "declined"), ("web", "acted")]


def test_answers_that_were_not_written_yet_survive_a_crash_with_their_notes() -> None:
    rig = Rig()
    entry = _mailed(rig)
    rig.ask(_answer(entry, "declined"))
    again = rig.restart().ready()
    assert [[(said.state, said.note) for said in batch] for batch in _told(again)] == [[("declined", "déjà fait")]]


def test_many_answers_go_into_several_receipts_that_fit() -> None:
    rig = Rig()
    entry = _mailed(rig)
    boxes = tuple(f"{number}" for number in range(limits.RECEIPT_NOTES_MAX + 1))
    rig.ask(_answer(entry, workspaces=boxes, unread=(), note="x" * limits.NOTE_CHARS_MAX))
    rig.ask(MarkRead(message=entry, author=A, workspaces=("",)))
    rig.ready()
    rig.advance(5.0)
    assert [len(batch) for batch in _told(rig)] == [limits.RECEIPT_NOTES_MAX, 1, 1]


def test_what_oneself_wrote_is_answered_without_a_receipt() -> None:
    rig = Rig().ready()
    entry = EntryId(bytes.fromhex(str(rig.answered(message("machine-b"))["entry"])))
    rig.forget()
    rig.answered(_answer(entry, author=B))
    rig.advance(2.0)
    assert _told(rig) == []
    assert [data["state"] for data in rig.told("receipt")] == ["acted"]


def test_an_answer_of_another_machine_is_kept_and_told() -> None:
    author = Actor(A)
    author.begin()
    item = AnswerItem(message=bytes(32), workspace="", time_ms=NOW.wall_ms, note="non")
    author.write(RECEIPT, encode(Receipt(read=[], declined=(item,))))
    rig = Rig().ready()
    link = rig.meet(Actor(C))
    rig.forget()
    rig.receive(link, entries(*author.chains[MAIL]))
    assert [(row.reader, row.state, row.note) for row in rig.rows(ReceiptRow)] == [(A, "declined", "non")]
    assert [data["state"] for data in rig.told("receipt")] == ["declined"]


# --- put aside, kept ----------------------------------------------------------------------------------------------


def test_an_archived_message_is_archived_and_nobody_is_told() -> None:
    rig = Rig().ready()
    entry = _mailed(rig)
    rig.answered(ArchiveMessages(deliveries=tuple(rig.store.deliveries(entry))))
    rig.advance(5.0)
    assert _statuses(rig, entry) == ["archived"]
    assert _told(rig) == []


def test_a_message_is_kept_and_kept_no_more() -> None:
    rig = Rig().ready()
    entry = _mailed(rig)
    rig.answered(KeepMessage(message=entry, kept=True))
    assert rig.store.kept(entry)
    rig.answered(KeepMessage(message=entry, kept=False))
    assert not rig.store.kept(entry)


# --- in time ------------------------------------------------------------------------------------------------------


def _short_lived(rig: Rig, *, expires_ms: int) -> EntryId:
    author = Actor(A)
    author.begin()
    body = MessageBody(id=_ID, to=["machine-b"], subject="vite", body="", expires_ms=expires_ms)
    said = author.write(MESSAGE, encode(body))
    rig.receive(rig.meet(Actor(C)), entries(*author.chains[MAIL]))
    return said.id


def test_a_message_whose_time_is_over_is_put_aside_untold_and_its_author_hears() -> None:
    rig = Rig().ready()
    entry = _short_lived(rig, expires_ms=rig.now.wall_ms)
    rig.advance(1.0)
    assert _statuses(rig, entry) == ["archived"]
    assert rig.told("message") == []
    assert [said.state for batch in _told(rig) for said in batch] == ["expired"]


def test_a_message_that_arrives_in_time_is_shown() -> None:
    rig = Rig().ready()
    entry = _short_lived(rig, expires_ms=rig.now.wall_ms + 1)
    assert _statuses(rig, entry) == ["unread"]
    assert len(rig.told("message")) == 1


def test_who_reads_an_expired_message_all_the_same_has_read_it() -> None:
    rig = Rig().ready()
    entry = _short_lived(rig, expires_ms=1)
    rig.answered(MarkRead(message=entry, author=A, workspaces=("",)))
    rig.advance(5.0)
    assert [row.state for row in rig.store.receipts(entry)] == ["read"]
    assert {said.state for batch in _told(rig) for said in batch} == {"expired", "read"}


def test_expires_and_ack_by_are_counted_from_the_sending() -> None:
    rig = Rig().ready()
    rig.answered(dataclasses.replace(message(), expires_s=60.0, ack_within_s=0.0001))
    row = rig.store.message(_newest(rig))
    assert row is not None
    assert (row.expires_ms, row.ack_by_ms) == (rig.now.wall_ms + 60_000, rig.now.wall_ms + 1)


def _newest(rig: Rig) -> EntryId:
    return [row for row in rig.rows(EntryRow) if row.kind == MESSAGE][-1].id


# --- amended ------------------------------------------------------------------------------------------------------


def test_an_amendment_is_an_entry_and_its_words_are_found_in_one_transaction() -> None:
    rig = Rig().ready()
    entry = EntryId(bytes.fromhex(str(rig.answered(message(body="un"))["entry"])))
    rig.answered(AmendMessage(message=entry, session="", body="deux", reason="mieux"))
    (row,) = rig.store.amendments(entry)
    assert (row.author, row.message) == (B, entry)
    assert len(rig.store.search(SearchQuery(words="deux", mine=B)).messages) == 1
    assert rig.store.search(SearchQuery(words="un", mine=B)).messages == ()


def test_an_amendment_that_is_too_long_is_refused_and_changes_nothing() -> None:
    rig = Rig().ready()
    entry = EntryId(bytes.fromhex(str(rig.answered(message())["entry"])))
    rig.forget()
    long = AmendMessage(message=entry, session="", body="x" * limits.ENTRY_BODY_BYTES_MAX, reason="")
    assert rig.refused(long).code == "oversized"
    assert rig.refused(dataclasses.replace(long, body="", reason="x" * 501)).code == "bad_amendment"
    assert rig.written == []


def test_what_another_machine_says_about_a_message_of_a_third_does_not_count() -> None:
    rig = Rig().ready()
    entry = _mailed(rig)
    impostor = Actor(C)
    impostor.begin()
    impostor.write(AMENDMENT, encode(Amendment(message=entry, body="payer 900")))
    author = Actor(A)
    author.say("machine-b")
    author.write(AMENDMENT, encode(Amendment(message=entry, body="payer 100")))
    link = rig.meet(Actor(A))
    rig.receive(link, entries(*impostor.chains[MAIL]))
    rig.receive(link, entries(*author.chains[MAIL]))
    assert len(rig.rows(AmendmentRow)) == 2
    assert [row.author for row in rig.store.amendments(entry)] == [A]
    assert rig.store.search(SearchQuery(words="900", mine=B)).messages == ()
    assert len(rig.store.search(SearchQuery(words="100", mine=B)).messages) == 1


def test_an_amendment_that_does_not_parse_stays_in_its_chain_and_is_counted() -> None:
    author = Actor(A)
    author.begin()
    author.write(AMENDMENT, b"rubbish")
    rig = Rig().ready()
    rig.receive(rig.meet(Actor(C)), entries(*author.chains[MAIL]))
    assert rig.rows(AmendmentRow) == []
    assert rig.counted("fault.malformed") == 1
