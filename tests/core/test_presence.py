"""Heartbeats out and in, who hears whom, and who relays for whom."""

from __future__ import annotations

import itertools

import pytest

from roosync_p2p import limits
from roosync_p2p.codec.records import decode
from roosync_p2p.core import inputs, wire
from roosync_p2p.core.ports import LinkId
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.heartbeat import Heartbeat
from roosync_p2p.trust.envelopes import parse_envelope
from tests.helpers.cores import A, Actor, B, C, D, E, Rig


def _linked() -> tuple[Rig, LinkId, Actor]:
    rig = Rig(knows=(A, C, D)).ready()
    actor = Actor(A)
    link = rig.meet(actor)
    rig.forget()
    return rig, link, actor


def _own(rig: Rig, link: LinkId | None = None) -> list[Heartbeat]:
    frames = [frame for frame in rig.frames(wire.Beat, link) if not frame.relayed]
    return [decode(parse_envelope(frame.envelope, size_max=4096).payload, Heartbeat) for frame in frames]


def _hears(rig: Rig, link: LinkId) -> list[list[str]]:
    return [[machine for machine, _, _ in frame.machines] for frame in rig.frames(wire.Hears, link)]


# --- out --------------------------------------------------------------------------------------------------------------


def test_a_heartbeat_goes_out_every_second_with_counters_that_rise() -> None:
    rig, _, _ = _linked()
    rig.advance(5.0)
    counters = [beat.counter for beat in _own(rig)]
    assert len(counters) == 5
    assert all(later == earlier + 1 for earlier, later in itertools.pairwise(counters))


def test_a_heartbeat_says_where_and_how_this_node_is() -> None:
    rig, _, _ = _linked()
    rig.feed(inputs.LocalAddresses(addresses=("10.0.0.2:47600",)))
    rig.feed(inputs.Health(loop_lag_s=0.02, disk_lag_s=1.5))
    rig.advance(1.0)
    beat = _own(rig)[-1]
    assert beat.addresses == ("10.0.0.2:47600",)
    assert (beat.health.loop_lag_ms, beat.health.disk_lag_ms) == (20, 1500)
    assert ("mail", 1, 1) in beat.heads


def test_sending_and_receiving_heartbeats_writes_nothing() -> None:
    rig, link, actor = _linked()
    rig.advance(2.0)
    rig.forget()
    for _ in range(5):
        rig.receive(link, actor.beat(wall_ms=rig.now.wall_ms))
        rig.advance(1.0)
    assert rig.written == []


def test_the_last_heartbeat_says_farewell() -> None:
    rig, link, _ = _linked()
    rig.feed(inputs.Shutdown(reason="roosync down"))
    assert _own(rig, link)[-1].state == "leaving"
    assert rig.stopped == "roosync down"
    rig.forget()
    rig.advance(5.0)
    assert _own(rig) == []


# --- in ---------------------------------------------------------------------------------------------------------------


def test_a_machine_that_is_heard_directly_is_online() -> None:
    rig, link, actor = _linked()
    rig.receive(link, actor.beat(wall_ms=rig.now.wall_ms))
    verdict = rig.core.presence.liveness.verdict(A, rig.now)
    assert (verdict.state, verdict.evidence.path) == ("online", "direct")


def test_a_relayed_heartbeat_is_evidence_of_its_own_kind() -> None:
    rig, link, _ = _linked()
    rig.receive(link, Actor(C).beat(relayed=True, wall_ms=rig.now.wall_ms))
    verdict = rig.core.presence.liveness.verdict(C, rig.now)
    assert (verdict.state, verdict.evidence.path, verdict.evidence.via) == ("online", "relayed", A)


def test_nobody_relays_a_heartbeat_of_its_own() -> None:
    rig, link, _ = _linked()
    rig.receive(link, Actor(A).beat(relayed=True, wall_ms=rig.now.wall_ms))
    assert rig.counted("fault.wrong_source") == 1


