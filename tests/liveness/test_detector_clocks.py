"""Wrong clocks, replays, this node's own lateness: none makes a machine offline or alive."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.clock import Now
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.heartbeat import Health
from roosync_p2p.liveness.verdicts import Heard, Path, Redial, RedialOutcome, State
from tests.liveness.driver import Driver

DAY_S = 24 * 3600.0


@pytest.mark.parametrize("ahead_s", [-DAY_S, -10.0, 10.0, DAY_S, 400 * DAY_S])
def test_a_directly_heard_machine_with_a_wrong_clock_is_online(ahead_s: float) -> None:
    fleet = Driver("node-b")
    fleet.peers["node-b"].ahead_s = ahead_s
    fleet.meet("node-b")
    fleet.keep_beating(["node-b"], 30)
    assert fleet.told_of("node-b") == [(0, State.ONLINE)]


@pytest.mark.parametrize("step_s", [-DAY_S, -4.5, -2.0, 4.5, DAY_S])
def test_a_clock_that_is_set_does_not_age_a_direct_machine(step_s: float) -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    fleet.keep_beating(["node-b"], 20)
    fleet.peers["node-b"].ahead_s += step_s
    fleet.keep_beating(["node-b"], 40)
    fleet.peers["node-b"].ahead_s -= step_s
    fleet.keep_beating(["node-b"], 60)
    assert fleet.told_of("node-b") == [(0, State.ONLINE)]


@pytest.mark.parametrize("step_s", [-DAY_S, -4.5, 4.5])
def test_a_clock_that_is_set_does_not_age_a_relayed_machine(step_s: float) -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-c")
    for second in range(1, 60):
        fleet.advance(second)
        if second == 20:
            fleet.peers["node-b"].ahead_s = step_s
        fleet.beat("node-c")
        fleet.beat("node-b", via="node-c", age_s=0.25)
    assert fleet.told_of("node-b") == [(1, State.ONLINE)]


def test_a_heartbeat_that_was_long_on_its_way_is_as_old_as_its_signed_time_says() -> None:
    fleet = Driver("node-b")
    fleet.peers["node-b"].ahead_s = 500.0
    fleet.meet("node-b")
    fleet.keep_beating(["node-b"], 10)
    late = fleet.peers["node-b"].beat(10)
    fleet.advance(12.5)
    fleet.hear(late)
    assert fleet.verdict("node-b").evidence.age_s == 2.5


def test_a_measured_offset_corrects_the_signed_time_of_relayed_heartbeats() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.peers["node-b"].ahead_s = -500.0
    fleet.meet("node-b", "node-c")
    fleet.keep_beating(["node-b", "node-c"], 10)
    late = fleet.peers["node-b"].beat(10)
    fleet.advance(13.25)
    assert fleet.hear(late, via="node-c", age_s=0.5) is Heard.NEW
    assert fleet.verdict("node-b").evidence.age_s == 3.25


def test_a_replayed_heartbeat_of_yesterday_is_stale_and_does_not_raise_the_dead() -> None:
    fleet = Driver("node-b", "node-c")
    yesterday = fleet.peers["node-b"].beat(-DAY_S)
    fleet.peers["node-b"].restart()
    fleet.meet("node-b", "node-c")
    fleet.keep_beating(["node-c"], 20)
    assert fleet.hear(yesterday, via="node-c") is Heard.STALE
    assert fleet.state("node-b") is State.OFFLINE


def test_an_early_heartbeat_of_the_same_start_replayed_later_is_stale() -> None:
    fleet = Driver("node-b", "node-c")
    early = fleet.peers["node-b"].beat(0)
    fleet.hear(early, via="node-c")
    fleet.link("node-b")
    fleet.keep_beating(["node-b"], 30)
    assert fleet.hear(early, via="node-c") is Heard.STALE
    assert fleet.hear(early) is Heard.STALE


def test_a_fresh_node_does_not_believe_a_relayed_heartbeat_of_yesterday_that_it_never_heard() -> None:
    fleet = Driver("node-b", "node-c")
    yesterday = fleet.peers["node-b"].beat(-DAY_S)
    assert fleet.hear(yesterday, via="node-c") is Heard.UNBELIEVED
    assert fleet.state("node-b") is State.UNKNOWN
    assert fleet.hear(yesterday, via="node-c") is Heard.STALE
    assert fleet.told == []


def test_a_relayed_clock_far_ahead_is_not_believed() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.peers["node-b"].ahead_s = limits.HEARTBEAT_FUTURE_S + 1
    assert fleet.beat("node-b", via="node-c") is Heard.UNBELIEVED


def test_a_wrong_clock_that_announces_its_offset_is_believed_through_a_relay() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.peers["node-b"].ahead_s = -DAY_S
    health = Health(clock_offset_ms=round(-DAY_S * 1000))
    assert fleet.beat("node-b", via="node-c", health=health) is Heard.NEW
    assert fleet.state("node-b") is State.ONLINE


def test_an_unbelieved_machine_that_a_peer_hears_is_suspect_and_never_offline() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-c")
    fleet.peers["node-b"].ahead_s = -DAY_S
    for second in range(1, 40):
        fleet.advance(second)
        fleet.beat("node-c")
        fleet.beat("node-b", via="node-c")
        fleet.hears("node-b", by="node-c", age_s=0.25)
    assert fleet.told_of("node-b") == [(6, State.SUSPECT)]


def test_a_node_whose_own_clock_is_wrong_corrects_it_by_the_median_of_its_peers() -> None:
    fleet = Driver("node-b", "node-c", "node-d", "node-e")
    for name in ("node-c", "node-d", "node-e", "node-b"):
        fleet.peers[name].ahead_s = 7200.0  # seen from here: this node is two hours behind
    fleet.meet("node-c", "node-d", "node-e")
    fleet.advance(1)
    assert fleet.view.clock_offset_ms(fleet.now) == -7_200_000
    assert fleet.beat("node-b", via="node-c") is Heard.NEW


def test_two_nodes_alone_do_not_correct_each_other() -> None:
    fleet = Driver("node-b")
    assert fleet.view.clock_offset_ms(fleet.now) is None
    fleet.peers["node-b"].ahead_s = 7200.0
    fleet.meet("node-b")
    assert fleet.view.clock_offset_ms(fleet.now) == 0


def test_a_step_of_this_nodes_own_wall_clock_changes_no_verdict() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.keep_beating(["node-b", "node-c"], 5)
    stepped = Now(monotonic_s=fleet.now.monotonic_s, wall_ms=fleet.now.wall_ms + 3_600_000)
    fleet.view.heard(fleet.peers["node-b"].beat(5), path=Path.DIRECT, now=stepped)
    fleet.view.heard(fleet.peers["node-b"].beat(5), path=Path.RELAYED, via=MachineId("node-c"), now=stepped)
    assert fleet.verdict("node-b").evidence.age_s == 0


def test_a_resumed_node_restarts_all_ages_and_redials_its_links() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.at_s = 8 * 3600.0
    fleet.view.resumed(fleet.now)
    fleet.drain()
    fleet.view.tick(fleet.now)
    fleet.drain()
    assert fleet.asked_of(Redial, "node-b") == [fleet.at_s]
    assert fleet.told_of("node-b") == [(0, State.ONLINE)]
    assert fleet.verdict("node-b").evidence.age_s == 8 * 3600.0  # the age stays honest
    fleet.redialled("node-b", RedialOutcome.SILENT)
    woke_s = fleet.at_s
    fleet.keep_beating(["node-c"], woke_s + 6)
    assert fleet.told_of("node-b")[1:] == [(woke_s + 3, State.SUSPECT), (woke_s + 4.8, State.OFFLINE)]


def test_resuming_brings_nobody_back() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.keep_beating(["node-c"], 20)
    assert fleet.state("node-b") is State.OFFLINE
    fleet.view.resumed(fleet.now)
    fleet.advance(20.5)
    assert fleet.state("node-b") is State.OFFLINE


def test_a_heartbeat_made_while_this_node_slept_is_not_fresh_because_its_monotonic_clock_stood_still() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.keep_beating(["node-b", "node-c"], 5)
    woke = Now(monotonic_s=fleet.now.monotonic_s, wall_ms=fleet.now.wall_ms + 8 * 3_600_000)
    fleet.view.resumed(woke)
    fleet.peers["node-b"].counter += 4 * 3600
    midnight = fleet.peers["node-b"].beat(4 * 3600.0)
    heard = fleet.view.heard(midnight, path=Path.RELAYED, via=MachineId("node-c"), now=woke)
    assert heard is Heard.UNBELIEVED


def test_a_lagging_event_loop_widens_the_limits_by_its_lag_for_a_while() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.keep_beating(["node-c"], 2)
    fleet.view.loop_lag(1.5, fleet.now)
    fleet.keep_beating(["node-c"], 9)
    assert fleet.told_of("node-b")[1:] == [(4.5, State.SUSPECT), (6.3, State.OFFLINE)]
    fleet.beat("node-b")
    fleet.keep_beating(["node-c"], 15)
    assert fleet.told_of("node-b")[-2:] == [(12, State.SUSPECT), (13.8, State.OFFLINE)]


def test_a_lag_as_long_as_a_limit_restarts_all_ages() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.at_s = 60.0
    fleet.view.loop_lag(60.0, fleet.now)
    fleet.view.tick(fleet.now)
    fleet.drain()
    fleet.keep_beating(["node-c"], 66)
    assert fleet.told_of("node-b")[1:] == [(63, State.SUSPECT), (64.8, State.OFFLINE)]


def test_scheduling_noise_widens_nothing() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.view.loop_lag(0.125, fleet.now)
    fleet.advance(4)
    assert fleet.told_of("node-b")[1:] == [(3, State.SUSPECT)]


def test_a_lag_does_not_lift_a_suspicion() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.keep_beating(["node-c"], 3.5)
    fleet.view.loop_lag(2.0, fleet.now)
    fleet.keep_beating(["node-c"], 8)
    assert fleet.told_of("node-b")[1:] == [(3, State.SUSPECT), (6.8, State.OFFLINE)]
