"""Spans of time as people write them on a command line. Quick to import."""

from __future__ import annotations

import re
from typing import Final

from roosync_p2p.errors import UsageError

__all__ = ["parse_duration_s"]

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
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
