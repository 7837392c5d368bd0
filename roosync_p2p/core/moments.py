"""What lay between one input and the next: whether this node stood still, slept, or had its clock set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roosync_p2p import limits
from roosync_p2p.clock import Now, rfc3339

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["Moments", "notice_jump"]


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


def notice_jump(core: NodeCore, late_s: float, jump_s: float, now: Now) -> None:
    """Has to be known before anything that waited is looked at, whatever of it an event loop finds first."""
    if late_s >= limits.LOOP_LAG_IGNORED_S:
        core.presence.liveness.loop_lag(late_s, now)
    if abs(jump_s) > limits.CLOCK_JUMP_S:
        core.desk.now = now
        core.desk.notify("resumed", {"jump_s": round(jump_s, 1), "time": rfc3339(now.wall_ms)})
        core.presence.resumed(slept_s=max(jump_s, 0.0))
