"""What this node grants because it is itself late or was asleep (docs/protocol/liveness.md §6)."""

from __future__ import annotations

import math
from typing import Final

from roosync_p2p import limits

__all__ = ["Patience"]

_BURST_S: Final = 0.5  # within this whatever waited while a node stood still is looked at


class Patience:
    """When a limit is crossed. A crossing only ever moves later, so a timer set for an earlier one is harmless."""

    def __init__(self) -> None:
        self._restart_s = -math.inf
        self._slack_s = 0.0
        self._slack_until_s = -math.inf
        self._stood_s = 0.0
        self._stood_until_s = -math.inf

    def restart(self, at_s: float) -> None:
        """All ages count from here at the earliest."""
        self._restart_s = at_s

    def lagged(self, lag_s: float, *, at_s: float, for_s: float) -> None:
        """Every limit is wider by the lag for the next ``for_s`` seconds."""
        if lag_s < limits.LOOP_LAG_IGNORED_S:
            return
        still = self._slack_s if at_s < self._slack_until_s else 0.0
        self._slack_s = max(still, lag_s)
        self._slack_until_s = max(self._slack_until_s, at_s + for_s)

    def stood_still(self, lag_s: float, *, at_s: float) -> None:
        """This node looked at nothing for so long, until now."""
        if lag_s >= limits.LOOP_LAG_IGNORED_S:
            self._stood_s, self._stood_until_s = lag_s, at_s

    def waited_s(self, at_s: float) -> float:
        """For how long what comes now may have waited to be looked at."""
        return self._stood_s if at_s - self._stood_until_s < _BURST_S else 0.0

    def crossing(self, since_s: float, limit_s: float) -> float:
        """The moment at which something that is true since ``since_s`` has lasted too long."""
        plain_s = max(since_s, self._restart_s) + limit_s
        if plain_s >= self._slack_until_s:
            return plain_s
        return min(plain_s + self._slack_s, self._slack_until_s)
