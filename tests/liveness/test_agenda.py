"""Timers: the earliest valid one is next, and only what is due is looked at."""

from __future__ import annotations

from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.agenda import Agenda
from roosync_p2p.liveness.profile import LAN
from roosync_p2p.liveness.track import Track


def track(name: str) -> Track:
    return Track(machine=MachineId(name), profile=LAN, known_since_s=0.0)


def test_only_what_is_due_comes_out_in_the_order_of_its_time() -> None:
    agenda, early, late, later = Agenda(), track("early"), track("late"), track("later")
    agenda.set(late, 2.0)
    agenda.set(early, 1.0)
    agenda.set(later, 3.0)
    assert list(agenda.due(2.0)) == [early, late]
    assert agenda.next_due() == 3.0


def test_a_timer_moves_forward_only_and_its_older_setting_is_skipped() -> None:
    agenda, one = Agenda(), track("one")
    agenda.set(one, 5.0)
    agenda.set(one, 9.0)
    assert agenda.next_due() == 5.0
    agenda.set(one, 4.0)
    assert list(agenda.due(4.0)) == [one]
    assert agenda.next_due() is None


def test_a_dropped_track_is_never_due() -> None:
    agenda, one = Agenda(), track("one")
    agenda.set(one, 5.0)
    agenda.drop(one)
    assert list(agenda.due(10.0)) == []


def test_a_track_without_a_limit_sets_no_timer() -> None:
    agenda = Agenda()
    agenda.set(track("one"), None)
    assert agenda.next_due() is None
