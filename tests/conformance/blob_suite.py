"""What every place for blobs promises (docs/protocol/blobs.md §4): the files of the home, and the fake in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeAlias

from roosync_p2p.core.ports import Blobs, Kept

__all__ = ["BlobSuite", "Reopen"]

Reopen: TypeAlias = Callable[[], Blobs]
DATA = bytes(range(256)) * 5
DIGEST = hashlib.sha256(DATA).digest()
SIZE = len(DATA)


class BlobSuite:
    """The tests of the contract; a class with a fixture ``reopen`` runs them."""

    def test_what_came_in_pieces_is_whole_and_given_back_in_pieces(self, reopen: Reopen) -> None:
        blobs = reopen()
        assert blobs.keep(DIGEST, SIZE, 0, DATA[:1000]) == Kept(have=1000)
        assert (blobs.whole(), blobs.partial()) == ({}, {DIGEST: 1000})
        assert blobs.read(DIGEST, 0, 9) is None, "what is not whole is given to nobody"
        blobs = reopen()
        assert blobs.keep(DIGEST, SIZE, 1000, DATA[1000:]) == Kept(have=SIZE, whole=True)
        assert (blobs.whole(), blobs.partial()) == ({DIGEST: SIZE}, {})
        assert blobs.read(DIGEST, 255, 3) == DATA[255:258]
        assert blobs.read(DIGEST, SIZE - 1, 9) == DATA[-1:]
        assert reopen().whole() == {DIGEST: SIZE}

    def test_bytes_for_another_place_change_nothing(self, reopen: Reopen) -> None:
        blobs = reopen()
        blobs.keep(DIGEST, SIZE, 0, DATA[:10])
        for offset in (0, 9, 11, SIZE):
            assert blobs.keep(DIGEST, SIZE, offset, b"x") == Kept(have=10)
        assert blobs.keep(DIGEST, SIZE, 10, DATA) == Kept(have=10), "more than it may have"
        assert blobs.keep(DIGEST, SIZE, 10, DATA[10:]).whole

    def test_another_content_than_its_name_says_is_gone(self, reopen: Reopen) -> None:
        blobs = reopen()
        assert blobs.keep(DIGEST, SIZE, 0, bytes(SIZE)) == Kept(have=0, damaged=True)
        assert (blobs.whole(), blobs.partial()) == ({}, {})

    def test_a_whole_one_stays_what_it_is(self, reopen: Reopen) -> None:
        blobs = reopen()
        blobs.keep(DIGEST, SIZE, 0, DATA)
        assert blobs.keep(DIGEST, SIZE, 0, bytes(SIZE)) == Kept(have=SIZE, whole=True)
        assert blobs.read(DIGEST, 0, SIZE) == DATA

    def test_a_whole_one_that_was_not_verified_before_the_end_is_verified_later(self, reopen: Reopen) -> None:
        empty = hashlib.sha256(b"").digest()
        assert reopen().keep(empty, 0, 0, b"") == Kept(have=0, whole=True)
        assert reopen().whole() == {empty: 0}

    def test_what_is_dropped_is_gone_whole_or_not(self, reopen: Reopen) -> None:
        blobs = reopen()
        other = hashlib.sha256(b"other").digest()
        blobs.keep(DIGEST, SIZE, 0, DATA)
        blobs.keep(other, 5, 0, b"oth")
        for digest in (DIGEST, other, bytes(32)):
            blobs.drop(digest)
        assert (reopen().whole(), reopen().partial()) == ({}, {})
