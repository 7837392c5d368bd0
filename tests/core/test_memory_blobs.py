"""The fake keeps what every place for blobs promises."""

from __future__ import annotations

import pytest

from roosync_p2p.core.memory_blobs import MemoryBlobs
from tests.conformance.blob_suite import DATA, DIGEST, SIZE, BlobSuite, Reopen


class TestMemoryBlobs(BlobSuite):
    @pytest.fixture
    def reopen(self) -> Reopen:
        blobs = MemoryBlobs()
        return lambda: blobs


def test_a_crash_loses_the_end_of_what_was_not_whole() -> None:
    blobs = MemoryBlobs()
    blobs.keep(DIGEST, SIZE, 0, DATA[:100])
    blobs.crash()
    assert blobs.partial() == {DIGEST: 50}
    assert blobs.keep(DIGEST, SIZE, 50, DATA[50:]).whole
