"""The operations about messages beyond sending and reading them."""

from __future__ import annotations

from roosync_p2p.api import mailbox_schemas as schemas
from roosync_p2p.api.operation import Operation
from roosync_p2p.api.schemas import Inbox, Message

__all__ = ["MAILBOX_OPERATIONS"]

MAILBOX_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="POST",
        path="/v1/messages/{id}/ack",
        name="ack",
        summary="Say that a message was acted on, or is declined",
        answer=Message,
        handle=lambda backend, message_id, request: backend.mailbox.ack(message_id, request),
        request=schemas.AckRequest,
    ),
    Operation(
        method="POST",
        path="/v1/messages/{id}/take",
        name="take",
        summary="Work on a message, so that no other session does",
        answer=schemas.Taken,
        handle=lambda backend, message_id, request: backend.mailbox.take(message_id, request),
        request=schemas.TakeRequest,
    ),
    Operation(
        method="POST",
        path="/v1/messages/{id}/amend",
        name="amend",
        summary="Give a message another body, on the machine and in the session that sent it",
        answer=Message,
        handle=lambda backend, message_id, request: backend.mailbox.amend(message_id, request),
        request=schemas.AmendRequest,
    ),
    Operation(
        method="POST",
        path="/v1/messages/{id}/keep",
        name="keep",
        summary="Keep a message for good on this machine, or no more",
        answer=schemas.Kept,
        handle=lambda backend, message_id, request: backend.mailbox.keep(message_id, kept=request.kept),
        request=schemas.KeepRequest,
    ),
    Operation(
        method="POST",
        path="/v1/archive",
        name="archive",
        summary="Put messages aside",
        answer=schemas.Archived,
        handle=lambda backend, _id, request: backend.mailbox.archive(request),
        request=schemas.ArchiveMessagesRequest,
    ),
    Operation(
        method="GET",
        path="/v1/search",
        name="search",
        summary="Messages to and from this machine with all these words",
        answer=Inbox,
        handle=lambda backend, _id, request: backend.mailbox.search(request),
        request=schemas.SearchRequest,
        in_query=True,
    ),
    Operation(
        method="GET",
        path="/v1/thread",
        name="thread",
        summary="A thread as a tree, with who read what",
        answer=schemas.Thread,
        handle=lambda backend, _id, request: backend.mailbox.thread(request.id),
        request=schemas.ThreadRequest,
        in_query=True,
    ),
)
