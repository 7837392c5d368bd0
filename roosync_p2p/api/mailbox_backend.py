"""What the API server needs from a node's mailbox; part of :mod:`~roosync_p2p.api.backend`, with its rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

from roosync_p2p.api.mailbox_schemas import AckRequest, AmendRequest, ArchiveMessagesRequest, SearchRequest, TakeRequest

__all__ = ["AttachmentBackend", "MailboxBackend"]


class AttachmentBackend(Protocol):
    """The bytes that messages bring along."""

    async def upload(self, chunks: AsyncIterator[bytes], *, private: bool) -> dict[str, Any]:
        """``{"sha256", "size"}`` once it is durable. Raises UsageError ``too_large``, StoreError ``disk_full``…"""

    async def content(self, message_id: str, number: int) -> tuple[str, int, AsyncIterator[bytes]]:
        """Name, size and bytes. Raises InputFault ``no_such_attachment``, ``attachment_not_here``."""


class MailboxBackend(Protocol):
    """What is done with messages beyond sending and reading them."""

    async def ack(self, message_id: str, asked: AckRequest) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.schemas.Message`, acted on or declined once that is durable.

        Raises InputFault ``already_answered``, ``not_a_recipient``, ``no_such_message``.
        """

    async def take(self, message_id: str, asked: TakeRequest) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.mailbox_schemas.Taken`.

        Raises InputFault ``taken``, ``already_read``, ``another_workspace``, ``not_a_recipient``, ``unknown_session``.
        """

    async def archive(self, asked: ArchiveMessagesRequest) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.mailbox_schemas.Archived`; all or none. Raises like :meth:`ack`."""

    async def keep(self, message_id: str, *, kept: bool) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.mailbox_schemas.Kept`. Raises InputFault ``no_such_message``."""

    async def amend(self, message_id: str, asked: AmendRequest) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.schemas.Message` with its new body.

        Raises InputFault ``not_the_author``, ``another_session``, ``unknown_session``, ``no_such_message``.
        """

    async def search(self, asked: SearchRequest) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.schemas.Inbox`. Raises UsageError ``bad_search``."""

    async def thread(self, thread_id: str) -> dict[str, Any]:
        """:class:`~roosync_p2p.api.mailbox_schemas.Thread`. Raises InputFault ``no_such_thread``."""
