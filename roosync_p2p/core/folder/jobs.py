"""What the core asks of the shared folder, done: alike in the node, in the simulation and in tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from roosync_p2p import limits
from roosync_p2p.core import effects, inputs
from roosync_p2p.core.folder.reading import check_marker, look
from roosync_p2p.core.ports import Blobs, Folder
from roosync_p2p.errors import FolderError, StoreError
from roosync_p2p.gossip.folder_paths import ROOT
from roosync_p2p.ids import MachineId
from roosync_p2p.trust.directory import Directory

__all__ = ["FolderAnswer", "FolderJob", "performed"]

FolderJob: TypeAlias = effects.PublishFiles | effects.LookIntoFolder | effects.BlobToFolder | effects.BlobFromFolder
FolderAnswer: TypeAlias = inputs.FilesPublished | inputs.FolderLooked | inputs.FolderBlobRead


def performed(folder: Folder, job: FolderJob, directory: Directory, blobs: Blobs | None) -> FolderAnswer:
    """Does it and returns the input that answers. Blocks for as long as the folder does.

    ``blobs``: those of this machine; the core asks nothing about them where there are none.
    """
    match job:
        case effects.LookIntoFolder(wanted=wanted):
            try:
                looked = look(folder, wanted, directory)
            except FolderError as fault:
                return inputs.FolderLooked(job=job.job, looked=None, fault=fault)
            return inputs.FolderLooked(job=job.job, looked=looked, fault=None, writing=_writing(folder, wanted.me))
        case effects.PublishFiles():
            written: list[str] = []
            removed: list[str] = []
            try:
                check_marker(folder, job.fleet)
                for path, data in job.files:
                    folder.write(path, data)
                    written.append(path)
                for path in job.removed:  # last: what replaces them is there
                    folder.delete(path)
                    removed.append(path)
            except FolderError as fault:
                return inputs.FilesPublished(job=job.job, written=tuple(written), removed=tuple(removed), fault=fault)
            return inputs.FilesPublished(job=job.job, written=tuple(written), removed=tuple(removed), fault=None)
        case effects.BlobToFolder():
            assert blobs is not None
            return _copied_out(folder, job, blobs)
        case effects.BlobFromFolder():
            assert blobs is not None
            return _copied_in(folder, job, blobs)


def _copied_out(folder: Folder, job: effects.BlobToFolder, blobs: Blobs) -> inputs.FilesPublished:
    try:
        check_marker(folder, job.fleet)
        folder.write_pieces(job.path, _Pieces(blobs, job))
    except FolderError as fault:
        return inputs.FilesPublished(job=job.job, written=(), removed=(), fault=fault)
    return inputs.FilesPublished(job=job.job, written=(job.path,), removed=(), fault=None)


class _Pieces:
    """A blob, as often as it is walked. What the disk lost ends it early, which its readers see by the size."""

    def __init__(self, blobs: Blobs, job: effects.BlobToFolder) -> None:
        self._blobs = blobs
        self._job = job

    def __iter__(self) -> Iterator[bytes]:
        for offset in range(0, self._job.size, limits.FOLDER_BLOB_PIECE_BYTES):
            piece = self._blobs.read(self._job.digest, offset, limits.FOLDER_BLOB_PIECE_BYTES)
            if piece is None:
                return
            yield piece


def _copied_in(folder: Folder, job: effects.BlobFromFolder, blobs: Blobs) -> inputs.FolderBlobRead:
    kept = inputs.ChunkKept(digest=job.digest, have=job.offset)
    try:
        check_marker(folder, job.fleet)
        place, _, name = job.path.rpartition("/")
        if all(item.name != name or item.size != job.size for item in folder.items(place)):
            return inputs.FolderBlobRead(job=job.job, path=job.path, kept=kept, partial=True)
        until = min(job.offset + limits.FOLDER_BLOB_SLICE_BYTES, job.size)
        while kept.have < until and not (kept.whole or kept.damaged):
            count = min(limits.FOLDER_BLOB_PIECE_BYTES, until - kept.have)
            piece = folder.read_at(job.path, kept.have, count)
            if piece is None or len(piece) < count:
                return inputs.FolderBlobRead(job=job.job, path=job.path, kept=kept, partial=True)
            done = blobs.keep(job.digest, job.size, kept.have, piece)
            if not (done.whole or done.damaged) and done.have != kept.have + count:
                break  # other bytes are there than the core believes: it is told
            kept = inputs.ChunkKept(digest=job.digest, have=done.have, whole=done.whole, damaged=done.damaged)
        head = folder.read(job.path, bytes_max=limits.FOLDER_BLOB_HEAD_BYTES) if kept.damaged else b""
    except FolderError as fault:
        return inputs.FolderBlobRead(job=job.job, path=job.path, kept=kept, fault=fault)
    except StoreError as full:
        kept = inputs.ChunkKept(digest=job.digest, have=blobs.partial().get(job.digest, 0), fault=full)
        return inputs.FolderBlobRead(job=job.job, path=job.path, kept=kept)
    return inputs.FolderBlobRead(job=job.job, path=job.path, kept=kept, head=head or b"")


def _writing(folder: Folder, me: MachineId) -> FolderError | None:
    """What speaks against writing into this machine's part, asked without writing: at rest nothing is written."""
    try:
        folder.check_writing(f"{ROOT}/{me}")
    except FolderError as fault:
        return fault
    return None
