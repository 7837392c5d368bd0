"""The commits on a disk, read over after a start: found where one was altered, and made good by the next start."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest

from roosync_p2p import limits
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core import effects, inputs, store_reads
from roosync_p2p.core.commit.applier import MEND, META, Progress
from roosync_p2p.core.ports import Reader
from roosync_p2p.core.rows import CommitCutRow, CommitRow, MetaRow, Row
from roosync_p2p.core.store_reads import StoreAnswer, StoreRead
from roosync_p2p.ids import CommitNumber, EntryId, Epoch, LogIndex
from tests.helpers.ordered_fleet import OrderedFleet, acquire

WITHIN_S: Final = 10.0
CLAIMS: Final = 6


@pytest.fixture
def fleet() -> OrderedFleet:
    fleet = OrderedFleet("alpha", "beta")
    for number in range(CLAIMS):
        fleet.done("alpha", "claim.acquire", acquire(f"issue-{number}"))
    return fleet


def _restarted_with(fleet: OrderedFleet, rows: Sequence[Row]) -> None:
    """Beta's disk changes these rows while it is off."""
    fleet.member("beta").crash()
    disk = fleet.member("beta").disk
    disk.reopen()
    disk.commit(rows)
    fleet.member("beta").start()


def _alarms(fleet: OrderedFleet) -> dict[str, tuple[str, str, dict[str, object]]]:
    return fleet.log("beta").digests.alarms


