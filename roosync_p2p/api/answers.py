"""The bytes of requests and answers: bounded bodies in, JSON and problem documents out."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from roosync_p2p import limits
from roosync_p2p.api.problems import problem_of
from roosync_p2p.errors import RoosyncError, UsageError

__all__ = ["ClientDisconnect", "json_response", "problem_response", "read_body"]

_NO_STORE = {"cache-control": "no-store"}
_DRAIN_FACTOR = 8  # how much of a body that is too large is read, so that its sender hears the answer


def json_response(document: dict[str, Any]) -> Response:
    """200 with a JSON object."""
    return Response(msgspec.json.encode(document), media_type="application/json", headers=_NO_STORE)


def problem_response(error: RoosyncError) -> Response:
    """The error as RFC 9457 has it."""
    problem = problem_of(error)
    headers = {**_NO_STORE, **({"www-authenticate": "Bearer"} if problem["status"] == 401 else {})}
    if problem["status"] == 429:  # RFC 6585 §4
        headers["retry-after"] = str(problem["details"]["retry_after_s"])
    return Response(
        msgspec.json.encode(problem),
        status_code=problem["status"],
        media_type="application/problem+json",
        headers=headers,
    )


async def read_body(request: Request) -> bytes:
    """The body of a request.

    Raises:
        UsageError: ``too_large``, or ``not_json`` when a body of another type comes.
        ClientDisconnect: the client hung up while sending.
    """
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limits.API_BODY_BYTES_MAX:
            body += chunk
        elif size > _DRAIN_FACTOR * limits.API_BODY_BYTES_MAX:
            break
    if size > limits.API_BODY_BYTES_MAX:
        raise UsageError(f"a request has at most {limits.API_BODY_BYTES_MAX} bytes", code="too_large")
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and content_type != "application/json":
        raise UsageError("a request body is application/json", code="not_json")
    return bytes(body)
