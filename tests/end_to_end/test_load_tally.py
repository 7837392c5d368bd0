"""What a client of a load was told becomes the right line of its history, and a count."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from roosync_p2p.errors import InputFault, NetworkError, NotRunningError, RoosyncError, UndecidedError
from tests.end_to_end.claim_load import SLOTS, USES, Names
from tests.end_to_end.load_tally import Tally
from tests.linearizability.history import Operation
from tests.linearizability.recorder import Recorder, read_history
from tests.linearizability.register import Accepted, Register, Set


def _asked(path: Path, tally: Tally, error: BaseException | None) -> list[Operation]:
    with (
        Recorder(path) as recorder,
        contextlib.suppress(RoosyncError, OSError),
        recorder.operation("a", "k", Set(value="x")) as call,
        tally.asking(call),
    ):
        if error is not None:
            raise error
        tally.answer(call, Accepted(version=1))
    return read_history([path], Register())


def test_an_answer_is_counted(tmp_path: Path) -> None:
    tally = Tally()
    (operation,) = _asked(tmp_path / "history", tally, None)
    assert operation.answer == Accepted(version=1)
    assert (tally.answered, tally.unknown.total(), tally.void.total()) == (1, 0, 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UndecidedError("", code="pending"), "pending"),
        (NetworkError("", code="connection_lost"), "connection_lost"),
        (ConnectionResetError(), "ConnectionResetError"),
    ],
    ids=str,
)
def test_what_may_have_had_an_effect_stays_in_the_history_without_an_answer(
    tmp_path: Path, error: Exception, code: str
) -> None:
    tally = Tally()
    (operation,) = _asked(tmp_path / "history", tally, error)
    assert operation.answer is None
    assert (tally.answered, dict(tally.unknown), dict(tally.void)) == (0, {code: 1}, {})


@pytest.mark.parametrize(
    ("error", "code"), [(NotRunningError(""), "not_running"), (InputFault("", code="too_late"), "too_late")], ids=str
)
def test_what_had_certainly_none_is_in_no_history(tmp_path: Path, error: Exception, code: str) -> None:
    tally = Tally()
    assert _asked(tmp_path / "history", tally, error) == []
    assert (tally.answered, dict(tally.unknown), dict(tally.void)) == (0, {}, {code: 1})


def test_a_refusal_that_nobody_expects_passes(tmp_path: Path) -> None:
    with (
        Recorder(tmp_path / "history") as recorder,
        recorder.operation("a", "k", Set(value="x")) as call,
        pytest.raises(InputFault, match="what is this"),
        Tally().asking(call),
    ):
        raise InputFault("what is this")


def test_no_name_is_used_for_long() -> None:
    names, dice = Names(), random.Random(1)
    drawn = [names.draw(dice) for _ in range(20 * SLOTS * USES)]
    assert max(map(drawn.count, set(drawn))) == USES
    assert all(len(set(drawn[at : at + 1000])) < 3 * SLOTS for at in range(0, len(drawn), 1000))
