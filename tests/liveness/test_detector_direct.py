"""Direct evidence: its limits, links, redials and what proves that this node is connected."""

from __future__ import annotations

import pytest

from roosync_p2p.liveness.profile import ANALYSIS
from roosync_p2p.liveness.verdicts import AskHears, Heard, Path, Reason, Redial, RedialOutcome, State, TellLost
from tests.liveness.driver import ME, Driver


def test_a_machine_is_unknown_until_its_first_heartbeat_and_then_online_with_direct_evidence() -> None:
    fleet = Driver("node-b")
    assert fleet.verdict("node-b").reason == Reason.NEVER_HEARD
    fleet.link("node-b")
    assert fleet.state("node-b") is State.UNKNOWN
    assert fleet.beat("node-b") is Heard.NEW
    fleet.advance(0.5)
    verdict = fleet.verdict("node-b")
    assert (verdict.state, verdict.evidence.path, verdict.evidence.age_s) == (State.ONLINE, Path.DIRECT, 0.5)
    assert fleet.told_of("node-b") == [(0, State.ONLINE)]


def test_a_silent_machine_is_suspect_at_three_seconds_and_offline_before_five_while_another_link_lives() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.keep_beating(["node-c"], 7)
    assert fleet.told_of("node-b") == [(0, State.ONLINE), (3, State.SUSPECT), (4.8, State.OFFLINE)]
    assert fleet.verdict("node-b").reason == Reason.SILENT
    assert fleet.verdict("node-b").evidence.path is Path.NONE
    assert fleet.verdict("node-b").evidence.age_s == 7


def test_a_link_silent_for_three_seconds_is_redialled_and_the_peers_are_asked() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.keep_beating(["node-c"], 4.5)
    assert fleet.asked_of(Redial, "node-b") == [3]
    assert fleet.asked_of(AskHears, "node-b") == [3]


def test_in_a_fleet_of_two_a_stopped_peer_is_offline_before_five_seconds_because_it_accepts_and_stays_silent() -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    fleet.advance(4)
    fleet.redialled("node-b", RedialOutcome.SILENT)
    fleet.advance(20)
    assert fleet.told_of("node-b") == [(0, State.ONLINE), (3, State.SUSPECT), (4.8, State.OFFLINE)]


def test_in_a_fleet_of_two_an_unanswered_redial_leaves_the_peer_unknown() -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    fleet.advance(4)
    fleet.redialled("node-b", RedialOutcome.UNANSWERED)
    fleet.advance(60)
    assert fleet.told_of("node-b") == [(0, State.ONLINE), (3, State.SUSPECT), (4.8, State.UNKNOWN)]
    assert fleet.verdict("node-b").reason == Reason.NO_PROOF


def test_a_silent_redial_older_than_the_limit_proves_nothing() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.redialled("node-c", RedialOutcome.SILENT)
    fleet.advance(0.25)
    fleet.meet("node-b")
    fleet.advance(5.25)
    assert fleet.state("node-b") is State.UNKNOWN


def test_a_killed_machine_is_redialled_at_once_and_offline_with_the_refusal() -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    fleet.advance(0.25)
    fleet.unlink("node-b")
    assert fleet.asked_of(Redial, "node-b") == [0.25]
    assert fleet.state("node-b") is State.ONLINE
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    assert fleet.verdict("node-b").reason == Reason.REFUSED
    assert fleet.told_of("node-b") == [(0, State.ONLINE), (0.25, State.OFFLINE)]
    assert (0.25, TellLost(machine=fleet.peers["node-b"].machine, start=1)) in fleet.asked


def test_after_a_refusal_offline_waits_for_live_peers_to_say_that_they_do_not_hear_it() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.unlink("node-b")
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    assert (fleet.state("node-b"), fleet.verdict("node-b").reason) == (State.SUSPECT, Reason.ASKING_PEERS)
    fleet.advance(0.0625)
    fleet.lost("node-b", by="node-c")
    assert fleet.told_of("node-b")[-1] == (0.0625, State.OFFLINE)


def test_a_peer_that_does_not_answer_delays_a_refused_machine_by_half_a_second_at_most() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.unlink("node-b")
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    fleet.advance(3)
    assert fleet.told_of("node-b")[-1] == (0.5, State.OFFLINE)


def test_a_peer_whose_link_closed_in_the_same_moment_may_come_back_and_say_that_it_hears_a_refused_machine() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.unlink("node-b")
    fleet.unlink("node-c")
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    assert (fleet.state("node-b"), fleet.verdict("node-b").reason) == (State.SUSPECT, Reason.ASKING_PEERS)
    fleet.advance(3)
    assert fleet.told_of("node-b")[-1] == (0.5, State.OFFLINE)


def test_a_peer_that_refuses_too_is_not_waited_for() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.unlink("node-b")
    fleet.unlink("node-c")
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    fleet.redialled("node-c", RedialOutcome.REFUSED)
    assert fleet.told_of("node-b")[-1] == fleet.told_of("node-c")[-1] == (0, State.OFFLINE)


