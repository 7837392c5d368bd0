"""Messages and receipts: sent twice is sent once, receipts are batched and survive a crash."""

from __future__ import annotations

import dataclasses

import pytest

from roosync_p2p import limits
from roosync_p2p.core.commands import MarkRead
from roosync_p2p.core.ports import InboxQuery, LinkId
from roosync_p2p.core.rows import DeliveryRow, EntryRow, IdempotencyRow, MessageRow, ReceiptRow
from roosync_p2p.entries.entry import MAIL, Entry
from roosync_p2p.ids import EntryId, MessageId
from roosync_p2p.mailbox.message import KIND as MESSAGE
from roosync_p2p.mailbox.receipts import KIND as RECEIPT
from roosync_p2p.mailbox.receipts import ReceiptItem, decode_receipt
from tests.helpers.cores import A, Actor, B, C, Rig, entries, message


def _mail(rig: Rig, kind: str) -> list[EntryRow]:
    return [row for row in rig.rows(EntryRow) if row.kind == kind and row.author == rig.machine]


# --- sending ----------------------------------------------------------------------------------------------------------


def test_a_message_is_an_entry_and_a_line_of_the_index_in_one_transaction() -> None:
    rig = Rig().ready()
    rig.forget()
    answer = rig.answered(message("machine-a", "Réunion à 9 h", body="Prêt 🎉"))
    (entry,), (row,) = _mail(rig, MESSAGE), rig.rows(MessageRow)
    assert (row.entry, row.message_id, row.subject) == (entry.id, answer["id"], "Réunion à 9 h")
    assert answer["entry"] == entry.id.hex()


def test_nothing_is_answered_before_the_message_is_durable() -> None:
    rig = Rig().ready()
    rig.holding = True
    request = rig.ask(message())
    assert request not in rig.answers
    rig.commit()
    assert request in rig.answers


def test_an_unknown_recipient_is_refused_and_nothing_was_sent() -> None:
    rig = Rig().ready()
    rig.forget()
    refused = rig.refused(message("machine-z"))
    assert (refused.code, refused.details["machine"]) == ("unknown_recipient", "machine-z")
    assert rig.written == []


def test_a_subject_that_is_too_long_is_refused_and_nothing_was_sent() -> None:
    rig = Rig().ready()
    rig.forget()
    assert rig.refused(message(subject="x" * 501)).code == "bad_message"
    assert rig.written == []


def test_a_body_that_is_too_long_is_refused_and_nothing_was_sent() -> None:
    rig = Rig().ready()
    rig.forget()
    assert rig.refused(message(body="x" * limits.ENTRY_BODY_BYTES_MAX)).code == "oversized"
    assert rig.written == []


def test_a_recipient_that_is_named_twice_gets_it_once() -> None:
    rig = Rig().ready()
    rig.forget()
    rig.answered(message("machine-a machine-a all"))
    assert rig.rows(MessageRow)[0].to == ("machine-a", "all")


# --- once -------------------------------------------------------------------------------------------------------------


def test_the_same_key_sends_once() -> None:
    rig = Rig().ready()
    first = rig.answered(message(key="k"))
    rig.forget()
    assert rig.answered(message(key="k")) == first
    assert rig.written == []


def test_without_a_key_the_same_message_is_sent_twice() -> None:
    rig = Rig().ready()
    assert rig.answered(message())["id"] != rig.answered(message())["id"]


def test_a_retry_before_the_first_is_durable_waits_for_it() -> None:
    rig = Rig().ready()
    rig.holding = True
    one, two = rig.ask(message(key="k")), rig.ask(message(key="k"))
    assert rig.answers == {}
    rig.commit()
    assert rig.answers[one] == rig.answers[two]
    assert len(_mail(rig, MESSAGE)) == 1


@pytest.mark.parametrize(
    "changes",
    [{"subject": "another"}, {"body": "another"}, {"to": ()}, {"priority": "HIGH"}, {"tags": ("x",)}],
    ids=str,
)
def test_the_same_key_for_another_message_is_refused(changes: dict[str, object]) -> None:
    rig = Rig().ready()
    first = rig.answered(message(key="k"))
    rig.forget()
    refused = rig.refused(dataclasses.replace(message(key="k"), **changes))  # type: ignore[arg-type]  # one change
    assert (refused.code, refused.details["id"]) == ("key_reused", first["id"])
    assert rig.written == []


