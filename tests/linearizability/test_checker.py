"""The search finds an order when there is one, says so when there is none, and agrees with its naive twin."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.linearizability.baseline import Baseline, Overtaken, Read, Shown, Write, Written
from tests.linearizability.brute_force import is_linearizable
from tests.linearizability.checker import check
from tests.linearizability.claims import Acquire, Check, Claims, Done, Free, Granted, Held, Refused, Release, Renew, Who
from tests.linearizability.history import Model, Operation
from tests.linearizability.operations import answered, lost
from tests.linearizability.register import Accepted, Conflict, Get, Register, Set, Value
from tests.linearizability.simulated import BaselineServer, ClaimServer, RegisterServer, simulate

Answered = tuple[Any, Any]

_versions = st.integers(0, 3)
_values = st.sampled_from(["", "x", "y"])
_register_steps: st.SearchStrategy[Answered] = st.tuples(
    st.just(Get()), st.none() | st.builds(Value, version=_versions, value=_values)
) | st.tuples(
    st.builds(Set, value=_values, based_on=st.none() | _versions),
    st.none() | st.builds(Accepted, version=_versions) | st.builds(Conflict, version=_versions),
)

_places = st.sampled_from(["p", "q"])
_shown_values = st.dictionaries(_places, _values).map(lambda values: tuple(sorted(values.items())))
_baseline_steps: st.SearchStrategy[Answered] = st.tuples(
    st.just(Read()), st.none() | st.builds(Shown, version=_versions, values=_shown_values)
) | st.tuples(
    st.builds(Write, place=_places, value=_values, based_on=_versions),
    st.none() | st.builds(Written, version=_versions) | st.just(Overtaken()),
)

_sessions = st.sampled_from(["a", "b"])
_tokens = st.integers(1, 3)
_held = st.builds(Held, by=_sessions, token=st.none() | _tokens)
_done = st.sampled_from([Done(), Refused()])
_claim_steps: st.SearchStrategy[Answered] = (
    st.tuples(
        st.builds(Acquire, session=_sessions, ttl_s=st.sampled_from([2.0, 5.0])),
        st.none() | st.builds(Granted, token=_tokens) | _held,
    )
    | st.tuples(
        st.builds(Renew, session=_sessions, token=_tokens, ttl_s=st.just(3.0))
        | st.builds(Release, session=_sessions, token=_tokens)
        | st.builds(Check, token=_tokens),
        st.none() | _done,
    )
    | st.tuples(st.just(Who()), st.none() | _held | st.just(Free()))
)


@st.composite
def _histories(draw: st.DrawFn, steps: st.SearchStrategy[Answered]) -> list[Operation]:
    history = []
    for number, (request, answer) in enumerate(draw(st.lists(steps, max_size=5))):
        call_s = draw(st.integers(0, 9))
        ended = {} if answer is None else {"return_s": float(call_s + draw(st.integers(0, 4)))}
        history.append(
            Operation(process=f"p{number}", key="k", request=request, answer=answer, call_s=float(call_s), **ended)
        )
    return history


@settings(max_examples=500)
@given(_histories(_register_steps))
def test_it_agrees_with_the_naive_twin_on_registers(history: list[Operation]) -> None:
    assert check(history, Register()).linearizable == is_linearizable(history, Register())


@settings(max_examples=500)
@given(_histories(_baseline_steps))
def test_it_agrees_with_the_naive_twin_on_baselines(history: list[Operation]) -> None:
    assert check(history, Baseline()).linearizable == is_linearizable(history, Baseline())


@settings(max_examples=500)
@given(_histories(_claim_steps), st.booleans())
def test_it_agrees_with_the_naive_twin_on_claims(history: list[Operation], gives_up: bool) -> None:
    model = Claims(gives_up=gives_up)
    assert check(history, model).linearizable == is_linearizable(history, model)


@pytest.mark.parametrize(
    ("server", "model", "faults"),
    [
        (RegisterServer, Register(), ["stale_read", "lost_update"]),
        (BaselineServer, Baseline(), ["stale_read", "lost_update", "unseen"]),
        (ClaimServer, Claims(), ["two_winners", "token_back", "early_expiry"]),
    ],
    ids=["register", "baseline", "claims"],
)
def test_it_agrees_with_the_naive_twin_on_faulty_objects(
    server: Callable[..., Any], model: Model, faults: list[str]
) -> None:
    verdicts = set()
    for seed in range(300):
        dice = random.Random(seed)
        history = simulate(dice, server(dice, dice.choice(["", *faults])), count=6, clients=3, lost=0.2)
        found: Any = check(history, model)
        assert found.linearizable == is_linearizable(history, model), f"seed {seed}"
        verdicts.add(found.linearizable)
    assert verdicts == {True, False}


@pytest.mark.parametrize("seed", range(30))
def test_what_a_correct_register_did_is_explained(seed: int) -> None:
    dice = random.Random(seed)
    verdict = check(simulate(dice, RegisterServer(dice), count=200, clients=8), Register())
    assert verdict.linearizable, verdict.describe()


@pytest.mark.parametrize("seed", range(30))
def test_what_a_correct_baseline_did_is_explained(seed: int) -> None:
    dice = random.Random(seed)
    verdict = check(simulate(dice, BaselineServer(dice), count=200, clients=8), Baseline())
    assert verdict.linearizable, verdict.describe()


@pytest.mark.parametrize("seed", range(30))
def test_what_a_correct_claim_did_is_explained(seed: int) -> None:
    dice = random.Random(seed)
    verdict = check(simulate(dice, ClaimServer(dice), count=200, clients=8), Claims())
    assert verdict.linearizable, verdict.describe()


@pytest.mark.parametrize("fault", ["stale_read", "lost_update"])
def test_a_faulty_register_is_found(fault: str) -> None:
    dice = random.Random(1)
    assert check(simulate(dice, RegisterServer(dice, fault), count=200), Register()).linearizable is False


@pytest.mark.parametrize("fault", ["stale_read", "lost_update", "unseen"])
def test_a_faulty_baseline_is_found(fault: str) -> None:
    dice = random.Random(1)
    assert check(simulate(dice, BaselineServer(dice, fault), count=200), Baseline()).linearizable is False


@pytest.mark.parametrize("fault", ["two_winners", "token_back", "early_expiry"])
def test_a_faulty_claim_is_found(fault: str) -> None:
    dice = random.Random(1)
    assert check(simulate(dice, ClaimServer(dice, fault), count=200), Claims()).linearizable is False


def test_five_thousand_operations_on_fifty_objects_take_few_steps() -> None:
    history = []
    for number in range(50):
        dice = random.Random(number)
        history += simulate(dice, ClaimServer(dice), count=100, clients=6, lost=0.05, key=f"claim {number}")
    verdict = check(history, Claims())
    assert len(history) == 5_000
    assert verdict.linearizable, verdict.describe()
    assert verdict.steps < 50_000


def test_a_fault_among_five_thousand_operations_is_named() -> None:
    history = []
    for number in range(50):
        dice = random.Random(number)
        server = ClaimServer(dice, "two_winners" if number == 31 else "")
        history += simulate(dice, server, count=100, clients=6, lost=0.05, key=f"claim {number}")
    verdict = check(history, Claims())
    assert (verdict.linearizable, verdict.key) == (False, "claim 31")
    assert verdict.describe().startswith("violation: no order explains 'claim 31'")
    assert str(verdict.left[0]) in verdict.describe()


def test_many_operations_without_an_answer_do_not_explode() -> None:
    lost = [Operation(process=f"p{n}", key="k", request=Set(value=f"v{n}"), answer=None, call_s=0.0) for n in range(40)]
    read = Operation(
        process="r", key="k", request=Get(), answer=Value(version=1, value="never written"), call_s=1.0, return_s=2.0
    )
    verdict = check([*lost, read], Register())
    assert verdict.linearizable is False
    assert verdict.steps < 10_000


def test_it_is_decided_when_most_answers_are_missing() -> None:
    history = []
    for number in range(60):
        dice = random.Random(number)
        history += simulate(dice, ClaimServer(dice), count=400, clients=12, lost=0.7, key=f"claim {number}")
    verdict = check(history, Claims(gives_up=True))
    assert len(history) == 24_000
    assert sum(operation.answer is None for operation in history) > 16_000
    assert verdict.linearizable, verdict.describe()
    assert verdict.steps < 300_000


@pytest.mark.parametrize("fault", ["two_winners", "token_back"])
def test_a_fault_is_found_when_many_answers_are_missing(fault: str) -> None:
    dice = random.Random(2)
    history = simulate(dice, ClaimServer(dice, fault), count=1000, clients=12, lost=0.4)
    assert check(history, Claims()).linearizable is False


def test_of_those_that_ask_the_same_it_does_not_matter_which() -> None:
    asked = [lost(session, Acquire(session=session, ttl_s=9), 0) for session in "abc" for _ in range(100)]
    freed = [
        operation
        for number, session in enumerate("abcabcabc")
        for operation in (
            answered("x", Who(), Held(by=session, token=number + 1), 10 * number + 1, 10 * number + 2),
            answered(session, Release(session=session, token=number + 1), Done(), 10 * number + 3, 10 * number + 4),
        )
    ]
    explained = check([*asked, *freed], Claims())
    assert explained.linearizable, explained.describe()
    wrong = answered("x", Who(), Held(by="d", token=10), 100, 101)
    verdict = check([*asked, *freed, wrong], Claims())
    assert verdict.linearizable is False
    assert explained.steps + verdict.steps < 10_000


def test_an_earlier_one_that_asks_the_same_is_no_other_one() -> None:
    first, second = lost("a", Set(value="x"), 0), lost("a", Set(value="x"), 5)
    reads = [answered("r", Get(), Value(version=version, value="x"), version, version + 0.5) for version in (1, 2, 6)]
    assert check([first, second, reads[0]], Register()).linearizable
    assert check([first, second, *reads[:2]], Register()).linearizable is False
    assert check([first, second, reads[0], reads[2]], Register()).linearizable


def test_a_search_that_takes_too_long_is_given_up_and_says_so() -> None:
    dice = random.Random(3)
    verdict = check(simulate(dice, ClaimServer(dice), count=50), Claims(), steps_max=10)
    assert verdict.linearizable is None
    assert verdict.describe().startswith("undecided: the search was given up")


def test_objects_are_judged_apart() -> None:
    write = Operation(
        process="a", key="one", request=Set(value="x"), answer=Accepted(version=1), call_s=0.0, return_s=1.0
    )
    read = Operation(
        process="b", key="other", request=Get(), answer=Value(version=0, value=""), call_s=2.0, return_s=3.0
    )
    assert check([write, read], Register()).linearizable
