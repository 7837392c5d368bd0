"""How much a node may write into the folder: counted, and kept within a budget (docs/protocol/folder.md §7).

A storm of small writes makes a synchroniser fall behind, and then the heartbeats are late like everything else. So each
write takes a token. Tokens come one a minute while links reach everybody who may be awake, one a second while somebody
needs the folder, and only a few are kept. A heartbeat file takes one too and never waits for it: it has its cadence.
"""

from __future__ import annotations

import collections
import math
from typing import Final

from roosync_p2p import limits

__all__ = ["WriteBudget"]

_ROUNDING: Final = 1e-6  # a token is whole at the moment for which it was announced


class WriteBudget:
    """The tokens of one node. Times are monotonic seconds.

    Attributes:
        tokens: how many writes are allowed now.
    """

    def __init__(self) -> None:
        self.tokens = float(limits.FOLDER_WRITES_BURST)
        self._at_s = -math.inf
        self._every_s = limits.FOLDER_WRITES_REST_S
        self._opened_s = math.inf
        self._minutes: collections.deque[tuple[int, int]] = collections.deque(maxlen=limits.FOLDER_WRITES_MINUTES)

    def tick(self, now_s: float, *, needed: bool) -> None:
        """Time has passed. ``needed``: somebody who may be awake is reached by the folder alone."""
        if self._at_s == -math.inf:
            self._opened_s = now_s
        else:
            self.tokens = min(self.tokens + (now_s - self._at_s) / self._every_s, float(limits.FOLDER_WRITES_BURST))
        self._at_s = now_s
        self._every_s = limits.FOLDER_GATHER_S if needed else limits.FOLDER_WRITES_REST_S

    @property
    def allowed(self) -> int:
        """How many files may be written now besides the heartbeat."""
        return int(self.tokens + _ROUNDING)

    def next_s(self) -> float:
        """When the next file may be written, if nobody's need changes."""
        return self._at_s + max(0.0, 1.0 - self.tokens) * self._every_s

    def wrote(self, now_s: float, *, written: int, removed: int) -> None:
        """So many files were made or replaced, and removed with them; what is taken beyond the tokens is not owed.

        Removals cost one token together: they follow a file that took their content in, or the end of its use.
        """
        self.tokens = max(0.0, self.tokens - max(written, min(removed, 1)))
        count = written + removed
        minute = int(now_s // 60)
        if self._minutes and self._minutes[-1][0] == minute:
            count += self._minutes.pop()[1]
        self._minutes.append((minute, count))

    def per_minute(self, now_s: float) -> float:
        """Writes and removals a minute, on average over the last minutes in which there was a folder."""
        since = int(now_s // 60) - limits.FOLDER_WRITES_MINUTES
        counted = sum(count for minute, count in self._minutes if minute > since)
        return counted / min(max((now_s - self._opened_s) / 60, 1.0), float(limits.FOLDER_WRITES_MINUTES))
