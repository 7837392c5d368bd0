"""Conflicts, zombies, damping, and this machine under its own id."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.ids import BootId, MachineId
from roosync_p2p.liveness.heartbeat import Health
from roosync_p2p.liveness.verdicts import AskHears, Heard, Path, Reason, State
from tests.liveness.driver import ME, Driver, Peer, heartbeat

B = MachineId("node-b")


def test_two_boot_ids_with_one_start_number_are_a_conflict_until_a_newer_start() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b")
    copy = Peer(B, boot=b"another boot id.")
    assert fleet.hear(copy.beat(0), via="node-c") is Heard.CONFLICT
    assert (fleet.state("node-b"), fleet.verdict("node-b").reason) == (State.CONFLICT, Reason.TWO_BOOTS)
    fleet.keep_beating(["node-b"], 20)
    assert fleet.told_of("node-b") == [(0, State.ONLINE), (0, State.CONFLICT)]
    fleet.peers["node-b"].restart()
    fleet.beat("node-b")
    assert fleet.state("node-b") is State.ONLINE


def test_an_older_start_whose_counter_still_advances_is_a_conflict() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    original, copy = fleet.peers["node-b"], Peer(B, start=2)
    heard = set()
    while fleet.at_s < limits.OLD_START_GRACE_S + 3:
        fleet.hear(copy.beat(fleet.at_s))
        heard.add(fleet.hear(original.beat(fleet.at_s), via="node-c"))
        fleet.advance(fleet.at_s + 1)
    assert heard == {Heard.STALE, Heard.CONFLICT}
    assert fleet.verdict("node-b").reason == Reason.OLD_START_ADVANCES


def test_a_delayed_heartbeat_of_the_start_before_is_no_conflict() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    before = fleet.peers["node-b"]
    delayed = [before.beat(second) for second in range(1, 30)]
    fleet.advance(29)
    fleet.hear(Peer(B, start=2).beat(29))
    for beat in delayed[:15]:
        assert fleet.hear(beat, via="node-c") is Heard.STALE
    fleet.advance(29 + 2 * limits.OLD_START_GRACE_S)  # even what is far too late was signed before the newer start
    for beat in delayed[15:]:
        assert fleet.hear(beat, via="node-c") is Heard.STALE


def test_replays_of_a_start_before_this_nodes_time_are_no_conflict() -> None:
    fleet = Driver("node-b", "node-c")
    earlier = [fleet.peers["node-b"].beat(second - 86_400) for second in range(5)]
    fleet.peers["node-b"].restart()
    fleet.meet("node-b")
    fleet.keep_beating(["node-b"], 60)
    assert [fleet.hear(beat, via="node-c") for beat in earlier] == [Heard.STALE] * 5
    assert fleet.state("node-b") is State.ONLINE


def test_a_conflict_named_by_the_core_stays_through_restarts_until_settled() -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    fleet.view.identity_conflict(B, "fork", fleet.now)
    fleet.peers["node-b"].restart()
    fleet.beat("node-b")
    assert (fleet.state("node-b"), fleet.verdict("node-b").reason) == (State.CONFLICT, "fork")
    fleet.view.settled(B, fleet.now)
    assert fleet.state("node-b") is State.ONLINE


def test_only_so_many_earlier_starts_are_remembered() -> None:
    fleet = Driver("node-b")
    for _ in range(limits.OLD_STARTS_MAX + 5):
        fleet.beat("node-b")
        fleet.peers["node-b"].restart()
    assert len(fleet.view._tracks[B].starts._old) == limits.OLD_STARTS_MAX


@pytest.mark.parametrize(
    ("health", "reason"),
    [
        (Health(disk_lag_ms=10_000), Reason.DISK_STALLED),
        (Health(loop_lag_ms=5_000), Reason.LOOP_LAGGING),
    ],
)
def test_a_zombie_whose_heartbeats_go_on_is_suspect_with_direct_evidence(health: Health, reason: Reason) -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    fleet.advance(1)
    fleet.beat("node-b", health=health)
    verdict = fleet.verdict("node-b")
    assert (verdict.state, verdict.reason, verdict.evidence.path) == (State.SUSPECT, reason, Path.DIRECT)
    assert fleet.asked_of(AskHears, "node-b") == []
    fleet.advance(2)
    fleet.beat("node-b")
    assert fleet.state("node-b") is State.ONLINE


def test_a_flapping_machine_is_told_a_few_times_and_then_only_when_it_is_stable() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    for _ in range(8):
        fleet.keep_beating(["node-c"], fleet.at_s + 4)  # silent for four seconds: suspect at three
        fleet.beat("node-b")
    told = fleet.told_of("node-b")
    assert [state for _, state in told].count(State.ONLINE) == 1 + limits.FLAP_COMEBACKS_MAX
    held_from_s = fleet.at_s
    assert fleet.state("node-b") is State.ONLINE
    fleet.keep_beating(["node-b", "node-c"], held_from_s + 20)
    assert fleet.told_of("node-b")[len(told) :] == [(held_from_s + limits.FLAP_STABLE_S, State.ONLINE)]


def test_a_machine_that_was_late_again_and_again_is_told_as_gone_at_once() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    for _ in range(8):
        fleet.keep_beating(["node-c"], fleet.at_s + 4)
        fleet.beat("node-b")
    gone_s = fleet.at_s
    fleet.keep_beating(["node-c"], gone_s + 60)
    assert fleet.told_of("node-b")[-1] == (gone_s + 4.8, State.OFFLINE)


def test_a_machine_that_goes_and_comes_again_and_again_is_told_a_few_times_only() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    for _ in range(8):
        fleet.keep_beating(["node-c"], fleet.at_s + 6)  # silent for six seconds: offline before five
        fleet.beat("node-b")
    fleet.keep_beating(["node-c"], fleet.at_s + 60)
    told = [state for _, state in fleet.told_of("node-b")]
    assert told.count(State.OFFLINE) <= 1 + limits.FLAP_COMEBACKS_MAX
    assert told[-1] is State.OFFLINE


def test_an_echo_of_this_machines_own_heartbeats_is_nothing() -> None:
    fleet = Driver("node-b")
    own = Peer(ME, start=7, boot=b"my own boot id..")
    assert fleet.hear(own.beat(0), via="node-b") is Heard.DUPLICATE
    fleet.view.started(start=7, boot=BootId(own.boot), now=fleet.now)
    assert fleet.hear(own.beat(0), via="node-b") is Heard.DUPLICATE
    assert fleet.hear(heartbeat(ME, start=6), via="node-b") is Heard.STALE
    assert fleet.state(ME) is State.ONLINE


@pytest.mark.parametrize("start", [7, 8])
def test_another_program_under_this_machines_id_is_a_conflict_told_once(start: int) -> None:
    fleet = Driver("node-b")
    fleet.view.started(start=7, boot=BootId(b"my own boot id.."), now=fleet.now)
    other = Peer(ME, start=start, boot=b"somebody else's.")
    assert fleet.hear(other.beat(0), via="node-b") is Heard.CONFLICT
    assert fleet.hear(other.beat(1), via="node-b") is Heard.CONFLICT
    assert fleet.told_of(ME) == [(0, State.CONFLICT)]
    fleet.view.settled(ME, fleet.now)
    fleet.drain()
    assert fleet.told_of(ME)[-1] == (0, State.ONLINE)
