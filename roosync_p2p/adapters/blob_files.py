"""Blobs as files in the home (docs/protocol/blobs.md §4).

    blobs/<sha256>        whole: its content was verified and synced before it got this name
    blobs/<sha256>.part   what came so far; a new start goes on behind it
    blobs/upload-…        what a user hands over; of no use to the next start, which removes it

Files and not rows: SQLite would write each byte twice, and keep a blob whole in memory to read it. All owner-only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from roosync_p2p import limits
from roosync_p2p.adapters.permissions import create_private_directory, replace
from roosync_p2p.adapters.sqlite.faults import explain_os
from roosync_p2p.core.ports import Kept
from roosync_p2p.errors import StoreError, UsageError

__all__ = ["BlobFiles", "Upload"]

_WHOLE: Final = re.compile(r"[0-9a-f]{64}")
_PART: Final = ".part"
_UPLOAD: Final = "upload-"
_FLAGS: Final = os.O_CREAT | getattr(os, "O_BINARY", 0)


class BlobFiles:
    """A :class:`~roosync_p2p.core.ports.Blobs` in a directory, which is made if it is missing.

    Calls may come from any thread; the caller holds the home's lock.

    Raises:
        EnvironmentFault: the directory cannot be made.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        if not directory.is_dir():
            create_private_directory(directory)
        for left in directory.glob(f"{_UPLOAD}*"):
            with contextlib.suppress(OSError):
                left.unlink()

    # --- the port -----------------------------------------------------------------------------------------------

    def whole(self) -> dict[bytes, int]:
        """See the port."""
        return {bytes.fromhex(name): size for name, size in self._sizes() if _WHOLE.fullmatch(name)}

    def partial(self) -> dict[bytes, int]:
        """See the port."""
        parts = ((name.removesuffix(_PART), size) for name, size in self._sizes() if name.endswith(_PART))
        return {bytes.fromhex(name): size for name, size in parts if _WHOLE.fullmatch(name)}

    def read(self, digest: bytes, offset: int, count: int) -> bytes | None:
        """See the port."""
        try:
            with self.path(digest).open("rb") as file:
                file.seek(offset)
                return file.read(count)
        except OSError:
            return None

    def keep(self, digest: bytes, size: int, offset: int, data: bytes) -> Kept:
        """See the port."""
        part = self._part(digest)
        with self._explaining(part), self._lock:
            if self.path(digest).exists():
                part.unlink(missing_ok=True)
                return Kept(have=size, whole=True)
            with os.fdopen(os.open(part, os.O_RDWR | _FLAGS, 0o600), "r+b") as file:
                have = file.seek(0, os.SEEK_END)
                if offset != have or have + len(data) > size:
                    return Kept(have=have)
                try:
                    file.write(data)
                    file.flush()
                except OSError:
                    file.truncate(have)  # so that what is there is what the core believes
                    raise
                have += len(data)
                if have < size:
                    return Kept(have=have)
                file.seek(0)
                fits = hashlib.file_digest(file, "sha256").digest() == digest
                if fits:
                    os.fsync(file.fileno())
            if not fits:
                part.unlink()
                return Kept(have=0, damaged=True)
            replace(part, self.path(digest))
            return Kept(have=size, whole=True)

    def drop(self, digest: bytes) -> None:
        """See the port. What cannot be removed now is found, and removed, at the next start."""
        for path in (self.path(digest), self._part(digest)):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    # --- beyond the port ----------------------------------------------------------------------------------------

    def path(self, digest: bytes) -> Path:
        """Where a whole blob lies."""
        return self._directory / digest.hex()

    def upload(self) -> Upload:
        """Begins to take what a user hands over.

        Raises:
            StoreError: nothing can be written.
        """
        return Upload(self, self._directory / f"{_UPLOAD}{secrets.token_hex(8)}")

    def pieces(self, digest: bytes, *, piece: int = limits.BLOB_CHUNK_BYTES_MAX) -> Iterator[bytes]:
        """A whole blob, piece by piece, verified: the last piece comes only when all of it is what was signed.

        Raises:
            StoreError: ``blob_missing``, or ``blob_damaged``: the disk holds something else.
        """
        try:
            with self.path(digest).open("rb") as file:
                hashed, before = hashlib.sha256(), b""
                while data := file.read(piece):
                    if before:
                        yield before
                    hashed.update(data)
                    before = data
        except FileNotFoundError as error:
            raise StoreError("the attachment is not on this disk any more", code="blob_missing") from error
        except OSError as error:
            raise explain_os(error, self.path(digest), "reading an attachment") from error
        if hashed.digest() != digest:
            raise StoreError(
                "the attachment was changed on this machine's disk; it is not given out",
                code="blob_damaged",
                remedy="check the disk with `roosync doctor`; ask the sender for it again",
                details={"sha256": digest.hex()},
            )
        yield before

    def _part(self, digest: bytes) -> Path:
        return self._directory / f"{digest.hex()}{_PART}"

    def _sizes(self) -> list[tuple[str, int]]:
        with self._explaining(self._directory):
            return [(path.name, path.stat().st_size) for path in self._directory.iterdir() if path.is_file()]

    @contextlib.contextmanager
    def _explaining(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise explain_os(error, path, "keeping an attachment") from error


class Upload:
    """A blob that a user hands over, piece by piece; made by :meth:`BlobFiles.upload`. End it, or abandon it."""

    def __init__(self, files: BlobFiles, path: Path) -> None:
        self._files = files
        self._path = path
        self._hash = hashlib.sha256()
        self.size = 0
        with self._explaining():
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_EXCL | _FLAGS, 0o600), "wb")

    def write(self, data: bytes) -> None:
        """More of it.

        Raises:
            UsageError: ``too_large``: more than a blob may have.
            StoreError: the disk does not take it.
        """
        self.size += len(data)
        if self.size > limits.BLOB_BYTES_MAX:
            mib = limits.BLOB_BYTES_MAX // 2**20
            raise UsageError(
                f"an attachment has at most {mib} MiB; nothing was sent",
                code="too_large",
                remedy="put the file where its readers reach it, and send its address",
            )
        self._hash.update(data)
        with self._explaining():
            self._file.write(data)

    def finish(self) -> bytes:
        """All of it is here: verified by nobody, durable, under its name. Its digest.

        Raises:
            StoreError: the disk does not take it; nothing is left.
        """
        digest = self._hash.digest()
        with self._explaining():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            replace(self._path, self._files.path(digest))
        return digest

    def abandon(self) -> None:
        """Removes what came so far; safe after :meth:`finish`."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            fault = explain_os(error, self._path, "taking an attachment")
            raise StoreError(
                f"{fault.message}; nothing was sent", code=fault.code, remedy=fault.remedy, details=fault.details
            ) from error
