"""Every reason of the ledger is a sentence with its facts."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import roosync_p2p.ledger
from roosync_p2p.node.refusals import REFUSALS, refusal

LEDGER = Path(str(roosync_p2p.ledger.__path__[0]))


def reasons() -> set[str]:
    """The first argument of every ``Refused(…)`` in the ledger, and the words that one of them may be."""
    found: set[str] = set()
    for path in LEDGER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Refused":
                words = [leaf.value for leaf in ast.walk(node.args[0]) if isinstance(leaf, ast.Constant)]
                found |= {word for word in words if isinstance(word, str)}
    return found


def test_the_ledger_was_read() -> None:
    assert {"claim_held", "old_epoch", "wrong_epoch", "needs_person"} <= reasons()


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_every_reason_of_the_ledger_has_its_sentence(reason: str) -> None:
    assert reason in REFUSALS


@pytest.mark.parametrize("reason", sorted(REFUSALS))
def test_no_sentence_fails_for_want_of_a_fact(reason: str) -> None:
    error = refusal(reason, {}, kind="claim.acquire", facts={"commit_number": 3})
    assert (error.code, error.details["commit_number"]) == (reason, 3)
    assert "{" not in error.message + error.remedy


def test_facts_stand_in_the_sentence_and_in_the_details() -> None:
    detail = {
        "name": "issue-1",
        "holder": {"machine": "berta", "workspace": "", "session": "0123456789abcdef"},
        "acquired_at": "2026-01-15T09:00:00.000Z",
        "expires_at": "2026-01-15T11:00:00.000Z",
    }
    error = refusal("claim_held", detail, kind="claim.acquire", facts={})
    assert error.message == (
        "issue-1 is held by berta (session 0123456789ab) since 2026-01-15T09:00:00.000Z until 2026-01-15T11:00:00.000Z"
    )
    assert (error.details["since"], error.details["until"]) == (detail["acquired_at"], detail["expires_at"])
    assert error.details["holder"] == detail["holder"]


def test_one_reason_may_mean_another_thing_for_another_kind() -> None:
    asked = refusal("too_late", {}, kind="claim.acquire", facts={})
    taken_back = refusal("too_late", {}, kind="request.withdraw", facts={})
    undone = refusal("too_late", {"days": 30}, kind="decision.rollback", facts={})
    assert len({asked.message, taken_back.message, undone.message}) == 3
    assert "30 days" in undone.message


def test_a_reason_of_newer_rules_is_shown_as_it_is() -> None:
    error = refusal("not_on_sundays", {"day": "Sunday"}, kind="x", facts={})
    assert "not_on_sundays" in error.message
    assert error.details == {"day": "Sunday"}


def test_braces_of_a_peer_are_no_places_to_fill_in() -> None:
    assert "{holder}" in refusal("unknown_policy", {"name": "{holder}"}, kind="x", facts={}).message


def test_a_wish_for_an_unknown_voter_is_not_told_of_targets() -> None:
    error = refusal("unknown_target", {"machines": ["nobody"]}, kind="voters.prefer", facts={})
    assert error.message == "no such members: nobody"
    assert "--target" not in error.remedy