def test_the_key_is_remembered_on_the_disk_for_ever() -> None:
    rig = Rig().ready()
    first = rig.answered(message(key="k"))
    again = rig.restart().ready()
    remembered = again.store.idempotency("k")
    assert isinstance(remembered, IdempotencyRow)
    assert again.answered(dataclasses.replace(message(key="k"), remembered=remembered)) == first


def test_key_and_message_are_lost_together_or_not_at_all() -> None:
    rig = Rig().ready()
    rig.holding = True
    rig.ask(message(key="k"))
    again = rig.restart().ready()
    assert again.store.idempotency("k") is None
    assert again.store.entries(B, 1, MAIL, 2, count_max=9, bytes_max=9_999) == []


# --- receiving --------------------------------------------------------------------------------------------------------


def _received(*said: Entry) -> tuple[Rig, LinkId]:
    rig = Rig().ready()
    link = rig.meet(Actor(C))
    rig.forget()
    rig.receive(link, entries(*said))
    return rig, link


def _from_a(to: str = "machine-b", **changes: str) -> list[Entry]:
    author = Actor(A)
    author.say(to, **changes)
    return author.chains[MAIL]


def test_a_message_for_this_machine_is_unread_in_its_inbox_and_told() -> None:
    rig, _ = _received(*_from_a(body="corps"))
    (item,) = rig.store.inbox(InboxQuery()).items
    assert (item.message.author, item.delivery.status) == (A, "unread")
    assert rig.told("message")[0]["from"] == A


def test_a_message_for_a_workspace_is_in_that_box() -> None:
    rig, _ = _received(*_from_a("machine-b:écurie"))
    assert [row.workspace for row in rig.rows(DeliveryRow)] == ["écurie"]


def test_a_message_for_another_machine_is_kept_and_in_no_inbox() -> None:
    rig, _ = _received(*_from_a("machine-c"))
    assert len(rig.rows(MessageRow)) == 1
    assert rig.rows(DeliveryRow) == []


def test_a_broadcast_is_for_this_machine_too() -> None:
    rig, _ = _received(*_from_a("all"))
    assert [row.workspace for row in rig.rows(DeliveryRow)] == [""]


def test_an_own_broadcast_does_not_come_back() -> None:
    rig = Rig().ready()
    rig.forget()
    rig.answered(message("all"))
    assert rig.rows(DeliveryRow) == []


def test_a_message_to_oneself_is_in_the_inbox() -> None:
    rig = Rig().ready()
    rig.forget()
    rig.answered(message("machine-b"))
    assert [row.workspace for row in rig.rows(DeliveryRow)] == [""]


def test_a_message_of_the_year_9999_is_shown_as_it_was_signed() -> None:
    author = Actor(A)
    author.begin()
    body = author.say("machine-b").body
    late = Actor(A)
    late.begin()
    late.write(MESSAGE, body or b"", time_ms=limits.WALL_MS_MAX)
    rig, _ = _received(*late.chains[MAIL])
    assert rig.told("message")[0]["time"] == "9999-12-31T23:59:59.999Z"


def test_a_message_that_does_not_parse_stays_in_its_chain_and_is_counted() -> None:
    author = Actor(A)
    author.begin()
    author.write(MESSAGE, b"rubbish")
    rig, _ = _received(*author.chains[MAIL])
    assert rig.rows(MessageRow) == []
    assert len(rig.rows(EntryRow)) == 2
    assert rig.counted("fault.malformed") == 1


def test_an_unknown_kind_is_kept_and_has_no_effect() -> None:
    author = Actor(A)
    author.begin()
    author.write("vote", b"rubbish")
    rig, _ = _received(*author.chains[MAIL])
    assert len(rig.rows(EntryRow)) == 2
    assert not any(name.startswith("fault.") for name in rig.core.desk.counters)


# --- receipts ---------------------------------------------------------------------------------------------------------


