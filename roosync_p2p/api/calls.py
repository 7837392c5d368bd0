"""How a client asks: the base of its methods, the same for the sync and the async client."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from roosync_p2p import limits
from roosync_p2p.api.exchange import Call, is_text
from roosync_p2p.errors import UsageError

__all__ = ["Calls", "JsonObject", "Ordering", "download_call", "path_of", "upload_call"]

_STREAM_WAIT_S = 30.0  # a slow disk takes so long for the largest attachment

JsonObject = dict[str, Any]
Ordering = Mapping[str, Any]
"""What may be said of any request that has to be ordered: ``timeout_s``, ``idempotency_key``, ``fence``.

``timeout_s``: UndecidedError when it is not decided by then (10 s by default). ``idempotency_key``: the same key is
the same request, however often it is made. ``fence``: ``{"name", "token"}`` of a claim that has to be held.
"""

A = TypeVar("A")


class Calls(abc.ABC, Generic[A]):
    """``A`` is what a call gives: an object, or something to await."""

    @abc.abstractmethod
    def _do(self, call: Call) -> A:
        """Performs a call."""

    def _order(self, path: str, body: Mapping[str, object], ordering: Ordering | None, *, wait_s: float = 0.0) -> A:
        """A request that the node answers when it is decided; ``wait_s``: what it may take beyond its timeout."""
        asked = dict(ordering or {})
        timeout_s = float(asked.get("timeout_s", limits.ORDER_TIMEOUT_S))
        return self._do(Call(method="POST", path=path, body={**body, **asked}, wait_s=timeout_s + wait_s))


def upload_call(size: int, *, private: bool) -> Call:
    """Hands over so many bytes that a message is going to bring along; they follow."""
    query = (("private", "true"),) if private else ()
    return Call(method="POST", path="/v1/attachments", query=query, bytes_count=size, wait_s=_STREAM_WAIT_S)


def download_call(message_id: str, number: int) -> Call:
    """Asks for the bytes of an attachment.

    Raises:
        UsageError: the message's id is none.
    """
    path = path_of("messages", message_id, f"/attachments/{number}")
    return Call(method="GET", path=path, wait_s=_STREAM_WAIT_S)


def path_of(collection: str, named: str, rest: str = "") -> str:
    """The path of one thing in a collection.

    Raises:
        UsageError: it has no name, or none that is one part of a path; such a path would ask for something else.
    """
    if not named:
        raise UsageError("the id is empty", code="bad_field")
    if "/" in named or named in (".", "..") or not is_text(named):
        raise UsageError(f"{named[:60]!r} is no id", code="bad_field")
    return f"/v1/{collection}/{quote(named, safe='')}{rest}"
