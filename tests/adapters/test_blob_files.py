"""Blobs as files: the contract, and what a disk does to them."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from pathlib import Path

import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.blob_files import BlobFiles
from roosync_p2p.errors import StoreError, UsageError
from tests.conformance.blob_suite import DATA, DIGEST, SIZE, BlobSuite, Reopen

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and devices")


class TestBlobFiles(BlobSuite):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Reopen:
        return lambda: BlobFiles(tmp_path / "blobs")


@pytest.fixture
def blobs(tmp_path: Path) -> BlobFiles:
    return BlobFiles(tmp_path / "blobs")


def test_an_upload_is_whole_under_its_hash(blobs: BlobFiles) -> None:
    upload = blobs.upload()
    upload.write(DATA[:7])
    upload.write(DATA[7:])
    assert blobs.whole() == {}
    assert upload.finish() == DIGEST
    upload.abandon()
    assert blobs.whole() == {DIGEST: SIZE}
    assert b"".join(blobs.pieces(DIGEST, piece=100)) == DATA


def test_an_upload_that_is_abandoned_or_cut_off_leaves_nothing(blobs: BlobFiles, tmp_path: Path) -> None:
    upload = blobs.upload()
    upload.write(DATA)
    upload.abandon()
    (tmp_path / "blobs" / "upload-0").write_bytes(DATA)  # a node died here
    assert len(list((tmp_path / "blobs").iterdir())) == 1
    assert BlobFiles(tmp_path / "blobs").whole() == {}
    assert list((tmp_path / "blobs").iterdir()) == []


def test_an_upload_above_the_bound_is_refused(blobs: BlobFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BLOB_BYTES_MAX", 10)
    upload = blobs.upload()
    upload.write(bytes(10))
    with pytest.raises(UsageError) as caught:
        upload.write(b"x")
    assert caught.value.code == "too_large"
    upload.abandon()
    assert blobs.whole() == {}


@posix_only
def test_everything_is_for_its_owner_alone(blobs: BlobFiles, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        upload = blobs.upload()
        upload.write(DATA)
        upload.finish()
        blobs.keep(hashlib.sha256(b"other").digest(), 5, 0, b"oth")
    finally:
        os.umask(old)
    paths = [tmp_path / "blobs", *(tmp_path / "blobs").iterdir()]
    assert len(paths) == 3
    assert {path.name[-5:]: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in paths} == dict.fromkeys(
        [path.name[-5:] for path in paths], 0
    )


@posix_only
def test_a_full_disk_says_that_nothing_was_sent(blobs: BlobFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = blobs.upload()
    upload._file.close()
    upload._file = Path("/dev/full").open("wb", buffering=0)  # type: ignore[assignment]  # noqa: SIM115 - abandoned below
    with pytest.raises(StoreError, match="nothing was sent") as caught:
        upload.write(DATA)
    assert caught.value.code == "disk_full"
    upload.abandon()
    assert blobs.whole() == {}


def test_what_the_disk_changed_is_not_given_out_whole(blobs: BlobFiles) -> None:
    blobs.keep(DIGEST, SIZE, 0, DATA)
    blobs.path(DIGEST).write_bytes(DATA[:-1] + b"!")
    given: list[bytes] = []
    with pytest.raises(StoreError) as caught:
        given.extend(blobs.pieces(DIGEST, piece=100))
    assert caught.value.code == "blob_damaged"
    assert sum(map(len, given)) < SIZE
    blobs.drop(DIGEST)
    with pytest.raises(StoreError) as caught:
        next(blobs.pieces(DIGEST))
    assert caught.value.code == "blob_missing"


def test_files_of_others_in_the_directory_are_let_be(blobs: BlobFiles, tmp_path: Path) -> None:
    for name in ("desktop.ini", "x" * 64, f"{DIGEST.hex()}.part.bak"):
        (tmp_path / "blobs" / name).write_bytes(b"x")
    assert (blobs.whole(), blobs.partial()) == ({}, {})
