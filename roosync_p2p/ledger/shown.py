"""Values as JSON shows them."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.clock import rfc3339

__all__ = ["shown_time"]


def shown_time(time_ms: int) -> str:
    """A commit time as RFC 3339 in UTC."""
    return rfc3339(min(max(time_ms, 0), limits.WALL_MS_MAX))
