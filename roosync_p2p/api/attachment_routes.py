"""Attachments over HTTP: bytes in, bytes out, streamed, so they are outside the table of operations (api.md §4.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from roosync_p2p.api.answers import json_response
from roosync_p2p.api.backend import Backend
from roosync_p2p.errors import UsageError

__all__ = ["ATTACHMENT_PATH", "BYTES", "UPLOAD_PATH", "attachment_routes", "describe_attachments"]

UPLOAD_PATH = "/v1/attachments"
ATTACHMENT_PATH = "/v1/messages/{id}/attachments/{number}"
BYTES = "application/octet-stream"

_Endpoint = Callable[[Request], Awaitable[Response]]


def attachment_routes(backend: Backend) -> list[Route]:
    """The two routes."""
    return [
        Route(UPLOAD_PATH, _upload(backend), methods=["POST"]),
        Route(ATTACHMENT_PATH, _download(backend), methods=["GET"]),
    ]


def _upload(backend: Backend) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != BYTES:
            raise UsageError(f"an attachment comes as {BYTES}", code="not_bytes")
        private = request.query_params.get("private", "false")
        if private not in ("true", "false"):
            raise UsageError("private is true or false", code="bad_field")
        return json_response(await backend.attachments.upload(request.stream(), private=private == "true"))

    return endpoint


def _download(backend: Backend) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        number = request.path_params["number"]
        if not (number.isascii() and number.isdigit() and len(number) <= 4):
            raise UsageError(f"{number[:40]!r} is no number of an attachment", code="bad_field")
        name, size, pieces = await backend.attachments.content(request.path_params["id"], int(number))
        headers = {
            "content-length": str(size),
            "content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        }
        return StreamingResponse(pieces, media_type=BYTES, headers=headers)

    return endpoint


def describe_attachments(problem: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Their part of the OpenAPI document; ``problem`` describes an error."""
    raw = {BYTES: {"schema": {"type": "string", "format": "binary"}}}
    handed = {
        "type": "object",
        "required": ["sha256", "size"],
        "properties": {"sha256": {"type": "string"}, "size": {"type": "integer"}},
    }
    named = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in ("id", "number")]
    return {
        UPLOAD_PATH: {
            "post": {
                "operationId": "upload",
                "summary": "Hand over a file that a message is going to bring along; answers when it is on the disk",
                "parameters": [{"name": "private", "in": "query", "schema": {"type": "boolean"}}],
                "requestBody": {"required": True, "content": raw},
                "responses": {
                    "200": {"description": "done", "content": {"application/json": {"schema": handed}}},
                    "default": problem,
                },
            }
        },
        ATTACHMENT_PATH: {
            "get": {
                "operationId": "attachment",
                "summary": "An attachment of a message, by its number from 0",
                "parameters": named,
                "responses": {"200": {"description": "its bytes", "content": raw}, "default": problem},
            }
        },
    }