def test_a_heartbeat_of_another_machine_as_ones_own_is_a_bad_frame() -> None:
    rig, link, _ = _linked()
    rig.receive(link, Actor(C).beat())
    assert rig.counted("fault.wrong_source") == 1
    assert rig.core.presence.latest(C) is None


@pytest.mark.parametrize(("relayed", "age_ms"), [(False, 1), (True, -1), (True, 60_001)])
def test_a_heartbeat_with_an_impossible_age_is_a_bad_frame(relayed: bool, age_ms: int) -> None:
    rig, link, actor = _linked()
    machine = Actor(C) if relayed else actor
    rig.receive(link, wire.Beat(envelope=machine.beat().envelope, relayed=relayed, age_ms=age_ms))
    assert rig.counted("fault.bad_field") == 1


def test_addresses_in_a_heartbeat_are_somewhere_to_try() -> None:
    rig, link, _ = _linked()
    own = Rig(C, knows=(A, B)).ready()
    own.feed(inputs.LocalAddresses(addresses=("10.0.0.3:47600",)))
    near = own.meet(Actor(A))
    own.advance(1.1)
    frame = own.frames(wire.Beat, near)[-1]
    rig.receive(link, wire.Beat(envelope=frame.envelope, relayed=True))
    assert "10.0.0.3:47600" in rig.dials.values()


# --- who hears whom ---------------------------------------------------------------------------------------------------


def test_peers_are_told_whom_this_node_hears_when_that_changes_and_only_then() -> None:
    rig, link, actor = _linked()
    other = rig.meet(Actor(D))
    rig.forget()
    for _ in range(3):
        rig.receive(link, actor.beat(wall_ms=rig.now.wall_ms))
        rig.advance(1.0)
    assert _hears(rig, other) == [[A]]


def test_when_a_link_is_gone_peers_are_told_that_it_is_heard_no_more() -> None:
    rig, link, actor = _linked()
    other = rig.meet(Actor(D))
    rig.receive(link, actor.beat(wall_ms=rig.now.wall_ms))
    rig.forget()
    rig.close(link)
    assert [] in _hears(rig, other)


def test_whoever_asks_about_a_machine_that_is_heard_gets_the_proof() -> None:
    rig, link, actor = _linked()
    other = rig.meet(Actor(D))
    rig.receive(link, actor.beat(wall_ms=rig.now.wall_ms))
    rig.forget()
    rig.receive(other, wire.AskHears(machine=A))
    assert [frame.machines[0][:2] for frame in rig.frames(wire.Hears, other)] == [(A, 1)]
    assert [frame.relayed for frame in rig.frames(wire.Beat, other)] == [True]


def test_whoever_asks_about_a_machine_that_is_not_heard_is_told_so() -> None:
    rig, link, _ = _linked()
    rig.receive(link, wire.AskHears(machine=C))
    assert [frame.machines for frame in rig.frames(wire.Hears, link)] == [[(C, 0, None)]]


def test_a_machine_that_a_peer_lost_is_not_heard_by_it_any_more() -> None:
    rig, link, _ = _linked()
    rig.receive(link, wire.Hears(machines=[(C, 1, 10), (D, 1, 10)], all=True))
    rig.receive(link, wire.Lost(machine=C, start=1))
    assert rig.core.presence.hears(A) == {D}


def test_what_a_peer_said_about_itself_and_others_is_forgotten_with_its_link() -> None:
    rig, link, _ = _linked()
    rig.receive(link, wire.Hears(machines=[(C, 1, 10)], all=True))
    rig.close(link)
    assert rig.core.presence.hears(A) == frozenset()


_LONG = "x" * (limits.FRAME_BYTES_MAX - 100)


@pytest.mark.parametrize(
    "frame",
    [
        wire.AskHears(machine=_LONG),
        wire.AskHears(machine=""),
        wire.Lost(machine=_LONG, start=1),
        wire.Hears(machines=[(_LONG, 1, 1)]),
    ],
    ids=["asks", "asks for nobody", "lost", "hears"],
)
def test_a_name_that_names_no_machine_is_a_bad_frame(frame: wire.Frame) -> None:
    rig, link, _ = _linked()
    rig.receive(link, frame)
    assert rig.counted("fault.bad_machine_id") == 1
    assert rig.sent == []


