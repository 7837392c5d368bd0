"""The network in memory: the transport's conformance, and every fault with the counter that proves it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from roosync_p2p import limits
from roosync_p2p.core.memory_faults import PathFault
from roosync_p2p.core.memory_transport import MemoryNetwork, MemoryTransport
from roosync_p2p.core.ports import (
    DialFailed,
    DialId,
    DialOutcome,
    FrameArrived,
    LinkClosed,
    LinkId,
    LinkOpened,
    TransportEvent,
)
from roosync_p2p.entropy import Entropy
from tests.conformance.transport_suite import Harness, TransportSuite
from tests.helpers.virtual_time import VirtualTime


class MemoryHarness(Harness):
    def __init__(self) -> None:
        self.time = VirtualTime()
        self.network = MemoryNetwork(self.time.schedule, Entropy(bytes(16)))
        self.near_events, self.far_events, self.stranger_events = [], [], []
        self.near_leaf, self.far_leaf = b"leaf near", b"leaf far"
        self.near = self.node("near", self.near_events)
        self.far = self.node("far", self.far_events)
        self.stranger = self.node("stranger", self.stranger_events)
        self.node("dead", [])
        self.node("sleeper", [])
        self.network.kill("dead")
        self.network.stop("sleeper")
        self.far_address = "far:1"
        self.refused_address = "dead:1"
        self.silent_address = "sleeper:1"
        self.unanswered_address = "nowhere:1"

    def node(self, name: str, events: list[TransportEvent]) -> MemoryTransport:
        return MemoryTransport(
            self.network,
            name=name,
            addresses=[f"{name}:1"],
            leaf=f"leaf {name}".encode(),
            sink=events.append,
            refuse_leaf=lambda leaf: "not of this fleet" if b"stranger" in leaf else None,
        )

    async def until(self, done: Callable[[], bool]) -> None:
        self.time.run_until(done)

    def stop_reading(self) -> None:
        self.network.stop("far")

    async def cut_abruptly(self) -> None:
        self.network.kill("far")

    def frames_dropped(self) -> int:
        return self.network.counters.frames_dropped


class TestMemoryTransport(TransportSuite):
    @pytest.fixture
    def harness(self) -> Harness:
        return MemoryHarness()


@pytest.fixture
def world() -> MemoryHarness:
    return MemoryHarness()


def link(world: MemoryHarness) -> tuple[LinkId, LinkId]:
    world.near.dial(DialId(1), "far:1")
    world.time.run_for(1.0)
    opened = [event for event in (last(world.near_events), last(world.far_events)) if isinstance(event, LinkOpened)]
    assert len(opened) == 2
    return opened[0].link, opened[1].link


def last(events: list[TransportEvent]) -> TransportEvent:
    return events[-1]


def numbers(events: list[TransportEvent]) -> list[int]:
    return [int(event.data) for event in events if isinstance(event, FrameArrived)]


def send_numbers(world: MemoryHarness, near: LinkId, count: int) -> None:
    for number in range(count):
        world.near.send(near, str(number).encode(), droppable=False)


def test_loss_delays_and_keeps_the_order(world: MemoryHarness) -> None:
    near, _far = link(world)
    world.network.set_path("near", "far", PathFault(loss=0.2, jitter_s=0.05))
    send_numbers(world, near, 500)
    world.time.run_for(0.1)
    assert len(numbers(world.far_events)) < 500
    world.time.run_for(30)
    assert numbers(world.far_events) == list(range(500))
    assert world.network.counters.transmissions_lost > 50


def test_a_short_cut_stalls_frames_and_healing_delivers_them_in_order(world: MemoryHarness) -> None:
    near, _far = link(world)
    world.network.cut("near", "far", both_ways=True)
    send_numbers(world, near, 5)
    world.time.run_for(5)
    assert numbers(world.far_events) == []
    assert world.network.counters.frames_stalled == 5
    world.network.heal_all()
    world.time.run_for(3)
    assert numbers(world.far_events) == [0, 1, 2, 3, 4]


def test_a_long_cut_ends_the_link_on_each_side_at_its_own_moment(world: MemoryHarness) -> None:
    near, far = link(world)
    world.network.cut("near", "far", both_ways=True)
    send_numbers(world, near, 1)
    world.time.run_for(6)
    world.far.send(far, b"0", droppable=False)
    world.time.run_for(5)
    assert last(world.near_events) == LinkClosed(link=near, reason="connection timed out", abrupt=True)
    assert isinstance(last(world.far_events), LinkOpened)
    world.time.run_for(6)
    assert isinstance(last(world.far_events), LinkClosed)
    assert world.network.counters.links_timed_out == 2


def test_a_one_way_cut_stalls_the_way_back_after_its_first_frame(world: MemoryHarness) -> None:
    near, far = link(world)
    world.network.cut("far", "near")
    world.far.send(far, b"7", droppable=False)
    for number in range(3):
        world.near.send(near, str(number).encode(), droppable=False)
        world.time.run_for(1)
    assert numbers(world.near_events) == []
    assert numbers(world.far_events) == [0]
    world.network.heal_all()
    world.time.run_for(3)
    assert numbers(world.near_events) == [7]
    assert numbers(world.far_events) == [0, 1, 2]


def test_a_side_that_knows_nothing_of_the_link_resets_the_other(world: MemoryHarness) -> None:
    near, far = link(world)
    world.network.cut("near", "far", both_ways=True)
    send_numbers(world, near, 1)
    world.time.run_for(21)
    world.network.heal_all()
    world.far.send(far, b"0", droppable=False)
    world.time.run_for(1)
    assert last(world.far_events) == LinkClosed(link=far, reason="connection reset by peer", abrupt=True)


@pytest.mark.parametrize("way", [("near", "far"), ("far", "near")])
def test_a_dial_across_a_cut_in_either_direction_is_unanswered(world: MemoryHarness, way: tuple[str, str]) -> None:
    world.network.cut(*way)
    world.near.dial(DialId(2), "far:1")
    world.time.run_for(limits.CONNECT_TIMEOUT_S)
    assert world.near_events == [DialFailed(dial=DialId(2), outcome=DialOutcome.UNANSWERED, detail="no answer")]
    assert world.network.counters.dials_unanswered == 1


def test_a_stopped_node_gets_everything_when_it_goes_on(world: MemoryHarness) -> None:
    near, _far = link(world)
    world.network.stop("far")
    send_numbers(world, near, 10)
    world.time.run_for(60)
    assert numbers(world.far_events) == []
    assert world.network.counters.frames_held == 10
    world.network.resume("far")
    assert numbers(world.far_events) == list(range(10))


def test_a_stopped_node_takes_no_more_than_a_window(world: MemoryHarness) -> None:
    near, _far = link(world)
    world.network.stop("far")
    for _ in range(10):
        world.near.send(near, bytes(100_000), droppable=False)
    world.time.run_for(60)
    assert world.network.counters.frames_held == 3
    world.network.resume("far")
    world.time.run_for(1)
    assert sum(isinstance(event, FrameArrived) for event in world.far_events) == 10


def test_a_killed_node_ends_its_links_at_once_and_can_start_again(world: MemoryHarness) -> None:
    near, _far = link(world)
    world.network.kill("far")
    world.time.run_for(0.01)
    assert last(world.near_events) == LinkClosed(link=near, reason="connection reset by peer", abrupt=True)
    world.near.dial(DialId(2), "far:1")
    world.time.run_for(0.01)
    failed = last(world.near_events)
    assert isinstance(failed, DialFailed)
    assert failed.outcome is DialOutcome.REFUSED
    world.far = world.node("far", world.far_events)
    link(world)


def test_a_vanished_node_says_nothing_until_it_is_back(world: MemoryHarness) -> None:
    near, _far = link(world)
    world.network.vanish("far")
    send_numbers(world, near, 1)
    world.time.run_for(5)
    assert isinstance(last(world.near_events), LinkOpened)
    world.far = world.node("far", world.far_events)
    world.time.run_for(3)
    assert last(world.near_events) == LinkClosed(link=near, reason="connection reset by peer", abrupt=True)


def test_a_node_behind_a_firewall_that_says_so_refuses_dials_and_keeps_its_links(world: MemoryHarness) -> None:
    near, _far = link(world)
    assert isinstance(world.far, MemoryTransport)
    world.far.refusing = True
    world.near.dial(DialId(2), "far:1")
    send_numbers(world, near, 1)
    world.time.run_for(1)
    assert numbers(world.far_events) == [0]
    assert world.network.counters.dials_refused == 1


def test_duplicates_and_reordering_are_worse_than_tcp_and_counted(world: MemoryHarness) -> None:
    near, _far = link(world)
    world.network.set_path("near", "far", PathFault(duplicate=0.2, reorder=0.2, jitter_s=0.01))
    send_numbers(world, near, 200)
    world.time.run_for(5)
    got = numbers(world.far_events)
    assert sorted(set(got)) == list(range(200))
    assert len(got) == 200 + world.network.counters.frames_duplicated > 200
    assert got != sorted(got)
    assert world.network.counters.frames_reordered > 0


def test_the_same_seed_gives_the_same_run() -> None:
    runs = []
    for _ in range(2):
        world = MemoryHarness()
        near, _far = link(world)
        world.network.set_path("near", "far", PathFault(loss=0.3, jitter_s=0.1, duplicate=0.1, reorder=0.1))
        send_numbers(world, near, 100)
        world.time.run_for(20)
        runs.append((world.far_events, world.network.counters))
    assert runs[0] == runs[1]


def test_a_close_under_a_cut_ends_our_side_in_time_and_the_other_side_when_it_sends(world: MemoryHarness) -> None:
    near, far = link(world)
    world.network.cut("near", "far", both_ways=True)
    world.near.close(near, "leaving")
    world.time.run_for(limits.LINK_CLOSE_TIMEOUT_S)
    assert last(world.near_events) == LinkClosed(link=near, reason="leaving", abrupt=True)
    world.network.heal_all()
    world.far.send(far, b"0", droppable=False)
    world.time.run_for(3)
    assert last(world.far_events) == LinkClosed(link=far, reason="connection reset by peer", abrupt=True)
