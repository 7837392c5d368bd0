"""Rate limits, and places for unfinished handshakes."""

from __future__ import annotations

from roosync_p2p.adapters.websocket.admission import GreetingSlots, RateLimiter
from roosync_p2p.clock import Now

_NOW = Now(monotonic_s=100.0, wall_ms=0)


def test_a_burst_up_to_the_limit_is_allowed_then_it_refills_evenly() -> None:
    limiter = RateLimiter(10)
    assert [limiter.allow("a", _NOW) for _ in range(12)] == [True] * 10 + [False] * 2
    assert limiter.allow("b", _NOW)
    assert not limiter.allow("a", _NOW.later(5.9))
    assert limiter.allow("a", _NOW.later(6.1))
    assert not limiter.allow("a", _NOW.later(6.2))


def test_a_clock_that_stands_still_or_steps_back_gives_nothing() -> None:
    limiter = RateLimiter(1)
    assert limiter.allow("a", _NOW)
    assert not limiter.allow("a", _NOW.later(-1000))
    assert not limiter.allow("a", _NOW.later(-1000))


def test_the_limiter_forgets_the_key_idle_for_longest() -> None:
    limiter = RateLimiter(1, keys_max=2)
    assert limiter.allow("a", _NOW)
    assert limiter.allow("b", _NOW)
    assert not limiter.allow("a", _NOW)
    assert limiter.allow("c", _NOW)
    assert limiter.allow("b", _NOW)


def test_a_full_house_shows_out_the_oldest_guest_of_the_host_with_most() -> None:
    slots = GreetingSlots(3)
    assert slots.admit(1, "member") is None
    assert slots.admit(2, "flood") is None
    assert slots.admit(3, "flood") is None
    assert slots.admit(4, "flood") == 2
    assert slots.admit(5, "flood") == 3
    assert len(slots) == 3
    slots.release(1)
    slots.release(1)
    assert slots.admit(6, "other member") is None


def test_a_flood_from_many_hosts_shows_out_the_oldest() -> None:
    slots = GreetingSlots(2)
    assert [slots.admit(guest, f"host {guest}") for guest in range(4)] == [None, None, 0, 1]
