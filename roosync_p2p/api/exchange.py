"""One request and its answer without I/O: bytes out, bytes in, result or error (h11 does the HTTP).

The sync and the async client drive the same object, so they cannot differ. An answer is bounded by
``limits.API_ANSWER_BYTES_MAX``.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any
from urllib.parse import urlencode

import h11

from roosync_p2p import limits
from roosync_p2p.api.endpoint import Endpoint
from roosync_p2p.api.problems import error_of
from roosync_p2p.errors import NetworkError, RoosyncError, UsageError
from roosync_p2p.version import __version__

__all__ = ["Call", "Exchange", "is_text", "no_answer"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request before it has an endpoint. ``wait_s`` is how long the node itself may take on purpose.

    ``bytes_count``: a body of so many bytes follows, which is no JSON: see :meth:`Exchange.more`.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: dict[str, Any] | None = None
    last_event_id: int | None = None
    wait_s: float = 0.0
    bytes_count: int | None = None


class Exchange:
    """Feed what the connection gives until ``ended``, then take the answer.

    Attributes:
        output: the request, to be sent first.
        status: the HTTP status once the head of the answer is there, else None.
        ended: the answer is complete.

    Raises:
        UsageError: the node would refuse it: ``too_large``, or ``bad_text``.
    """

    def __init__(self, call: Call, endpoint: Endpoint) -> None:
        self._connection = h11.Connection(h11.CLIENT)
        self._body = bytearray()
        self.status: int | None = None
        self.ended = False
        self.output = self._request(call, endpoint)

    def feed(self, data: bytes) -> bytes:
        """Takes bytes from the connection (none at its end), gives those of the answer's body that they complete.

        Raises:
            NetworkError: the connection ended in the middle, or what answers is no node.
        """
        try:
            self._connection.receive_data(data)
            return self._body_bytes(data)
        except h11.RemoteProtocolError as error:
            if data:
                raise NetworkError(f"what answers is no node: {error}", code="bad_answer") from error
            raise NetworkError(
                "the node hung up before it had answered",
                code="connection_lost",
                remedy="see `roosync doctor`, and the node's log",
            ) from error

    def more(self, data: bytes) -> bytes:
        """What to send for a piece of a body that is no JSON; for no bytes, its end."""
        event = h11.Data(data=data) if data else h11.EndOfMessage()
        return self._connection.send(event) or b""

    def keep(self, body: bytes) -> None:
        """Keeps what :meth:`feed` gave for :meth:`answer`.

        Raises:
            NetworkError: the answer is too long.
        """
        self._body += body
        if len(self._body) > limits.API_ANSWER_BYTES_MAX:
            raise NetworkError("the node's answer is too long", code="bad_answer")

    def answer(self) -> dict[str, Any]:
        """The JSON object of a complete answer.

        Raises:
            RoosyncError: what the node refused or failed with.
        """
        document = self._document()
        if self.status is None or not 200 <= self.status < 300:
            raise self._refusal(document)
        if document is None:
            raise NetworkError("the node's answer is no JSON object", code="bad_answer")
        return document

    def _document(self) -> dict[str, Any] | None:
        try:
            document = json.loads(bytes(self._body))
        except ValueError:
            return None
        return document if isinstance(document, dict) else None

    def _refusal(self, document: dict[str, Any] | None) -> RoosyncError:
        if document is not None and "code" in document:
            return error_of(document)
        return NetworkError(f"the node answered with status {self.status}", code="bad_answer")

    def _body_bytes(self, data: bytes) -> bytes:
        out = bytearray()
        while True:
            event = self._connection.next_event()
            if isinstance(event, h11.Response):
                self.status = event.status_code
            elif isinstance(event, h11.Data):
                out += event.data
            elif isinstance(event, h11.EndOfMessage):
                self.ended = True
                return bytes(out)
            elif event is h11.NEED_DATA or event is h11.PAUSED:
                return bytes(out)
            elif isinstance(event, h11.ConnectionClosed):
                raise h11.RemoteProtocolError(f"closed after {len(data)} bytes")

    def _request(self, call: Call, endpoint: Endpoint) -> bytes:
        body = b"" if call.body is None else _json(call.body)
        if len(body) > limits.API_BODY_BYTES_MAX:
            raise UsageError(f"a request has at most {limits.API_BODY_BYTES_MAX} bytes", code="too_large")
        headers = [
            ("host", "localhost"),
            ("authorization", f"Bearer {endpoint.token}"),
            ("user-agent", f"roosync/{__version__}"),
            ("connection", "close"),
        ]
        if call.body is not None:
            headers += [("content-type", "application/json"), ("content-length", str(len(body)))]
        if call.bytes_count is not None:
            headers += [("content-type", "application/octet-stream"), ("content-length", str(call.bytes_count))]
        if call.last_event_id is not None:
            headers.append(("last-event-id", str(call.last_event_id)))
        target = call.path + (f"?{urlencode(call.query)}" if call.query else "")
        request = h11.Request(method=call.method, target=target, headers=headers)
        parts = [
            self._connection.send(request),
            self._connection.send(h11.Data(data=body)) if body else b"",
            self._connection.send(h11.EndOfMessage()) if call.bytes_count is None else b"",
        ]
        return b"".join(part for part in parts if part)


def _json(body: dict[str, Any]) -> bytes:
    """The body of a request.

    Raises:
        UsageError: ``bad_text``: a field came from bytes that are no UTF-8.
    """
    for name, value in body.items():
        if not all(is_text(text) for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)):
            raise UsageError(f"{name} is not UTF-8", code="bad_text", remedy="send it as UTF-8")
    return json.dumps(body).encode()


def is_text(text: str) -> bool:
    """Arguments that are no UTF-8 come as lone surrogates, which no request can carry."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def no_answer() -> NetworkError:
    """The error of a node that is there and silent."""
    return NetworkError(
        "the node took the request and does not answer",
        code="no_answer",
        remedy="it may be stopped or starved; see its log, or end its process and start it again",
    )
