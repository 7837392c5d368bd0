"""What goes wrong with the folder is told once when it begins, and once when it is over."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.errors import FolderError
from tests.helpers.folder_fleet import FolderFleet, FolderNews


def test_a_folder_that_blocks_is_an_alarm_and_its_end_is_told() -> None:
    told = FolderNews("machine-b")
    fleet = FolderFleet("ab", cut=False, observer=told)
    fleet.run(60)
    fleet.member("b").folder_takes_s = 120.0
    fleet.until_s(lambda: told.codes == ["folder_blocked"], limits.FOLDER_BLOCKED_S + limits.FOLDER_LOOK_S + 10)
    fleet.member("b").folder_takes_s = 0.02
    fleet.until_s(lambda: told.codes == ["folder_blocked", "ok"], 200)


def test_a_folder_that_stands_still_and_then_is_full_is_told_once_each() -> None:
    told = FolderNews("machine-b")
    fleet = FolderFleet("ab", observer=told)
    fleet.run(60)
    fleet.share.stopped = True
    fleet.until_s(lambda: told.codes == ["folder_stale"], 400, step_s=5)
    fleet.run(60)
    fleet.folder("b").write_fault = FolderError("no space", code="folder_full")
    fleet.until_s(lambda: told.codes == ["folder_stale", "folder_full"], 120)
    fleet.folder("b").write_fault = None
    fleet.share.stopped = False
    fleet.until_s(lambda: fleet.warnings("b") == set(), 120)
    fleet.run(20)
    assert told.codes[:2] == ["folder_stale", "folder_full"]
    assert told.codes[-1] == "ok"
    assert len(told.codes) <= 5
