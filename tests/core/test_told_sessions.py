"""Who works where: told at once and seldom, seen while machine and lease last, named when it only seems to be there."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p import limits
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core import inputs, view, wire
from roosync_p2p.core.ports import LinkId
from roosync_p2p.core.rows import RecordRow
from roosync_p2p.gossip.sessions import OpenSession, SessionsRecord
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import parse_envelope
from tests.helpers.cores import NOW, A, Actor, B, C, Rig, connect, settle

ID = bytes(range(32))


def _session(*, active_s: float = 0.0, lease_s: float = 3600.0) -> OpenSession:
    active_ms = NOW.wall_ms + round(active_s * 1000)
    return OpenSession(
        id=ID, workspace="roosync", client="claude", active_ms=active_ms, expires_ms=active_ms + round(lease_s * 1000)
    )


def _linked() -> tuple[Rig, Actor, LinkId]:
    rig, actor = Rig().ready(), Actor(A)
    link = rig.meet(actor)
    rig.receive(link, actor.beat(wall_ms=rig.now.wall_ms))
    rig.forget()
    return rig, actor, link


def _said(
    actor: Actor, *sessions: OpenSession, start: int = 1, counter: int = 1, machine: str = ""
) -> wire.RecordFrame:
    """What a machine signs about its sessions."""
    named = machine or str(actor.machine)
    record = SessionsRecord(machine=named, start=start, counter=counter, sessions=list(sessions))
    return wire.RecordFrame(kind="sessions", envelope=actor.seal(contexts.SESSIONS, encode(record)))


def _told(rig: Rig) -> list[SessionsRecord]:
    """This machine's lists that were sent."""
    frames = [frame for frame in rig.frames(wire.RecordFrame) if frame.kind == "sessions"]
    envelopes = [parse_envelope(frame.envelope, size_max=limits.RECORD_BYTES_MAX) for frame in frames]
    return [decode(envelope.payload, SessionsRecord) for envelope in envelopes]


def _seen(rig: Rig, machine: str = A) -> list[Any]:
    row: Any = next(row for row in view.machines(rig.core) if row["machine"] == machine)
    return [session["session"] for session in row["sessions"]]


def _warned(rig: Rig) -> list[str]:
    return [str(one["message"]) for one in view.warnings(rig.core) if one["code"] == "session_zombie"]


# --- telling ------------------------------------------------------------------------------------------------------


def test_a_machine_without_sessions_says_nothing_of_them() -> None:
    rig, _, _ = _linked()
    rig.feed(inputs.SessionsOpen(sessions=()))
    rig.advance(30.0)
    assert _told(rig) == []


def test_a_session_that_opens_is_told_at_once_and_at_rest_nothing_is() -> None:
    rig, _, _ = _linked()
    rig.feed(inputs.SessionsOpen(sessions=(_session(),)))
    (record,) = _told(rig)
    assert [session.id for session in record.sessions] == [ID]
    rig.forget()
    rig.feed(inputs.SessionsOpen(sessions=(_session(),)))
    rig.advance(60.0)
    assert _told(rig) == []
    assert rig.rows(RecordRow) == []


def test_sessions_that_come_and_go_all_the_time_are_told_once_a_second() -> None:
    rig, _, _ = _linked()
    for number in range(50):
        rig.feed(inputs.SessionsOpen(sessions=(_session(active_s=number / 10),)))
        rig.advance(0.1)
    assert 5 <= len(_told(rig)) <= 6
    rig.advance(1.1)
    assert _told(rig)[-1].sessions[0].active_ms == NOW.wall_ms + 4_900


def test_nothing_is_signed_before_the_start_up_check_has_ended() -> None:
    rig = Rig()
    rig.meet(Actor(A))
    rig.feed(inputs.SessionsOpen(sessions=(_session(),)))
    assert _told(rig) == []
    rig.advance(5.1)
    assert len(_told(rig)) == 1


def test_after_a_restart_the_list_of_the_life_before_is_replaced_by_what_is_open_now() -> None:
    a, b = Rig(A, knows=(B, C)), Rig(B, knows=(A, C))
    connect(a, b)
    settle(a, b, seconds=7)
    a.feed(inputs.SessionsOpen(sessions=(_session(),)))
    settle(a, b, seconds=1)
    assert _seen(b) == [ID.hex()]
    again = a.restart()
    b.close(next(iter(b.wires)))
    b.wires.clear()
    connect(again, b)
    settle(again, b, seconds=13)
    told = b.core.delivery.sessions.of(A)
    assert told is not None
    assert (told.start, told.sessions) == (2, [])
    assert again.core.delivery.digest() == b.core.delivery.digest()


# --- seeing -------------------------------------------------------------------------------------------------------


def test_what_another_machine_tells_is_seen_and_nothing_of_it_is_written() -> None:
    rig, actor, link = _linked()
    rig.receive(link, _said(actor, _session()))
    assert _seen(rig) == [ID.hex()]
    assert rig.told("sessions") == [{"machine": A, "open": 1}]
    assert rig.rows(RecordRow) == []
    rig.receive(link, _said(actor, counter=2))
    assert _seen(rig) == []


