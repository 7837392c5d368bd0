"""What lay between one input and the next: whether this node stood still, slept, or had its clock set."""

from __future__ import annotations

from roosync_p2p.clock import Now

__all__ = ["Moments"]


class Moments:
    """The moment of the newest input, and when the node was to be woken.

    Attributes:
        due_s: when at the latest, monotonic seconds; None: whenever something happens.
    """

    def __init__(self, now: Now) -> None:
        self.due_s: float | None = None
        self._last = now

    def passed(self, now: Now) -> tuple[float, float]:
        """How late this input is, and by how much the wall clock moved against the monotonic one; seconds.

        Whoever comes long after it was due stood still. A wall clock that jumped was set, or the computer slept.
        """
        last, self._last = self._last, now
        late_s = 0.0 if self.due_s is None else now.monotonic_s - max(self.due_s, last.monotonic_s)
        return late_s, (now.wall_ms - last.wall_ms) / 1000 - (now.monotonic_s - last.monotonic_s)
