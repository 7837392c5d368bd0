"""What of a chain lies in the folder: the arithmetic against a naive twin."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.core.folder.segments import covered, mergeable, superseded
from roosync_p2p.gossip.folder_paths import SegmentFile
from roosync_p2p.ids import Chain, MachineId

A = MachineId("machine-a")


def _file(first: int, last: int) -> SegmentFile:
    return SegmentFile(owner=A, author=A, incarnation=1, chain=Chain("mail"), first=first, last=last)


_FILES = st.lists(
    st.tuples(st.integers(1, 30), st.integers(0, 6)).map(lambda pair: _file(pair[0], pair[0] + pair[1])), max_size=12
)


@given(_FILES, st.integers(1, 30))
def test_what_is_covered_is_what_every_single_entry_says(files: Sequence[SegmentFile], start: int) -> None:
    there = {sequence for name in files for sequence in range(name.first, name.last + 1)}
    naive = start - 1
    while naive + 1 in there:
        naive += 1
    assert covered(files, start) == naive


def test_a_larger_file_supersedes_what_is_wholly_in_it() -> None:
    larger = _file(3, 9)
    others = [_file(3, 5), _file(6, 9), _file(1, 4), _file(9, 10), larger]
    assert superseded(others, larger) == [_file(3, 5), _file(6, 9)]


def test_few_files_are_left_as_they_are() -> None:
    assert mergeable([_file(number, number) for number in range(1, limits.FOLDER_SEGMENTS_MAX + 1)]) is None


def test_of_many_small_files_the_longest_run_that_fits_becomes_one() -> None:
    many = [_file(number, number) for number in range(1, 2 * limits.FOLDER_SEGMENTS_MAX)]
    assert mergeable(many) == (1, 2 * limits.FOLDER_SEGMENTS_MAX - 1)
    torn = [name for name in many if name.first != 5]
    assert mergeable(torn) == (6, 2 * limits.FOLDER_SEGMENTS_MAX - 1)


def test_files_that_are_full_are_not_merged() -> None:
    size = limits.ENTRIES_PER_FRAME_MAX
    full = [_file(1 + at * size, (at + 1) * size) for at in range(limits.FOLDER_SEGMENTS_MAX + 3)]
    assert mergeable(full) is None