def test_a_session_is_seen_no_more_when_its_lease_is_over_although_nobody_says_so() -> None:
    rig, actor, link = _linked()
    rig.receive(link, _said(actor, _session(active_s=5.1, lease_s=20.0)))
    for counter in range(2, 24):
        rig.advance(1.0)
        rig.receive(link, actor.beat(counter=counter, wall_ms=rig.now.wall_ms))
        over = rig.now.wall_ms >= NOW.wall_ms + 25_100
        assert _seen(rig) == ([] if over else [ID.hex()]), counter
    assert over
    assert _warned(rig) == []


def test_the_lease_is_over_by_the_clock_of_the_machine_that_gave_it() -> None:
    rig, actor, link = _linked()
    ahead_s = 600.0
    rig.receive(link, actor.beat(counter=2, wall_ms=rig.now.wall_ms + round(ahead_s * 1000)))
    rig.receive(link, _said(actor, _session(active_s=ahead_s, lease_s=30.0)))
    assert _seen(rig) == [ID.hex()]
    rig.receive(link, _said(actor, _session(active_s=0.0, lease_s=30.0), counter=2))
    assert _seen(rig) == []


def test_an_older_list_and_one_of_an_earlier_start_change_nothing() -> None:
    rig, actor, link = _linked()
    rig.receive(link, _said(actor, counter=5))
    rig.receive(link, _said(actor, _session(), counter=4))
    assert _seen(rig) == []
    other = Actor(C, start=2)
    rig.receive(rig.meet(other), other.beat(wall_ms=rig.now.wall_ms))
    rig.receive(link, _said(other, _session(), start=1))
    assert _seen(rig, C) == []


def test_a_list_that_names_another_machine_or_breaks_its_bounds_is_refused() -> None:
    rig, actor, link = _linked()
    rig.receive(link, _said(actor, _session(), machine=str(C)))
    rig.receive(link, _said(actor, _session(), _session()))
    assert _seen(rig) == []
    assert (rig.counted("fault.wrong_source"), rig.counted("fault.bad_field")) == (1, 1)


def test_a_list_that_was_signed_for_another_purpose_is_refused() -> None:
    rig, actor, link = _linked()
    record = SessionsRecord(machine=str(A), start=1, counter=1, sessions=[_session()])
    rig.receive(link, wire.RecordFrame(kind="sessions", envelope=actor.seal(contexts.FRONTIER, encode(record))))
    assert _seen(rig) == []


def test_a_list_that_came_through_another_machine_counts_as_well() -> None:
    rig, _, link = _linked()
    other = Actor(C)
    rig.receive(link, other.beat(wall_ms=rig.now.wall_ms, relayed=True))
    rig.receive(link, _said(other, _session()))
    assert _seen(rig, C) == [ID.hex()]


# --- zombies ------------------------------------------------------------------------------------------------------


def test_the_sessions_of_a_machine_that_went_without_a_word_vanish_and_are_named() -> None:
    rig, actor, link = _linked()
    witness = Actor(C)
    other = rig.meet(witness)
    rig.receive(link, _said(actor, _session(lease_s=60.0)))
    rig.close(link)
    for counter in range(1, 9):
        rig.advance(1.0)
        rig.receive(other, witness.beat(counter=counter, wall_ms=rig.now.wall_ms))
    assert {row["machine"]: row["state"] for row in view.machines(rig.core)}[A] == "offline"
    assert _seen(rig) == []
    (message,) = _warned(rig)
    assert "machine-a is offline" in message
    assert "claude in roosync" in message
    for counter in range(9, 60):
        rig.advance(1.0)
        rig.receive(other, witness.beat(counter=counter, wall_ms=rig.now.wall_ms))
    assert _warned(rig) == []  # its lease is over: nobody expects it any more


def test_the_sessions_of_a_machine_that_said_goodbye_vanish_without_a_word() -> None:
    rig, actor, link = _linked()
    rig.receive(link, _said(actor, _session()))
    heartbeat = actor.heartbeat(counter=2, wall_ms=rig.now.wall_ms, state="leaving")
    rig.receive(link, wire.Beat(envelope=actor.seal(contexts.HEARTBEAT, encode(heartbeat))))
    assert _seen(rig) == []
    assert _warned(rig) == []


@pytest.mark.parametrize("late_s", [limits.SESSION_ZOMBIE_S - 5, limits.SESSION_ZOMBIE_S + 5])
def test_a_session_that_is_still_told_of_long_after_its_lease_is_named(late_s: float) -> None:
    rig, actor, link = _linked()
    over_s = rig.now.wall_ms / 1000 - NOW.wall_ms / 1000 - late_s
    rig.receive(link, _said(actor, _session(active_s=over_s - 10, lease_s=10.0)))
    assert _seen(rig) == []
    assert bool(_warned(rig)) is (late_s > limits.SESSION_ZOMBIE_S)
