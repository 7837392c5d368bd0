"""The liveness checker tells false verdicts from explained ones, and honest evidence from the other kind."""

from __future__ import annotations

import dataclasses

from roosync_p2p.simulation.checkers.liveness import Circumstances, Detection, EvidenceSample, LivenessChecker

HEALTHY = Circumstances(beating_for_s=60.0, ways_for_s={"directly": 0.0, "through gamma": 30.0}, gone="", offline_s=5.0)
FRESH = EvidenceSample(
    judge="alpha",
    machine="beta",
    path="direct",
    via=None,
    age_s=0.5,
    true_age_s=0.5,
    unlinked_for_s=0.0,
    undisturbed=True,
)


def offline(truth: Circumstances) -> int:
    return len(LivenessChecker().offline("alpha", "beta", truth, 9.0))


def test_offline_of_a_machine_that_beats_and_can_be_heard_is_false() -> None:
    assert offline(HEALTHY) == 1


def test_offline_is_explained_by_a_death_a_cut_or_a_recent_return() -> None:
    checker = LivenessChecker()
    cut = dataclasses.replace(HEALTHY, ways_for_s={"directly": 4.9, "through gamma": 0.0})
    for truth in (dataclasses.replace(HEALTHY, gone="crashed"), cut, dataclasses.replace(HEALTHY, beating_for_s=4.0)):
        assert checker.offline("alpha", "beta", truth, 9.0) == []
    assert checker.explained == {"crashed": 1, "cut off": 1, "returned a moment ago": 1}


def test_a_farewell_that_nobody_said_is_found() -> None:
    assert LivenessChecker().leaving("alpha", "beta", left=True, at_s=1.0) == []
    assert len(LivenessChecker().leaving("alpha", "beta", left=False, at_s=1.0)) == 1


def test_evidence_that_is_younger_than_the_last_heartbeat_is_found() -> None:
    assert LivenessChecker().sample(FRESH, 9.0) == []
    younger = dataclasses.replace(FRESH, true_age_s=0.6)
    assert len(LivenessChecker().sample(younger, 9.0)) == 1
    assert LivenessChecker().sample(dataclasses.replace(younger, undisturbed=False), 9.0) == []
    much_younger = dataclasses.replace(younger, true_age_s=3.0, undisturbed=False)
    assert len(LivenessChecker().sample(much_younger, 9.0)) == 1


def test_evidence_of_a_machine_that_never_spoke_is_found() -> None:
    assert len(LivenessChecker().sample(dataclasses.replace(FRESH, true_age_s=None), 9.0)) == 1


def test_direct_evidence_that_is_younger_than_the_last_link_is_found() -> None:
    assert len(LivenessChecker().sample(dataclasses.replace(FRESH, unlinked_for_s=2.0), 9.0)) == 1
    assert len(LivenessChecker().sample(dataclasses.replace(FRESH, unlinked_for_s=None), 9.0)) == 1


def test_evidence_relayed_by_the_judged_machine_itself_is_found() -> None:
    relayed = dataclasses.replace(FRESH, path="relayed", via="beta")
    assert len(LivenessChecker().sample(relayed, 9.0)) == 1


def test_what_is_noticed_too_late_is_found() -> None:
    late = Detection(what="was killed", judge="alpha", machine="beta", wanted=("offline",), state="online", after_s=1.0)
    assert len(LivenessChecker().detected(late, 9.0)) == 1
    assert LivenessChecker().detected(dataclasses.replace(late, state="offline"), 9.0) == []
