"""Random histories keep the promises of Raft, and a Raft with one rule broken does not."""

from __future__ import annotations

import pytest

from tests.consensus.chaos import Chaos
from tests.consensus.cluster import Cluster
from tests.consensus.mutants import MUTANTS, Break, no_pre_vote

STEPS = 300
SEEDS = 250
BLOCK = 50
# In every block of histories at least so many of each, or the histories show nothing.
LEAST = {
    "proposals": 250,
    "crashes": 150,
    "transfers": 15,
    "changes": 30,
    "reads": 60,
    "failed reads": 4,
    "terms": 100,
    "overwritten": 40,
}


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_random_histories_keep_the_promises(first: int) -> None:
    counts: dict[str, int] = {}
    for seed in range(first, first + BLOCK):
        chaos = Chaos(seed)
        try:
            chaos.run(STEPS)
        except BaseException:
            print(f"seed {seed}")
            raise
        for what, count in chaos.counts.items():
            counts[what] = counts.get(what, 0) + count
    print(f"seeds {first} to {first + BLOCK - 1}: {counts}")
    assert {what: counts.get(what, 0) for what, least in LEAST.items() if counts.get(what, 0) < least} == {}


@pytest.mark.parametrize(("broken", "first"), MUTANTS, ids=[broken.__name__.strip("_") for broken, _ in MUTANTS])
def test_a_broken_rule_is_found_within_500_seeds(broken: Break, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    for place in range(500):
        seed = (first + place) % 500
        try:
            Chaos(seed).run(STEPS)
        except AssertionError as found:
            print(f"seed {seed}: {found}")
            return
    pytest.fail(f"{broken.__doc__} Nobody noticed.")


def _a_minute_alone() -> int:
    """By how many terms a voter that was cut off for a minute raises everybody's when it returns."""
    cluster = Cluster()
    cluster.found("anna", ["bert", "carl"])
    before = cluster.nodes["anna"].raft.status.term
    cluster.loses = lambda letter: "carl" in (letter.sender.machine, letter.to.machine)
    cluster.advance(60.0)
    cluster.loses = lambda _: False
    cluster.advance(5.0)
    return cluster.nodes["anna"].raft.status.term - before


def test_a_voter_that_returns_raises_no_term() -> None:
    assert _a_minute_alone() == 0


def test_without_pre_vote_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    no_pre_vote(monkeypatch)
    assert _a_minute_alone() > 10
