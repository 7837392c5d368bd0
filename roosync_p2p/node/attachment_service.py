"""Attachments for users: taken from them, and given back verified (docs/protocol/blobs.md §4, api.md §4.1)."""

from __future__ import annotations

import collections
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.adapters.blob_files import BlobFiles, Upload
from roosync_p2p.adapters.sealing import BlobSealer, open_pieces
from roosync_p2p.core import inputs
from roosync_p2p.core.attachments import Attachments
from roosync_p2p.core.ports import Reader
from roosync_p2p.errors import InputFault
from roosync_p2p.node.mail_facts import MailFacts
from roosync_p2p.node.mail_views import attachments_in
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.sealing import Seals

__all__ = ["AttachmentService", "Content"]


class Content(NamedTuple):
    """An attachment that is here: its bytes come when ``pieces`` is walked."""

    name: str
    size: int
    pieces: AsyncIterator[bytes]


class AttachmentService:
    """Takes what a message is going to cite, and gives out what messages cite."""

    def __init__(self, performer: Performer, reader: Reader, blobs: BlobFiles, seals: Seals | None = None) -> None:
        self._performer = performer
        self._facts = MailFacts(performer, reader, seals)
        self._blobs = blobs
        # Of private uploads, by the hash of what lies on the disk: key, size and hash of the text.
        self.keys: collections.OrderedDict[bytes, tuple[bytes, int, bytes]] = collections.OrderedDict()

    @property
    def _known(self) -> Attachments:
        return self._performer.core.attachments

    async def upload(self, chunks: AsyncIterator[bytes], *, private: bool = False) -> dict[str, Any]:
        """Takes a file, and returns its hash and size once it is durable; a message cites it by them.

        ``private``: it is encrypted before it is written, and hash and size are those of what was written. The key is
        kept in memory until a sealed message takes it in.

        Raises:
            UsageError: ``too_large``.
            StoreError: the disk does not take it; nothing of it is left.
        """
        sealer = BlobSealer() if private else None
        upload = await anyio.to_thread.run_sync(self._blobs.upload)
        try:
            gathered = bytearray()
            async for chunk in chunks:
                gathered += chunk
                if len(gathered) >= limits.BLOB_CHUNK_BYTES_MAX:
                    await anyio.to_thread.run_sync(_write, upload, sealer, bytes(gathered))
                    gathered.clear()
            await anyio.to_thread.run_sync(_write, upload, sealer, bytes(gathered))
            if sealer is not None:
                await anyio.to_thread.run_sync(upload.write, sealer.end())
            digest = await anyio.to_thread.run_sync(upload.finish)
        finally:
            upload.abandon()
        self._performer.feed(inputs.BlobAdded(digest=digest, size=upload.size))
        if sealer is not None:
            self.keys[digest] = (sealer.key, sealer.size, sealer.sha256)
            while len(self.keys) > limits.SEALED_UPLOADS_MAX:
                self.keys.popitem(last=False)
        return {"sha256": digest.hex(), "size": upload.size}

    async def content(self, message_id: str, number: int) -> Content:
        """An attachment of a message, by its number from 0.

        Raises:
            InputFault: ``no_such_attachment``; ``attachment_not_here``, with what it waits for.
            StoreError: ``blob_damaged``.
        """
        known = await self._facts.found(message_id)
        attachments = attachments_in(known.row, known.entry)
        if not 0 <= number < len(attachments):
            raise InputFault(
                f"{known.row.message_id} has {len(attachments)} attachments; there is none of number {number}",
                code="no_such_attachment",
            )
        attachment = attachments[number]
        state = self._known.state(known.row.entry, attachment.sha256)
        if state["state"] != "here":
            raise InputFault(
                f"{attachment.name} is not on this machine: {state['reason'] or state['state']}",
                code="attachment_not_here",
                remedy="roosync why tells what it waits for",
                details=state,
            )
        opened = self._facts.seals.opened(known.row, known.entry)
        if opened is None:
            name, size, key = attachment.name, attachment.size, None
        elif opened.text is None:
            raise InputFault(
                f"{known.row.message_id} is sealed, and cannot be opened here", code=opened.problem, remedy=""
            )
        else:
            file = opened.text.files[number]
            name, size, key = file.name, file.size, file.key

        def pieces() -> Iterator[bytes]:
            stored = self._blobs.pieces(attachment.sha256)
            return stored if key is None else open_pieces(stored, key)

        await anyio.to_thread.run_sync(lambda: sum(map(len, pieces())))  # so that what is damaged is told, not begun
        return Content(name, size, _walked(pieces()))


def _write(upload: Upload, sealer: BlobSealer | None, data: bytes) -> None:
    upload.write(data if sealer is None else sealer.add(data))


async def _walked(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await anyio.to_thread.run_sync(lambda: next(pieces, None))) is not None:
        yield piece
