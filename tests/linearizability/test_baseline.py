"""Histories of the baseline that are right, and the classical ways to be wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.linearizability.baseline import Baseline, Overtaken, Read, Shown, Write, Written
from tests.linearizability.brute_force import is_linearizable
from tests.linearizability.checker import check
from tests.linearizability.history import Operation
from tests.linearizability.operations import answered, lost


def _shown(version: int, **values: str) -> Shown:
    return Shown(version=version, values=tuple(sorted(values.items())))


_X = Write(place="p", value="x", based_on=0)
_Y = Write(place="p", value="y", based_on=1)
_ELSEWHERE = Write(place="q", value="z", based_on=0)
_WRITTEN_X = answered("a", _X, Written(version=1), 0, 1)
_WRITTEN_Y = answered("b", _Y, Written(version=2), 2, 3)
_LOST_X = lost("a", _X, 0)

_RIGHT = {
    "nothing happened": [],
    "an empty document": [answered("a", Read(), _shown(0), 0, 1)],
    "one after the other": [_WRITTEN_X, _WRITTEN_Y, answered("c", Read(), _shown(2, p="y"), 4, 5)],
    "a read beside a write sees the old": [_WRITTEN_X, answered("b", Read(), _shown(0), 0, 1)],
    "a read beside a write sees the new": [_WRITTEN_X, answered("b", Read(), _shown(1, p="x"), 0, 1)],
    "a change elsewhere is not in the way": [
        _WRITTEN_X,
        answered("b", _ELSEWHERE, Written(version=2), 2, 3),
        answered("c", Read(), _shown(2, p="x", q="z"), 4, 5),
    ],
    "two at once, of which one is overtaken": [
        _WRITTEN_X,
        answered("b", Write(place="p", value="y", based_on=0), Overtaken(), 0, 1),
    ],
    "a lost write is seen": [_LOST_X, answered("b", Read(), _shown(1, p="x"), 2, 3)],
    "a lost write is not seen": [_LOST_X, answered("b", Read(), _shown(0), 2, 3)],
    "a lost write is done much later": [
        _LOST_X,
        answered("b", Read(), _shown(0), 2, 3),
        answered("b", Read(), _shown(1, p="x"), 4, 5),
    ],
    "a lost write is overtaken and never done": [
        _LOST_X,
        answered("b", Write(place="p", value="y", based_on=0), Written(version=1), 2, 3),
        answered("b", Read(), _shown(1, p="y"), 4, 5),
    ],
    "a lost write made the version that is missing": [
        lost("a", _ELSEWHERE, 0),
        answered("b", _X, Written(version=2), 2, 3),
        answered("b", Read(), _shown(2, p="x", q="z"), 4, 5),
    ],
    "overtaken by a lost write": [_LOST_X, answered("b", Write(place="p", value="y", based_on=0), Overtaken(), 2, 3)],
}

_WRONG = {
    "a stale read": [_WRITTEN_X, answered("b", Read(), _shown(0), 2, 3)],
    "a read that goes back": [
        answered("a", _X, Written(version=1), 0, 9),
        answered("b", Read(), _shown(1, p="x"), 1, 2),
        answered("c", Read(), _shown(0), 3, 4),
    ],
    "a lost update: two writes of one place, both based on the same version": [
        _WRITTEN_X,
        answered("b", Write(place="p", value="y", based_on=1), Written(version=2), 2, 4),
        answered("c", Write(place="p", value="z", based_on=1), Written(version=3), 2, 4),
    ],
    "a lost update: the second write made a version without the first": [
        _WRITTEN_X,
        answered("b", _ELSEWHERE, Written(version=2), 2, 3),
        answered("c", Read(), _shown(2, q="z"), 4, 5),
    ],
    "a write seen and then unseen": [
        _LOST_X,
        answered("b", Read(), _shown(1, p="x"), 2, 3),
        answered("b", Read(), _shown(0), 4, 5),
    ],
    "a write seen and then unseen, behind another": [
        _LOST_X,
        answered("b", Read(), _shown(1, p="x"), 2, 3),
        answered("b", _ELSEWHERE, Written(version=2), 4, 5),
        answered("b", Read(), _shown(2, q="z"), 6, 7),
    ],
    "an acknowledged write that disappeared": [
        _WRITTEN_X,
        answered("b", _ELSEWHERE, Written(version=1), 2, 3),
        answered("b", Read(), _shown(1, q="z"), 4, 5),
    ],
    "a value that nobody wrote": [answered("a", Read(), _shown(1, p="x"), 0, 1)],
    "one version given twice": [_WRITTEN_X, answered("b", _ELSEWHERE, Written(version=1), 2, 3)],
    "a version without a cause": [answered("a", _X, Written(version=2), 0, 1)],
    "a version that two writes made at once": [
        lost("a", _ELSEWHERE, 0),
        answered("b", _X, Written(version=1), 2, 3),
        answered("c", Read(), _shown(1, p="x", q="z"), 4, 5),
    ],
    "overtaken by nobody": [_WRITTEN_X, answered("b", _Y, Overtaken(), 2, 3)],
    "an overtaken write that is seen": [
        _WRITTEN_X,
        answered("b", Write(place="p", value="y", based_on=0), Overtaken(), 2, 3),
        answered("c", Read(), _shown(2, p="y"), 4, 5),
    ],
    "a lost write was done before it was called": [answered("b", Read(), _shown(1, p="x"), 0, 1), lost("a", _X, 2)],
    "a lost write was done although it was overtaken": [
        _LOST_X,
        answered("b", Write(place="p", value="y", based_on=0), Written(version=1), 2, 3),
        answered("b", Read(), _shown(2, p="x"), 4, 5),
    ],
    "a lost write was done twice": [
        _LOST_X,
        answered("b", Read(), _shown(1, p="x"), 2, 3),
        answered("b", _Y, Written(version=2), 4, 5),
        answered("b", Read(), _shown(3, p="x"), 6, 7),
    ],
    "two places of different moments": [
        _WRITTEN_X,
        answered("b", _ELSEWHERE, Written(version=2), 2, 3),
        answered("b", _Y, Written(version=3), 4, 5),
        answered("c", Read(), _shown(3, p="x", q="z"), 4, 5),
    ],
}


@pytest.mark.parametrize("history", _RIGHT.values(), ids=_RIGHT)
def test_right(history: Sequence[Operation]) -> None:
    verdict = check(history, Baseline())
    assert verdict.linearizable, verdict.describe()
    assert is_linearizable(history, Baseline())


@pytest.mark.parametrize("history", _WRONG.values(), ids=_WRONG)
def test_wrong(history: Sequence[Operation]) -> None:
    assert check(history, Baseline()).linearizable is False
    assert not is_linearizable(history, Baseline())
