"""Worlds with a shared folder: its faults happen, end, and break nothing that holds without them."""

from __future__ import annotations

import collections
import dataclasses

import pytest

from roosync_p2p.simulation.world import Outcome, Plan, World
from tests.helpers.by_hand import by_hand

_ALWAYS = dataclasses.replace(Plan(), folder_chance=1.0)
_NEVER = dataclasses.replace(Plan(), folder_chance=0.0)


def _run(seed: int, plan: Plan) -> Outcome:
    return World(seed, plan=plan).run()


@pytest.mark.parametrize("seed", [3, 5, 10, 19])
def test_a_world_whose_folder_does_what_folders_do_keeps_every_promise(seed: int) -> None:
    outcome = _run(seed, _ALWAYS)
    assert outcome.violations == ()
    assert outcome.active["folder"] == 1


@by_hand  # the command says of every kind that a hundred seeds lack
def test_every_kind_of_fault_happens_in_a_few_worlds() -> None:
    seen: collections.Counter[str] = collections.Counter()
    for seed in range(100, 106):
        seen.update({kind: count for kind, count in _run(seed, _ALWAYS).active.items() if kind.startswith("folder_")})
    assert len(seen) >= 3


def test_a_world_without_a_folder_is_as_it_was_and_the_same_seed_is_the_same_world() -> None:
    assert "folder" not in _run(7, _NEVER).active
    assert _run(7, _ALWAYS).digest == _run(7, _ALWAYS).digest
