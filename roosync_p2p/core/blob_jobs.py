"""What the core asks of the blobs on its disk, done: alike in the node, in the simulation and in tests."""

from __future__ import annotations

from typing import TypeAlias

from roosync_p2p.core import effects, inputs
from roosync_p2p.core.ports import Blobs
from roosync_p2p.errors import StoreError

__all__ = ["BlobAnswer", "BlobJob", "blob_done", "blobs_found"]

BlobJob: TypeAlias = effects.ReadBlob | effects.KeepChunk | effects.DropBlob
BlobAnswer: TypeAlias = inputs.BlobRead | inputs.ChunkKept


def blobs_found(blobs: Blobs) -> inputs.BlobsFound:
    """What a start finds.

    Raises:
        StoreError: the disk does not say.
    """
    return inputs.BlobsFound(whole=blobs.whole(), partial=blobs.partial())


def blob_done(blobs: Blobs, job: BlobJob) -> BlobAnswer | None:
    """Does it, and returns the input that answers, if one does. May take as long as reading the blob takes."""
    match job:
        case effects.ReadBlob(read=read, digest=digest, offset=offset, count=count):
            return inputs.BlobRead(read=read, data=blobs.read(digest, offset, count))
        case effects.KeepChunk(digest=digest, size=size, offset=offset, data=data):
            try:
                kept = blobs.keep(digest, size, offset, data)
            except StoreError as fault:
                return inputs.ChunkKept(digest=digest, have=blobs.partial().get(digest, 0), fault=fault)
            return inputs.ChunkKept(digest=digest, have=kept.have, whole=kept.whole, damaged=kept.damaged)
        case effects.DropBlob(digest=digest):
            blobs.drop(digest)
            return None
