"""The queue of a slow peer: bounded, in order, droppable frames first and oldest first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.core.send_queue import Push, SendQueue


def test_frames_leave_in_order_in_batches() -> None:
    queue = SendQueue()
    for number in range(5):
        assert queue.push(bytes([number]) * 10, droppable=number % 2 == 0) is Push.QUEUED
    assert queue.pop_batch(bytes_target=25) == [bytes([number]) * 10 for number in range(3)]
    assert queue.pop_batch() == [bytes([number]) * 10 for number in (3, 4)]
    assert queue.pop_batch() == []
    assert queue.size_bytes == 0


def test_a_full_queue_drops_the_oldest_droppable_frame_first() -> None:
    queue = SendQueue(frames_max=3)
    queue.push(b"ordered", droppable=False)
    queue.push(b"old", droppable=True)
    queue.push(b"newer", droppable=True)
    assert queue.push(b"newest", droppable=True) is Push.QUEUED
    assert queue.dropped == 1
    assert queue.pop_batch() == [b"ordered", b"newer", b"newest"]


def test_what_must_not_be_dropped_takes_the_place_of_what_may() -> None:
    queue = SendQueue(bytes_max=10)
    queue.push(b"12345", droppable=True)
    queue.push(b"67890", droppable=True)
    assert queue.push(b"needed", droppable=False) is Push.QUEUED
    assert queue.dropped == 2
    assert queue.pop_batch() == [b"needed"]


def test_a_queue_full_of_ordered_frames_overflows() -> None:
    queue = SendQueue(bytes_max=10)
    queue.push(b"1234567", droppable=False)
    assert queue.push(b"12345", droppable=True) is Push.DROPPED
    assert queue.push(b"12345", droppable=False) is Push.OVERFLOW
    assert queue.pop_batch() == [b"1234567"]


@given(st.lists(st.tuples(st.sampled_from(["push", "drop", "pop"]), st.integers(0, 12)), max_size=60))
def test_bounds_hold_and_ordered_frames_are_never_lost(steps: list[tuple[str, int]]) -> None:
    """A naive twin: ordered frames leave in the order in which they were queued, all of them."""
    queue = SendQueue(bytes_max=40, frames_max=6)
    expected: list[bytes] = []
    left: list[bytes] = []
    for number, (step, size) in enumerate(steps):
        if step == "pop":
            left += [frame for frame in queue.pop_batch(bytes_target=size) if frame.startswith(b"O")]
            continue
        ordered = step == "push"
        frame = (b"O" if ordered else b"D") + bytes([number]) * size
        if queue.push(frame, droppable=not ordered) is Push.QUEUED and ordered:
            expected.append(frame)
        assert queue.size_bytes <= 40
        assert len(queue) <= 6
    while batch := queue.pop_batch():
        left += [frame for frame in batch if frame.startswith(b"O")]
    assert left == expected
    assert queue.size_bytes == 0
