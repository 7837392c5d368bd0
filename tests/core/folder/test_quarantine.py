"""What was refused: for how long it is not read again, and what is copied aside."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.clock import Now
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.folder.quarantine import Quarantine
from roosync_p2p.core.folder.reading import BadFile
from roosync_p2p.entropy import Entropy
from roosync_p2p.errors import MalformedError, UntrustedError
from tests.helpers.actors import A, directory, identity

PATH = "p2p/v1/machine-b/entries/1/mail-1-2.seg"


@pytest.fixture
def desk() -> Desk:
    return Desk(identity(A), directory(A), Entropy(bytes(16)))


def _bad(code: str, data: bytes = b"wrong", path: str = PATH) -> BadFile:
    return BadFile(path=path, data=data, fault=MalformedError("it is wrong", code=code))


def _later(desk: Desk, seconds: float) -> None:
    desk.now = Now(monotonic_s=desk.now.monotonic_s + seconds, wall_ms=desk.now.wall_ms)


def test_a_refused_file_is_copied_once_and_looked_at_again_after_a_while(desk: Desk) -> None:
    quarantine = Quarantine(desk)
    assert len(quarantine.take(_bad("wrong_content"))) == 2
    assert quarantine.refused == {PATH: 5}
    _later(desk, limits.FOLDER_REFUSED_FOR_S)
    assert quarantine.refused == {}
    assert quarantine.take(_bad("wrong_content")) == []  # it is still the same
    assert quarantine.refused == {PATH: 5}
    assert len(quarantine.take(_bad("wrong_content", b"other"))) == 2
    assert (quarantine.kept, desk.counters["folder.bad.wrong_content"]) == (2, 2)


def test_what_may_get_right_is_given_time_and_then_refused(desk: Desk) -> None:
    quarantine = Quarantine(desk)
    assert quarantine.take(_bad("bad_file")) == []
    assert quarantine.refused == {}
    _later(desk, limits.FOLDER_DAMAGED_S - 1)
    assert quarantine.take(_bad("bad_file")) == []
    _later(desk, 1)
    assert len(quarantine.take(_bad("bad_file"))) == 2
    assert quarantine.refused == {PATH: 5}


def test_what_a_revoked_machine_writes_is_counted_and_not_copied(desk: Desk) -> None:
    quarantine = Quarantine(desk)
    bad = BadFile(path=PATH, data=b"x", fault=UntrustedError("it is out", code="key_revoked"))
    assert [quarantine.take(bad), quarantine.take(bad)] == [[], []]
    assert (quarantine.kept, desk.counters["folder.ignored.key_revoked"]) == (0, 1)


def test_copies_and_memory_are_bounded(desk: Desk) -> None:
    quarantine = Quarantine(desk)
    for number in range(limits.FOLDER_REFUSED_MAX + 10):
        quarantine.take(_bad("wrong_content", path=f"{PATH}{number}"))
    assert quarantine.kept == limits.FOLDER_QUARANTINE_MAX
    assert len(quarantine.refused) == limits.FOLDER_REFUSED_MAX
