"""How late the shared folder is, and whether it is still shared (docs/protocol/folder.md §5).

Each node's heartbeat file holds a fresh nonce, and the nonces that it last saw of the others with the time since. Who
finds its own nonce in another's file has proof of a whole round: both read what the other writes. Half of the round,
less the time that the other held it, is the lag, measured on one clock.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Final

from roosync_p2p import limits
from roosync_p2p.ids import MachineId

__all__ = ["Echo", "Probes"]

_P95: Final = 0.95


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """What a node says in its own file about another's: the nonce it saw, and how long ago it saw it first."""

    machine: MachineId
    nonce: bytes
    held_ms: int


@dataclasses.dataclass(slots=True)
class _Seen:
    """The newest file of one machine: its nonce, when it was first seen here, and the cadence it announces."""

    nonce: bytes
    at_s: float
    cadence_s: float


class Probes:
    """The probes of all machines as this one sees them. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._mine: collections.OrderedDict[bytes, float] = collections.OrderedDict()
        self._seen: dict[MachineId, _Seen] = {}
        self._ages: collections.deque[float] = collections.deque(maxlen=limits.FOLDER_LAG_SAMPLES)
        self._last_lag_s: float | None = None

    # --- own probes -----------------------------------------------------------------------------------------------

    def wrote(self, nonce: bytes, at_s: float) -> None:
        """A file of this node with that nonce is in the folder since then."""
        self._mine[nonce] = at_s
        while len(self._mine) > limits.FOLDER_NONCES_KEPT:
            self._mine.popitem(last=False)

    def echoes(self, at_s: float) -> list[Echo]:
        """What to say about the others' probes in the next file."""
        return [
            Echo(machine=machine, nonce=seen.nonce, held_ms=max(0, round((at_s - seen.at_s) * 1000)))
            for machine, seen in sorted(self._seen.items())
        ]

    # --- others' --------------------------------------------------------------------------------------------------

    def saw(
        self, machine: MachineId, *, nonce: bytes, cadence_s: float, echo: Echo | None, at_s: float
    ) -> float | None:
        """A newer file of a machine is seen for the first time.

        Returns:
            Since when it must have been made at the earliest, if its echo of our nonce proves that.
        """
        self._seen[machine] = _Seen(nonce, at_s, cadence_s)
        wrote_s = None if echo is None else self._mine.get(echo.nonce)
        if echo is None or wrote_s is None:
            return None
        held_s = echo.held_ms / 1000
        round_s = at_s - wrote_s - held_s
        if round_s < 0:
            return wrote_s  # it says that it held the nonce for longer than it existed
        self._late(round_s / 2)
        return wrote_s + held_s

    def measured(self, age_s: float) -> None:
        """A file came whose making is known by a clock that was compared: so late is the folder one way."""
        self._late(max(age_s, 0.0))

    def _late(self, lag_s: float) -> None:
        self._ages.append(lag_s)
        self._last_lag_s = lag_s

    # --- conclusions ----------------------------------------------------------------------------------------------

    @property
    def lag_s(self) -> float | None:
        """How late the folder is: the median of the last files, or the last one if that was later."""
        if not self._ages or self._last_lag_s is None:
            return None
        ordered = sorted(self._ages)
        return max(ordered[len(ordered) // 2], self._last_lag_s)

    @property
    def late_s(self) -> float | None:
        """How late it is at worst: 95 of 100 files were not later."""
        if not self._ages:
            return None
        ordered = sorted(self._ages)
        return ordered[min(len(ordered) - 1, math.ceil(_P95 * len(ordered)) - 1)]

    def newest_s(self) -> float | None:
        """When the last newer file of anybody was seen."""
        return max((seen.at_s for seen in self._seen.values()), default=None)

    def overdue(self, at_s: float, *, among: Iterable[MachineId] | None = None) -> bool:
        """Whether every machine that ever showed a probe has missed two of them, the folder's lag allowed.

        Args:
            among: look at these machines alone.
        """
        chosen = self._seen if among is None else {m: self._seen[m] for m in among if m in self._seen}
        return bool(chosen) and all(at_s >= due_s for due_s in self._due(chosen))

    def overdue_at(self) -> float | None:
        """When that would be, if nothing comes; None while nobody has shown a probe."""
        return max(self._due(self._seen), default=None)

    def _due(self, seen: Mapping[MachineId, _Seen]) -> list[float]:
        grace_s = 2 * (self.late_s or 0.0) + limits.FOLDER_LOOK_S
        return [one.at_s + limits.FOLDER_PROBES_MISSED * one.cadence_s + grace_s for one in seen.values()]

    def knows(self, machine: MachineId) -> bool:
        """Whether that machine has ever shown a probe here."""
        return machine in self._seen

    def forget(self, machine: MachineId) -> None:
        """It is no member any more."""
        self._seen.pop(machine, None)
