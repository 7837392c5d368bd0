"""What every transport does, whatever carries its frames. Each transport's tests inherit from this suite.

A harness has two nodes of one fleet, ``near`` and ``far``, and a stranger; it makes the faults that its medium can
make. It waits with a deadline, in virtual time where the transport has it.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from roosync_p2p import limits
from roosync_p2p.core.ports import (
    DialFailed,
    DialId,
    DialOutcome,
    FrameArrived,
    HandshakeRefused,
    LinkClosed,
    LinkId,
    LinkOpened,
    Transport,
    TransportEvent,
)

__all__ = ["Harness", "TransportSuite"]

T = TypeVar("T")


class Harness(abc.ABC):
    """Two members and a stranger, and their events."""

    near: Transport
    far: Transport
    stranger: Transport
    near_events: list[TransportEvent]
    far_events: list[TransportEvent]
    stranger_events: list[TransportEvent]
    near_leaf: bytes
    far_leaf: bytes
    far_address: str
    refused_address: str
    silent_address: str
    unanswered_address: str

    @abc.abstractmethod
    async def until(self, done: Callable[[], bool]) -> None:
        """Lets events happen until ``done``; fails after a while."""

    @abc.abstractmethod
    def stop_reading(self) -> None:
        """The far node reads no more frames."""

    @abc.abstractmethod
    async def cut_abruptly(self) -> None:
        """The far node's links end without a closing handshake."""

    @abc.abstractmethod
    def frames_dropped(self) -> int:
        """Frames that the near node dropped."""

    async def link(self) -> tuple[LinkId, LinkId]:
        """A new link, dialled by the near node: its numbers at near and far."""
        self.near.dial(DialId(1), self.far_address)
        await self.until(lambda: bool(_all(self.near_events, LinkOpened) and _all(self.far_events, LinkOpened)))
        return _all(self.near_events, LinkOpened)[-1].link, _all(self.far_events, LinkOpened)[-1].link


