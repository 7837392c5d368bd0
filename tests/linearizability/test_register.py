"""Histories of a versioned value that are right, and the classical ways to be wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.linearizability.checker import check
from tests.linearizability.history import Operation
from tests.linearizability.operations import answered, lost
from tests.linearizability.register import Accepted, Conflict, Get, Register, Set, Value

_X, _Y = Set(value="x"), Set(value="y")
_READ_0, _READ_X, _READ_Y = Value(version=0, value=""), Value(version=1, value="x"), Value(version=2, value="y")
_WRITTEN_X = answered("a", _X, Accepted(version=1), 0, 1)
_WRITTEN_Y = answered("b", _Y, Accepted(version=2), 2, 3)

_RIGHT = {
    "nothing happened": [],
    "a read before any write": [answered("a", Get(), _READ_0, 0, 1)],
    "one after the other": [_WRITTEN_X, _WRITTEN_Y, answered("c", Get(), _READ_Y, 4, 5)],
    "a read beside a write sees the old": [_WRITTEN_X, answered("b", Get(), _READ_0, 0, 1)],
    "a read beside a write sees the new": [_WRITTEN_X, answered("b", Get(), _READ_X, 0, 1)],
    "a read that returned when a write was called is beside it": [_WRITTEN_X, answered("b", Get(), _READ_0, 1, 2)],
    "a conflict": [_WRITTEN_X, answered("b", Set(value="y", based_on=0), Conflict(version=1), 2, 3)],
    "a lost write was done": [lost("a", _X, 0), answered("b", Get(), Value(version=4, value="x"), 2, 3)],
    "a lost write was not done": [lost("a", _X, 0), answered("b", Get(), _READ_0, 2, 3)],
    "a lost write is done much later": [
        lost("a", _X, 0),
        answered("b", Get(), _READ_0, 2, 3),
        answered("b", Get(), _READ_X, 4, 5),
    ],
    "a lost conditional write was done in its time": [
        lost("a", Set(value="y", based_on=1), 0),
        answered("b", _X, Accepted(version=1), 2, 3),
        answered("c", Get(), _READ_Y, 4, 5),
    ],
}

_WRONG = {
    "a stale read": [_WRITTEN_X, answered("b", Get(), _READ_0, 2, 3)],
    "a read that goes back": [
        answered("a", _X, Accepted(version=1), 0, 9),
        answered("b", Get(), _READ_X, 1, 2),
        answered("c", Get(), _READ_0, 3, 4),
    ],
    "a lost update": [
        _WRITTEN_X,
        answered("b", Set(value="y", based_on=1), Accepted(version=2), 2, 4),
        answered("c", Set(value="z", based_on=1), Accepted(version=3), 2, 4),
    ],
    "a write that disappeared": [_WRITTEN_X, _WRITTEN_Y, answered("c", Get(), Value(version=1, value="x"), 4, 5)],
    "a value that nobody wrote": [answered("a", Get(), Value(version=1, value="z"), 0, 1)],
    "one version given twice": [_WRITTEN_X, answered("b", _Y, Accepted(version=1), 2, 3)],
    "a version that goes back": [answered("a", _X, Accepted(version=5), 0, 1), _WRITTEN_Y],
    "a conflict with the version that it was based on": [
        _WRITTEN_X,
        answered("b", Set(value="y", based_on=1), Conflict(version=1), 2, 3),
    ],
    "a conflict without a cause": [
        _WRITTEN_X,
        answered("b", Set(value="y", based_on=1), Conflict(version=2), 2, 3),
    ],
    "a lost write was done before it was called": [
        answered("b", Get(), Value(version=1, value="x"), 0, 1),
        lost("a", _X, 2),
    ],
    "a lost write was done twice": [
        lost("a", _X, 0),
        answered("b", Get(), _READ_X, 2, 3),
        answered("b", _Y, Accepted(version=2), 4, 5),
        answered("b", Get(), Value(version=3, value="x"), 6, 7),
    ],
    "a lost write has two versions": [
        lost("a", _X, 0),
        answered("b", Get(), Value(version=1, value="x"), 2, 3),
        answered("b", Get(), Value(version=2, value="x"), 4, 5),
    ],
}


@pytest.mark.parametrize("history", _RIGHT.values(), ids=_RIGHT)
def test_right(history: Sequence[Operation]) -> None:
    verdict = check(history, Register())
    assert verdict.linearizable, verdict.describe()


@pytest.mark.parametrize("history", _WRONG.values(), ids=_WRONG)
def test_wrong(history: Sequence[Operation]) -> None:
    assert check(history, Register()).linearizable is False


def test_a_register_may_begin_with_a_value() -> None:
    read = answered("a", Get(), Value(version=0, value="first"), 0, 1)
    assert check([read], Register("first")).linearizable
    assert check([read], Register()).linearizable is False
