"""Signed records: what a machine holds is signed at most once a second, and proves delivery."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core import wire
from roosync_p2p.core.delivery import FloorRecord
from roosync_p2p.core.ports import LinkId
from roosync_p2p.core.rows import RecordRow
from roosync_p2p.entries.entry import LEDGER, MAIL
from roosync_p2p.gossip.frontier import FrontierRecord, Span
from roosync_p2p.gossip.latest import RecordVersion
from roosync_p2p.ids import Chain
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import parse_envelope
from tests.helpers.cores import A, Actor, B, C, D, Rig, connect, entries, message, settle


def _linked() -> tuple[Rig, LinkId]:
    rig = Rig().ready()
    link = rig.meet(Actor(A))
    rig.advance(2.0)
    rig.forget()
    return rig, link


def _own(rig: Rig) -> list[FrontierRecord]:
    """The own frontiers that were sent."""
    records = []
    for frame in rig.frames(wire.RecordFrame):
        envelope = parse_envelope(frame.envelope, size_max=limits.RECORD_BYTES_MAX)
        if envelope.author == rig.machine:
            records.append(decode(envelope.payload, FrontierRecord))
    return records


# --- own --------------------------------------------------------------------------------------------------------------


def test_after_a_pause_a_frontier_that_moved_is_signed_at_once() -> None:
    rig, link = _linked()
    rig.receive(link, entries(Actor(C).begin()))
    rig.advance(0.01)
    (record,) = _own(rig)
    assert [span.head for span in record.spans if span.author == C] == [1]


def test_a_frontier_that_moves_all_the_time_is_signed_once_a_second() -> None:
    rig, link = _linked()
    author = Actor(C)
    author.mail(40)
    for number in range(40):
        rig.receive(link, entries(author.chains[MAIL][number]))
        rig.advance(0.1)
    assert 4 <= len(_own(rig)) <= 5
    rig.advance(1.1)
    assert [span.head for span in _own(rig)[-1].spans if span.author == C] == [40]


def test_a_frontier_that_did_not_move_is_not_signed_again() -> None:
    rig, _ = _linked()
    rig.advance(5.0)
    assert _own(rig) == []


def test_what_is_not_durable_is_not_signed() -> None:
    rig, link = _linked()
    rig.holding = True
    rig.receive(link, entries(Actor(C).begin()))
    rig.advance(3.0)
    assert _own(rig) == []
    rig.commit()
    rig.advance(1.0)
    assert len(_own(rig)) == 1


def test_a_later_start_signs_newer_records_though_its_counter_begins_anew() -> None:
    rig, _ = _linked()
    again = rig.restart().ready()
    again.meet(Actor(A))
    again.answered(message())
    again.advance(1.1)
    assert _own(again)[-1].start == 2


def test_an_own_floor_is_signed_and_sent() -> None:
    rig, link = _linked()
    rig.answered(message())
    head = rig.store.entries(B, 1, MAIL, 2, count_max=1, bytes_max=9_999)[0]
    rig.core.delivery.raise_floor(MAIL, 1, 2, head.id)
    rig.advance(0.0)
    (frame,) = [frame for frame in rig.frames(wire.RecordFrame, link) if frame.kind == "floor"]
    assert decode(parse_envelope(frame.envelope, size_max=9_999).payload, FloorRecord).sequence == 2


# --- others' ----------------------------------------------------------------------------------------------------------


def test_delivered_follows_from_the_recipients_signed_frontier() -> None:
    a, b = Rig(A, knows=(B, C)), Rig(B, knows=(A, C))
    connect(a, b)
    settle(a, b, seconds=7)
    sent = bytes.fromhex(str(a.answered(message("machine-b"))["entry"]))
    entry = a.store.entry(sent)  # type: ignore[arg-type]  # an entry id
    assert entry is not None
    key = (entry.author, entry.incarnation, entry.chain)
    assert not a.core.delivery.holds(B, key, entry.sequence)
    settle(a, b, seconds=2)
    assert a.core.delivery.holds(B, key, entry.sequence)


def test_a_record_that_came_through_another_machine_counts_as_well() -> None:
    rig, link = _linked()
    mine = rig.core.exchange.spans()
    rig.receive(link, Actor(C).frontier(*mine))
    assert rig.core.delivery.holds(C, (B, 1, MAIL), 1)
    assert rig.told("frontier") == [{"machine": C}]


def test_a_record_is_kept_over_a_restart() -> None:
    rig, link = _linked()
    rig.receive(link, Actor(C).frontier(*rig.core.exchange.spans()))
    assert rig.restart().core.delivery.holds(C, (B, 1, LEDGER), 1)


def test_an_older_record_changes_nothing() -> None:
    rig, link = _linked()
    author = Actor(C)
    rig.receive(link, author.frontier(counter=2))
    rig.forget()
    rig.receive(link, author.frontier(*rig.core.exchange.spans(), counter=1))
    assert rig.rows(RecordRow) == []
    assert not rig.core.delivery.holds(C, (B, 1, MAIL), 1)


def test_news_is_passed_on_to_who_has_no_link_to_its_author() -> None:
    rig, link = _linked()
    other = rig.meet(Actor(D))
    rig.forget()
    frame = Actor(C).frontier()
    rig.receive(link, frame)
    assert rig.frames(wire.RecordFrame, other) == [frame]
    assert rig.frames(wire.RecordFrame, link) == []


def test_who_lacks_a_record_is_sent_it() -> None:
    rig, link = _linked()
    frame = Actor(C).frontier()
    rig.receive(link, frame)
    rig.forget()
    rig.receive(link, wire.Versions(versions=[]))
    assert frame in rig.frames(wire.RecordFrame, link)


def test_who_has_the_same_versions_is_sent_nothing() -> None:
    rig, link = _linked()
    rig.receive(link, Actor(C).frontier())
    rig.forget()
    rig.receive(link, wire.Versions(versions=rig.core.delivery.versions()))
    assert rig.sent == []


def test_another_digest_of_records_is_answered_with_the_versions() -> None:
    rig, link = _linked()
    rig.receive(link, wire.Digest(frontier=rig.core.exchange.digest(), records=bytes(32)))
    (frame,) = rig.frames(wire.Versions, link)
    assert frame.answer


def test_too_many_versions_are_a_bad_frame() -> None:
    rig, link = _linked()
    version = RecordVersion(kind="k", author="a", subject="", start=1, counter=1)
    rig.receive(link, wire.Versions(versions=[version] * (limits.FRONTIER_CHAINS_MAX + 1)))
    assert rig.counted("fault.oversized") == 1


_SPAN = Span(author=B, incarnation=1, chain="mail", floor=1, head=1, id=bytes(32))


def _frontier(**changes: object) -> wire.RecordFrame:
    fields: dict[str, object] = {"machine": C, "start": 1, "counter": 1, "spans": [_SPAN]}
    record = FrontierRecord(**(fields | changes))  # type: ignore[arg-type]  # one lie
    return wire.RecordFrame(kind="frontier", envelope=Actor(C).seal(contexts.FRONTIER, encode(record)))


def _floor(**changes: object) -> wire.RecordFrame:
    fields: dict[str, object] = {
        "machine": C,
        "start": 1,
        "counter": 1,
        "incarnation": 1,
        "chain": Chain("mail"),
        "sequence": 1,
        "id": bytes(32),
    }
    record = FloorRecord(**(fields | changes))  # type: ignore[arg-type]  # one lie
    return wire.RecordFrame(kind="floor", envelope=Actor(C).seal(contexts.FLOOR, encode(record)))


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (_frontier(machine=A), "wrong_source"),
        (_frontier(start=-1), "bad_field"),
        (_frontier(start=limits.NUMBER_MAX + 1), "bad_field"),
        (_frontier(counter=-1), "bad_field"),
        (_frontier(counter=limits.NUMBER_MAX + 1), "bad_field"),
        (_frontier(spans=[Span(author=B, incarnation=0, chain="mail", floor=1, head=1, id=bytes(32))]), "bad_frontier"),
        (_floor(machine=A), "wrong_source"),
        (_floor(chain=Chain("ledger")), "bad_field"),
        (_floor(incarnation=0), "bad_field"),
        (_floor(incarnation=limits.INCARNATION_MAX + 1), "bad_field"),
        (_floor(sequence=0), "bad_field"),
        (_floor(sequence=limits.NUMBER_MAX + 1), "bad_field"),
        (_floor(id=bytes(31)), "bad_field"),
        (_floor(counter=limits.NUMBER_MAX + 1), "bad_field"),
    ],
)
def test_a_record_with_one_lie_is_counted_and_changes_nothing(frame: wire.RecordFrame, code: str) -> None:
    rig, link = _linked()
    before = rig.core.delivery.versions()
    rig.receive(link, frame)
    assert rig.counted(f"fault.{code}") == 1
    assert rig.rows(RecordRow) == []
    assert rig.core.delivery.versions() == before
