"""The shared folder in memory: the port's promises, and what such folders do to files."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from roosync_p2p.core.memory_folder import MemoryShare, ShareFaults
from roosync_p2p.core.ports import Folder
from roosync_p2p.entropy import Entropy
from roosync_p2p.errors import FolderError
from tests.conformance.folder_suite import FolderSuite

PATH = "p2p/v1/machine-a/heartbeat"


class Clock:
    now_s = 0.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def share(clock: Clock) -> MemoryShare:
    return MemoryShare(lambda: clock.now_s, Entropy(bytes(16)))


class TestPort(FolderSuite):
    @pytest.fixture
    def make(self, share: MemoryShare) -> Callable[[], Folder]:
        return lambda: share.folder("machine-a")


def test_what_one_writes_shows_at_the_other_after_the_lag(share: MemoryShare, clock: Clock) -> None:
    ours, theirs = share.folder("a"), share.folder("b")
    share.faults = ShareFaults(lag_s=(10.0, 10.0))
    ours.write(PATH, b"one")
    assert theirs.read(PATH, bytes_max=9) is None
    clock.now_s = 10.0
    assert theirs.read(PATH, bytes_max=9) == b"one"
    ours.delete(PATH)
    assert theirs.read(PATH, bytes_max=9) == b"one"
    clock.now_s = 20.0
    assert theirs.read(PATH, bytes_max=9) is None


def test_changes_overtake_each_other_come_doubled_half_and_not_at_all(share: MemoryShare, clock: Clock) -> None:
    ours, theirs = share.folder("a"), share.folder("b")
    share.faults = ShareFaults(lag_s=(0.0, 60.0), doubled=0.3, halved=0.3, lost=0.2)
    wrote = [f"p2p/v1/machine-a/entries/1/mail-{n}-{n}.seg" for n in range(1, 41)]
    for path in wrote:
        ours.write(path, b"content of it")
    clock.now_s = 30.0
    early = {item.name for item in theirs.items("p2p/v1/machine-a/entries/1")}
    clock.now_s = 120.0
    late = {item.name for item in theirs.items("p2p/v1/machine-a/entries/1")}
    assert early < late
    assert any("(1)" in name for name in late)
    whole = [path for path in wrote if theirs.read(path, bytes_max=99) == b"content of it"]
    assert 20 < len(whole) < 40


def test_a_version_before_comes_back(share: MemoryShare, clock: Clock) -> None:
    ours, theirs = share.folder("a"), share.folder("b")
    share.faults = ShareFaults(lag_s=(1.0, 1.0), rolled_back=1.0)
    ours.write(PATH, b"one")
    ours.write(PATH, b"two")
    clock.now_s = 1.0
    assert theirs.read(PATH, bytes_max=9) == b"two"
    clock.now_s = 2.0
    assert theirs.read(PATH, bytes_max=9) == b"one"


def test_a_folder_vanishes_fails_or_is_only_local(share: MemoryShare) -> None:
    ours, theirs = share.folder("a"), share.folder("b")
    ours.write(PATH, b"one")
    ours.vanished = True
    assert ours.read(PATH, bytes_max=9) is None
    with pytest.raises(FolderError):
        ours.write(PATH, b"two")
    ours.vanished = False
    ours.write_fault = FolderError("full", code="folder_full")
    with pytest.raises(FolderError):
        ours.write(PATH, b"two")
    assert ours.read(PATH, bytes_max=9) == b"one"
    ours.write_fault, ours.local = None, True
    ours.write(PATH, b"three")
    assert theirs.read(PATH, bytes_max=9) == b"one"
    ours.fault = FolderError("held", code="folder_busy")
    with pytest.raises(FolderError):
        ours.items("p2p")


def test_a_stopped_medium_carries_later(share: MemoryShare, clock: Clock) -> None:
    ours, theirs = share.folder("a"), share.folder("b")
    share.stopped = True
    ours.write(PATH, b"one")
    clock.now_s = 1e6
    assert theirs.read(PATH, bytes_max=9) is None
    share.stopped = False
    assert theirs.read(PATH, bytes_max=9) == b"one"
    assert share.writes == {"a": 1}


def test_a_conflict_copy_has_one_of_three_names_in_turn(share: MemoryShare) -> None:
    ours, theirs = share.folder("a"), share.folder("b")
    share.faults = ShareFaults(doubled=1.0)
    for number in range(3):
        ours.write(f"p2p/v1/a/log/0-{number}-{number}.seg", b"x")
    assert {item.name for item in theirs.items("p2p/v1/a/log")} >= {
        "0-0-0 (1).seg",
        "0-1-1 - Copy.seg",
        "0-2-2 (a's conflicted copy 2026-01-15).seg",
    }
    assert share.happened["doubled"] == 3


def test_a_replaced_file_is_away_for_a_while(share: MemoryShare, clock: Clock) -> None:
    ours, theirs = share.folder("a"), share.folder("b")
    share.faults = ShareFaults(lag_s=(10.0, 10.0), renamed=1.0)
    ours.write(PATH, b"one")
    clock.now_s = 10.0
    ours.write(PATH, b"two")
    seen = []
    for clock.now_s in (14.0, 16.0, 20.0):
        seen.append(theirs.read(PATH, bytes_max=9))
    assert seen == [b"one", None, b"two"]


def test_a_file_that_another_program_holds_stands_in_nobodys_way(share: MemoryShare) -> None:
    folder = share.folder("a")
    folder.write(PATH, b"one")
    folder.held_open.add(PATH)
    with pytest.raises(FolderError, match="holds"):
        folder.read(PATH, bytes_max=9)
    with pytest.raises(FolderError, match="holds"):
        folder.write(PATH, b"two")
    with pytest.raises(FolderError, match="holds"):
        folder.delete(PATH)
    folder.write(PATH + "2", b"other")
    assert len(folder.items("p2p/v1/machine-a")) == 2


def test_the_first_reading_of_a_file_that_is_only_announced_takes_its_time(share: MemoryShare) -> None:
    folder = share.folder("a")
    folder.write(PATH, b"one")
    folder.announced[PATH] = 4.0
    assert folder.read(PATH, bytes_max=9) == b"one"
    assert folder.take_spent_s() == 4.0
    assert folder.read(PATH, bytes_max=9) == b"one"
    assert folder.take_spent_s() == 0.0
