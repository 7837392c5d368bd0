"""A folder that goes wrong while all links are fine and nothing is to be written: told by the looks alone."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.errors import FolderError
from tests.helpers.folder_fleet import FolderFleet, FolderNews

TOLD_S = 2 * limits.FOLDER_CADENCE_S


def _resting(told: FolderNews) -> FolderFleet:
    """Two linked machines whose heartbeat files have just been written at the cadence of rest."""
    fleet = FolderFleet("ab", cut=False, observer=told)
    fleet.run(30)
    assert fleet.warnings("b") == set()
    assert fleet.files("b", "machine-b/heartbeat")
    assert fleet.folder_status("b")["state"] == "ok"
    assert fleet.member("b").node().folder.reaches.cadence_s() == limits.FOLDER_CADENCE_REST_S
    return fleet


def test_it_is_told_before_anything_is_written_and_so_is_its_end() -> None:
    told, code = FolderNews("machine-b"), "folder_read_only"
    fleet = _resting(told)
    before = fleet.counted("b", "folder.writes")
    fleet.folder("b").write_fault = FolderError("not now", code=code)
    took_s = fleet.until_s(lambda: code in fleet.warnings("b"), TOLD_S)
    assert took_s <= limits.FOLDER_LOOK_S + 1
    assert fleet.folder_status("b")["state"] == code.removeprefix("folder_")
    fleet.run(60)
    assert fleet.warnings("b") == {code}
    assert fleet.counted("b", "folder.writes") == before
    fleet.folder("b").write_fault = None
    fleet.until_s(lambda: not fleet.warnings("b"), TOLD_S)
    fleet.run(20)
    assert told.codes == [code, "ok"]


def test_reading_goes_on_as_fast_as_before_while_nothing_can_be_written() -> None:
    fleet = FolderFleet("ab")
    fleet.run(60)
    fleet.folder("b").write_fault = FolderError("no room", code="folder_full")
    fleet.until_s(lambda: fleet.warnings("b") == {"folder_full"}, TOLD_S)
    fleet.send("a", "b", "comes all the same")
    fleet.until_s(lambda: fleet.subjects("b") == ["comes all the same"], 2 * limits.FOLDER_LOOK_FAST_S + 5)
    assert fleet.warnings("b") == {"folder_full"}


def test_what_the_system_does_not_say_is_told_when_the_next_file_is_due_and_only_once() -> None:
    """An account's quota that only a write runs into: the bound is the announced cadence."""
    told = FolderNews("machine-b")
    fleet = _resting(told)
    fleet.folder("b").silent_writing = True
    fleet.folder("b").write_fault = FolderError("quota", code="folder_full")
    took_s = fleet.until_s(lambda: fleet.warnings("b") == {"folder_full"}, limits.FOLDER_CADENCE_REST_S + 10)
    assert took_s > TOLD_S
    fleet.run(60)  # looks in between succeed, and do not end it
    assert told.codes == ["folder_full"]
    fleet.folder("b").write_fault = None
    fleet.until_s(lambda: not fleet.warnings("b"), limits.FOLDER_RETRY_S + 10)
    assert told.codes == ["folder_full", "ok"]


def test_a_folder_that_is_a_local_one_now_is_told_within_two_announced_cadences() -> None:
    fleet = _resting(FolderNews("machine-b"))
    late_s = fleet.member("b").node().folder.beacons.probes.late_s or 0.0
    fleet.folder("b").local = True
    bound_s = limits.FOLDER_PROBES_MISSED * limits.FOLDER_CADENCE_REST_S + 2 * late_s + limits.FOLDER_LOOK_S
    took_s = fleet.until_s(lambda: fleet.warnings("b") == {"folder_not_shared"}, bound_s + limits.FOLDER_PLAN_S)
    assert took_s > limits.FOLDER_CADENCE_REST_S
