"""What may be written: a few at once, one a minute at rest, one a second where the folder is needed."""

from __future__ import annotations

import itertools

import pytest

from roosync_p2p import limits
from roosync_p2p.core.folder.budget import WriteBudget
from tests.helpers.folder_fleet import FolderFleet


def _greedy(seconds: int, *, needed: bool) -> list[int]:
    """Writes at every moment in which it is allowed, twice a second; how many in each second."""
    budget = WriteBudget()
    made = []
    for second in range(seconds):
        now = 0
        for half in (0.0, 0.5):
            budget.tick(second + half, needed=needed)
            now += (count := budget.allowed)
            budget.wrote(second + half, written=count, removed=0)
        made.append(now)
    return made


def test_at_rest_a_few_at_once_and_then_one_a_minute() -> None:
    made = _greedy(3601, needed=False)
    assert sum(made[:60]) == limits.FOLDER_WRITES_BURST
    assert sum(made) == limits.FOLDER_WRITES_BURST + 3600 / limits.FOLDER_WRITES_REST_S


def test_where_the_folder_is_needed_one_a_second() -> None:
    made = _greedy(600, needed=True)
    assert all(count <= 1 for count in made[1:])
    assert sum(made) <= limits.FOLDER_WRITES_BURST + 600 / limits.FOLDER_GATHER_S


def test_it_says_when_the_next_file_may_be_written() -> None:
    budget = WriteBudget()
    budget.tick(10.0, needed=False)
    assert budget.next_s() == 10.0
    budget.wrote(10.0, written=limits.FOLDER_WRITES_BURST, removed=0)
    assert budget.allowed == 0
    at_s = budget.next_s()
    assert at_s == 10.0 + limits.FOLDER_WRITES_REST_S
    budget.tick(at_s, needed=False)
    assert budget.allowed == 1


def test_a_heartbeat_without_a_token_is_owed_to_nobody_and_removals_cost_one_together() -> None:
    budget = WriteBudget()
    budget.tick(0.0, needed=False)
    budget.wrote(0.0, written=limits.FOLDER_WRITES_BURST + 5, removed=0)
    assert budget.tokens == 0
    budget.tick(2 * limits.FOLDER_WRITES_REST_S, needed=False)
    budget.wrote(2 * limits.FOLDER_WRITES_REST_S, written=0, removed=60)
    assert budget.allowed == 1


@pytest.mark.parametrize(("gap_s", "shown"), [(60.0, 1.0), (300.0, 0.2), (6.0, 10.0)])
def test_writes_a_minute_are_those_of_the_last_minutes(gap_s: float, shown: float) -> None:
    budget = WriteBudget()
    budget.tick(0.0, needed=False)
    assert budget.per_minute(0.0) == 0
    times = itertools.takewhile(lambda at_s: at_s < 3600.0, itertools.count(0.0, gap_s))
    for at_s in times:
        budget.wrote(at_s, written=1, removed=0)
    assert budget.per_minute(3599.9) == shown
    assert budget.per_minute(3600.0 + 60 * limits.FOLDER_WRITES_MINUTES) == 0


def test_a_machine_that_is_off_and_much_talk_among_the_others_do_not_fill_the_folder() -> None:
    fleet = FolderFleet("abc", cut=False)
    fleet.run(30)
    fleet.member("c").leave()
    fleet.run(30)
    before = dict(fleet.share.writes)
    minutes = 5
    for number in range(minutes * 12):  # what c lacks: each would be a file of its own
        fleet.send("a", "c", f"number {number}")
        fleet.run(5)
    wrote = fleet.share.writes["machine-a"] - before["machine-a"]
    assert wrote <= limits.FOLDER_WRITES_BURST + minutes * 60 / limits.FOLDER_WRITES_REST_S + 2
    fleet.cut()
    fleet.member("c").start()
    fleet.until_s(lambda: len(fleet.subjects("c")) == minutes * 12, 120)
    assert fleet.subjects("c") == [f"number {number}" for number in range(minutes * 12)]


def test_heartbeats_are_written_in_their_cadence_while_much_else_waits() -> None:
    fleet = FolderFleet("ab")
    fleet.run(60)
    times: list[float] = []
    last = b""
    for number in range(150):
        fleet.send("a", "b", f"number {number}")
        fleet.run(1)
        now = fleet.folder("a").files["p2p/v1/machine-a/heartbeat"]
        if now != last:
            times.append(fleet.fleet.now_s)
            last = now
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert max(gaps) <= limits.FOLDER_CADENCE_FAST_S + limits.FOLDER_GATHER_S
    assert len(fleet.subjects("b")) >= 145
