"""A sender hears without asking: in virtual time, once, and over a crash."""

from __future__ import annotations

import dataclasses

import pytest

from roosync_p2p import limits
from roosync_p2p.clock import Now
from roosync_p2p.codec.records import encode
from roosync_p2p.core.commands import Revoke
from roosync_p2p.core.mail_commands import AnswerMessage, SendMessage
from roosync_p2p.core.mail_rows import WatchRow
from roosync_p2p.core.ports import InboxQuery
from roosync_p2p.core.rows import MessageRow
from roosync_p2p.entries.entry import MAIL
from roosync_p2p.gossip.frontier import Span
from roosync_p2p.ids import EntryId, parse_address
from roosync_p2p.mailbox.receipts import KIND as RECEIPT
from roosync_p2p.mailbox.receipts import AnswerItem, Receipt
from tests.helpers.actors import revocation
from tests.helpers.cores import A, Actor, B, C, Rig, entries, message

SETTLED_S = limits.WATCH_SETTLE_S
LATE_S = limits.WATCH_LATE_S


def _sent(rig: Rig, command: SendMessage) -> EntryId:
    return EntryId(bytes.fromhex(str(rig.answered(command)["entry"])))


def _settled() -> Rig:
    rig = Rig().ready()
    rig.advance(SETTLED_S)
    return rig


def _notices(rig: Rig) -> list[str]:
    """The verdicts that lie in this machine's own inbox."""
    return [item.message.tags[1] for item in rig.store.inbox(InboxQuery()).items if "delivery" in item.message.tags]


def _told(rig: Rig) -> list[tuple[object, object]]:
    return [(data["state"], data["recipients"]) for data in rig.told("undelivered")]


def _hears(rig: Rig, said: Receipt) -> None:
    """A says something."""
    author = Actor(A)
    author.begin()
    author.write(RECEIPT, encode(said))
    rig.receive(rig.meet(author), entries(*author.chains[MAIL]))


def test_a_message_that_did_not_arrive_in_time_is_told_once() -> None:
    rig = _settled()
    _sent(rig, dataclasses.replace(message("machine-a"), expires_s=60.0))
    rig.advance(60.0 + LATE_S - 0.1)
    assert _told(rig) == []
    rig.advance(0.2)
    assert _told(rig) == [("expired", ["machine-a"])]
    assert _notices(rig) == ["expired"]
    rig.advance(120.0)
    assert len(_notices(rig)) == 1


def test_what_a_recipient_holds_in_time_is_not_expired() -> None:
    rig = _settled()
    _sent(rig, dataclasses.replace(message("machine-a"), expires_s=60.0))
    peer = Actor(A)
    link = rig.meet(peer)
    rig.receive(link, peer.frontier(_span_of(rig)))
    rig.advance(120.0)
    assert _told(rig) == []


def _span_of(rig: Rig) -> Span:
    return next(span for span in rig.core.exchange.spans() if span.author == B and span.chain == MAIL)


def test_an_overdue_answer_is_told_to_the_sender_and_once_to_the_named_address() -> None:
    rig = _settled()
    entry = _sent(rig, dataclasses.replace(message("all"), ack_within_s=60.0, escalate=parse_address("machine-c:web")))
    _hears(rig, Receipt(read=[], acted=(AnswerItem(message=entry, workspace="", time_ms=0, note=""),)))
    rig.forget()
    rig.advance(60.0 + LATE_S)
    assert _told(rig) == [("overdue", ["machine-c"])]
    assert [row.to for row in rig.rows(MessageRow)] == [("machine-c:web",), ("machine-b",)]
    assert rig.told("undelivered")[0]["escalated"] == "machine-c:web"
    rig.advance(60.0)
    assert len(rig.rows(MessageRow)) == 2


def test_an_answer_in_time_is_all_that_the_sender_hears() -> None:
    rig = _settled()
    entry = _sent(rig, dataclasses.replace(message("machine-a"), ack_within_s=60.0))
    _hears(rig, Receipt(read=[], declined=(AnswerItem(message=entry, workspace="", time_ms=0, note="non"),)))
    assert rig.store.load().watches == ()
    rig.advance(120.0)
    assert _told(rig) == []


def test_a_machine_that_was_revoked_bounces_what_it_never_read() -> None:
    rig = _settled()
    _sent(rig, message("machine-c"))
    _sent(rig, message("machine-a"))
    rig.answered(Revoke(statement=revocation(C)))
    rig.advance(1.0)
    assert _told(rig) == [("bounced", ["machine-c"])]
    assert len(rig.store.load().watches) == 1


def test_a_message_to_ones_own_workspace_is_watched_too() -> None:
    rig = _settled()
    entry = _sent(rig, dataclasses.replace(message("machine-b:web machine-b:api"), ack_within_s=60.0, expires_s=30.0))
    rig.answered(
        AnswerMessage(message=entry, author=B, workspaces=("web",), unread=("web",), state="acted", note="", known={})
    )
    rig.advance(120.0)
    assert _told(rig) == [("overdue", ["machine-b:api"])]


def test_what_came_due_while_the_node_was_off_is_told_after_what_others_said_meanwhile() -> None:
    rig = _settled()
    late = _sent(rig, dataclasses.replace(message("machine-a"), ack_within_s=60.0))
    _sent(rig, dataclasses.replace(message("machine-c"), ack_within_s=60.0))
    rig.now = Now(monotonic_s=rig.now.monotonic_s, wall_ms=rig.now.wall_ms + 3_600_000)
    again = rig.restart().ready()
    again.advance(SETTLED_S - 6.0)
    assert _told(again) == []
    _hears(again, Receipt(read=[], acted=(AnswerItem(message=late, workspace="", time_ms=0, note=""),)))
    again.advance(7.0)
    assert _told(again) == [("overdue", ["machine-c"])]


def test_what_was_told_before_a_crash_is_not_told_again_and_what_was_not_is() -> None:
    rig = _settled()
    _sent(rig, dataclasses.replace(message("machine-a"), expires_s=10.0))
    rig.holding = True
    rig.advance(20.0)
    assert _notices(rig) == []
    again = rig.restart().ready()
    again.advance(SETTLED_S + 20.0)
    assert _notices(again) == ["expired"]
    third = again.restart().ready()
    third.advance(SETTLED_S + 20.0)
    assert _notices(third) == ["expired"]


def test_what_nobody_reads_is_told_after_its_life() -> None:
    rig = _settled()
    _sent(rig, message("machine-a"))
    rig.now = Now(
        monotonic_s=rig.now.monotonic_s, wall_ms=rig.now.wall_ms + round((limits.UNREAD_LIFE_S + LATE_S) * 1000)
    )
    rig.advance(1.0)
    assert _told(rig) == [("unread", ["machine-a"])]
    assert rig.store.load().watches == ()


def test_of_too_many_watches_the_oldest_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = _settled()
    monkeypatch.setattr(limits, "WATCHES_MAX", 3)
    sent = [_sent(rig, message("machine-a")) for _ in range(5)]
    assert {row.entry for row in rig.store.load().watches} == set(sent[2:])
    assert rig.counted("watches.dropped") == 2


def test_the_watch_is_written_with_its_message() -> None:
    rig = _settled()
    rig.forget()
    rig.holding = True
    rig.ask(message("machine-a"))
    (persist,) = rig.persists
    assert sum(isinstance(row, WatchRow) for row in persist.rows) == 1
    assert sum(isinstance(row, MessageRow) for row in persist.rows) == 1
