"""Files of the shared folder that were frozen are still what this program writes, and still what it reads."""

from __future__ import annotations

import pytest

from roosync_p2p.core.folder.reading import BeaconRead, FileRead, PapersRead, SegmentRead, prepare_file
from roosync_p2p.errors import PeerFault
from roosync_p2p.gossip.folder_paths import MARKER, LogFile, parse_path
from tests.helpers.actors import A, B, directory
from tests.vectors.record_folder import build, load


def test_what_is_written_has_not_changed() -> None:
    assert build() == load()


def test_frozen_files_are_read() -> None:
    read: dict[type[FileRead], FileRead] = {}
    for path, text in load()["files"].items():
        name = parse_path(path)
        if path == MARKER or isinstance(name, LogFile):
            continue
        assert name is not None, path
        file = prepare_file(name, bytes.fromhex(text), directory(A))
        read[type(file)] = file
    assert set(read) == {BeaconRead, PapersRead, SegmentRead}
    beacon = read[BeaconRead]
    assert isinstance(beacon, BeaconRead)
    assert (beacon.beacon.machine, beacon.beacon.counter, beacon.beacon.cadence_ms) == (A, 2, 60_000)
    echo = beacon.beacon.echo_of(B)
    assert echo is not None
    assert echo.held_ms == 1_500
    segment = read[SegmentRead]
    assert isinstance(segment, SegmentRead)
    assert len(segment.frame.parts) == 2


def test_a_run_of_the_log_whose_item_is_none_is_refused() -> None:
    ((path, text),) = [(path, text) for path, text in load()["files"].items() if "/log/" in path]
    name = parse_path(path)
    assert name is not None
    with pytest.raises(PeerFault):
        prepare_file(name, bytes.fromhex(text), directory(A))
