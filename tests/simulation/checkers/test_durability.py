"""The durability checker compares what was told with what a crash left."""

from __future__ import annotations

import pytest

from roosync_p2p.simulation.checkers.durability import DurabilityChecker

CHAIN = ("alpha", 1, "mail")
PLACE = ("alpha", 1, "mail", 3)


def crashed(checker: DurabilityChecker, *, start: int = 9, head: int = 9, held: bool = True) -> list[str]:
    found = checker.crashed("alpha", 5.0, start=start, head=lambda _chain: head, held=lambda _entry: held)
    return [violation.text for violation in found]


def test_a_disk_that_holds_what_was_told_is_well() -> None:
    checker = DurabilityChecker()
    checker.told_head("alpha", CHAIN, 3)
    checker.told_entry("alpha", PLACE, "e3")
    checker.told_start("alpha", 2)
    checker.told_answer("alpha", "e3")
    assert crashed(checker, start=2, head=3) == []


@pytest.mark.parametrize("what", ["head", "entry", "start", "answer"])
def test_each_thing_that_was_told_and_is_missing_is_found(what: str) -> None:
    checker = DurabilityChecker()
    match what:
        case "head":
            checker.told_head("alpha", CHAIN, 3)
        case "entry":
            checker.told_entry("alpha", PLACE, "e3")
        case "start":
            checker.told_start("alpha", 3)
        case _:
            checker.told_answer("alpha", "e3")
    assert len(crashed(checker, start=2, head=2, held=False)) == 1
    checker.forget("alpha")  # its disk was replaced
    assert crashed(checker, start=2, head=2, held=False) == []


def test_a_second_entry_for_a_place_that_was_told_is_found_unless_the_home_was_touched() -> None:
    checker = DurabilityChecker()
    checker.wrote("alpha", PLACE, "e3", 1.0)
    checker.told_entry("alpha", PLACE, "e3")
    checker.wrote("alpha", PLACE, "other", 2.0)
    assert [violation.checker for violation in checker.finish()] == ["durability"]
    checker.forgive("alpha")
    assert checker.finish() == []


def test_an_entry_that_was_lost_before_anybody_saw_it_may_be_written_anew() -> None:
    checker = DurabilityChecker()
    checker.wrote("alpha", PLACE, "e3", 1.0)
    checker.wrote("alpha", PLACE, "other", 2.0)
    assert checker.finish() == []
