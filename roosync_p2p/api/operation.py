"""One operation of the API: what its route and its part of the OpenAPI document are made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from roosync_p2p.api.backend import Backend

__all__ = ["Operation"]

_Handler = Callable[[Backend, str, Any], Coroutine[Any, Any, dict[str, Any]]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path.

    Attributes:
        handle: gets the backend, the ``{id}`` of the path or "", and the parsed request or None.
        request: what the body (or, with ``in_query``, the query) is parsed as.
        waits: may take long, so it ends when the caller hangs up.
    """

    method: str
    path: str
    name: str
    summary: str
    answer: type[msgspec.Struct]
    handle: _Handler
    request: type[Any] | None = None
    in_query: bool = False
    waits: bool = False
