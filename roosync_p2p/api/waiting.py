"""Calls that may take long, and the two reasons to end them early: the caller hangs up, or the API closes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from roosync_p2p.errors import EnvironmentFault

__all__ = ["HungUp", "cancel", "hung_up_or_closing", "until_hung_up"]

T = TypeVar("T")


class HungUp(Exception):
    """The caller is gone, and nobody is left to be answered."""


async def until_hung_up(work: Coroutine[Any, Any, T], receive: Receive, closing: asyncio.Event) -> T:
    """The result of ``work``, which is cancelled when the caller hangs up or the API closes.

    The request's body must have been read.

    Raises:
        HungUp: the caller is gone.
        EnvironmentFault: ``stopping``.
    """
    task = asyncio.ensure_future(work)
    ended = asyncio.ensure_future(hung_up_or_closing(receive, closing))
    try:
        await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if closing.is_set():
            raise EnvironmentFault("the node is stopping", code="stopping", remedy="start it with `roosync up`")
        raise HungUp
    finally:
        await cancel(task, ended)


async def hung_up_or_closing(receive: Receive, closing: asyncio.Event) -> None:
    """Returns when the client is gone or ``closing`` is set."""
    waits = {asyncio.ensure_future(_hung_up(receive)), asyncio.ensure_future(_set(closing))}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel(*waits)


async def cancel(*tasks: asyncio.Future[Any]) -> None:
    """Cancels what still runs and waits for its end; results and errors are left where they are."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _hung_up(receive: Receive) -> None:
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()


async def _set(event: asyncio.Event) -> None:
    await event.wait()
