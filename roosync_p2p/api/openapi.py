"""The OpenAPI 3.1 document, derived from the table of operations and the schemas."""

from __future__ import annotations

from typing import Any

import msgspec

from roosync_p2p.api.attachment_routes import describe_attachments
from roosync_p2p.api.operation import Operation
from roosync_p2p.api.operations import OPERATIONS
from roosync_p2p.api.schemas import Problem
from roosync_p2p.version import __version__

__all__ = ["build_openapi"]

_REF = "#/components/schemas/{name}"


def build_openapi() -> dict[str, Any]:
    """The document that ``/v1/openapi.json`` serves."""
    types = {kind for operation in OPERATIONS for kind in (operation.request, operation.answer) if kind is not None}
    _, components = msgspec.json.schema_components(
        sorted({*types, Problem}, key=lambda kind: kind.__name__), ref_template=_REF
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, components)
    paths["/v1/events"] = {"get": _EVENTS}
    paths.update(describe_attachments(_EVENTS["responses"]["default"]))
    return {
        "openapi": "3.1.0",
        "info": {"title": "roosync local API", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(operation: Operation, components: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation, components),
        "responses": {
            "200": _content("done", "application/json", _REF.format(name=operation.answer.__name__)),
            "default": _content("refused or failed", "application/problem+json", _REF.format(name="Problem")),
        },
    }
    if operation.request is not None and not operation.in_query:
        reference = {"$ref": _REF.format(name=operation.request.__name__)}
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference}}}
    return described


def _parameters(operation: Operation, components: dict[str, Any]) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    if "{id}" in operation.path:
        parameters.append({"name": "id", "in": "path", "required": True, "schema": {"type": "string"}})
    if operation.request is not None and operation.in_query:
        properties = components[operation.request.__name__]["properties"]
        parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]
    return parameters


def _content(description: str, media_type: str, reference: str) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": {"$ref": reference}}}}


_EVENTS: dict[str, Any] = {
    "operationId": "events",
    "summary": "Events as they happen (server-sent events); resumes after Last-Event-ID",
    "parameters": [{"name": "Last-Event-ID", "in": "header", "schema": {"type": "integer"}}],
    "responses": {
        "200": {"description": "the stream", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        "default": _content("refused or failed", "application/problem+json", _REF.format(name="Problem")),
    },
}
