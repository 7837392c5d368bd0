"""A restored or copied home is found out by what it wrote into the shared folder, without any link (entries.md §3)."""

from __future__ import annotations

from roosync_p2p.core.authorship import Phase
from tests.helpers.folder_fleet import FolderFleet


def _phase(fleet: FolderFleet, letter: str) -> Phase:
    return fleet.member(letter).node().authorship.phase


def test_a_restored_disk_is_shown_its_own_entries_by_the_folder_and_waits_for_a_countersignature() -> None:
    fleet = FolderFleet("abc")
    fleet.until_s(lambda: all(len(m.node().members()) == 3 for m in fleet.fleet.members.values()), 60)
    fleet.run(10)
    before = fleet.member("b").disk.snapshot()
    fleet.member("c").crash()  # so that its mail stays in the folder
    fleet.send("b", "c", "after the backup")
    fleet.run(30)
    fleet.member("b").crash()
    fleet.member("b").disk.restore(before)
    fleet.member("b").start()
    fleet.run(10)
    assert _phase(fleet, "b") is Phase.WAITING
    fleet.send("b", "a", "must not be written")
    fleet.run(30)
    assert fleet.subjects("a") == []


def test_a_start_number_that_the_folder_shows_is_not_used_again() -> None:
    fleet = FolderFleet("ab")
    fleet.run(30)
    before = fleet.member("b").disk.snapshot()
    for _ in range(3):
        fleet.member("b").crash()
        fleet.member("b").start()
        fleet.run(40)
    highest = fleet.member("b").node().authorship.start
    fleet.member("b").crash()
    fleet.member("b").disk.restore(before)
    fleet.member("b").start()
    fleet.run(10)
    assert fleet.member("b").node().authorship.start > highest


def test_a_healthy_restart_is_not_taken_for_another_store() -> None:
    fleet = FolderFleet("ab")
    fleet.run(30)
    for _ in range(3):
        fleet.send("b", "a", "hello")
        fleet.run(40)
        fleet.member("b").crash()
        fleet.member("b").start()
        fleet.run(20)
        assert _phase(fleet, "b") is Phase.READY
    fleet.run(60)
    assert fleet.subjects("a") == ["hello"] * 3
    assert fleet.verdict("a", "b").state == "online"


def test_a_copied_home_in_the_same_folder_stops_writing() -> None:
    fleet = FolderFleet("ab")
    fleet.run(30)
    copy = fleet.fleet.copy("machine-b", "copy", fleet.member("b").disk.snapshot())
    fleet.fleet.isolate("copy")
    copy.start()
    fleet.run(120)
    phases = {_phase(fleet, "b"), copy.node().authorship.phase}
    assert Phase.CONFLICT in phases
