"""The attachments of a node without a fleet: what is uploaded lies in memory, and every message brings all of it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

from roosync_p2p import limits
from roosync_p2p.errors import InputFault, UsageError

__all__ = ["FakeAttachments"]


class FakeAttachments:
    """Uploads, by number."""

    def __init__(self) -> None:
        self.uploads: list[bytes] = []

    async def upload(self, chunks: AsyncIterator[bytes], *, private: bool) -> dict[str, Any]:
        """Keeps it, private or not."""
        self.private = private
        data = b"".join([chunk async for chunk in chunks])
        if len(data) > limits.BLOB_BYTES_MAX:
            raise UsageError("an attachment has at most 64 MiB", code="too_large")
        self.uploads.append(data)
        return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}

    async def content(self, _message_id: str, number: int) -> tuple[str, int, AsyncIterator[bytes]]:
        """What was uploaded as that number."""
        if number >= len(self.uploads):
            raise InputFault("there is no such attachment", code="no_such_attachment")

        async def pieces() -> AsyncIterator[bytes]:
            yield self.uploads[number]

        return "été.log", len(self.uploads[number]), pieces()