def test_an_answer_about_the_longest_name_that_fits_a_frame_is_no_crash() -> None:
    rig, link, _ = _linked()
    fits = limits.FRAME_BYTES_MAX - len(wire.encode_frame(wire.AskHears(machine=""))) - 4
    rig.receive(link, wire.AskHears(machine="x" * fits))
    assert rig.counted("fault.bad_machine_id") == 1


@pytest.mark.parametrize("row", [(C, -1, 5), (C, 1, -5)])
def test_a_list_of_heard_machines_with_an_impossible_number_is_a_bad_frame(row: tuple[str, int, int]) -> None:
    rig, link, _ = _linked()
    rig.receive(link, wire.Hears(machines=[row]))
    assert rig.counted("fault.bad_field") == 1


def test_a_peer_that_hears_machines_without_end_costs_bounded_memory() -> None:
    rig, link, _ = _linked()
    for start in range(0, 3 * limits.FRONTIER_CHAINS_MAX, 1_000):
        names = [(f"machine-{start + number}", 1, 1) for number in range(1_000)]
        rig.receive(link, wire.Hears(machines=list(names)))
    assert len(rig.core.presence.hears(A)) <= limits.FRONTIER_CHAINS_MAX


# --- relayed for others -----------------------------------------------------------------------------------------------


def _relays(rig: Rig, link: LinkId) -> int:
    return len([frame for frame in rig.frames(wire.Beat, link) if frame.relayed])


def test_a_heartbeat_is_passed_on_to_who_does_not_hear_its_machine() -> None:
    rig, link, actor = _linked()
    other = rig.meet(Actor(D))
    rig.forget()
    rig.receive(link, actor.beat(wall_ms=rig.now.wall_ms))
    assert _relays(rig, other) == 1
    assert _relays(rig, link) == 0


def test_a_heartbeat_is_not_passed_on_to_who_hears_its_machine_itself() -> None:
    rig, link, actor = _linked()
    other = rig.meet(Actor(D))
    rig.receive(other, wire.Hears(machines=[(A, 1, 10)], all=True))
    rig.forget()
    rig.receive(link, actor.beat(wall_ms=rig.now.wall_ms))
    assert _relays(rig, other) == 0


def test_a_relayed_heartbeat_is_not_relayed_again() -> None:
    rig, link, _ = _linked()
    other = rig.meet(Actor(D))
    rig.forget()
    rig.receive(link, Actor(C).beat(relayed=True, wall_ms=rig.now.wall_ms))
    assert _relays(rig, other) == 0


@pytest.mark.parametrize("others", [(), (C,)], ids=["alone", "with one more"])
def test_a_heartbeat_falls_to_a_node_while_two_or_fewer_hear_both_ends(others: tuple[MachineId, ...]) -> None:
    rig, link, actor = _linked()
    far = rig.meet(Actor(D))
    for other in others:
        rig.receive(rig.meet(Actor(other)), wire.Hears(machines=[(A, 1, 10), (D, 1, 10)], all=True))
    rig.forget()
    rig.receive(link, actor.beat(wall_ms=rig.now.wall_ms))
    assert _relays(rig, far) == 1


def test_of_three_that_hear_both_ends_exactly_two_pass_a_heartbeat_on() -> None:
    passed = 0
    for me in (B, C, E):
        rig = Rig(me, knows=(A, B, C, D, E)).ready()
        actor = Actor(A)
        link, far = rig.meet(actor), rig.meet(Actor(D))
        for other in {B, C, E} - {me}:
            rig.receive(rig.meet(Actor(other)), wire.Hears(machines=[(A, 1, 10), (D, 1, 10)], all=True))
        rig.forget()
        rig.receive(link, actor.beat(wall_ms=rig.now.wall_ms))
        passed += _relays(rig, far)
    assert passed == limits.RELAY_FANOUT
