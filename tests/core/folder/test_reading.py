"""One look into the folder: what is taken, what waits, what is no good, and what is not even opened."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import encode
from roosync_p2p.core import wire
from roosync_p2p.core.folder.reading import Looked, SegmentRead, Wanted, look, marker_bytes
from roosync_p2p.core.folder.records import Papers
from roosync_p2p.core.memory_folder import MemoryFolder, MemoryShare
from roosync_p2p.entropy import Entropy
from roosync_p2p.errors import FolderError
from roosync_p2p.gossip.folder_file import wrap
from roosync_p2p.gossip.folder_paths import MARKER, certificates_path
from roosync_p2p.ids import FleetId
from tests.helpers.actors import A, Actor, B, directory, entries, identity

FLEET = identity(A).fleet
ENTRIES = Actor(A).mail(6)
FIRST = ENTRIES[0].header.sequence
KEY = ENTRIES[0].place


def _folder() -> MemoryFolder:
    folder = MemoryShare(lambda: 0.0, Entropy(bytes(16))).folder("machine-b")
    folder.files[MARKER] = marker_bytes(FLEET)
    return folder


def _segment(folder: MemoryFolder, first: int, last: int, *, named: str | None = None) -> str:
    """Entries number ``first`` to ``last`` of what was written, in a file of that name."""
    chosen = ENTRIES[first - 1 : last]
    name = named or f"p2p/v1/{A}/entries/1/mail-{chosen[0].header.sequence}-{chosen[-1].header.sequence}.seg"
    folder.files[name] = wrap(wire.encode_frame(entries(*chosen)))
    return name


def _look(folder: MemoryFolder, *, head: int = 0, **more: object) -> Looked:
    heads = {KEY: head} if head else {}
    return look(folder, Wanted(me=B, fleet=FLEET, heads=heads, **more), directory(A))  # type: ignore[arg-type]


def _sequences(looked: Looked) -> list[tuple[int, int]]:
    return [(file.name.first, file.name.last) for file in looked.files if isinstance(file, SegmentRead)]


def test_segments_are_read_in_sequence_each_run_once() -> None:
    folder = _folder()
    for first, last in ((3, 4), (1, 2), (5, 6), (1, 1)):
        _segment(folder, first, last)
    at = FIRST - 1
    assert _sequences(_look(folder)) == [(at + 1, at + 2), (at + 3, at + 4), (at + 5, at + 6)]


def test_what_is_held_is_not_opened_again() -> None:
    folder = _folder()
    for first, last in ((1, 2), (3, 4), (5, 6)):
        _segment(folder, first, last)
    assert _sequences(_look(folder, head=FIRST + 3)) == [(FIRST + 4, FIRST + 5)]
    assert _look(folder, head=FIRST + 5).files == ()


def test_a_segment_behind_a_gap_waits() -> None:
    folder = _folder()
    _segment(folder, 1, 2)
    _segment(folder, 5, 6)
    assert _sequences(_look(folder)) == [(FIRST, FIRST + 1)]


@pytest.mark.parametrize(
    "name",
    [
        f"p2p/v1/{A}/entries/1/mail-{FIRST + 2}-{FIRST + 3}.seg",
        f"p2p/v1/{A}/entries/1/ledger-{FIRST}-{FIRST + 1}.seg",
        f"p2p/v1/{A}/entries/2/mail-{FIRST}-{FIRST + 1}.seg",
        f"p2p/v1/{B}/entries/1/mail-{FIRST}-{FIRST + 1}.seg",
        f"p2p/v1/{A}/entries/1/mail-{FIRST}-{FIRST + 2}.seg",
    ],
)
def test_a_segment_that_holds_something_else_than_its_name_says_is_bad(name: str) -> None:
    folder = _folder()
    _segment(folder, 1, 2, named=name)
    looked = _look(folder)
    assert [(bad.path, bad.fault.code) for bad in looked.bad] == [(name, "wrong_content")]
    assert _look(folder, refused={name: len(folder.files[name])}).bad == ()
    assert len(_look(folder, refused={name: 1}).bad) == 1


def test_another_member_may_relay_an_authors_entries() -> None:
    folder = _folder()
    _segment(folder, 1, 2, named=f"p2p/v1/{B}/relay/{A}/1/mail-{FIRST}-{FIRST + 1}.seg")
    assert _sequences(_look(folder)) == [(FIRST, FIRST + 1)]


def test_a_half_written_file_and_one_of_somebody_unknown_wait() -> None:
    folder = _folder()
    name = _segment(folder, 1, 2)
    folder.files[name] = folder.files[name][:100]
    assert (_look(folder).partial, _look(folder).bad) == (1, ())
    del folder.files[name]
    _segment(folder, 3, 4)  # not the beginning, which introduces its author itself
    looked = look(folder, Wanted(me=B, fleet=FLEET), directory())  # A's certificate has not come yet
    assert (looked.partial, looked.bad, looked.files) == (1, (), ())
    papers = encode(Papers(leaf=identity(A).leaf, issuer=identity(A).issuer))
    folder.files[certificates_path(A, sha256(papers))] = wrap(papers)
    assert len(look(folder, Wanted(me=B, fleet=FLEET), directory()).files) == 2


def test_droppings_are_counted_and_left() -> None:
    folder = _folder()
    for name in (
        f"p2p/v1/{A}/heartbeat (1)",
        f"p2p/v1/{A}/desktop.ini",
        f"p2p/v1/{A}/entries/1/mail-1-2 (1).seg",
        "p2p/v1/.tmp.driveupload/x",
    ):
        folder.files[name] = b"x"
    before = dict(folder.files)
    looked = _look(folder)
    assert (looked.foreign, looked.files, looked.bad) == (4, (), ())
    assert folder.files == before


def test_one_look_reads_a_bounded_number_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FOLDER_READS_MAX", 2)
    folder = _folder()
    for number in range(1, 7):
        _segment(folder, number, number)
    looked = _look(folder)
    assert (len(looked.files), looked.more) == (2, True)


def test_without_the_marker_or_with_another_fleets_nothing_is_read() -> None:
    folder = _folder()
    _segment(folder, 1, 2)
    folder.files[MARKER] = marker_bytes(FleetId(bytes(32)))
    with pytest.raises(FolderError) as other:
        _look(folder)
    assert other.value.code == "folder_other_fleet"
    del folder.files[MARKER]
    with pytest.raises(FolderError) as unmounted:
        _look(folder)
    assert unmounted.value.code == "folder_unmounted"