def test_a_refused_redial_of_a_machine_never_heard_is_offline_once_others_had_the_time_to_tell_of_it() -> None:
    fleet = Driver("node-b")
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    assert (fleet.state("node-b"), fleet.verdict("node-b").reason) == (State.UNKNOWN, Reason.NEVER_HEARD)
    fleet.advance(5)
    verdict = fleet.verdict("node-b")
    assert (verdict.state, verdict.reason, verdict.evidence.age_s) == (State.OFFLINE, Reason.REFUSED, None)


def test_a_machine_that_refused_and_lived_on_is_not_called_offline_by_a_refusal_again() -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    fleet.unlink("node-b")
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    assert fleet.state("node-b") is State.OFFLINE
    fleet.advance(1)
    fleet.meet("node-b")
    fleet.unlink("node-b")
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    assert fleet.state("node-b") is State.ONLINE
    fleet.advance(4)
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    fleet.advance(10)
    assert fleet.told_of("node-b")[-2:] == [(4, State.SUSPECT), (5.8, State.OFFLINE)]


def test_a_machine_that_dials_in_and_refuses_the_dial_back_lives() -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    fleet.unlink("node-b")
    for at_s in range(1, 20, 3):
        fleet.advance(at_s)
        fleet.redialled("node-b", RedialOutcome.UNANSWERED)
    assert fleet.state("node-b") is State.UNKNOWN
    fleet.advance(20.25)
    fleet.link("node-b")
    fleet.advance(20.5)  # its first heartbeat over the new link is on its way
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    assert fleet.state("node-b") is not State.OFFLINE


def test_a_machine_that_refused_since_the_start_and_dials_in_lives() -> None:
    fleet = Driver("node-b")
    fleet.advance(1)
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    fleet.advance(4.5)
    fleet.link("node-b")
    fleet.advance(5.25)  # its first heartbeat is late
    assert fleet.state("node-b") is not State.OFFLINE


def test_a_restarted_machine_is_called_offline_by_a_refusal_though_its_earlier_start_refused_alive() -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    assert fleet.state("node-b") is State.ONLINE
    fleet.peers["node-b"].restart()
    fleet.beat("node-b")
    fleet.unlink("node-b")
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    assert fleet.state("node-b") is State.OFFLINE


def test_a_heartbeat_that_was_being_verified_as_the_link_closed_does_not_raise_the_dead() -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    fleet.advance(1)
    late = fleet.peers["node-b"].beat(1)
    fleet.unlink("node-b")
    fleet.advance(1.25)
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    fleet.advance(1.5)
    fleet.hear(late)
    assert fleet.state("node-b") is State.OFFLINE


def test_a_node_cut_off_from_everybody_says_unknown_for_everyone() -> None:
    fleet = Driver("node-b", "node-c", "node-d")
    fleet.meet("node-b", "node-c")
    fleet.keep_beating(["node-b", "node-c"], 12)
    assert fleet.told_of("node-d") == [(10, State.OFFLINE)]
    fleet.advance(14)
    fleet.unlink("node-b", "node-c")
    for name in ("node-b", "node-c", "node-d"):
        fleet.redialled(name, RedialOutcome.UNANSWERED)
    fleet.advance(60)
    assert {fleet.state(name) for name in fleet.peers} == {State.UNKNOWN}
    assert [state for _, state in fleet.told_of("node-b")] == [State.ONLINE, State.SUSPECT, State.UNKNOWN]


def test_what_is_unknown_gets_a_whole_limit_to_show_itself_once_this_node_is_connected_again() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.advance(30)
    assert (fleet.state("node-b"), fleet.state("node-c")) == (State.UNKNOWN, State.UNKNOWN)
    fleet.unlink("node-b", "node-c")
    fleet.link("node-c")
    assert fleet.verdict("node-b").reason == Reason.PROVING
    assert fleet.asked_of(AskHears, "node-b")[-1] == 30
    assert fleet.asked_of(Redial, "node-b")[-1] == 30
    fleet.keep_beating(["node-c"], 34.75)
    assert fleet.state("node-b") is State.UNKNOWN
    fleet.keep_beating(["node-c"], 36)
    assert fleet.told_of("node-b")[-1] == (34.8, State.OFFLINE)


def test_offline_stands_while_this_node_remains_connected() -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    fleet.unlink("node-b")
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    fleet.advance(600)
    assert fleet.state("node-b") is State.OFFLINE


def test_never_heard_is_not_offline_while_its_link_opened_a_moment_ago() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-c")
    fleet.keep_beating(["node-c"], 9)
    fleet.advance(9.6)
    fleet.beat("node-c")
    fleet.link("node-b")  # its certificate was renewed late: it dials in, and its first heartbeat is on its way
    fleet.advance(10.5)
    assert (fleet.state("node-b"), fleet.verdict("node-b").reason) == (State.UNKNOWN, Reason.NO_HEARTBEATS)
    fleet.beat("node-b")
    assert [state for _, state in fleet.told_of("node-b")] == [State.ONLINE]


