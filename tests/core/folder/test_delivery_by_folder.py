"""Messages through the shared folder alone: once, in order, whatever the medium does; quiet while links are fine."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.core.mail_commands import Outlived, RaiseFloors
from roosync_p2p.core.memory_folder import ShareFaults
from roosync_p2p.entries.entry import MAIL
from roosync_p2p.errors import FolderError
from roosync_p2p.gossip.folder_paths import SegmentFile, parse_path
from roosync_p2p.ids import MachineId
from roosync_p2p.simulation.retention import floor_of
from tests.helpers.folder_fleet import FolderFleet

A, B, C = (MachineId(f"machine-{letter}") for letter in "abc")


def _known(fleet: FolderFleet) -> bool:
    return all(len(member.node().members()) == len(fleet.fleet.members) for member in fleet.fleet.members.values())


def test_a_message_and_its_receipt_go_through_a_folder_when_no_link_is_possible() -> None:
    fleet = FolderFleet("ab")
    fleet.until_s(lambda: _known(fleet), 60)
    fleet.send("a", "b", "by folder")
    assert fleet.until_s(lambda: fleet.subjects("b") == ["by folder"], 30) <= 2 * limits.FOLDER_LOOK_FAST_S + 2
    head = fleet.member("a").node().authorship.head
    key = (A, 1, "mail")
    fleet.until_s(lambda: fleet.member("a").node().delivery.head_of(B, key) == head("mail"), 30)  # type: ignore[arg-type]
    fleet.run(600)
    assert fleet.subjects("b") == ["by folder"]


@pytest.mark.parametrize("lag_s", [5.0, 60.0])
def test_entries_reach_everyone_within_the_folders_lag_and_one_cadence(lag_s: float) -> None:
    fleet = FolderFleet("abc")
    fleet.share.faults = ShareFaults(lag_s=(0.8 * lag_s, lag_s))
    fleet.until_s(lambda: _known(fleet), 900)
    for subject in ("one", "two", "three"):
        fleet.send("b", "all", subject)
        took_s = fleet.until_s(lambda s=subject: all(s in fleet.subjects(letter) for letter in "ac"), 900)
        assert took_s <= lag_s + limits.FOLDER_CADENCE_S
    assert fleet.subjects("a") == fleet.subjects("c") == ["one", "two", "three"]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_medium_does_everything_arrives_once_and_in_order(seed: int) -> None:
    fleet = FolderFleet("abc", seed=seed)
    fleet.share.faults = ShareFaults(lag_s=(1, 90), doubled=0.3, halved=0.5, rolled_back=0.3)
    fleet.until_s(lambda: _known(fleet), 900)
    sent = [f"number {number}" for number in range(30)]
    for number, subject in enumerate(sent):
        fleet.send("a", "all", subject)
        if number % 5 == 4:
            fleet.run(7)
    fleet.send("b", "c", "from another")
    fleet.until_s(lambda: fleet.subjects("b") == sent and len(fleet.subjects("c")) == 31, 900)
    fleet.run(300)
    assert fleet.subjects("b") == sent
    assert [subject for subject in fleet.subjects("c") if subject != "from another"] == sent
    assert fleet.counted("b", "folder.foreign") > 0  # conflict copies were there, and nobody minded


def test_what_was_lost_on_the_way_is_brought_by_others() -> None:
    fleet = FolderFleet("abc")
    fleet.until_s(lambda: _known(fleet), 60)
    fleet.send("a", "all", "one")
    fleet.until_s(lambda: fleet.subjects("b") == ["one"] == fleet.subjects("c"), 60)
    fleet.member("c").crash()
    fleet.run(700)  # long enough to be gone for everybody
    fleet.send("a", "all", "two")
    fleet.until_s(lambda: fleet.subjects("b") == ["one", "two"], 60)
    fleet.member("a").crash()
    for letter in "abc":  # its part of the folder vanishes with it
        for path in fleet.files(letter, "machine-a/entries"):
            del fleet.folder(letter).files[path]
    fleet.member("c").start()
    fleet.until_s(lambda: fleet.subjects("c") == ["one", "two"], 600)
    assert fleet.files("c", "machine-b/relay/machine-a")


def test_when_links_come_back_nothing_is_transferred_twice() -> None:
    fleet = FolderFleet("ab")
    fleet.until_s(lambda: _known(fleet), 60)
    for number in range(20):
        fleet.send("a", "b", f"number {number}")
    fleet.until_s(lambda: len(fleet.subjects("b")) == 20, 60)
    before = fleet.counted("b", "entries.duplicate")
    fleet.heal()
    fleet.until_s(lambda: bool(fleet.member("a").node().links.peers()), 120)
    fleet.run(30)
    assert fleet.counted("b", "entries.duplicate") == before
    assert len(fleet.subjects("b")) == 20


def test_while_links_are_fine_six_machines_write_less_than_once_a_minute_each() -> None:
    letters = "abcdef"
    fleet = FolderFleet(letters, cut=False)
    fleet.run(30)
    before = dict(fleet.share.writes)
    minutes = 6
    fleet.run(minutes * 60)
    for letter in letters:
        wrote = fleet.share.writes[f"machine-{letter}"] - before.get(f"machine-{letter}", 0)
        assert wrote <= minutes // 5 + 1
        shown = fleet.folder_status(letter)["writes_per_minute"]
        assert isinstance(shown, float)
        assert 0 < shown <= 1


def test_what_links_deliver_is_not_written_into_the_folder() -> None:
    fleet = FolderFleet("abc", cut=False)
    fleet.run(30)
    before = fleet.files("b", ".seg")
    for number in range(20):
        fleet.send("a", "all", f"number {number}")
        fleet.run(0.5)
    fleet.run(50)
    assert len(fleet.subjects("b")) == 20
    assert fleet.files("b", ".seg") == before


def test_a_burst_becomes_one_segment_a_second_at_most() -> None:
    fleet = FolderFleet("ab")
    fleet.until_s(lambda: _known(fleet), 60)
    fleet.run(5)
    before = set(fleet.files("a", "machine-a/entries"))
    for _ in range(100):
        fleet.send("a", "b", "again")
        fleet.run(0.1)
    fleet.until_s(lambda: len(fleet.subjects("b")) == 100, 60)
    made = [name for name in map(parse_path, set(fleet.files("a", "entries")) - before) if name is not None]
    assert 3 <= len(made) <= 12
    assert fleet.subjects("b") == ["again"] * 100


def test_many_segments_are_merged_and_what_all_have_is_removed() -> None:
    fleet = FolderFleet("ab")
    fleet.until_s(lambda: _known(fleet), 60)
    fleet.member("b").crash()
    for number in range(60):
        fleet.send("a", "b", f"number {number}")
        fleet.run(2)
    fleet.run(60)
    mail = [name for name in map(parse_path, fleet.files("a", "machine-a/entries/1/mail")) if name is not None]
    assert len(mail) <= limits.FOLDER_SEGMENTS_MAX
    fleet.member("b").start()
    fleet.until_s(lambda: len(fleet.subjects("b")) == 60, 60)
    fleet.until_s(lambda: not fleet.files("a", "machine-a/entries/1/mail"), 120)
    assert fleet.files("a", "machine-a/entries/1/ledger")  # what a newcomer needs stays


def test_a_folder_that_is_full_or_away_loses_nothing() -> None:
    fleet = FolderFleet("ab")
    fleet.until_s(lambda: _known(fleet), 60)
    fleet.folder("a").write_fault = FolderError("no space", code="folder_full", remedy="make some")
    fleet.send("a", "b", "waits")
    fleet.run(60)
    assert fleet.folder_status("a")["state"] == "full"
    assert fleet.warnings("a") == {"folder_full"}
    assert fleet.subjects("b") == []
    fleet.folder("a").write_fault = None
    fleet.until_s(lambda: fleet.subjects("b") == ["waits"], 60)
    assert fleet.folder_status("a")["state"] == "ok"
    fleet.folder("a").vanished = True
    fleet.run(30)
    assert fleet.folder_status("a")["state"] == "unmounted"
    fleet.folder("a").vanished = False
    fleet.until_s(lambda: fleet.folder_status("a")["state"] == "ok", 60)


def test_files_that_are_opened_slowly_because_they_are_online_only_are_read_and_no_alarm() -> None:
    fleet = FolderFleet("ab")
    fleet.until_s(lambda: _known(fleet), 60)
    fleet.member("b").folder_takes_s = 5.0
    fleet.send("a", "b", "slow")
    states = set()
    for _ in range(20):
        fleet.run(3)
        states.add(str(fleet.folder_status("b")["state"]))
    assert fleet.subjects("b") == ["slow"]
    assert states == {"ok"}


def test_a_folder_that_blocks_is_told_and_delays_nothing_but_itself() -> None:
    fleet = FolderFleet("abc", cut=False)
    fleet.run(60)
    fleet.member("b").folder_takes_s = 720.0  # as a mount did for twelve minutes
    fleet.until_s(lambda: fleet.warnings("b") == {"folder_blocked"}, 2 * limits.FOLDER_CADENCE_S)
    fleet.send("a", "b", "by link")
    fleet.send("b", "a", "back")
    fleet.run(1)
    assert (fleet.subjects("b"), fleet.subjects("a")) == (["by link"], ["back"])
    fleet.member("b").folder_takes_s = 0.02
    fleet.until_s(lambda: fleet.warnings("b") == set(), 900, step_s=10)


def test_a_bad_file_is_copied_aside_with_the_reason_and_left_where_it_is() -> None:
    fleet = FolderFleet("ab")
    fleet.until_s(lambda: _known(fleet), 60)
    fleet.send("a", "b", "good")
    fleet.until_s(lambda: fleet.subjects("b") == ["good"], 60)
    good = fleet.files("b", "machine-a/entries/1/ledger")[0]
    name = parse_path(good)
    assert isinstance(name, SegmentFile)
    wrong = good.replace(f"-{name.first}-{name.last}", f"-{name.last + 1}-{2 * name.last - name.first + 1}")
    fleet.folder("b").files[wrong] = fleet.folder("b").files[good]
    fleet.run(30)
    copies = fleet.files("b", "machine-b/quarantine")
    assert [path.rpartition(".")[2] for path in copies] == ["bin", "txt"]
    assert b"wrong_content" in fleet.folder("b").files[copies[1]]
    assert wrong in fleet.folder("b").files[copies[1]].decode()
    assert fleet.folder("b").files[wrong] == fleet.folder("b").files[good]
    fleet.run(60)
    assert fleet.files("b", "machine-b/quarantine") == copies
    assert fleet.folder_status("b")["quarantined"] == 1


def test_without_a_folder_nothing_is_done_about_one() -> None:
    fleet = FolderFleet("ab", start=False)
    for member in fleet.fleet.members.values():
        member.folder = None
        member.start()
    fleet.run(60)
    assert fleet.status("a")["folder"] is None
    assert fleet.share.writes == {"founder": 1}


def test_a_floor_goes_by_the_folder_and_takes_the_segments_below_it_along() -> None:
    fleet = FolderFleet("ab")
    fleet.until_s(lambda: _known(fleet), 60)
    for number in range(3):
        fleet.send("a", "b", f"{number}")
    fleet.until_s(lambda: len(fleet.subjects("b")) == 3, 60)
    a, b = fleet.member("a"), fleet.member("b")
    head = a.node().exchange.durable_head((A, 1, MAIL))
    fleet.until_s(lambda: a.node().delivery.head_of(B, (A, 1, MAIL)) == head, 60)
    b.crash()
    fleet.send("a", "b", "late")
    fleet.ask("a", RaiseFloors(outlived=(Outlived(incarnation=1, first=head),)))
    fleet.run(limits.FOLDER_CADENCE_S)
    b.start()
    fleet.until_s(lambda: floor_of(b, A) == head, 120)
    assert floor_of(a, A) == head
    fleet.until_s(lambda: fleet.subjects("b")[-1:] == ["late"], 60)

    def below() -> list[str]:
        items = [item.name for item in fleet.folder("a").items(f"p2p/v1/{A}/entries/1")]
        names = [parse_path(f"p2p/v1/{A}/entries/1/{item}") for item in items]
        return [n.path for n in names if isinstance(n, SegmentFile) and n.chain == MAIL and n.last < head]

    fleet.until_s(lambda: not below(), 600)
    fleet.run(60)
    assert len(fleet.subjects("b")) == 4
