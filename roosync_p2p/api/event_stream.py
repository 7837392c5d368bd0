"""The answer that does not end: events as they happen, a comment when nothing does.

The reader's speed is the stream's: while a slow one does not read, nothing is fetched for it, and what the node has
dropped from its history meanwhile shows as a ``gap``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from roosync_p2p import limits
from roosync_p2p.api.events import KEEPALIVE, EventLike, encode_event
from roosync_p2p.api.waiting import cancel, hung_up_or_closing
from roosync_p2p.errors import UsageError

__all__ = ["EventStream", "parse_event_id"]


def parse_event_id(text: str | None) -> int | None:
    """The id in ``Last-Event-ID`` or ``after``.

    Raises:
        UsageError: it is no such id.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise UsageError(f"{text[:40]!r} is not an event id", code="bad_event_id")
    return int(text)


class EventStream(Response):
    """Sends ``events`` until the client hangs up, the iterator ends, or ``closing`` is set."""

    media_type = "text/event-stream"

    def __init__(
        self, events: AsyncIterator[EventLike], closing: asyncio.Event, *, keepalive_s: float = limits.API_KEEPALIVE_S
    ) -> None:
        super().__init__(headers={"cache-control": "no-store"})
        del self.headers["content-length"]
        self._events = events
        self._closing = closing
        self._keepalive_s = keepalive_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """One stream."""
        ended = asyncio.ensure_future(hung_up_or_closing(receive, self._closing))
        following = asyncio.ensure_future(_next(self._events))
        try:
            await asyncio.sleep(0)  # an iterator that subscribes at its first step has now done so
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await _send_some(send, KEEPALIVE)
            while True:
                await asyncio.wait({ended, following}, timeout=self._keepalive_s, return_when=asyncio.FIRST_COMPLETED)
                if ended.done():
                    break
                if not following.done():
                    await _send_some(send, KEEPALIVE)
                    continue
                event = following.result()
                if event is None:
                    break
                following = asyncio.ensure_future(_next(self._events))
                await _send_some(send, encode_event(event))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await cancel(ended, following)
            aclose = getattr(self._events, "aclose", None)
            if aclose is not None:
                await aclose()


async def _send_some(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _next(events: AsyncIterator[EventLike]) -> EventLike | None:
    """The next event; None at the end, because a task cannot raise StopAsyncIteration."""
    return await anext(events, None)
