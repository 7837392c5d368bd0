"""Spans of time as people write them on a command line. Quick to import."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from roosync_p2p.clock import parse_rfc3339, rfc3339
from roosync_p2p.errors import UsageError

__all__ = ["parse_duration_s", "parse_moment"]

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
_LONGEST_AGO_S: Final = 366 * 24 * 3600
_DURATION: Final = re.compile(r"([0-9]{1,9})\s*([smhd])")


def parse_duration_s(text: str, *, longest_s: int) -> int:
    """Seconds of ``90s``, ``30m``, ``24h`` or ``7d``.

    Raises:
        UsageError: ``bad_duration``: not that, zero, or longer than ``longest_s``.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = int(match[1]) * _UNITS_S[match[2]] if match else 0
    if not 0 < seconds <= longest_s:
        raise UsageError(
            f"{text[:40]!r} is not a duration such as 30m, 24h or 7d, of at most {longest_s // _UNITS_S['d']} days",
            code="bad_duration",
        )
    return seconds


def parse_moment(text: str, *, now_ms: int) -> str:
    """The RFC 3339 time of a date (its first moment in UTC), a time with an offset, or a duration before now.

    Raises:
        UsageError: ``bad_time``: none of these.
    """
    stripped = text.strip()
    try:
        if _DURATION.fullmatch(stripped.lower()):
            return rfc3339(now_ms - 1000 * parse_duration_s(stripped, longest_s=_LONGEST_AGO_S))
        if len(stripped) == len("2026-01-15"):
            return rfc3339(parse_rfc3339(f"{dt.date.fromisoformat(stripped)}T00:00:00Z"))
        return rfc3339(parse_rfc3339(stripped))
    except ValueError as error:
        raise UsageError(
            f"{text[:40]!r} is no date such as 2026-01-15, no time such as 2026-01-15T09:15:30Z, and no duration",
            code="bad_time",
        ) from error
