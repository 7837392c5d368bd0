"""``roosync why`` for people: few lines, the worst first, in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p.cli.texts import CATALOGUE, Texts
from roosync_p2p.cli.why import render_why
from roosync_p2p.core.why.claim import claim_facts, claim_waits
from roosync_p2p.core.why.machine import machine_facts, machine_waits
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.verdicts import Reason
from tests.helpers.ordered_fleet import OrderedFleet, acquire

_ASKED = {"id": "ab" * 32, "kind": "claim.acquire", "asked_at": "", "claim": "x", "decision": None}


def _told(kind: str, of: str, facts: dict[str, Any], waits: list[dict[str, Any]]) -> dict[str, Any]:
    return {"kind": kind, "of": of, "waits_for": waits, kind: facts}


@pytest.fixture(scope="module")
def fleet() -> OrderedFleet:
    """``beta`` was killed, and with it the majority of two voters; ``alpha`` has a claim."""
    fleet = OrderedFleet("alpha", "beta", voters=["beta"])
    fleet.done("alpha", "claim.acquire", acquire("x"))
    fleet.member("beta").crash()
    fleet.run(10)
    return fleet


def _machine(fleet: OrderedFleet) -> dict[str, Any]:
    core, beta = fleet.member("alpha").node(), MachineId("beta")
    return _told("machine", "beta", machine_facts(core, beta), machine_waits(core, beta))


def test_a_machine_is_told_with_what_it_waits_for_before_the_facts(fleet: OrderedFleet) -> None:
    lines = render_why(_machine(fleet), Texts("en")).split("\n")
    assert lines[0] == "beta: offline; its address refuses connections"
    assert lines[1] == "waits: for a sign of it: until it links, or writes into the shared folder"
    assert lines[2].startswith("evidence: none; last sign 1")
    assert lines[3].startswith("tried: ")
    assert "(met there) refused" in lines[3]
    assert "next in" in lines[3]
    assert lines[4].startswith("member since commit ")
    assert lines[4].endswith("member, votes")
    assert len(lines) == 6


def test_the_same_in_french(fleet: OrderedFleet) -> None:
    shown = render_why(_machine(fleet), Texts("fr"))
    assert shown.startswith("beta : hors ligne ; son adresse refuse les connexions\nattend : un signe d'elle")
    assert "(déjà jointe là) refusé il y a" in shown


@pytest.mark.parametrize(
    ("language", "wait", "voters"),
    [
        ("en", "waits: for beta: 1 of the voters are there, 2 needed", "voters: beta offline, 1"),
        ("fr", "attend : beta : 1 des votants sont là, il en faut 2", "votants : beta hors ligne, il y a 1"),
    ],
)
def test_a_claim_that_is_not_decided_names_who_is_missing_first(
    fleet: OrderedFleet, language: str, wait: str, voters: str
) -> None:
    core = fleet.member("alpha").node()
    facts = claim_facts(core, "x", [_ASKED])
    lines = render_why(_told("claim", "x", facts, claim_waits(core, facts)), Texts(language)).split("\n")
    assert "alpha" in lines[0]
    assert lines[1] == wait
    assert lines[4].startswith(voters)
    assert "claim.acquire abababababababab" in lines[3]


def test_a_decision_shows_who_may_approve_and_the_targets_that_are_not_done_first() -> None:
    row = {"state": "online", "reason": "heard", "evidence": {"path": "direct", "via": None, "age_s": 0.1}}
    target = {**row, "attempt": 1, "note": "", "rollback": None}
    facts = {
        "id": "D7",
        "state": "pending",
        "title": "Python \x1b[2J",
        "approved_by": [],
        "approvals_needed": 1,
        "persons": [],
        "approvers": [{**row, "machine": "alpha"}],
        "targets": [
            {**target, "machine": "beta", "phase": "applied"},
            {**target, "machine": "gamma", "phase": "waiting", "state": "offline"},
        ],
        "conflicts": [],
        "asked": [],
        "quorum": None,
    }
    waits = [{"code": "approvals", "count": 1, "approvers": ["alpha"], "until": "2026-01-16T00:00:00.000Z"}]
    assert render_why(_told("decision", "D7", facts, waits), Texts("en")).split("\n") == [
        "D7, Python \\x1b[2J: pending",
        "waits: for 1 more approval, of: alpha; until 2026-01-16T00:00:00.000Z",
        "approved by nobody; 1 needed",
        "alpha is online, its heartbeats come",
        "targets: gamma waiting (offline); beta applied (online)",
    ]


def test_a_request_that_was_decided_waits_for_nothing() -> None:
    facts = {
        "id": "cd" * 32,
        "kind": "claim.acquire",
        "state": "decided",
        "claim": "x",
        "decision": None,
        "commit_number": 9,
        "outcome": {"accepted": False, "reason": "claim_held"},
        "quorum": None,
    }
    assert render_why(_told("request", "cd" * 32, facts, []), Texts("en")).split("\n") == [
        "cdcdcdcdcdcdcdcd, claim.acquire x: decided",
        "waits for nothing",
        "commit 9: claim_held",
    ]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_reason_of_a_verdict_has_words_and_what_a_newer_node_says_is_shown_as_it_is(language: str) -> None:
    texts = Texts(language)
    assert {f"reason.{reason}" for reason in Reason} <= CATALOGUE[language].keys()
    newer = {"kind": "comet", "of": "halley", "waits_for": [{"code": "perihelion"}]}
    assert render_why(newer, texts).split("\n")[0] == "halley"
    assert "perihelion" in render_why(newer, texts)