def test_a_link_over_which_nothing_comes_does_not_keep_a_machine_that_was_never_heard() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-c")
    fleet.keep_beating(["node-c"], 9)
    fleet.link("node-b")
    fleet.keep_beating(["node-c"], 20)
    assert fleet.state("node-b") is State.OFFLINE


def test_never_heard_is_offline_after_the_relayed_limit_with_proof_and_unknown_without() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-c")
    fleet.keep_beating(["node-c"], 11)
    assert fleet.told_of("node-b") == [(10, State.OFFLINE)]
    assert fleet.verdict("node-b").reason == Reason.NEVER_HEARD
    alone = Driver("node-b", "node-c")
    alone.advance(3600)
    assert alone.told == []


def test_a_link_that_was_just_alive_is_waited_for_before_a_verdict_without_proof() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.advance(3.25)
    fleet.beat("node-c")
    fleet.advance(5.25)
    assert fleet.verdict("node-b").reason == Reason.AWAITING_PROOF
    fleet.beat("node-c")
    assert fleet.told_of("node-b")[-1] == (5.25, State.OFFLINE)


def test_frames_without_heartbeats_keep_a_machine_suspect_but_do_not_bring_it_back() -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    for second in range(1, 8):
        fleet.advance(second)
        fleet.view.traffic(fleet.peers["node-b"].machine, fleet.now)
    assert fleet.verdict("node-b").reason == Reason.NO_HEARTBEATS
    assert fleet.asked_of(Redial, "node-b") == []
    fleet.advance(11)
    fleet.redialled("node-b", RedialOutcome.SILENT)
    fleet.advance(12)
    assert fleet.state("node-b") is State.OFFLINE
    fleet.view.traffic(fleet.peers["node-b"].machine, fleet.now)
    assert fleet.state("node-b") is State.OFFLINE


def test_a_continued_machine_is_online_at_its_first_new_heartbeat() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.keep_beating(["node-c"], 20)
    assert fleet.state("node-b") is State.OFFLINE
    fleet.beat("node-b")
    assert fleet.told_of("node-b")[-1] == (20, State.ONLINE)


def test_a_farewell_is_leaving_at_once_without_questions() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.hear(fleet.peers["node-b"].beat(0, state="leaving"))
    fleet.unlink("node-b")
    fleet.keep_beating(["node-c"], 60)
    assert fleet.told_of("node-b") == [(0, State.ONLINE), (0, State.LEAVING)]
    assert [question for _, question in fleet.asked if question.machine == "node-b"] == []


@pytest.mark.parametrize("restarted", [True, False])
def test_who_left_comes_back_with_a_newer_heartbeat(restarted: bool) -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    fleet.hear(fleet.peers["node-b"].beat(0, state="leaving"))
    if restarted:
        fleet.peers["node-b"].restart()
    fleet.advance(1)
    fleet.beat("node-b")
    assert fleet.told_of("node-b")[-1] == (1, State.ONLINE)


def test_the_slow_profile_waits_ninety_and_a_hundred_and_twenty_seconds() -> None:
    fleet = Driver("node-b", "node-c", profile=ANALYSIS)
    fleet.meet("node-b", "node-c")
    while fleet.at_s < 130:
        fleet.hear(fleet.peers["node-c"].beat(fleet.at_s, interval_ms=30_000))
        fleet.advance(fleet.at_s + 10)
    assert fleet.told_of("node-b") == [(0, State.ONLINE), (90, State.SUSPECT), (120, State.OFFLINE)]


def test_a_machine_that_announces_a_slower_cadence_gets_limits_in_proportion() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.link("node-b", "node-c")
    fleet.hear(fleet.peers["node-b"].beat(0, interval_ms=4000))
    fleet.keep_beating(["node-c"], 21)
    assert fleet.told_of("node-b") == [(0, State.ONLINE), (12, State.SUSPECT), (19.2, State.OFFLINE)]


def test_this_machine_is_online_in_its_own_view_and_a_stranger_is_unknown() -> None:
    fleet = Driver("node-b")
    assert fleet.state(ME) is State.ONLINE
    assert fleet.verdict("node-x").reason == Reason.NOT_A_MEMBER


def test_a_removed_member_is_forgotten_with_its_timers_and_reports() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.view.set_members([ME, fleet.peers["node-c"].machine], fleet.now)
    fleet.keep_beating(["node-c"], 10)
    assert fleet.told_of("node-b") == [(0, State.ONLINE)]
    assert fleet.beat("node-b") is Heard.FOREIGN
    assert fleet.view.machines == ["node-c"]


def test_a_redial_that_opens_proves_nothing_against_the_machine_that_answered_it() -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    fleet.advance(4.5)
    fleet.redialled("node-b", RedialOutcome.OPENED)
    fleet.advance(6)
    assert fleet.verdict("node-b").reason == Reason.NO_HEARTBEATS
    assert [state for _, state in fleet.told_of("node-b")] == [State.ONLINE, State.SUSPECT]
