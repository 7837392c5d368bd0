"""When a run under faults ends, what its report counts, and how it names what is wrong."""

from __future__ import annotations

import dataclasses

import pytest

from tests.end_to_end.load_report import Checked, Goal, Leaders, Minimum, Report
from tests.linearizability.baseline import Baseline, Read, Shown, Write, Written
from tests.linearizability.checker import Verdict, check
from tests.linearizability.operations import answered, lost

_MINIMUM = Minimum(answered={"baseline": 2}, leader_changes=1, faults_of_each_kind=1)
_GOAL = Goal(seconds=30)
_WRITE = Write(place="p", value="x", based_on=0)
_HISTORY = [
    answered("a", _WRITE, Written(version=1), 0, 1),
    answered("b", Read(), Shown(version=1, values=(("p", "x"),)), 2, 3),
    answered("b", Read(), Shown(version=1, values=(("p", "x"),)), 4, 5),
    answered("b", Read(), Shown(version=1, values=(("p", "x"),)), 6, 7),
    lost("c", Write(place="p", value="y", based_on=1), 4),
]


def _report() -> Report:
    leaders = Leaders()
    leaders.saw(1, "a")
    leaders.saw(2, "b")
    return Report(
        seed=7,
        seconds=30.0,
        objects={"baseline": Checked.of(_HISTORY, check(_HISTORY, Baseline()), 0.1)},
        faults={"killed": 1, "stopped": 2},
        leaders=leaders,
        unanswered={"pending": 1},
        void={"not_running": 3},
    )


def _judged(verdict: Verdict) -> list[str]:
    report = _report()
    checked = dataclasses.replace(report.objects["baseline"], verdict=verdict)
    return dataclasses.replace(report, objects={"baseline": checked}).problems(_MINIMUM, _GOAL)


@pytest.mark.parametrize(
    ("goal", "over"),
    [
        (Goal(seconds=30), False),
        (Goal(seconds=9), True),
        (Goal(seconds=30, operations=100), True),
        (Goal(seconds=30, operations=101), False),
        (Goal(seconds=30, operations=100, leader_changes=5), False),
        (Goal(seconds=30, leader_changes=4), True),
        (Goal(seconds=9, operations=101, leader_changes=5), True),
    ],
)
def test_a_run_ends_at_its_time_or_when_all_counts_are_reached(goal: Goal, over: bool) -> None:
    assert goal.is_over(10.0, operations=100, leader_changes=4, faults_of_each_kind=1) is over


def test_a_run_that_has_shown_nothing_yet_goes_on_a_little() -> None:
    goal = Goal(seconds=10)
    assert not goal.is_over(10.0, operations=100, leader_changes=0, faults_of_each_kind=1)
    assert not goal.is_over(39.9, operations=100, leader_changes=1, faults_of_each_kind=0)
    assert goal.is_over(40.0, operations=100, leader_changes=0, faults_of_each_kind=0)


def test_a_leader_that_is_elected_again_is_no_change() -> None:
    leaders = Leaders()
    for term, leader in [(1, "a"), (1, None), (1, "a"), (3, "a"), (5, "b"), (6, "a"), (4, None)]:
        leaders.saw(term, leader)
    assert (leaders.terms, leaders.changes, leaders.newest) == (4, 2, "a")
    assert not leaders.split


def test_what_is_seen_late_is_put_in_its_place() -> None:
    leaders = Leaders()
    for term, leader in [(1, "a"), (3, "a"), (2, "b")]:
        leaders.saw(term, leader)
    assert (leaders.changes, leaders.newest) == (2, "a")


def test_a_fleet_without_a_leader_has_none() -> None:
    leaders = Leaders()
    leaders.saw(1, None)
    assert (leaders.terms, leaders.changes, leaders.newest) == (0, 0, None)


def test_a_report_counts() -> None:
    lines = _report().lines()
    assert lines[:7] == [
        "seed: 7",
        "seconds of load: 30.0",
        "operations: 5, of which answered 4, unknown 1",
        "not sent, or refused without effect, and in no history: not_running 3",
        "why unknown: pending 1",
        "faults, each seen to be active: killed 1, stopped 2; in all 3",
        "leader changes: 1, terms with a leader: 2",
    ]
    assert lines[7].startswith("baseline: 5 operations, 1 unknown; read shown 3, write unknown 1, write written 1; ")


def test_a_good_run_has_no_problems() -> None:
    assert _report().problems(_MINIMUM, _GOAL) == []


def test_two_leaders_of_one_term_are_a_violation() -> None:
    report = _report()
    report.leaders.saw(2, "c")
    assert report.problems(_MINIMUM, _GOAL) == ["violation: b and c both led in term 2"]


def test_a_violation_and_not_knowing_are_told_apart() -> None:
    stale = [*_HISTORY, answered("d", Read(), Shown(version=0), 8, 9)]
    (violated,) = _judged(check(stale, Baseline()))
    assert violated.startswith("violation: ")
    (unknown,) = _judged(check(stale, Baseline(), steps_max=1))
    assert unknown.startswith("undecided: ")


@pytest.mark.parametrize(
    ("minimum", "goal", "words"),
    [
        ({"answered": {"baseline": 5}}, {}, "4 answers about baseline"),
        ({"leader_changes": 2}, {}, "1 leader changes"),
        ({"faults_of_each_kind": 2}, {}, "killed 1 times"),
        ({}, {"operations": 5}, "4 answers, and"),
        ({}, {"leader_changes": 2}, "1 leader changes"),
    ],
)
def test_a_run_that_did_too_little_says_of_what(minimum: dict[str, object], goal: dict[str, int], words: str) -> None:
    wanted = Minimum(**{**dataclasses.asdict(_MINIMUM), **minimum})
    (problem,) = _report().problems(wanted, dataclasses.replace(_GOAL, **goal))
    assert problem.startswith("too little: ")
    assert words in problem


def test_a_run_that_had_few_answers_says_so() -> None:
    history = [*_HISTORY, lost("d", Write(place="p", value="z", based_on=1), 8)]
    report = dataclasses.replace(_report(), objects={"baseline": Checked.of(history, check(history, Baseline()), 0.1)})
    assert report.problems(_MINIMUM, _GOAL) == ["too little: 2 of 6 operations had no answer"]
