"""The operations about sessions and claims."""

from __future__ import annotations

from roosync_p2p.api import claim_schemas as schemas
from roosync_p2p.api.operation import Operation

__all__ = ["CLAIM_OPERATIONS"]

CLAIM_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="POST",
        path="/v1/sessions",
        name="open_session",
        summary="Open a session; its secret is shown this once",
        answer=schemas.Session,
        handle=lambda backend, _id, request: backend.claims.open_session(request),
        request=schemas.OpenSessionRequest,
    ),
    Operation(
        method="POST",
        path="/v1/sessions/renew",
        name="renew_session",
        summary="Prolong a session's lease",
        answer=schemas.RenewedSession,
        handle=lambda backend, _id, request: backend.claims.renew_session(request),
        request=schemas.RenewSessionRequest,
    ),
    Operation(
        method="POST",
        path="/v1/sessions/close",
        name="close_session",
        summary="End a session; what it holds is released",
        answer=schemas.ClosedSession,
        handle=lambda backend, _id, request: backend.claims.close_session(request),
        request=schemas.CloseSessionRequest,
        waits=True,
    ),
    Operation(
        method="GET",
        path="/v1/claims",
        name="claims",
        summary="Every claim that is held",
        answer=schemas.Claims,
        handle=lambda backend, _id, _request: backend.claims.claims(),
        waits=True,
    ),
    Operation(
        method="GET",
        path="/v1/claims/check",
        name="check_claim",
        summary="Whether a claim is held with this token, now",
        answer=schemas.ClaimCheck,
        handle=lambda backend, _id, request: backend.claims.check(request),
        request=schemas.ClaimCheckRequest,
        in_query=True,
        waits=True,
    ),
    Operation(
        method="POST",
        path="/v1/claims",
        name="claim",
        summary="Hold a name that nobody else holds; with wait_s or queue, stand in line for it",
        answer=schemas.Claim,
        handle=lambda backend, _id, request: backend.claims.claim(request),
        request=schemas.ClaimRequest,
        waits=True,
    ),
    Operation(
        method="POST",
        path="/v1/claims/renew",
        name="renew_claim",
        summary="Hold it longer",
        answer=schemas.Claim,
        handle=lambda backend, _id, request: backend.claims.renew(request),
        request=schemas.RenewRequest,
        waits=True,
    ),
    Operation(
        method="POST",
        path="/v1/claims/release",
        name="release_claim",
        summary="Hold it no more, or leave the line",
        answer=schemas.Released,
        handle=lambda backend, _id, request: backend.claims.release(request),
        request=schemas.ReleaseRequest,
        waits=True,
    ),
    Operation(
        method="POST",
        path="/v1/claims/steal",
        name="steal_claim",
        summary="Take it from whoever holds it, as an approver",
        answer=schemas.Claim,
        handle=lambda backend, _id, request: backend.claims.steal(request),
        request=schemas.StealRequest,
        waits=True,
    ),
)
