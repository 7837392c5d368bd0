"""The attachment checker finds each way of breaking its promise, and is content where all is well."""

from __future__ import annotations

import dataclasses

import pytest

from roosync_p2p.simulation.checkers.attachments import Attached, AttachmentChecker

ONE = Attached(entry="entry-one", author="alpha", machines=frozenset({"beta"}), digest=b"1", data=b"one")
BOTH = {"alpha": {b"1": b"one"}, "beta": {b"1": b"one"}, "gamma": {}, "delta": {}, "omega": {}}


def found(
    disks: dict[str, dict[bytes, bytes]],
    *attached: Attached,
    excused: tuple[str, ...] = (),
    silent: tuple[str, ...] = (),
) -> list[str]:
    checker = AttachmentChecker()
    for one in attached or (ONE,):
        checker.acknowledged(one)
    return [violation.text for violation in checker.finish(disks, excused, 9.0, silent=silent)]


def test_a_file_where_it_is_for_and_nowhere_else_is_well() -> None:
    assert found(BOTH) == []


@pytest.mark.parametrize("content", [{}, {b"1": b"on"}, {b"2": b"one"}])
def test_a_file_that_is_missing_or_another_one_is_found(content: dict[bytes, bytes]) -> None:
    assert "entry-on of alpha is not whole at beta" in found({**BOTH, "beta": content})


def test_nobody_is_owed_what_was_lost_with_a_disk_or_its_author() -> None:
    disks = {**BOTH, "beta": {}}
    assert found(disks, excused=("entry-one",)) == []
    assert found({machine: disk for machine, disk in disks.items() if machine != "alpha"}) == []


def test_who_keeps_it_when_everybody_has_it_is_found() -> None:
    assert found({**BOTH, "gamma": {b"1": b"one"}}) == ["entry-on of alpha is kept by gamma"]
    assert found({**BOTH, "gamma": {b"1": b"one"}}, silent=("beta",)) == [], "nobody hears that beta has it"


def test_two_keep_it_for_a_machine_that_is_off_and_a_third_is_found() -> None:
    disks = {machine: disk for machine, disk in BOTH.items() if machine != "beta"}
    two = {**disks, "gamma": {b"1": b"one"}, "delta": {b"1": b"one"}}
    assert found(two) == []
    assert found({**two, "omega": {b"1": b"one"}}) == ["entry-on of alpha is kept by delta, gamma, omega"]


def test_what_is_there_for_another_message_is_no_violation() -> None:
    other = dataclasses.replace(ONE, entry="entry-two", machines=frozenset({"gamma"}))
    assert found({**BOTH, "gamma": {b"1": b"one"}}, ONE, other) == []


def test_a_file_that_outlives_its_message_is_found() -> None:
    checker = AttachmentChecker()
    checker.acknowledged(ONE)
    assert [str(violation.text) for violation in checker.dropped("entry-one", BOTH, 9.0)] == [
        "entry-on is dropped, and what it brought is at alpha",
        "entry-on is dropped, and what it brought is at beta",
    ]
    assert checker.dropped("entry-one", {machine: {} for machine in BOTH}, 9.0) == []
    checker.acknowledged(dataclasses.replace(ONE, entry="entry-two"))
    assert checker.dropped("entry-one", BOTH, 9.0) == []
