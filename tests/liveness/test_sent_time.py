"""A node whose clocks jumped cannot know whether it slept: the other machines' clocks tell it."""

from __future__ import annotations

import pytest

from tests.liveness.driver import Driver


def resumed(fleet: Driver, *, slept_s: float) -> None:
    fleet.view.resumed(fleet.now, slept_s=slept_s)
    fleet.drain()


def awake_with_peers() -> Driver:
    """Heard its peer each second, the last time at 10 s; now it is 10.9 s."""
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.keep_beating(["node-b", "node-c"], 10)
    fleet.beat("node-b")
    fleet.advance(10.9)
    return fleet


def test_what_waited_in_a_socket_while_a_node_slept_is_as_old_as_its_machine_says() -> None:
    fleet = awake_with_peers()
    waited = [fleet.peers["node-b"].beat(at_s) for at_s in (11.0, 12.0, 13.0)]
    resumed(fleet, slept_s=7.5)  # it is 18.4 s
    fleet.advance(11.0)
    for beat in waited:
        fleet.hear(beat)
    assert fleet.verdict("node-b").evidence.age_s == pytest.approx(5.5)


def test_what_was_sent_before_the_sleep_is_told_apart_by_what_was_sent_in_it() -> None:
    fleet = awake_with_peers()
    fleet.advance(11.05)
    before = fleet.peers["node-b"].beat(11.0)
    during = fleet.peers["node-b"].beat(12.0)
    resumed(fleet, slept_s=5.0)  # it is 16.05 s
    fleet.hear(before)
    fleet.hear(during)
    assert fleet.verdict("node-b").evidence.age_s == pytest.approx(4.05)


def test_what_a_link_held_back_does_not_become_young_by_setting_the_clock_of_its_receiver() -> None:
    fleet = awake_with_peers()
    held = fleet.peers["node-b"].beat(11.0)
    resumed(fleet, slept_s=3600.0)  # set, not slept
    fleet.advance(14.0)
    fleet.hear(held)
    assert fleet.verdict("node-b").evidence.age_s == pytest.approx(3.0)


def test_a_machine_whose_clock_is_set_at_the_same_time_stays_young() -> None:
    for step_s in (-3600.0, 1800.0, 3600.0):
        fleet = awake_with_peers()
        resumed(fleet, slept_s=3600.0)
        fleet.peers["node-b"].ahead_s += step_s
        fleet.advance(11.0)
        fleet.beat("node-b")
        fleet.advance(12.0)
        fleet.beat("node-b")
        assert fleet.verdict("node-b").evidence.age_s == pytest.approx(0.0), step_s


def test_two_that_slept_together_are_young_to_each_other() -> None:
    fleet = awake_with_peers()
    resumed(fleet, slept_s=3600.0)
    fleet.advance(11.0)
    fleet.hear(fleet.peers["node-b"].beat(3611.0))
    assert fleet.verdict("node-b").evidence.age_s == pytest.approx(0.0)


def test_after_a_set_clock_was_recognised_another_jump_of_a_machine_is_its_own() -> None:
    fleet = awake_with_peers()
    resumed(fleet, slept_s=10.0)
    fleet.advance(11.0)
    for at_s in (11.0, 12.0, 13.0):
        fleet.advance(at_s)
        fleet.beat("node-b")
    fleet.peers["node-b"].ahead_s += 6.0
    fleet.advance(14.0)
    fleet.beat("node-b")
    assert fleet.verdict("node-b").evidence.age_s == pytest.approx(0.0)