def _mailed(rig: Rig) -> EntryId:
    """The rig gets a message from A."""
    said = _from_a()
    rig.receive(rig.meet(Actor(C)), entries(*said))
    return said[1].id


def _read(rig: Rig, entry: EntryId, *boxes: str) -> None:
    rig.ask(MarkRead(message=entry, author=A, workspaces=boxes or ("",)))


def _receipts(rig: Rig) -> list[list[ReceiptItem]]:
    """The receipts that were written, as their items."""
    return [decode_receipt(row.body or b"").read for row in _mail(rig, RECEIPT)]


def test_a_read_message_is_told_to_its_author_at_once_after_a_pause() -> None:
    rig = Rig().ready()
    entry = _mailed(rig)
    _read(rig, entry)
    rig.advance(0.0)
    assert [[item.message for item in items] for items in _receipts(rig)] == [[entry]]


def test_many_reads_are_batched_to_one_receipt_a_second() -> None:
    rig = Rig().ready()
    entry = _mailed(rig)
    for number in range(50):
        _read(rig, entry, f"{number}")
        rig.advance(0.05)
    rig.advance(limits.RECEIPT_INTERVAL_S)
    assert 3 <= len(_receipts(rig)) <= 4
    assert sum(len(items) for items in _receipts(rig)) == 50


def test_more_reads_than_one_receipt_holds_go_into_several() -> None:
    rig = Rig().ready()
    _read(rig, _mailed(rig), *(f"{number}" for number in range(limits.RECEIPT_IDS_MAX + 100)))
    rig.advance(5.0)
    assert [len(items) for items in _receipts(rig)] == [limits.RECEIPT_IDS_MAX, 100]


def test_what_oneself_wrote_needs_no_receipt() -> None:
    rig = Rig().ready()
    entry = EntryId(bytes.fromhex(str(rig.answered(message("machine-b"))["entry"])))
    rig.forget()
    rig.answered(MarkRead(message=entry, author=B, workspaces=("",)))
    rig.advance(2.0)
    assert _mail(rig, RECEIPT) == []


def test_a_read_during_the_check_is_remembered_and_its_receipt_written_after_it() -> None:
    rig = Rig()
    _read(rig, _mailed(rig))
    assert _receipts(rig) == []
    rig.ready()
    assert len(_receipts(rig)) == 1


def test_a_crash_before_the_receipt_was_written_loses_no_receipt() -> None:
    rig = Rig()
    _read(rig, _mailed(rig))
    assert len(_receipts(rig.restart().ready())) == 1


def test_a_crash_between_reading_and_the_disk_leaves_the_message_unread_and_no_receipt() -> None:
    rig = Rig()
    entry = _mailed(rig)
    rig.holding = True
    _read(rig, entry)
    again = rig.restart().ready()
    assert [row.status for row in again.store.deliveries(entry)] == ["unread"]
    assert _receipts(again) == []


def test_a_crash_after_the_receipt_was_written_writes_no_second() -> None:
    rig = Rig()
    _read(rig, _mailed(rig))
    rig.ready()
    again = rig.restart().ready()
    again.advance(2.0)
    assert _receipts(again) == []


def test_more_unwritten_receipts_than_fit_a_frame_are_started_from_again() -> None:
    rig = Rig()
    _read(rig, _mailed(rig), *("x" * 100 + str(number) for number in range(9_000)))
    again = rig.restart().ready()
    again.advance(60.0)
    assert sum(len(items) for items in _receipts(again)) == 9_000


def test_a_receipt_of_another_machine_is_kept_and_told() -> None:
    author = Actor(A)
    author.receipt(EntryId(bytes(32)), workspace="écurie")
    rig, _ = _received(*author.chains[MAIL])
    assert [(row.reader, row.workspace, row.state) for row in rig.rows(ReceiptRow)] == [(A, "écurie", "read")]
    assert rig.told("receipt") == [{"entry": bytes(32).hex(), "reader": A, "workspace": "écurie", "state": "read"}]


def test_message_ids_are_of_the_form_that_old_clients_know() -> None:
    assert MessageId(str(Rig().ready().answered(message())["id"])).startswith("msg-20260115T")
