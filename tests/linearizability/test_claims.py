"""Histories of a claim that are right, and the ways in which a lock can be wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.linearizability.checker import check
from tests.linearizability.claims import Acquire, Check, Claims, Done, Free, Granted, Held, Refused, Release, Renew, Who
from tests.linearizability.history import Operation
from tests.linearizability.operations import answered, lost

_TTL_S = 100.0
_A, _B, _C = (Acquire(session=name, ttl_s=_TTL_S) for name in "abc")
_A_HAS_5 = answered("a", _A, Granted(token=5), 0, 1)
_A_FREES_5 = answered("a", Release(session="a", token=5), Done(), 2, 3)
_A_LOST = lost("a", _A, 0)

_RIGHT = {
    "one winner, and the loser is told": [_A_HAS_5, answered("b", _B, Held(by="a", token=5), 0, 1)],
    "a loser that is told before the winner": [
        answered("a", _A, Granted(token=5), 0, 9),
        answered("b", _B, Held(by="a", token=5), 1, 2),
    ],
    "handed on": [_A_HAS_5, _A_FREES_5, answered("b", _B, Granted(token=7), 4, 5)],
    "handed on while it is released": [_A_HAS_5, _A_FREES_5, answered("b", _B, Granted(token=7), 2, 3)],
    "told again to its holder": [_A_HAS_5, answered("a", _A, Granted(token=5), 2, 3)],
    "checked": [
        answered("x", Check(token=5), Refused(), -2, -1),
        _A_HAS_5,
        answered("x", Check(token=5), Done(), 2, 3),
        answered("x", Check(token=4), Refused(), 2, 3),
        answered("x", Who(), Held(by="a", token=5), 2, 3),
    ],
    "seen free": [answered("x", Who(), Free(), 0, 1), answered("a", _A, Granted(token=5), 0, 1)],
    "another may not release": [_A_HAS_5, answered("b", Release(session="b", token=5), Refused(), 2, 3)],
    "a lost grant was one": [_A_LOST, answered("b", _B, Held(by="a", token=3), 2, 3)],
    "a lost grant was none": [_A_LOST, answered("b", _B, Granted(token=3), 2, 3)],
    "a lost grant and its token": [
        _A_LOST,
        answered("b", _B, Held(by="a"), 2, 3),
        answered("x", Check(token=3), Done(), 4, 5),
        answered("x", Who(), Held(by="a", token=3), 6, 7),
    ],
    "a lost release was one": [
        _A_HAS_5,
        lost("a", Release(session="a", token=5), 2),
        answered("x", Who(), Free(), 4, 5),
    ],
    "a lost release is done later": [
        _A_HAS_5,
        lost("a", Release(session="a", token=5), 2),
        answered("b", _B, Held(by="a", token=5), 4, 5),
        answered("b", _B, Granted(token=6), 6, 7),
    ],
    "expired": [_A_HAS_5, answered("b", _B, Granted(token=9), 99, 100)],
    "held for longer than it had to be": [_A_HAS_5, answered("b", _B, Held(by="a", token=5), 900, 901)],
    "expired, and seen free": [_A_HAS_5, answered("x", Who(), Free(), 150, 151)],
    "a renewal after expiry": [_A_HAS_5, answered("a", Renew(session="a", token=5, ttl_s=9), Refused(), 150, 151)],
    "renewed, and then expired": [
        _A_HAS_5,
        answered("a", Renew(session="a", token=5, ttl_s=_TTL_S), Done(), 50, 51),
        answered("b", _B, Granted(token=9), 149, 150),
    ],
}

_WRONG = {
    "two winners": [_A_HAS_5, answered("b", _B, Granted(token=6), 0, 1)],
    "two winners, one after the other": [_A_HAS_5, answered("b", _B, Granted(token=6), 2, 3)],
    "a token that goes back": [_A_HAS_5, _A_FREES_5, answered("b", _B, Granted(token=4), 4, 5)],
    "one token given twice": [_A_HAS_5, _A_FREES_5, answered("b", _B, Granted(token=5), 4, 5)],
    "a double grant after an unknown one": [
        _A_LOST,
        answered("x", Who(), Held(by="a", token=3), 2, 3),
        answered("b", _B, Granted(token=4), 4, 5),
    ],
    "a lost grant that is seen after the next": [
        _A_LOST,
        answered("b", _B, Granted(token=4), 2, 3),
        answered("x", Check(token=3), Done(), 4, 5),
    ],
    "a lost grant has two tokens": [
        _A_LOST,
        answered("x", Check(token=3), Done(), 2, 3),
        answered("x", Check(token=4), Done(), 4, 5),
    ],
    "a stale token is let through": [
        _A_HAS_5,
        _A_FREES_5,
        answered("b", _B, Granted(token=7), 4, 5),
        answered("x", Check(token=5), Done(), 6, 7),
    ],
    "a stale read of a free claim": [_A_HAS_5, answered("x", Who(), Free(), 2, 3)],
    "held by nobody who asked": [answered("b", _B, Held(by="a", token=5), 0, 1)],
    "still held after its release": [_A_HAS_5, _A_FREES_5, answered("b", _B, Held(by="a", token=5), 4, 5)],
    "a release undone by a lost release": [
        _A_HAS_5,
        _A_FREES_5,
        lost("a", Release(session="a", token=5), 4),
        answered("b", _B, Held(by="a", token=5), 6, 7),
    ],
    "released by another": [_A_HAS_5, answered("b", Release(session="b", token=5), Done(), 2, 3)],
    "its own holder is refused": [_A_HAS_5, answered("a", Release(session="a", token=5), Refused(), 2, 3)],
    "expired too early": [_A_HAS_5, answered("b", _B, Granted(token=9), 98, 99)],
    "expired too early after a renewal": [
        _A_HAS_5,
        answered("a", Renew(session="a", token=5, ttl_s=_TTL_S), Done(), 50, 51),
        answered("b", _B, Granted(token=9), 120, 121),
    ],
    "alive again after expiry": [
        _A_HAS_5,
        answered("x", Who(), Free(), 100, 101),
        answered("a", Renew(session="a", token=5, ttl_s=_TTL_S), Done(), 102, 103),
    ],
    "expired for one and, afterwards but earlier, held for another": [
        _A_HAS_5,
        answered("x", Who(), Free(), 10, 120),  # not before 100
        answered("b", _B, Granted(token=9), 105, 190),
        answered("x", Who(), Held(by="a", token=5), 121, 122),
    ],
}


@pytest.mark.parametrize("history", _RIGHT.values(), ids=_RIGHT)
def test_right(history: Sequence[Operation]) -> None:
    verdict = check(history, Claims())
    assert verdict.linearizable, verdict.describe()


@pytest.mark.parametrize("history", _WRONG.values(), ids=_WRONG)
def test_wrong(history: Sequence[Operation]) -> None:
    assert check(history, Claims()).linearizable is False


def test_two_expiries_take_their_time_one_after_the_other() -> None:
    expired = answered("b", _B, Granted(token=9), 10, 300)  # at 100 at the earliest
    again = answered("c", _C, Granted(token=12), 11, 199)
    assert check([_A_HAS_5, expired, again], Claims()).linearizable is False
    later = answered("c", _C, Granted(token=12), 11, 200)
    assert check([_A_HAS_5, expired, later], Claims()).linearizable


def test_clocks_of_leaders_may_differ_by_a_bound() -> None:
    early = [_A_HAS_5, answered("b", _B, Granted(token=9), 94, 95)]
    assert check(early, Claims(early_s=5.0)).linearizable
    assert check(early, Claims(early_s=4.0)).linearizable is False


def test_a_node_may_give_back_what_its_caller_gave_up_on() -> None:
    seen_then_granted = [
        _A_LOST,
        answered("x", Who(), Held(by="a", token=3), 2, 3),
        answered("b", _B, Granted(token=4), 4, 5),
    ]
    assert check(seen_then_granted, Claims(gives_up=True)).linearizable
    assert check([_A_HAS_5, answered("b", _B, Granted(token=6), 2, 3)], Claims(gives_up=True)).linearizable is False


def test_what_was_renewed_is_given_back_by_nobody_else() -> None:
    history = [
        _A_LOST,
        answered("a", Renew(session="a", token=3, ttl_s=_TTL_S), Done(), 2, 3),
        answered("b", _B, Granted(token=4), 4, 5),
    ]
    assert check(history, Claims(gives_up=True)).linearizable is False
