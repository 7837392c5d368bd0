"""The clocks of one simulated machine: monotonic time that stands still in its sleep, wall time that may be wrong."""

from __future__ import annotations

from roosync_p2p.clock import Now
from roosync_p2p.simulation.fleet_keys import BORN_S
from roosync_p2p.simulation.scheduler import Scheduler

__all__ = ["MachineClock"]


class MachineClock:
    """Virtual time as one machine sees it.

    Args:
        zero_s: what the monotonic clock shows when the simulation begins; arbitrary on a real machine.
    """

    def __init__(self, scheduler: Scheduler, *, zero_s: float = 0.0) -> None:
        self._scheduler = scheduler
        self._zero_s = zero_s
        self._slept_s = 0.0
        self._asleep_since_s: float | None = None
        self.offset_ms = 0  # of the wall clock; may be set at any moment

    def now(self) -> Now:
        """This moment on both clocks."""
        true_s = self._scheduler.now_s
        slept_s = self._slept_s
        if self._asleep_since_s is not None:
            slept_s += true_s - self._asleep_since_s
        return Now(
            monotonic_s=self._zero_s + true_s - slept_s,
            wall_ms=BORN_S * 1000 + round(true_s * 1000) + self.offset_ms,
        )

    def seconds_until(self, monotonic_s: float) -> float:
        """How long until the monotonic clock shows that, if the machine does not sleep before."""
        return monotonic_s - self.now().monotonic_s

    def sleep(self) -> None:
        """The machine is suspended: its monotonic clock stands still."""
        assert self._asleep_since_s is None
        self._asleep_since_s = self._scheduler.now_s

    def wake(self) -> None:
        """The machine goes on; only the wall clock knows that time has passed."""
        assert self._asleep_since_s is not None
        self._slept_s += self._scheduler.now_s - self._asleep_since_s
        self._asleep_since_s = None
