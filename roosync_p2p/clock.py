"""Time as a value.

The core never reads a clock: every input carries a :class:`Now`. Monotonic time measures spans on this machine and
means nothing elsewhere; wall time is shown, bounded and never trusted, and orders nothing.
"""

from __future__ import annotations

import dataclasses
import datetime as dt

__all__ = ["Now", "parse_rfc3339", "rfc3339"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """One moment, read once for each input.

    Attributes:
        monotonic_s: seconds of a clock that never steps; its zero is arbitrary.
        wall_ms: Unix time in milliseconds, as this machine believes it.
    """

    monotonic_s: float
    wall_ms: int

    def later(self, seconds: float) -> Now:
        """The moment that is ``seconds`` after this one on both clocks."""
        return Now(monotonic_s=self.monotonic_s + seconds, wall_ms=self.wall_ms + round(seconds * 1000))


def rfc3339(wall_ms: int) -> str:
    """Wall time as RFC 3339 in UTC with milliseconds, as every JSON answer shows it."""
    # Not fromtimestamp: on Windows that ends with the year 3000, and a peer may have signed a later one.
    moment = _EPOCH + dt.timedelta(milliseconds=wall_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> int:
    """Milliseconds of an RFC 3339 time.

    Raises:
        ValueError: the text is not such a time, or has no offset.
    """
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset, such as Z")
    return round(moment.timestamp() * 1000)
