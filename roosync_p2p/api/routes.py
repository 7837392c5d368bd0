"""The application: the table of operations over HTTP, errors as problem documents."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from roosync_p2p import limits
from roosync_p2p.api.answers import json_response, problem_response, read_body
from roosync_p2p.api.attachment_routes import attachment_routes
from roosync_p2p.api.backend import Backend
from roosync_p2p.api.event_stream import EventStream, parse_event_id
from roosync_p2p.api.guard import Guard
from roosync_p2p.api.openapi import build_openapi
from roosync_p2p.api.operation import Operation
from roosync_p2p.api.operations import OPERATIONS
from roosync_p2p.api.records import parse_json, parse_values
from roosync_p2p.api.waiting import HungUp, until_hung_up
from roosync_p2p.errors import RoosyncError, UsageError

__all__ = ["build_app"]

_log = logging.getLogger(__name__)

_Endpoint = Callable[[Request], Awaitable[Response]]
_LISTS = frozenset({"workspaces"})  # query parameters that may be given several times


def build_app(
    backend: Backend, *, token: str, closing: asyncio.Event, keepalive_s: float = limits.API_KEEPALIVE_S
) -> ASGIApp:
    """The API over ``backend`` for those who know ``token``; ``closing`` ends streams and waits."""
    routes = [_route(operation, backend, closing) for operation in OPERATIONS]
    routes.append(Route("/v1/events", _events(backend, closing, keepalive_s), methods=["GET"]))
    routes += attachment_routes(backend)
    routes.append(Route("/v1/openapi.json", _openapi, methods=["GET"]))
    app = Starlette(
        routes=routes,
        exception_handlers={
            RoosyncError: _on_error,
            HTTPException: _on_http_error,
            HungUp: _on_hung_up,
            ClientDisconnect: _on_hung_up,
            Exception: _on_bug,
        },
    )
    return Guard(app, token=token)


def _route(operation: Operation, backend: Backend, closing: asyncio.Event) -> Route:
    async def endpoint(request: Request) -> Response:
        parsed = await _parse(operation, request)
        work = operation.handle(backend, request.path_params.get("id", ""), parsed)
        if operation.waits:
            return json_response(await until_hung_up(work, request.receive, closing))
        return json_response(await work)

    return Route(operation.path, endpoint, methods=[operation.method])


async def _parse(operation: Operation, request: Request) -> Any:
    body = await read_body(request)
    if operation.request is None:
        return None
    if operation.in_query:
        query = request.query_params
        return parse_values(
            {name: query.getlist(name) if name in _LISTS else query[name] for name in query}, operation.request
        )
    return parse_json(body, operation.request)


def _events(backend: Backend, closing: asyncio.Event, keepalive_s: float) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        after = request.headers.get("last-event-id") or request.query_params.get("after")
        return EventStream(backend.events(parse_event_id(after)), closing, keepalive_s=keepalive_s)

    return endpoint


async def _openapi(_request: Request) -> Response:
    return json_response(build_openapi())


# --- errors ------------------------------------------------------------------------------------------------------
# Starlette's handlers take any exception; each of these is registered for the one that it asserts.


async def _on_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RoosyncError)
    return problem_response(error)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = "wrong_method" if error.status_code == 405 else "no_such_route"
    return problem_response(UsageError(f"{request.method} {request.url.path[:200]} is not part of the API", code=code))


async def _on_hung_up(_request: Request, _error: Exception) -> Response:
    return Response(status_code=204)  # nobody is there to read it


async def _on_bug(request: Request, error: Exception) -> Response:
    _log.error("the API failed at %s %s: %r", request.method, request.url.path, error)  # the server logs the traceback
    return problem_response(
        RoosyncError(
            f"the node failed to answer: {type(error).__name__}",
            code="internal",
            remedy="the node's log has the details; please report it",
        )
    )
