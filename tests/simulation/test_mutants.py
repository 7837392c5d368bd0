"""Broken nodes are found, so the checkers can find them."""

from __future__ import annotations

import pytest

from roosync_p2p.simulation.mutants import MUTANTS
from roosync_p2p.simulation.runner import run_seeds
from tests.helpers.by_hand import by_hand

# Where the hunt begins, so that it is short here. From seed 0 on each is found within 40.
FIRST_SEED = {
    "acknowledge-before-sync": 0,
    "apply-asks-the-directory": 38,
    "folder-entries-of-revoked": 2,
    "folder-half-written": 2,
    "folder-heartbeat-as-direct": 8,
    "folder-older-heartbeat": 2,
    "folder-part-unchecked": 2,
    "folder-removed-too-early": 0,
    "no-pre-vote": 6,
    "older-acknowledgements-count": 15,
    "ordered-twice": 6,
    "send-before-persist": 0,
    "signature-check-off": 2,
    "stale-voters-proposed-again": 2,
    "startup-check-off": 39,
    "term-not-persisted": 1,
    "unconfirmed-reads": 37,
}
CHECKER = {
    "signature-check-off": {"signatures", "delivery", "liveness", "evidence", "identity", "convergence", "program"},
    "send-before-persist": {"durability", "replication"},
    "startup-check-off": {"identity", "delivery", "convergence"},
    "acknowledge-before-sync": {"replication"},
    "apply-asks-the-directory": {"commits"},
    "folder-entries-of-revoked": {"revocations"},
    "folder-half-written": {"folder"},
    "folder-heartbeat-as-direct": {"evidence"},
    "folder-older-heartbeat": {"folder"},
    "folder-part-unchecked": {"identity"},
    "folder-removed-too-early": {"folder"},
    "no-pre-vote": {"convergence"},
    "older-acknowledgements-count": {"replication"},
    "ordered-twice": {"commits"},
    "stale-voters-proposed-again": {"voters"},
    "term-not-persisted": {"elections"},
    "unconfirmed-reads": {"commits"},
}
SEEDS_MAX = 8
SLOW = ("folder-half-written", "folder-older-heartbeat", "folder-part-unchecked")


@pytest.mark.parametrize(
    "mutant", [pytest.param(name, marks=by_hand) if name in SLOW else name for name in sorted(MUTANTS)]
)
def test_a_mutant_is_found(mutant: str) -> None:
    first = FIRST_SEED[mutant]
    outcomes = list(run_seeds(range(first, first + SEEDS_MAX), mutant=mutant, until_found=True))
    print(f"{mutant}: found after {len(outcomes)} seeds")
    assert {violation.checker for violation in outcomes[-1].violations} & CHECKER[mutant]
