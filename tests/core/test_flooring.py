"""A machine lets go of its own old mail when age and every member allow it (docs/protocol/messages.md §9)."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.core import wire
from roosync_p2p.core.mail_commands import MarkRead, Outlived, RaiseFloors, Retain
from roosync_p2p.core.ports import Aged
from roosync_p2p.core.retaining import MAIL_LIFE_S, ages, outlived
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.entries.entry import MAIL
from roosync_p2p.ids import EntryId, MachineId
from tests.helpers.cores import NOW, A, Actor, B, C, Rig, connect, message, settle

DAY_S = 24 * 3600.0
KEY = (A, 1, MAIL)


def _sent(rig: Rig, count: int, to: str = "machine-b") -> list[EntryId]:
    return [EntryId(bytes.fromhex(str(rig.answered(message(to, f"{n}"))["entry"]))) for n in range(count)]


def _drop(rig: Rig, *entries: EntryId) -> None:
    rig.answered(Retain(aged=Aged(archive=(), expire=(), drop=entries)))


def _past(rig: Rig, days: float = 68.0) -> tuple[Outlived, ...]:
    query = ages(rig.machine, rig.now.wall_ms + round(days * DAY_S * 1000), drops=True, cited=())
    return outlived(rig.store, query, rig.core.exchange.own_mail())


def _pair() -> tuple[Rig, Rig, list[EntryId]]:
    """A wrote a beginning and four messages, and B has them; the bodies of the first three are gone at A."""
    a, b = Rig(A, knows=(B,)).ready(), Rig(B, knows=(A,)).ready()
    connect(a, b)
    sent = _sent(a, 4)
    settle(a, b, seconds=3)
    _drop(a, *sent[:3])
    return a, b, sent


def _floors(rig: Rig) -> dict[tuple[MachineId, str], int]:
    return {(run.author, run.chain): run.floor for run in rig.store.load().chains}


def test_past_is_what_has_no_body_any_more_and_the_age_of_all_mail() -> None:
    a, _, _ = _pair()
    assert _past(a) == (Outlived(incarnation=1, first=5),)
    assert _past(a, days=66.9) == ()


def test_what_stands_before_a_message_with_a_body_can_go_and_nothing_behind_it() -> None:
    a, _, sent = _pair()
    other = Rig(A, knows=(B,)).ready()
    kept = _sent(other, 3)
    _drop(other, kept[1])
    assert _past(other) == (Outlived(incarnation=1, first=2),)
    _drop(a, sent[3])
    assert _past(a) == (Outlived(incarnation=1, first=5),)  # the newest stays: what comes next follows on it


def test_a_receipt_goes_with_its_age_alone() -> None:
    b = Rig(B, knows=(A,)).ready()
    author = Actor(A)
    told = author.say("machine-b")
    b.receive(
        b.meet(author),
        wire.EntriesFrame(entries=[wire.WireEntry(header=e.raw, body=e.body) for e in author.chains[MAIL]]),
    )
    for _ in range(2):
        b.answered(MarkRead(message=told.id, author=A, workspaces=("",)))
        b.advance(limits.RECEIPT_INTERVAL_S + 0.1)
    assert _past(b) == (Outlived(incarnation=1, first=3),)


def test_a_floor_is_raised_kept_to_by_all_and_survives_restarts() -> None:
    a, b, sent = _pair()
    a.ask(RaiseFloors(outlived=_past(a)))
    settle(a, b, seconds=1)
    for rig in (a, b):
        assert _floors(rig)[A, MAIL] == 5
        assert [rig.store.message(entry) is not None for entry in sent] == [True] * 4
        assert [rig.store.entry(entry) is not None for entry in sent] == [True] * 4
    assert a.told("floor") == [{"incarnation": 1, "sequence": 5}]
    again = a.restart().ready()
    (more,) = _sent(again, 1)
    assert again.store.entry(more) is not None
    assert _floors(again)[A, MAIL] == 5
    assert [again.core.delivery.holds(B, KEY, sequence) for sequence in (2, 5)] == [True, True]


def test_a_newcomer_begins_at_the_floor_and_signs_for_nothing_before_it() -> None:
    a, b, _ = _pair()
    a.ask(RaiseFloors(outlived=_past(a)))
    settle(a, b, seconds=1)
    c = Rig(C, knows=(A, B)).ready()
    connect(b, c)
    settle(b, c, seconds=7)
    assert _floors(c)[A, MAIL] == 5
    assert c.told("skipped") == []
    assert [b.core.delivery.holds(C, KEY, sequence) for sequence in (4, 5)] == [False, True]
    assert b.core.exchange.digest() == c.core.exchange.digest()


def test_a_member_that_lacks_something_is_waited_for_as_long_as_mail_lives() -> None:
    a, b, _ = _pair()
    a.core.desk.follow(Rig(A, knows=(B, C)).core.directory)
    past = _past(a)
    for day in range(limits.FLOOR_ABSENT_DAYS):
        assert a.core.exchange.floor(KEY) == 1, day
        a.now = a.now.later(DAY_S)
        a.ask(RaiseFloors(outlived=past))
        a.ask(RaiseFloors(outlived=past))  # twice on one day counts once
    assert a.core.exchange.floor(KEY) == 5
    assert any(row.key == "absent" for row in a.rows(MetaRow))
    assert b.core.exchange.floor(KEY) == 1  # it has not heard of it yet


def test_months_of_sleep_are_one_day_of_absence() -> None:
    a = Rig(A, knows=(B,)).ready()
    sent = _sent(a, 3)
    a.advance(1)
    _drop(a, *sent[:2])
    a.ask(RaiseFloors(outlived=()))
    a.now = a.now.later(100 * DAY_S)
    a.ask(RaiseFloors(outlived=_past(a)))
    assert a.core.exchange.floor(KEY) == 1


def test_days_of_absence_are_kept_over_restarts_and_end_when_it_is_heard_again() -> None:
    a = Rig(A, knows=(B,)).ready()
    sent = _sent(a, 3)
    _drop(a, *sent[:2])
    for _ in range(limits.FLOOR_ABSENT_DAYS - 1):
        a.now = a.now.later(DAY_S)
        a.ask(RaiseFloors(outlived=()))
    again = a.restart().ready()
    b = Rig(B, knows=(A,), now=again.now).ready()
    connect(again, b)
    settle(again, b, seconds=3)
    again.now = again.now.later(DAY_S)
    again.ask(RaiseFloors(outlived=()))
    assert again.rows(MetaRow)[-1] == MetaRow(key="absent", value=None)


@pytest.mark.parametrize("sequence", [1, 2, 5, 6, 99])
def test_no_floor_is_raised_above_the_newest_entry_or_without_need(sequence: int) -> None:
    a, b, _ = _pair()
    a.ask(RaiseFloors(outlived=(Outlived(incarnation=1, first=sequence),)))
    assert a.core.exchange.floor(KEY) == min(sequence, 5)
    settle(a, b, seconds=1)
    assert b.core.exchange.floor(KEY) == min(sequence, 5)


def test_who_slept_past_it_goes_on_at_the_floor_and_brings_nothing_back() -> None:
    a, b, _ = _pair()
    c = Rig(C, knows=(A, B)).ready()
    connect(b, c)
    settle(a, b, c, seconds=3)
    sleeper = c.store
    for link in [link for link, (other, _) in b.wires.items() if other is c]:
        b.close(link)
    _drop(a, *[EntryId(bytes.fromhex(str(a.answered(message("machine-b", f"more {n}"))["entry"]))) for n in range(3)])
    _sent(a, 1)
    settle(a, b, seconds=3)
    past = (Outlived(incarnation=1, first=8),)
    for _ in range(limits.FLOOR_ABSENT_DAYS + 1):
        a.now = a.now.later(DAY_S)
        b.now = b.now.later(DAY_S)
        a.ask(RaiseFloors(outlived=past))
    settle(a, b, seconds=1)
    back = Rig(C, store=sleeper, now=a.now, seed="back").ready()
    connect(b, back)
    settle(a, b, back, seconds=7)
    assert {rig.core.exchange.floor(KEY) for rig in (a, b, back)} == {8}
    assert back.told("skipped") == [{"machine": A, "entries": 2, "from": 8}]
    assert back.core.exchange.digest() == b.core.exchange.digest()


def test_all_mail_lives_as_long_as_its_three_times_together() -> None:
    assert MAIL_LIFE_S == limits.FLOOR_ABSENT_DAYS * DAY_S
    assert NOW.wall_ms > MAIL_LIFE_S
