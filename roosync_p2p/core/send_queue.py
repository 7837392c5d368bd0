"""The bounded queue of frames that wait for one slow peer (docs/protocol/links.md §4), the same in every transport.

What gossip repairs is droppable and goes first, the oldest first, because the newest heartbeat replaces it. What is
not droppable is never dropped: if it does not fit, the queue says so and the link is closed.
"""

from __future__ import annotations

import collections
import enum
from typing import Final

from roosync_p2p import limits

__all__ = ["Push", "SendQueue"]


class Push(enum.Enum):
    """What became of a frame."""

    QUEUED = "queued"
    DROPPED = "dropped"  # droppable, and everything that waits is not
    OVERFLOW = "overflow"  # not droppable and does not fit: close the link


class SendQueue:
    """Frames in the order they were pushed, bounded in bytes and in number.

    Args:
        bytes_max: sum of the payloads.
        frames_max: number of frames.
    """

    def __init__(
        self, *, bytes_max: int = limits.LINK_QUEUE_BYTES_MAX, frames_max: int = limits.LINK_QUEUE_FRAMES_MAX
    ) -> None:
        self._bytes_max: Final = bytes_max
        self._frames_max: Final = frames_max
        self._frames: collections.OrderedDict[int, bytes] = collections.OrderedDict()
        self._droppable: collections.deque[int] = collections.deque()  # tickets of _frames, oldest first
        self._next_ticket = 0
        self.size_bytes = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._frames)

    def push(self, frame: bytes, *, droppable: bool) -> Push:
        """Appends a frame, dropping older droppable ones as far as it needs."""
        while self._droppable and not self._fits(frame):
            self.size_bytes -= len(self._frames.pop(self._droppable.popleft()))
            self.dropped += 1
        if not self._fits(frame):
            self.dropped += droppable
            return Push.DROPPED if droppable else Push.OVERFLOW
        if droppable:
            self._droppable.append(self._next_ticket)
        self._frames[self._next_ticket] = frame
        self._next_ticket += 1
        self.size_bytes += len(frame)
        return Push.QUEUED

    def pop_batch(self, bytes_target: int = limits.LINK_BATCH_BYTES) -> list[bytes]:
        """The oldest frames, as many as reach the target; at least one if there is one."""
        batch: list[bytes] = []
        size = 0
        while self._frames and size < bytes_target:
            ticket, frame = self._frames.popitem(last=False)
            if self._droppable and self._droppable[0] == ticket:
                self._droppable.popleft()
            batch.append(frame)
            size += len(frame)
        self.size_bytes -= size
        return batch

    def clear(self) -> None:
        """Forgets everything."""
        self._frames.clear()
        self._droppable.clear()
        self.size_bytes = 0

    def _fits(self, frame: bytes) -> bool:
        return len(self._frames) < self._frames_max and self.size_bytes + len(frame) <= self._bytes_max
