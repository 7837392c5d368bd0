"""Broken nodes are found, so the checkers can find them."""

from __future__ import annotations

import pytest

from roosync_p2p.simulation.runner import run_seeds

# Where the hunt begins, so that it is short here. Mutants that are not listed take longer: they are hunted by hand.
FIRST_SEED = {
    "acknowledge-before-sync": 0,
    "no-pre-vote": 9,
    "ordered-twice": 4,
    "send-before-persist": 4,
    "signature-check-off": 2,
    "stale-voters-proposed-again": 4,
    "startup-check-off": 39,
    "term-not-persisted": 0,
}
CHECKER = {
    "signature-check-off": {"signatures", "delivery", "liveness", "evidence", "identity", "convergence", "program"},
    "send-before-persist": {"durability"},
    "startup-check-off": {"identity", "delivery", "convergence"},
    "acknowledge-before-sync": {"replication"},
    "no-pre-vote": {"convergence"},
    "ordered-twice": {"commits"},
    "stale-voters-proposed-again": {"voters"},
    "term-not-persisted": {"elections"},
}
SEEDS_MAX = 8


@pytest.mark.parametrize("mutant", sorted(FIRST_SEED))
def test_a_mutant_is_found(mutant: str) -> None:
    first = FIRST_SEED[mutant]
    outcomes = list(run_seeds(range(first, first + SEEDS_MAX), mutant=mutant, until_found=True))
    print(f"{mutant}: found after {len(outcomes)} seeds")
    assert {violation.checker for violation in outcomes[-1].violations} & CHECKER[mutant]
