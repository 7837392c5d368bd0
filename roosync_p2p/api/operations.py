"""Every operation of the API in one table, from which routes and the OpenAPI document are made."""

from __future__ import annotations

from typing import Any

from roosync_p2p.api import schemas
from roosync_p2p.api.backend import Backend
from roosync_p2p.api.claim_operations import CLAIM_OPERATIONS
from roosync_p2p.api.decision_operations import DECISION_OPERATIONS
from roosync_p2p.api.mailbox_operations import MAILBOX_OPERATIONS
from roosync_p2p.api.operation import Operation
from roosync_p2p.api.ordered_operations import ORDERED_OPERATIONS
from roosync_p2p.api.why_schemas import Why, WhyRequest

__all__ = ["OPERATIONS"]


async def _status(backend: Backend, _id: str, _request: None) -> dict[str, Any]:
    return backend.status()


async def _machines(backend: Backend, _id: str, _request: None) -> dict[str, Any]:
    return backend.machines()


async def _why(backend: Backend, _id: str, request: WhyRequest) -> dict[str, Any]:
    return await backend.why(request.of)


async def _send(backend: Backend, _id: str, request: schemas.SendRequest) -> dict[str, Any]:
    return await backend.send(request)


async def _inbox(backend: Backend, _id: str, request: schemas.InboxRequest) -> dict[str, Any]:
    return await backend.inbox(request)


async def _message(backend: Backend, message_id: str, _request: None) -> dict[str, Any]:
    return await backend.message(message_id)


async def _read(backend: Backend, message_id: str, request: schemas.ReadRequest) -> dict[str, Any]:
    return await backend.read(message_id, request)


async def _reply(backend: Backend, message_id: str, request: schemas.ReplyRequest) -> dict[str, Any]:
    return await backend.reply(message_id, request)


async def _invite(backend: Backend, _id: str, request: schemas.InviteRequest) -> dict[str, Any]:
    return await backend.invite(request)


async def _issue(backend: Backend, _id: str, request: schemas.IssueRequest) -> dict[str, Any]:
    return await backend.issue(request)


async def _renew(backend: Backend, _id: str, request: schemas.RenewCertificateRequest) -> dict[str, Any]:
    return await backend.renew_certificate(request)


async def _rotate(backend: Backend, _id: str, _request: None) -> dict[str, Any]:
    return await backend.rotate_key()


async def _pending(backend: Backend, _id: str, _request: None) -> dict[str, Any]:
    return {"pending": backend.pending_countersignature()}


async def _countersign(backend: Backend, _id: str, request: schemas.CountersignatureOffer) -> dict[str, Any]:
    await backend.offer_countersignature(request)
    return {"ok": True}


async def _shutdown(backend: Backend, _id: str, _request: None) -> dict[str, Any]:
    await backend.shutdown()
    return {"ok": True}


async def _doctor(backend: Backend, _id: str, _request: None) -> dict[str, Any]:
    return await backend.doctor()


_NODE_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/v1/status",
        name="status",
        summary="The node's state, with the machines as it sees them",
        answer=schemas.Status,
        handle=_status,
    ),
    Operation(
        method="GET",
        path="/v1/machines",
        name="machines",
        summary="The machines of the fleet with state and evidence",
        answer=schemas.Machines,
        handle=_machines,
    ),
    Operation(
        method="GET",
        path="/v1/why",
        name="why",
        summary="Why a message, machine, claim, decision or own request is as it is, and what it waits for",
        answer=Why,
        handle=_why,
        request=WhyRequest,
        in_query=True,
    ),
    Operation(
        method="POST",
        path="/v1/messages",
        name="send",
        summary="Send a message; answers when it is on this machine's disk",
        answer=schemas.Sent,
        handle=_send,
        request=schemas.SendRequest,
    ),
    Operation(
        method="GET",
        path="/v1/messages",
        name="inbox",
        summary="A page of the inbox; with wait_s an empty page waits for a message",
        answer=schemas.Inbox,
        handle=_inbox,
        request=schemas.InboxRequest,
        in_query=True,
        waits=True,
    ),
    Operation(
        method="GET",
        path="/v1/messages/{id}",
        name="message",
        summary="A message with the states of its recipients, without marking it read",
        answer=schemas.Message,
        handle=_message,
    ),
    Operation(
        method="POST",
        path="/v1/messages/{id}/read",
        name="read",
        summary="A message, marked as read",
        answer=schemas.Message,
        handle=_read,
        request=schemas.ReadRequest,
    ),
    Operation(
        method="POST",
        path="/v1/messages/{id}/reply",
        name="reply",
        summary="Reply in the message's thread",
        answer=schemas.Sent,
        handle=_reply,
        request=schemas.ReplyRequest,
    ),
    Operation(
        method="POST",
        path="/v1/invites",
        name="invite",
        summary="Make a one-time join code, on an issuer",
        answer=schemas.Invite,
        handle=_invite,
        request=schemas.InviteRequest,
    ),
    Operation(
        method="POST",
        path="/v1/certificates",
        name="issue",
        summary="Answer a certificate request that was carried by hand, on an issuer",
        answer=schemas.Certificate,
        handle=_issue,
        request=schemas.IssueRequest,
    ),
    Operation(
        method="POST",
        path="/v1/certificates/renew",
        name="renew_certificate",
        summary="This machine's next certificate, now",
        answer=schemas.RenewedCertificate,
        handle=_renew,
        request=schemas.RenewCertificateRequest,
        waits=True,
    ),
    Operation(
        method="POST",
        path="/v1/certificates/rotate",
        name="rotate_key",
        summary="Another key for this machine, signed for by the old one",
        answer=schemas.RotatedKey,
        handle=_rotate,
        waits=True,
    ),
    Operation(
        method="GET",
        path="/v1/countersignature",
        name="pending_countersignature",
        summary="What waits for a key that is not on this node",
        answer=schemas.Countersignature,
        handle=_pending,
    ),
    Operation(
        method="POST",
        path="/v1/countersignature",
        name="offer_countersignature",
        summary="Hand in that signature",
        answer=schemas.Done,
        handle=_countersign,
        request=schemas.CountersignatureOffer,
    ),
    Operation(
        method="POST",
        path="/v1/shutdown",
        name="shutdown",
        summary="Stop the node in good order",
        answer=schemas.Done,
        handle=_shutdown,
    ),
    Operation(
        method="GET",
        path="/v1/doctor",
        name="doctor",
        summary="The node's checks of itself, with remedies",
        answer=schemas.Doctor,
        handle=_doctor,
        waits=True,
    ),
)

OPERATIONS: tuple[Operation, ...] = (
    *_NODE_OPERATIONS,
    *MAILBOX_OPERATIONS,
    *ORDERED_OPERATIONS,
    *CLAIM_OPERATIONS,
    *DECISION_OPERATIONS,
)
