"""A node that is killed at any moment loses nothing that it acknowledged."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from roosync_p2p.adapters.sqlite import SqliteStore
from roosync_p2p.core.ports import InboxQuery
from tests.conformance.store_rows import delivery, entry

ROOT = Path(__file__).parents[3]
ROUNDS = 4


def acknowledged_until_killed(database: Path, first: int, after: int, spins: int) -> int:
    """The last number that the child printed before it was killed, some time after ``after`` lines."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.adapters.sqlite.committing_child", str(database), str(first)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        for _ in range(after):
            assert child.stdout.readline(), "the child ended by itself"
        for _ in range(spins):  # the child is somewhere inside a commit when this ends
            pass
        child.kill()
        rest = [line for line in child.stdout.read().split(b"\n") if line]
    return first + after - 1 + len([line for line in rest if line.isdigit()])


@pytest.mark.parametrize("seed", [1, 2])
def test_everything_acknowledged_is_there_after_a_kill_at_any_moment(database: Path, seed: int) -> None:
    dice = random.Random(seed)
    print(f"seed {seed}")
    first = 1
    for _ in range(ROUNDS):
        last = acknowledged_until_killed(database, first, dice.randint(1, 120), dice.randint(0, 50_000))
        store = SqliteStore.open(database)
        store.check()
        kept = len(store.load().chains[0].ids) // 32
        assert kept >= last
        assert kept <= last + 1, "only the commit under way may be there without its word"
        assert store.entries(entry(1).author, 1, entry(1).chain, kept, count_max=9, bytes_max=9) == [entry(kept)]
        assert store.deliveries(entry(kept).id) == [delivery(kept, at_ms=kept)]
        assert store.inbox(InboxQuery(limit=1)).unread == kept
        store.close()
        first = kept + 1
