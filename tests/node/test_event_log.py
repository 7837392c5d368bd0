"""Events for streams that resume: nothing is lost in silence."""

from __future__ import annotations

import anyio
import pytest

from roosync_p2p import limits
from roosync_p2p.node.event_log import EventLog, NodeEvent

pytestmark = pytest.mark.anyio


def _log(count: int) -> EventLog:
    log = EventLog()
    for number in range(1, count + 1):
        log.add("message", {"number": number})
    return log


async def _next(log: EventLog, after: int | None, count: int) -> list[NodeEvent]:
    stream = log.stream(after)
    with anyio.fail_after(5.0):
        return [await anext(stream) for _ in range(count)]


async def test_a_stream_from_an_event_on_brings_what_followed() -> None:
    events = await _next(_log(5), 2, 3)
    assert [(event.id, event.data["number"]) for event in events] == [(3, 3), (4, 4), (5, 5)]


async def test_a_new_stream_brings_only_what_is_to_come() -> None:
    log = _log(5)
    stream = log.stream(None)
    log.add("verdict", {})
    assert (await anext(stream)).id == 6


async def test_a_stream_waits_for_the_next_event() -> None:
    log = _log(1)
    seen: list[int] = []

    async def read() -> None:
        stream = log.stream(1)
        seen.append((await anext(stream)).id)

    with anyio.fail_after(5.0):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.lowlevel.checkpoint()
            assert seen == []
            log.add("message", {})
    assert seen == [2]


async def test_whoever_was_away_for_too_long_is_told_of_the_gap() -> None:
    events = await _next(_log(limits.EVENT_HISTORY_MAX + 10), 3, 2)
    assert [(event.type, event.id) for event in events] == [("gap", 10), ("message", 11)]


async def test_an_event_of_another_life_of_the_node_is_a_gap() -> None:
    events = await _next(_log(2), 99, 3)
    assert [(event.type, event.id) for event in events] == [("gap", 0), ("message", 1), ("message", 2)]


async def test_whoever_has_everything_is_told_of_no_gap() -> None:
    log = _log(2)
    stream = log.stream(2)
    log.add("message", {})
    assert (await anext(stream)).id == 3


async def test_a_reader_that_is_slower_than_the_history_is_long_is_told_of_the_gap() -> None:
    log = _log(1)
    stream = log.stream(0)
    assert (await anext(stream)).id == 1
    for _ in range(limits.EVENT_HISTORY_MAX + 5):
        log.add("message", {})
    assert (await anext(stream)).type == "gap"
    assert (await anext(stream)).id == 7


async def test_what_happens_between_looking_and_waiting_is_not_missed() -> None:
    log = _log(1)
    seen = log.newest
    log.add("message", {})
    with anyio.fail_after(1.0):
        await log.beyond(seen)
