"""The baseline: versions, history, differences, restoring."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.ledger.baseline import baseline_at
from roosync_p2p.ledger.decision_bodies import Action, BaselineRestore, BaselineSet
from roosync_p2p.ledger.decision_views import baseline_diff_view, baseline_history_view, baseline_view
from roosync_p2p.ledger.documents import canonical_json
from roosync_p2p.ledger.lifecycle import Phase
from tests.ledger.deciding import approve, baseline, decided, merge, propose, put, removal, set_baseline
from tests.ledger.documents import documents
from tests.ledger.history import A, B, History

_PATCHES: list[Any] = [
    {"model": "a", "tools": {"x": 1.5}},
    {"tools": {"y": [1, 2]}},
    {"model": None},
    {"tools": {"y": []}},
]


@pytest.fixture
def history() -> History:
    return History(B)


@pytest.fixture
def grown(history: History) -> History:
    for version, patch in enumerate(_PATCHES):
        set_baseline(history, A, patch, version, approve=True)
    return history


def test_every_version_can_be_shown(grown: History) -> None:
    assert [baseline_at(grown.state, version) for version in range(5)] == [
        {},
        {"model": "a", "tools": {"x": 1.5}},
        {"model": "a", "tools": {"x": 1.5, "y": [1, 2]}},
        {"tools": {"x": 1.5, "y": [1, 2]}},
        {"tools": {"x": 1.5, "y": []}},
    ]
    view = baseline_view(grown.state, 1)
    assert view is not None
    assert (view["document"], view["author"], view["newest"]) == (baseline_at(grown.state, 1), A, 4)
    assert baseline_view(grown.state, 5) is None


def test_the_history_says_what_each_version_changed(grown: History) -> None:
    versions = baseline_history_view(grown.state)["versions"]
    assert isinstance(versions, list)
    assert [view["version"] for view in versions] == [4, 3, 2, 1]
    assert [view["changed"] for view in versions] == [["/tools/y"], ["/model"], ["/tools/y"], ["/model", "/tools"]]


def test_two_versions_are_compared(grown: History) -> None:
    view = baseline_diff_view(grown.state, 1, 4)
    assert view is not None
    assert view["changes"] == [{"pointer": "/model", "old": "a"}, {"pointer": "/tools/y", "new": []}]
    assert baseline_diff_view(grown.state, 1, 5) is None


def test_restoring_makes_a_new_version_with_the_old_content(grown: History) -> None:
    body = BaselineRestore(restore=2, version=4, approve=True)
    assert grown.say(A, "baseline.restore", body).outcome.detail["state"] == "applied"
    assert baseline(grown) == baseline_at(grown.state, 2) == baseline_at(grown.state, 5)


def test_restoring_what_others_changed_meanwhile_conflicts(grown: History) -> None:
    set_baseline(grown, A, {"tools": {"y": [9]}}, 4, approve=True)
    body = BaselineRestore(restore=2, version=4)
    assert grown.say(B, "baseline.restore", body).outcome.accepted
    assert approve(grown, A, f"D{grown.number}").outcome.detail["state"] == "conflicted"


@pytest.mark.parametrize(
    ("reason", "body"),
    [
        ("unknown_version", BaselineSet(version=9, patch=b"{}")),
        ("bad_action", BaselineSet(version=0)),
        ("bad_action", BaselineSet(version=0, patch=b"{}", actions=(put("baseline:fleet", {}),))),
        ("bad_action", BaselineSet(version=0, actions=(put("file:x", 1),))),
        ("bad_action", BaselineSet(version=0, actions=(Action(op="run", resource="baseline:fleet", name="x"),))),
        ("not_canonical", BaselineSet(version=0, patch=b'{"a": 1}')),
        ("bad_json", BaselineSet(version=0, patch=b"{")),
        ("bad_resource", BaselineSet(version=0, actions=(put("baseline:other", {}),))),
    ],
    ids=str,
)
def test_a_change_with_one_lie_is_refused(history: History, reason: str, body: BaselineSet) -> None:
    assert history.say(B, "baseline.set", body).outcome.reason == reason


def test_restoring_a_version_that_is_none_or_the_same_is_refused(grown: History) -> None:
    for reason, body in (
        ("unknown_version", BaselineRestore(restore=9, version=4)),
        ("unknown_version", BaselineRestore(restore=1, version=9)),
        ("nothing_to_do", BaselineRestore(restore=4, version=4)),
    ):
        assert grown.say(B, "baseline.restore", body).outcome.reason == reason


@pytest.mark.parametrize(
    ("reason", "actions"),
    [
        ("bad_action", [put("baseline:fleet", [1])]),
        ("bad_pointer", [put("baseline:fleet#/list/7", 1)]),
        ("bad_pointer", [removal("baseline:fleet#/list/0")]),
        ("bad_pointer", [put("baseline:fleet#/text/deeper", 1)]),
        ("bad_pointer", [removal("baseline:fleet")]),
        ("too_deep", [put("baseline:fleet" + "#" + "/a" * 63, {"a": {"a": 1}})]),
    ],
    ids=str,
)
def test_what_cannot_be_applied_fails_and_changes_nothing(history: History, reason: str, actions: list[Action]) -> None:
    set_baseline(history, A, {"list": [1], "text": "x"}, 0, approve=True)
    decision = propose(history, A, put("baseline:fleet#/first", 1), *actions, approve=True)
    assert (decided(history, decision).state, decided(history, decision).reason) == (Phase.FAILED, reason)
    assert baseline(history) == {"list": [1], "text": "x"}
    assert history.told("decision.failed") == [{"decision": decision, "reason": reason}]


def test_the_baseline_has_a_largest_size(history: History) -> None:
    half = "x" * (limits.BASELINE_BYTES_MAX // 2)
    set_baseline(history, A, {"a": half}, 0, approve=True)
    decision = set_baseline(history, A, {"b": half}, 1, approve=True)
    assert decided(history, decision).reason == "baseline_too_large"


def test_an_element_that_is_there_can_be_replaced(history: History) -> None:
    set_baseline(history, A, {"list": [1, {"x": 2}]}, 0, approve=True)
    propose(history, A, put("baseline:fleet#/list/1/x", 3), approve=True)
    assert baseline(history) == {"list": [1, {"x": 3}]}


def test_merging_deeper_makes_the_objects_that_are_missing(history: History) -> None:
    propose(history, A, merge("baseline:fleet#/a/b", {"c": 1}), removal("baseline:fleet#/nothing"), approve=True)
    assert baseline(history) == {"a": {"b": {"c": 1}}}


def test_a_change_that_changes_nothing_makes_no_version(history: History) -> None:
    set_baseline(history, A, {"a": 1}, 0, approve=True)
    decision = set_baseline(history, A, {"a": 1}, 1, approve=True)
    assert decided(history, decision).state is Phase.APPLIED
    assert baseline_view(history.state)["newest"] == 1  # type: ignore[index]


@given(st.lists(documents(), min_size=1, max_size=5))
def test_any_row_of_documents_can_be_walked_back(row: list[Any]) -> None:
    """Invariant: every version shows what it was, whatever came later."""
    history = History(B)
    made: list[Any] = [{}]
    for document in row:
        propose(history, A, put("baseline:fleet", {"it": document}), approve=True)
        if canonical_json(made[-1]) != canonical_json({"it": document}):
            made.append({"it": document})
    assert [canonical_json(baseline_at(history.state, v)) for v in range(len(made))] == list(map(canonical_json, made))
