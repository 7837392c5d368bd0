"""Relayed evidence, and what peers report about their own."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.verdicts import AskHears, Heard, Path, Reason, State, TellLost
from tests.liveness.driver import ME, Driver, heartbeat


def far_fleet() -> Driver:
    """A node linked with c and d; b is heard through c alone."""
    fleet = Driver("node-b", "node-c", "node-d")
    fleet.meet("node-c", "node-d")
    fleet.beat("node-b", via="node-c")
    return fleet


def test_a_relayed_heartbeat_makes_online_and_names_its_relay_and_age() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.beat("node-b", via="node-c", age_s=1.5)
    fleet.advance(0.5)
    verdict = fleet.verdict("node-b")
    assert (verdict.state, verdict.evidence.path, verdict.evidence.via) == (State.ONLINE, Path.RELAYED, "node-c")
    assert verdict.evidence.age_s == 2


def test_relayed_evidence_is_suspect_after_six_seconds_and_offline_after_ten() -> None:
    fleet = far_fleet()
    fleet.keep_beating(["node-c", "node-d"], 11)
    assert fleet.told_of("node-b") == [(0, State.ONLINE), (6, State.SUSPECT), (10, State.OFFLINE)]
    assert fleet.asked_of(AskHears, "node-b")[0] == 6


def test_the_age_a_relay_adds_counts_against_the_limit() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-c")
    fleet.beat("node-b", via="node-c", age_s=4)
    fleet.keep_beating(["node-c"], 7)
    assert fleet.told_of("node-b") == [(0, State.ONLINE), (2, State.SUSPECT), (6, State.OFFLINE)]


def test_above_24_members_relayed_limits_grow_with_their_number() -> None:
    names = [f"node-{number:02}" for number in range(47)]  # 48 with this one: twice 24
    fleet = Driver(*names)
    fleet.meet("node-01")
    fleet.beat("node-00", via="node-01")
    fleet.keep_beating(["node-01"], 21)
    assert fleet.told_of("node-00") == [(0, State.ONLINE), (12, State.SUSPECT), (20, State.OFFLINE)]


def test_a_relayed_copy_of_a_directly_heard_heartbeat_does_not_lengthen_the_limit() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.link("node-b", "node-c")
    beat = fleet.peers["node-b"].beat(0)
    assert fleet.hear(beat) is Heard.NEW
    assert fleet.hear(beat, via="node-c") is Heard.DUPLICATE
    fleet.keep_beating(["node-c"], 6)
    assert fleet.told_of("node-b")[1:] == [(3, State.SUSPECT), (4.8, State.OFFLINE)]


def test_a_direct_copy_after_a_relayed_one_is_direct_evidence() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.link("node-b")
    beat = fleet.peers["node-b"].beat(0)
    assert fleet.hear(beat, via="node-c") is Heard.NEW
    assert fleet.hear(beat) is Heard.DUPLICATE
    assert fleet.verdict("node-b").evidence.path is Path.DIRECT


def test_a_machine_whose_direct_link_went_silent_stays_online_through_a_relay() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    for second in range(1, 20):
        fleet.advance(second)
        fleet.beat("node-c")
        fleet.beat("node-b", via="node-c")
    assert fleet.told_of("node-b") == [(0, State.ONLINE)]
    assert fleet.verdict("node-b").evidence.via == "node-c"
    assert fleet.asked_of(TellLost, "node-b") == [4.8]


def test_lost_by_its_only_relay_and_denied_by_the_others_a_machine_is_offline_at_once() -> None:
    fleet = far_fleet()
    fleet.advance(0.5)
    fleet.lost("node-b", by="node-c")
    assert fleet.verdict("node-b").reason == Reason.ASKING_PEERS
    assert fleet.asked_of(AskHears, "node-b") == [0.5]
    fleet.advance(0.625)
    fleet.hears("node-b", by="node-d", age_s=None)
    assert fleet.told_of("node-b")[-1] == (0.625, State.OFFLINE)
    assert fleet.verdict("node-b").reason == Reason.LOST


def test_a_peer_that_was_not_heard_from_delays_a_lost_machine_by_a_bounded_time() -> None:
    fleet = far_fleet()
    fleet.lost("node-b", by="node-c")
    fleet.keep_beating(["node-c", "node-d"], 2)
    assert fleet.told_of("node-b")[-1] == (limits.HEARS_WAIT_S, State.OFFLINE)


def test_lost_by_one_relay_a_machine_stays_online_through_another() -> None:
    fleet = far_fleet()
    beat = fleet.peers["node-b"].beat(0)
    fleet.hear(beat, via="node-c")
    fleet.hear(beat, via="node-d")
    fleet.lost("node-b", by="node-c")
    assert (fleet.state("node-b"), fleet.verdict("node-b").evidence.via) == (State.ONLINE, "node-d")


def test_lost_of_an_earlier_start_changes_nothing() -> None:
    fleet = far_fleet()
    fleet.peers["node-b"].restart()
    fleet.beat("node-b", via="node-c")
    fleet.lost("node-b", by="node-c", start=1)
    assert fleet.state("node-b") is State.ONLINE


def test_a_peer_that_hears_the_machine_directly_keeps_it_from_being_offline_and_is_asked_again() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.keep_beating(["node-c"], 3)
    for _ in range(10):
        fleet.hears("node-b", by="node-c", age_s=0.5)
        fleet.keep_beating(["node-c"], fleet.at_s + 2)
    assert fleet.told_of("node-b") == [(0, State.ONLINE), (3, State.SUSPECT)]
    verdict = fleet.verdict("node-b")
    assert (verdict.reason, verdict.evidence.path, verdict.evidence.via) == (
        Reason.PEER_HEARS,
        Path.RELAYED,
        "node-c",
    )
    assert fleet.asked_of(AskHears, "node-b")[:4] == [3, 5, 7, 9]
    fleet.keep_beating(["node-c"], 40)
    assert fleet.told_of("node-b")[-1] == (24.3, State.OFFLINE)  # the limit after what the last report could be


def test_a_report_of_old_evidence_does_not_count() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    fleet.keep_beating(["node-c"], 4)
    fleet.hears("node-b", by="node-c", age_s=4)
    fleet.keep_beating(["node-c"], 6)
    assert fleet.told_of("node-b")[-1] == (4.8, State.OFFLINE)


def test_reports_about_or_by_strangers_change_nothing() -> None:
    fleet = far_fleet()
    fleet.lost("node-x", by="node-c")
    fleet.lost("node-b", by="node-x")
    fleet.lost("node-b", by="node-b")
    assert fleet.state("node-b") is State.ONLINE
    assert fleet.hear(heartbeat("node-b"), via="node-x") is Heard.FOREIGN


def test_this_nodes_own_answer_is_its_direct_evidence_within_the_limit() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b")
    fleet.beat("node-c", via="node-b")
    fleet.advance(2)
    assert fleet.view.direct_evidence(MachineId("node-b"), fleet.now) == (1, 2)
    assert fleet.view.direct_evidence(MachineId("node-c"), fleet.now) is None
    assert fleet.view.direct_evidence(ME, fleet.now) is None
    fleet.advance(5)
    assert fleet.view.direct_evidence(MachineId("node-b"), fleet.now) is None


def test_only_so_many_relays_of_one_machine_are_remembered() -> None:
    names = [f"node-{number:02}" for number in range(12)]
    fleet = Driver("node-b", *names)
    for name in names:
        fleet.advance(fleet.at_s + 0.125)
        fleet.beat("node-b", via=name)
    track = fleet.view._tracks[MachineId("node-b")]
    assert sorted(track.relayed) == names[-limits.RELAY_SOURCES_MAX :]
