"""The blobs of one machine in memory: the public fake that the simulation and the core's tests run on."""

from __future__ import annotations

from roosync_p2p.codec.digests import sha256
from roosync_p2p.core.ports import Kept
from roosync_p2p.errors import StoreError

__all__ = ["MemoryBlobs"]


class MemoryBlobs:
    """A :class:`~roosync_p2p.core.ports.Blobs` in memory.

    Attributes:
        fault: while set, nothing is kept: a full disk that a test chooses.
        unreadable: digests of blobs that the disk does not give back.
    """

    def __init__(self) -> None:
        self.fault: StoreError | None = None
        self.unreadable: set[bytes] = set()
        self._whole: dict[bytes, bytes] = {}
        self._parts: dict[bytes, bytearray] = {}

    def put(self, data: bytes) -> bytes:
        """A user hands over a blob; its digest.

        Raises:
            StoreError: the fault that was set; nothing is kept.
        """
        if self.fault is not None:
            raise self.fault
        digest = sha256(data)
        self._whole[digest] = data
        self._parts.pop(digest, None)
        return digest

    def content(self, digest: bytes) -> bytes | None:
        """All of a whole blob."""
        return self._whole.get(digest)

    def crash(self) -> None:
        """The computer loses power: of what was not whole, the second half is lost."""
        for part in self._parts.values():
            del part[len(part) // 2 :]

    # --- the port -----------------------------------------------------------------------------------------------

    def whole(self) -> dict[bytes, int]:
        """See the port."""
        return {digest: len(data) for digest, data in self._whole.items()}

    def partial(self) -> dict[bytes, int]:
        """See the port."""
        return {digest: len(part) for digest, part in self._parts.items()}

    def read(self, digest: bytes, offset: int, count: int) -> bytes | None:
        """See the port."""
        data = None if digest in self.unreadable else self._whole.get(digest)
        return None if data is None or offset > len(data) else data[offset : offset + count]

    def keep(self, digest: bytes, size: int, offset: int, data: bytes) -> Kept:
        """See the port."""
        if digest in self._whole:
            return Kept(have=size, whole=True)
        part = self._parts.setdefault(digest, bytearray())
        if self.fault is not None:
            raise self.fault
        if offset != len(part) or offset + len(data) > size:
            return Kept(have=len(part))
        part += data
        if len(part) < size:
            return Kept(have=len(part))
        del self._parts[digest]
        if sha256(bytes(part)) != digest:
            return Kept(have=0, damaged=True)
        self._whole[digest] = bytes(part)
        return Kept(have=size, whole=True)

    def drop(self, digest: bytes) -> None:
        """See the port."""
        self._whole.pop(digest, None)
        self._parts.pop(digest, None)
