"""The clocks of a simulated machine in its sleep, and set by hand."""

from __future__ import annotations

import pytest

from roosync_p2p.simulation.clocks import MachineClock
from roosync_p2p.simulation.scheduler import Scheduler


def test_monotonic_time_stands_still_in_sleep_and_wall_time_does_not() -> None:
    scheduler = Scheduler()
    clock = MachineClock(scheduler, zero_s=50.0)
    scheduler.run_until(10)
    before = clock.now()
    clock.sleep()
    scheduler.run_until(110)
    assert clock.now().monotonic_s == before.monotonic_s == 60.0
    clock.wake()
    scheduler.run_until(111)
    after = clock.now()
    assert after.monotonic_s - before.monotonic_s == pytest.approx(1.0)
    assert after.wall_ms - before.wall_ms == 101_000
    assert clock.seconds_until(after.monotonic_s + 2) == pytest.approx(2.0)


def test_a_clock_that_is_set_changes_wall_time_only() -> None:
    clock = MachineClock(Scheduler())
    before = clock.now()
    clock.offset_ms = -5_000
    assert clock.now().wall_ms == before.wall_ms - 5_000
    assert clock.now().monotonic_s == before.monotonic_s


def test_a_timer_that_is_due_a_moment_later_is_not_due_now() -> None:
    scheduler = Scheduler()
    clock = MachineClock(scheduler)
    scheduler.run_until(1.0)
    clock.sleep()
    scheduler.run_until(1_000_000.0)
    clock.wake()
    deadline = clock.now().monotonic_s + 1e-12  # less than virtual time can show by now
    tries: list[float] = []

    def due() -> None:
        tries.append(clock.now().monotonic_s)
        assert len(tries) < 10, "it comes back for ever while time stands still"
        if tries[-1] < deadline:
            scheduler.schedule(clock.seconds_until(deadline), due)

    due()
    scheduler.run_until(1_000_001.0)
    assert tries[-1] >= deadline
