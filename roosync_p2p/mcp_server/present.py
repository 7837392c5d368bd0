"""Which clients over HTTP are there: the transport's connections come and go with every request."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator

from roosync_p2p import limits

__all__ = ["Present"]


class Present:
    """Which connections have a client that is there.

    A client that listens (a GET that stays open) is there as long as it does. One that has never listened says nothing
    when it goes: it counts as there until it asks nothing for ``limits.MCP_IDLE_S``, when the SDK forgets it.
    """

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._listened: set[str] = set()
        self._asked_s: dict[str, float] = {}

    def is_attached(self, connection: str) -> bool:
        """Whether its client is there, as far as anybody can know."""
        if self._open.get(connection, 0) > 0:
            return True
        asked_s = self._asked_s.get(connection)
        if asked_s is None:
            return True  # its first request has not come yet
        return connection not in self._listened and time.monotonic() - asked_s < limits.MCP_IDLE_S

    @contextlib.contextmanager
    def request(self, connection: str, *, listens: bool) -> Iterator[None]:
        """Around a request of a connection."""
        if listens:
            self._listened.add(connection)
        self._open[connection] += 1
        try:
            yield
        finally:
            if connection in self._open:  # a connection may end while another of its requests is under way
                self._open[connection] -= 1
                self._asked_s[connection] = time.monotonic()

    def forget(self, connection: str) -> None:
        """It is over."""
        self._listened.discard(connection)
        self._asked_s.pop(connection, None)
        del self._open[connection]
