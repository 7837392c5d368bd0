"""What a sender is told of a message that is not answered: each thing once, and of whom."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.ids import MachineId
from roosync_p2p.mailbox.message import MessageBody, check_message
from roosync_p2p.mailbox.notices import escalation, notice
from roosync_p2p.mailbox.watches import Judged, Verdict, Watch, begin_watch, due_ms, hear, judge

A, B, C = (MachineId(f"machine-{letter}") for letter in "abc")
ID = "msg-20260115T091530-a1b2c3"
SENT_MS = 1_768_468_530_000
LIFE_MS = round(limits.UNREAD_LIFE_S * 1000)


def _watch(*recipients: str, expires_ms: int = 0, ack_by_ms: int = 0, escalate: str = "") -> Watch:
    message = MessageBody(
        id=ID,
        to=["all"],
        subject="Déployer",
        body="",
        workspace="web",
        expires_ms=expires_ms,
        ack_by_ms=ack_by_ms,
        escalate=escalate,
    )
    found = begin_watch(message, recipients or (B, C), sent_ms=SENT_MS, incarnation=1, sequence=5)
    assert found is not None
    return found


def _judged(
    watch: Watch, now_ms: int = SENT_MS, *, delivered: tuple[MachineId, ...] = (), gone: tuple[MachineId, ...] = ()
) -> Judged:
    return judge(watch, now_ms=now_ms, delivered=delivered.__contains__, gone=gone.__contains__)


def _heard(watch: Watch, *said: tuple[MachineId, str, str]) -> Watch | None:
    left: Watch | None = watch
    for reader, workspace, state in said:
        left = None if left is None else hear(left, reader, workspace, state)
    return left


def test_a_message_without_recipients_is_not_watched() -> None:
    message = MessageBody(id=ID, to=["all"], subject="s", body="")
    assert begin_watch(message, [], sent_ms=0, incarnation=1, sequence=1) is None


def test_a_watch_survives_its_encoding() -> None:
    watch = _watch(expires_ms=1, ack_by_ms=2, escalate="all")
    assert decode(encode(watch), Watch) == watch


def test_nothing_is_told_before_its_time() -> None:
    watch = _watch(expires_ms=SENT_MS + 10, ack_by_ms=SENT_MS + 20)
    assert due_ms(watch) == SENT_MS + 10
    assert _judged(watch, SENT_MS + 9) == Judged((), watch)


def test_what_everybody_has_read_is_watched_no_more() -> None:
    assert _heard(_watch(), (B, "", "read"), (C, "", "read")) is None


def test_a_recipient_in_a_workspace_is_heard_there_only() -> None:
    watch = _watch("machine-b:web")
    assert _heard(watch, (B, "", "read"), (C, "web", "read")) == watch
    assert _heard(watch, (B, "web", "acted")) is None


def test_expired_is_told_of_those_who_did_not_get_it() -> None:
    watch = _watch(expires_ms=SENT_MS + 10)
    judged = _judged(watch, SENT_MS + 10, delivered=(B,))
    assert judged.verdicts == (Verdict("expired", (C,)),)
    assert judged.watch is not None
    assert (judged.watch.waiting, judged.watch.expires_ms) == ({B: ""}, 0)
    assert _judged(judged.watch, SENT_MS + 11).verdicts == ()


def test_expired_is_told_when_a_recipient_says_so() -> None:
    watch = _heard(_watch(B), (B, "", "expired"))
    assert watch is not None
    assert due_ms(watch) == 0
    assert _judged(watch) == Judged((Verdict("expired", (B,)),), None)


def test_who_reads_an_expired_message_before_that_is_told_has_read_it() -> None:
    assert _heard(_watch(B), (B, "", "expired"), (B, "", "read")) is None
    assert _heard(_watch(B, ack_by_ms=SENT_MS + 9), (B, "", "read"), (B, "", "expired")) == _heard(
        _watch(B, ack_by_ms=SENT_MS + 9), (B, "", "read")
    )


@pytest.mark.parametrize("answer", ["acted", "declined"])
def test_overdue_is_told_once_of_who_has_not_answered(answer: str) -> None:
    watch = _heard(_watch(A, B, C, ack_by_ms=SENT_MS + 10), (B, "", "read"), (A, "", answer))
    assert watch is not None
    judged = _judged(watch, SENT_MS + 10)
    assert judged.verdicts == (Verdict("overdue", (B, C)),)
    assert judged.watch is not None
    assert judged.watch.waiting == {C: ""}
    assert _judged(judged.watch, SENT_MS + 999).verdicts == ()


def test_who_answers_in_time_is_not_overdue() -> None:
    assert _heard(_watch(B, ack_by_ms=SENT_MS + 10), (B, "", "read"), (B, "", "declined")) is None


def test_bounced_is_told_of_a_machine_that_is_gone_unless_it_had_read_it() -> None:
    watch = _heard(_watch(ack_by_ms=SENT_MS + 10), (B, "", "read"))
    assert watch is not None
    judged = _judged(watch, gone=(B, C))
    assert judged.verdicts == (Verdict("bounced", (C,)),)
    assert judged.watch is not None
    assert judged.watch.waiting == {B: "read"}


def test_unread_is_told_after_its_life() -> None:
    watch = _watch()
    assert due_ms(watch) == SENT_MS + LIFE_MS
    assert _judged(watch, SENT_MS + LIFE_MS - 1, delivered=(B, C)).verdicts == ()
    assert _judged(watch, SENT_MS + LIFE_MS, delivered=(B, C)) == Judged((Verdict("unread", (B, C)),), None)


def test_an_answer_may_be_wanted_later_than_a_message_lives_unread() -> None:
    watch = _heard(_watch(ack_by_ms=SENT_MS + 2 * LIFE_MS), (B, "", "read"))
    assert watch is not None
    judged = _judged(watch, SENT_MS + LIFE_MS)
    assert judged.verdicts == (Verdict("unread", (C,)),)
    assert judged.watch is not None
    assert due_ms(judged.watch) == SENT_MS + 2 * LIFE_MS
    assert _judged(judged.watch, SENT_MS + 2 * LIFE_MS) == Judged((Verdict("overdue", (B,)),), None)


_SAID = st.tuples(st.sampled_from((B, C)), st.just(""), st.sampled_from(("read", "acted", "declined", "expired")))


@given(st.lists(_SAID | st.integers(0, 60), max_size=12), st.booleans(), st.booleans())
def test_no_verdict_names_anybody_twice(story: list[object], expires: bool, ack: bool) -> None:
    watch: Watch | None = _watch(expires_ms=SENT_MS + 20 if expires else 0, ack_by_ms=SENT_MS + 40 if ack else 0)
    told: list[tuple[str, str]] = []
    now_ms = SENT_MS
    for step in story:
        if watch is None:
            break
        if isinstance(step, int):
            now_ms += step
            judged = _judged(watch, now_ms)
            told += [(verdict.what, name) for verdict in judged.verdicts for name in verdict.recipients]
            watch = judged.watch
        else:
            assert isinstance(step, tuple)
            watch = hear(watch, *step)
    assert len(told) == len(set(told))


# --- in words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["expired", "bounced", "overdue", "unread"])
def test_a_notice_is_a_message_to_the_sender_in_the_thread(what: str) -> None:
    watch = msgspec.structs.replace(_watch(escalate="machine-c"), subject="x" * limits.SUBJECT_CHARS_MAX)
    told = notice(watch, Verdict(what, (B,)), me=A, id=ID, escalated="")
    check_message(told)
    assert (told.to, told.thread_id, told.in_reply_to, told.type) == (["machine-a:web"], ID, ID, "status")
    assert told.tags == ("delivery", what)
    assert ID in told.body
    assert "machine-b" in told.body


def test_an_escalation_goes_to_the_address_that_the_message_names() -> None:
    told = escalation(_watch(escalate="machine-c:web"), Verdict("overdue", (B,)), me=A, id=ID)
    check_message(told)
    assert (told.to, told.priority) == (["machine-c:web"], "HIGH")
    assert "machine-a sent it" in told.body
