"""Broken nodes are found, so the checkers can find them."""

from __future__ import annotations

import pytest

from roosync_p2p.simulation.mutants import MUTANTS
from roosync_p2p.simulation.runner import run_seeds

# Where the hunt begins, so that it is short here; from seed 0 each is found within 500 by the command.
FIRST_SEED = {"signature-check-off": 2, "send-before-persist": 4, "startup-check-off": 39}
CHECKER = {
    "signature-check-off": {"signatures", "delivery", "liveness", "evidence", "identity", "convergence", "program"},
    "send-before-persist": {"durability"},
    "startup-check-off": {"identity", "delivery", "convergence"},
}
SEEDS_MAX = 8


@pytest.mark.parametrize("mutant", sorted(MUTANTS))
def test_a_mutant_is_found(mutant: str) -> None:
    first = FIRST_SEED[mutant]
    outcomes = list(run_seeds(range(first, first + SEEDS_MAX), mutant=mutant, until_found=True))
    print(f"{mutant}: found after {len(outcomes)} seeds")
    assert {violation.checker for violation in outcomes[-1].violations} & CHECKER[mutant]
