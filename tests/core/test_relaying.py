"""Frames for a machine without a link: one hop, thirty seconds of life, once, and only for whom they are."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.core import wire
from roosync_p2p.core.ports import LinkId
from roosync_p2p.entries.entry import LEDGER
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import parse_envelope
from tests.helpers.cores import A, Actor, B, C, D, Rig, entries


def _linked() -> tuple[Rig, LinkId]:
    rig = Rig(knows=(A, C, D)).ready()
    link = rig.meet(Actor(A))
    rig.forget()
    return rig, link


def _message(actor: Actor) -> wire.EntriesFrame:
    actor.say("machine-b")
    return entries(*actor.chains["mail"])  # type: ignore[index]  # a chain's name


def test_a_relayed_frame_is_handled_as_if_it_had_come_from_its_source() -> None:
    rig, link = _linked()
    source = Actor(C)
    rig.receive(link, source.relay(_message(source), to=B))
    assert [event["from"] for event in rig.told("message")] == [C]
    assert rig.counted("relay.received") == 1


def test_the_same_relayed_frame_is_handled_once() -> None:
    rig, link = _linked()
    frame = Actor(C).relay(wire.AskHears(machine=A), to=B)
    rig.receive(link, frame)
    rig.receive(link, frame)
    assert rig.counted("relay.received") == 1
    assert rig.counted("fault.relay_replayed") == 1


def test_a_relayed_frame_of_an_earlier_start_is_a_replay() -> None:
    rig, link = _linked()
    rig.receive(link, Actor(C, start=5).relay(wire.OwnQuery(), to=B))
    rig.receive(link, Actor(C, start=4).relay(wire.OwnQuery(), to=B, counter=9))
    assert rig.counted("fault.relay_replayed") == 1


def test_a_relayed_frame_lives_thirty_seconds() -> None:
    rig, link = _linked()
    source = Actor(C)
    at = rig.now.wall_ms - round(limits.RELAY_LIFE_S * 1000)
    rig.receive(link, source.relay(wire.OwnQuery(), to=B, counter=1, time_ms=at))
    assert rig.counted("relay.received") == 1
    rig.receive(link, source.relay(wire.OwnQuery(), to=B, counter=2, time_ms=at - 1))
    assert rig.counted("fault.relay_stale") == 1


def test_the_age_of_a_relayed_frame_is_told_by_the_sources_own_clock() -> None:
    rig, link = _linked()
    source = Actor(C)
    wrong_ms = rig.now.wall_ms + 3_000_000
    rig.receive(rig.meet(source), source.beat(wall_ms=wrong_ms))
    rig.receive(link, source.relay(wire.OwnQuery(), to=B, time_ms=wrong_ms))
    assert rig.counted("relay.received") == 1


def test_a_frame_for_another_linked_machine_is_passed_on_unread() -> None:
    rig, link = _linked()
    onward = rig.meet(Actor(C))
    rig.forget()
    frame = Actor(A).relay(b"for C alone", to=C)
    rig.receive(link, frame)
    assert rig.frames(wire.Relay, onward) == [frame]
    assert rig.counted("relay.passed_on") == 1
    assert not any(name.startswith("fault.") for name in rig.core.desk.counters)


def test_a_frame_for_a_machine_without_a_link_is_dropped() -> None:
    rig, link = _linked()
    rig.receive(link, Actor(A).relay(wire.OwnQuery(), to=C))
    assert rig.counted("relay.no_way") == 1
    assert rig.frames(wire.Relay) == []


def test_a_second_hop_is_one_too_many() -> None:
    rig, link = _linked()
    onward = rig.meet(Actor(C))
    rig.receive(link, Actor(D).relay(wire.OwnQuery(), to=C))
    assert rig.counted("fault.too_many_hops") == 1
    assert rig.frames(wire.Relay, onward) == []


def test_what_is_wrong_inside_is_not_the_fault_of_who_passed_it_on() -> None:
    rig, link = _linked()
    for number in range(2 * limits.LINK_BAD_FRAMES_MAX):
        rig.receive(link, Actor(C).relay(b"rubbish", to=B, counter=number))
    assert rig.counted("fault.malformed") == 2 * limits.LINK_BAD_FRAMES_MAX
    assert rig.closed == {}


def test_what_is_wrong_inside_is_the_fault_of_a_source_that_sent_it_over_its_own_link() -> None:
    rig, link = _linked()
    for number in range(limits.LINK_BAD_FRAMES_MAX):
        rig.receive(link, Actor(A).relay(b"rubbish", to=B, counter=number))
    assert link in rig.closed


def test_a_source_that_replays_does_not_cost_its_relay_the_link() -> None:
    rig, link = _linked()
    frame = Actor(C).relay(wire.OwnQuery(), to=B)
    for _ in range(2 * limits.LINK_BAD_FRAMES_MAX):
        rig.receive(link, frame)
    assert rig.closed == {}


def test_a_greeting_or_a_heartbeat_inside_a_relay_has_no_effect() -> None:
    rig, link = _linked()
    rig.receive(link, Actor(C).relay(Actor(C).hello(), to=B, counter=1))
    rig.receive(link, Actor(C).relay(Actor(C).beat(), to=B, counter=2))
    assert rig.core.links.peers() == (A,)
    assert rig.core.presence.latest(C) is None


def test_what_is_for_a_machine_without_a_link_goes_through_one_that_hears_it() -> None:
    rig, link = _linked()
    rig.receive(link, wire.Hears(machines=[(C, 1, 10)], all=True))
    rig.receive(link, Actor(C).relay(wire.AskHears(machine=A), to=B))
    (frame,) = rig.frames(wire.Relay, link)
    envelope = parse_envelope(frame.envelope, size_max=limits.FRAME_BYTES_MAX)
    assert (envelope.author, envelope.context) == (B, contexts.RELAY)
    assert rig.counted("relay.sent") == 1


def test_without_anybody_who_hears_it_nothing_is_sent() -> None:
    rig, link = _linked()
    rig.receive(link, Actor(C).relay(wire.AskHears(machine=A), to=B))
    assert rig.frames(wire.Relay) == []


def test_what_was_asked_for_through_a_relay_is_pulled_through_it() -> None:
    rig, link = _linked()
    rig.receive(link, wire.Hears(machines=[(C, 1, 10)], all=True))
    source = Actor(C)
    source.begin(LEDGER)
    rig.receive(link, source.relay(wire.FrontierFrame(spans=[source.span(LEDGER)]), to=B))
    assert len(rig.frames(wire.Relay, link)) == 1
