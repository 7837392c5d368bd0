"""Telling changes of state once, and holding them back while a machine flaps (docs/protocol/liveness.md §8)."""

from __future__ import annotations

import collections
from collections.abc import Iterable

from roosync_p2p import limits
from roosync_p2p.liveness.verdicts import State

__all__ = ["Damper"]


class Damper:
    """For one machine: which state was told last, and when the present one may be told."""

    def __init__(self) -> None:
        self.told = State.UNKNOWN
        self.release_s: float | None = None  # when a held state may be told, None when none is held
        self._met = False  # the first time online is no comeback
        self._gone = False  # gone since it was last online
        self._comebacks: collections.deque[float] = collections.deque(maxlen=limits.FLAP_COMEBACKS_MAX + 1)
        self._returns: collections.deque[float] = collections.deque(maxlen=limits.FLAP_COMEBACKS_MAX + 1)

    def comebacks(self, at_s: float) -> int:
        """How often the machine came back online within the window, from whatever state."""
        return _within(self._comebacks, at_s)

    def changed(self, state: State, at_s: float) -> bool:
        """Whether the new state is to be told now; else it is held until :attr:`release_s`.

        A machine that was late a few times and then goes is told as gone at once: only going itself, too often, holds
        that back.
        """
        if state is State.ONLINE:
            if self._met:
                self._comebacks.append(at_s)
            if self._gone:
                self._returns.append(at_s)
            self._met, self._gone = True, False
        going = state in (State.OFFLINE, State.LEAVING, State.CONFLICT)
        self._gone |= going
        if _within(self._returns if going else self._comebacks, at_s) > limits.FLAP_COMEBACKS_MAX:
            self.release_s = at_s + limits.FLAP_STABLE_S
            return False
        return self._tell(state)

    def released(self, state: State, at_s: float) -> bool:
        """Whether a held state is due and is to be told now."""
        if self.release_s is None or at_s < self.release_s:
            return False
        return self._tell(state)

    def _tell(self, state: State) -> bool:
        self.release_s = None
        told, self.told = self.told, state
        return told is not state


def _within(times_s: Iterable[float], at_s: float) -> int:
    return sum(at_s < time_s + limits.FLAP_WINDOW_S for time_s in times_s)