class TransportSuite:
    """Inherit, and give a ``harness`` fixture."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    async def test_a_link_opens_on_both_sides_with_the_leaf_of_the_other(self, harness: Harness) -> None:
        near, far = await harness.link()
        opened = _all(harness.near_events, LinkOpened)[0]
        assert (opened.link, opened.dial, opened.peer_leaf) == (near, DialId(1), harness.far_leaf)
        accepted = _all(harness.far_events, LinkOpened)[0]
        assert (accepted.link, accepted.dial, accepted.peer_leaf) == (far, None, harness.near_leaf)
        assert opened.remote == harness.far_address
        assert ":" in accepted.remote

    async def test_frames_arrive_whole_and_in_order_in_both_directions(self, harness: Harness) -> None:
        near, far = await harness.link()
        there = [bytes([number % 251]) * (number * 7 % 3000) for number in range(300)]
        back = [f"frame {number}".encode() for number in range(300)]
        for one, other in zip(there, back, strict=True):
            harness.near.send(near, one, droppable=False)
            harness.far.send(far, other, droppable=True)
        await harness.until(lambda: len(_frames(harness.far_events)) + len(_frames(harness.near_events)) == 600)
        assert _frames(harness.far_events) == there
        assert _frames(harness.near_events) == back

    async def test_a_frame_of_the_largest_size_arrives(self, harness: Harness) -> None:
        near, _far = await harness.link()
        frame = bytes(range(256)) * (limits.FRAME_BYTES_MAX // 256)
        harness.near.send(near, frame, droppable=False)
        await harness.until(lambda: bool(_frames(harness.far_events)))
        assert _frames(harness.far_events) == [frame]

    async def test_a_close_sends_what_is_queued_and_tells_the_reason_to_both_sides(self, harness: Harness) -> None:
        near, far = await harness.link()
        for number in range(100):
            harness.near.send(near, bytes([number]) * 1000, droppable=False)
        harness.near.close(near, "superseded: élan vital")
        await harness.until(lambda: _closed(harness.near_events, harness.far_events))
        assert len(_frames(harness.far_events)) == 100
        reason = "superseded: élan vital"
        assert harness.far_events[-1] == LinkClosed(link=far, reason=reason, abrupt=False)
        assert harness.near_events[-1] == LinkClosed(link=near, reason=reason, abrupt=False)

    async def test_both_sides_may_close_at_once(self, harness: Harness) -> None:
        near, far = await harness.link()
        harness.near.close(near, "from near")
        harness.far.close(far, "from far")
        await harness.until(lambda: _closed(harness.near_events, harness.far_events))
        assert len(_all(harness.near_events, LinkClosed)) == len(_all(harness.far_events, LinkClosed)) == 1

    async def test_a_broken_connection_is_an_abrupt_end(self, harness: Harness) -> None:
        near, _far = await harness.link()
        await harness.cut_abruptly()
        await harness.until(lambda: bool(_all(harness.near_events, LinkClosed)))
        closed = _all(harness.near_events, LinkClosed)[0]
        assert closed.link == near
        assert closed.abrupt

    async def test_what_is_sent_on_an_unknown_or_closed_link_is_ignored(self, harness: Harness) -> None:
        near, _far = await harness.link()
        harness.near.send(LinkId(4711), b"nobody's", droppable=False)
        harness.near.close(LinkId(4711), "nobody's")
        harness.near.close(near, "done")
        harness.near.send(near, b"too late", droppable=False)
        harness.near.close(near, "done twice")
        await harness.until(lambda: _closed(harness.near_events, harness.far_events))
        harness.near.send(near, b"much too late", droppable=False)
        harness.near.close(near, "done thrice")
        assert not _frames(harness.far_events)
        assert [closed.reason for closed in _all(harness.near_events, LinkClosed)] == ["done"]

    async def test_a_dial_to_a_port_without_listener_is_refused(self, harness: Harness) -> None:
        await self._dial(harness, harness.refused_address, DialOutcome.REFUSED)

    async def test_a_dial_that_is_accepted_without_a_word_is_silent(self, harness: Harness) -> None:
        await self._dial(harness, harness.silent_address, DialOutcome.SILENT)

    async def test_a_dial_to_where_no_packet_gets_is_unanswered(self, harness: Harness) -> None:
        await self._dial(harness, harness.unanswered_address, DialOutcome.UNANSWERED)

    async def test_a_stranger_is_rejected_and_both_sides_learn_it(self, harness: Harness) -> None:
        harness.stranger.dial(DialId(3), harness.far_address)
        await harness.until(lambda: bool(harness.stranger_events and harness.far_events))
        failed, refused = harness.stranger_events[0], harness.far_events[0]
        assert isinstance(failed, DialFailed)
        assert (failed.dial, failed.outcome) == (DialId(3), DialOutcome.REJECTED)
        assert "fleet" in failed.detail
        assert isinstance(refused, HandshakeRefused)
        assert "fleet" in refused.reason

    async def test_a_full_queue_drops_what_is_droppable_and_keeps_the_rest(self, harness: Harness) -> None:
        near, _far = await harness.link()
        harness.stop_reading()
        harness.near.send(near, b"needed", droppable=False)
        for _ in range(60):
            harness.near.send(near, bytes(200_000), droppable=True)
        assert harness.frames_dropped() > 0
        assert not _all(harness.near_events, LinkClosed)

    async def test_a_peer_too_slow_for_what_must_not_be_dropped_loses_the_link(self, harness: Harness) -> None:
        near, _far = await harness.link()
        harness.stop_reading()
        for _ in range(60):
            harness.near.send(near, bytes(200_000), droppable=False)
        await harness.until(lambda: bool(_all(harness.near_events, LinkClosed)))
        assert _all(harness.near_events, LinkClosed)[0].reason == "too slow"

    async def _dial(self, harness: Harness, address: str, expected: DialOutcome) -> None:
        harness.near.dial(DialId(9), address)
        await harness.until(lambda: bool(harness.near_events))
        failed = harness.near_events[0]
        assert isinstance(failed, DialFailed)
        assert (failed.dial, failed.outcome) == (DialId(9), expected)
        assert failed.detail


def _all(events: Sequence[TransportEvent], kind: type[T]) -> list[T]:
    return [event for event in events if isinstance(event, kind)]


def _frames(events: Sequence[TransportEvent]) -> list[bytes]:
    return [event.data for event in _all(events, FrameArrived)]


def _closed(*sides: Sequence[TransportEvent]) -> bool:
    return all(_all(events, LinkClosed) for events in sides)
