"""Events of a node and their form on the stream: server-sent events (WHATWG HTML §9.2), one JSON object each.

Pure: :func:`encode_event` and :class:`EventDecoder` are each other's inverse; sockets are elsewhere.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, Protocol

from roosync_p2p import limits
from roosync_p2p.errors import MalformedError

__all__ = ["KEEPALIVE", "Event", "EventDecoder", "EventLike", "encode_event"]

KEEPALIVE = b": alive\n\n"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened at the node.

    Attributes:
        id: counts up; a stream resumes after it.
        type: what happened, such as ``verdict``; names are listed in docs/protocol/api.md §6.
        data: JSON-compatible facts.
        time: RFC 3339 in UTC.
    """

    id: int
    type: str
    data: dict[str, Any]
    time: str


class EventLike(Protocol):
    """What a node gives: its own record with the members of :class:`Event`."""

    @property
    def id(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def data(self) -> dict[str, Any]: ...
    @property
    def time(self) -> str: ...


def encode_event(event: EventLike) -> bytes:
    """One event of the stream. JSON has no line breaks here, so one ``data`` line is enough."""
    payload = json.dumps({"time": event.time, "data": event.data}, separators=(",", ":"))
    return f"id: {event.id}\nevent: {event.type}\ndata: {payload}\n\n".encode()


class EventDecoder:
    """Events from the bytes of a stream, in pieces of any size. Comments and unknown fields are ignored."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that are complete with ``data``.

        Raises:
            MalformedError: an event is not what a node sends, or longer than any it sends.
        """
        self._buffer += data
        *blocks, self._buffer = self._buffer.split(b"\n\n")
        if len(self._buffer) > limits.API_BODY_BYTES_MAX:
            raise MalformedError("an event of the node's stream is too long", code="bad_event")
        for block in blocks:
            fields = dict(_field(line) for line in block.split(b"\n") if line and not line.startswith(b":"))
            if fields:
                yield _event(fields)


def _field(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("utf-8", "replace").partition(":")
    return name, value.removeprefix(" ")


def _event(fields: dict[str, str]) -> Event:
    try:
        payload = json.loads(fields["data"])
        return Event(id=int(fields["id"]), type=fields["event"], time=payload["time"], data=payload["data"])
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise MalformedError(f"an event of the node's stream does not parse: {error!r}", code="bad_event") from error
