"""The life of a decision: the table, the diagram that is drawn of it, and decisions that walk by it."""

from __future__ import annotations

import itertools
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_p2p.ledger.bodies import RequestWithdraw
from roosync_p2p.ledger.decision_bodies import DecisionArchive, DecisionRevise, DecisionRollback
from roosync_p2p.ledger.decision_state import live_decisions
from roosync_p2p.ledger.lifecycle import IN_EFFECT, OPEN, TRANSITIONS, Phase, Step, after, diagram
from roosync_p2p.ledger.outcomes import Refused
from tests.house.floors import ROOT
from tests.ledger.deciding import approve, decided, propose, put, reject, report, start
from tests.ledger.history import A, B, C, History

_STEPS: Final = {(phase, following) for (phase, _), following in TRANSITIONS.items()}


def test_the_diagram_in_the_docs_is_drawn_from_the_table() -> None:
    page = (ROOT / "docs" / "protocol" / "ledger.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{diagram()}\n```" in page


def test_every_phase_is_reached_from_pending_and_leads_to_the_archive() -> None:
    reached = {Phase.PENDING}
    while more := {following for phase, following in _STEPS if phase in reached} - reached:
        reached |= more
    assert reached == set(Phase)
    ends = {Phase.ARCHIVED}
    while more := {phase for phase, following in _STEPS if following in ends} - ends:
        ends |= more
    assert ends == set(Phase)


def test_from_the_archive_nothing_leads_away() -> None:
    assert not [phase for phase, _ in TRANSITIONS if phase is Phase.ARCHIVED]


def test_a_step_that_is_not_in_the_table_is_refused() -> None:
    for phase, step in itertools.product(Phase, Step):
        if (phase, step) in TRANSITIONS:
            assert after(phase, step) is TRANSITIONS[phase, step]
        else:
            with pytest.raises(Refused) as caught:
                after(phase, step)
            assert (caught.value.reason, caught.value.detail) == ("wrong_state", {"state": phase.value})


def test_what_takes_effect_comes_from_what_is_open() -> None:
    for (phase, step), following in TRANSITIONS.items():
        if following in IN_EFFECT and phase not in IN_EFFECT:
            assert phase in OPEN
            assert step in (Step.APPROVE, Step.RESOLVE)


# --- walks --------------------------------------------------------------------------------------------------------

_VERBS: Final = {  # what can be asked for, and which step it would be, where the table alone decides
    "approve": Step.APPROVE,
    "reject": Step.REJECT,
    "withdraw": Step.WITHDRAW,
    "revise": Step.REVISE,
    "archive": Step.ARCHIVE,
    "start": None,
    "applied": None,
    "failed": None,
    "rolled_back": None,
    "roll back": None,
    "wait": None,
    "rival": None,
}


def _do(history: History, verb: str, decision: str) -> bool:
    """Asks for it; whether it was granted."""
    state = decided(history, decision)
    attempt = state.targets[B].attempt
    body: Any
    match verb:
        case "approve":
            return approve(history, A, decision).outcome.accepted
        case "reject":
            return reject(history, A, decision).outcome.accepted
        case "withdraw":
            return history.say(B, "request.withdraw", RequestWithdraw(entry=state.entry)).outcome.accepted
        case "revise":
            body = DecisionRevise(
                decision=decision,
                revision=state.hash,
                title="x",
                targets=(B,),
                actions=(put("file:x", history.number),),
                based_on=0,
            )
            return history.say(B, "decision.revise", body).outcome.accepted
        case "archive":
            return history.say(B, "decision.archive", DecisionArchive(decision=decision)).outcome.accepted
        case "start":
            return start(history, B, decision, attempt + 1).outcome.accepted
        case "roll back":
            return history.say(A, "decision.rollback", DecisionRollback(decision=decision)).outcome.accepted
        case "wait":
            history.wait(31 * 24 * 3600)
            history.voters(A)
        case "rival":
            rival = propose(history, C, put("file:x", f"{history.number}"), targets=(B,), based_on=0)
            return approve(history, A, rival).outcome.accepted
        case result:
            return report(history, B, decision, result, max(attempt, 1)).outcome.accepted
    return True


@given(st.lists(st.sampled_from(sorted(_VERBS)), max_size=10))
@settings(max_examples=200)
def test_a_decision_walks_by_the_table(walk: list[str]) -> None:
    """Invariant: a request is granted when the table has its step, and every phase follows from the one before."""
    history = History(B, C)
    decision = propose(history, B, put("file:x", 1), targets=(B,), based_on=0)
    for verb in walk:
        before = decided(history, decision).state
        granted = _do(history, verb, decision)
        now = decided(history, decision).state
        step = _VERBS[verb]
        if step is not None:
            assert granted == ((before, step) in TRANSITIONS), verb
        if not granted:
            assert now is before
        assert now is before or (before, now) in _STEPS
        index = dict(live_decisions(history.state))
        assert (decision in index) == (now in OPEN or bool(index.get(decision) and index[decision].effect))


def test_every_phase_and_step_is_drawn() -> None:
    arrows = diagram().splitlines()
    assert len(arrows) == len(TRANSITIONS) + 3
    assert all(any(step.value in arrow for arrow in arrows) for step in Step)