def _changed(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


ALTERED: Final[dict[str, Callable[[CommitRow], dict[str, Any]]]] = {
    "leaf": lambda row: {"leaf": _changed(row.leaf)},
    "detail": lambda row: {"detail": _changed(row.detail)},
    "outcome": lambda row: {"accepted": not row.accepted},
    "reason": lambda _: {"reason": "x"},
    "time": lambda row: {"time_ms": row.time_ms + 1},
    "epoch": lambda row: {"epoch": Epoch(row.epoch + 1)},
    "item": lambda row: {"index": LogIndex(row.index + 1)},
    "entry": lambda row: {"entry": EntryId(_changed(row.entry or b"\0"))},
    "author": lambda _: {"author": "beta"},
    "kind": lambda _: {"kind": "claim.release"},
    "what no commit holds": lambda _: {"reason": 1.5},
}


@pytest.mark.parametrize("column", ALTERED)
def test_any_altered_column_of_an_old_commit_is_an_alarm_that_names_both_digests(
    fleet: OrderedFleet, column: str
) -> None:
    agreed = fleet.agreement()
    row = fleet.commits("beta")[-CLAIMS]
    assert row.entry is not None
    _restarted_with(fleet, [dataclasses.replace(row, **ALTERED[column](row))])
    fleet.run(WITHIN_S)
    code, message, details = _alarms(fleet)["disk:commits"]
    assert code == "commits_changed"
    assert details["applied"] != details["found"]
    assert all(str(details[which])[:16] in message for which in ("applied", "found"))
    assert fleet.agreement() == agreed, "what it decides by is as it was"


def _without(rows: list[CommitRow], number: int) -> list[Row]:
    return [CommitCutRow(first=CommitNumber(number)), *rows[number:]]


def _swapped(rows: list[CommitRow]) -> list[Row]:
    one, other = rows[3], rows[4]
    return [dataclasses.replace(one, number=other.number), dataclasses.replace(other, number=one.number)]


SHAPES: Final[dict[str, Callable[[list[CommitRow]], list[Row]]]] = {
    "the first is gone": lambda rows: _without(rows, 1),
    "one is gone": lambda rows: _without(rows, 4),
    "the newest is gone": lambda rows: _without(rows, len(rows)),
    "all are gone": lambda _: [CommitCutRow(first=CommitNumber(1))],
    "two have changed places": _swapped,
    "one that never was": lambda rows: [dataclasses.replace(rows[3], number=CommitNumber(1_000_000))],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_commits_that_are_gone_or_moved_or_never_were_are_told_and_made_good_by_the_next_start(
    fleet: OrderedFleet, shape: str
) -> None:
    agreed, rows = fleet.agreement(), fleet.commits("beta")
    _restarted_with(fleet, SHAPES[shape](rows))
    assert fleet.commits("beta") != rows
    fleet.run(WITHIN_S)
    assert _alarms(fleet)["disk:commits"][0] == "commits_changed"
    fleet.done("alpha", "claim.acquire", acquire("it goes on"))
    _restarted_with(fleet, [])
    fleet.run(WITHIN_S)
    assert not _alarms(fleet)
    assert fleet.commits("beta") == fleet.commits("alpha")
    assert fleet.commits("beta")[: len(rows)] == rows
    assert len(fleet.agreement()) == 1
    assert fleet.agreement() != agreed
    assert MEND not in fleet.member("beta").disk.load().meta
    _restarted_with(fleet, [])
    fleet.run(WITHIN_S)
    assert not _alarms(fleet)


def test_a_crash_while_everything_is_applied_again_changes_nothing_about_that(fleet: OrderedFleet) -> None:
    rows = fleet.commits("beta")
    _restarted_with(fleet, [dataclasses.replace(rows[2], reason="x")])
    fleet.run(WITHIN_S)
    _restarted_with(fleet, [])
    _restarted_with(fleet, [])
    fleet.run(WITHIN_S)
    assert not _alarms(fleet)
    assert fleet.commits("beta") == rows


def test_commits_that_an_older_program_wrote_are_compared_by_their_outcomes(fleet: OrderedFleet) -> None:
    row, meta = fleet.commits("beta")[2], fleet.member("beta").disk.load().meta
    fields = {name: value for name, value in _fields(meta[META]).items() if name != "rows"}
    older = MetaRow(key=META, value=encode(Progress(**fields)))
    _restarted_with(fleet, [older])
    fleet.done("alpha", "claim.acquire", acquire("later"))
    fleet.run(WITHIN_S)
    assert not _alarms(fleet)
    _restarted_with(fleet, [dataclasses.replace(row, accepted=not row.accepted)])
    fleet.run(WITHIN_S)
    assert _alarms(fleet)["disk:commits"][0] == "commits_changed"


def _fields(stored: bytes) -> dict[str, Any]:
    progress = decode(stored, Progress)
    return {name: getattr(progress, name) for name in progress.__struct_fields__}


def test_a_whole_disk_is_read_in_slices_once_and_nothing_is_said(
    fleet: OrderedFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RECHECK_COMMITS_MAX", 2)
    asked = _watched(fleet, monkeypatch)
    _restarted_with(fleet, [])
    fleet.run(WITHIN_S)
    assert not _alarms(fleet)
    last = len(fleet.commits("beta"))
    assert [read.first for read in asked] == list(range(1, last + 1, 2))


def test_what_cannot_be_read_is_tried_again_and_is_a_finding_the_third_time(
    fleet: OrderedFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = {"left": limits.RECHECK_TRIES_MAX - 1}
    asked = _watched(fleet, monkeypatch, fails)
    _restarted_with(fleet, [])
    fleet.run(WITHIN_S)
    assert not _alarms(fleet)
    assert len(asked) == limits.RECHECK_TRIES_MAX
    fails["left"] = limits.RECHECK_TRIES_MAX
    _restarted_with(fleet, [])
    fleet.run(WITHIN_S)
    _, message, details = _alarms(fleet)["disk:commits"]
    assert details["unreadable"] == 1
    assert "cannot be read behind commit 0" in message


def _watched(
    fleet: OrderedFleet, monkeypatch: pytest.MonkeyPatch, fails: dict[str, int] | None = None
) -> list[effects.ReadCommits]:
    """Beta's reads of commits; the first ones of a start fail if that is wanted."""
    asked: list[effects.ReadCommits] = []
    answer = store_reads.answered

    def answered(store: Reader, wanted: StoreRead) -> StoreAnswer:
        if isinstance(wanted, effects.ReadCommits):
            asked.append(wanted)
            if fails is not None and fails["left"]:
                fails["left"] -= 1
                return inputs.CommitsRead(read=wanted.read, rows=(), unread=True)
        return answer(store, wanted)

    monkeypatch.setattr(store_reads, "answered", answered)
    return asked
