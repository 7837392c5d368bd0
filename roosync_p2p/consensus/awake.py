"""How much each machine is awake, as one observer learns it (docs/protocol/autopilot.md §4).

A heartbeat says since when its machine is awake. So what was missed, because a link was down or the observer slept
itself, is made up for by the next one: the whole span counts. Only a whole awake period that nobody told of is missing,
and then the machine counts as asleep.

Times are the observer's wall clock. They order nothing: a clock that was set makes the book begin again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Annotated, Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.ids import MachineId

__all__ = ["AwakeBook"]

_HOUR_MS: Final = 3_600_000
_UNIT_MS: Final = limits.AWAKE_UNIT_S * 1000
_Ms = Annotated[int, msgspec.Meta(ge=0, le=limits.WALL_MS_MAX)]


class _Row(Record, frozen=True, kw_only=True):
    """One machine on disk; the fields of :class:`_Page`."""

    hours: bytes
    counted_ms: _Ms
    since_ms: _Ms
    awake_ms: int
    left: bool
    waits_ms: int
    absent_ms: int


class _Stored(Record, frozen=True, kw_only=True):
    """The book on disk. ``hour`` is the newest that the rows count."""

    hour: int
    machines: dict[str, _Row]


@dataclasses.dataclass(slots=True, kw_only=True)
class _Page:
    """What is known of one machine.

    Attributes:
        hours: awake units in each of the last hours, the newest last.
        counted_ms: up to where awake time was counted, by the observer's clock.
        since_ms: since when it is awake, by its own clock and its newest heartbeat.
        awake_ms: for how long, then.
        left: its newest heartbeat said goodbye.
        waits_ms: how long it has to be awake before it may vote again, since it went without a word.
        absent_ms: for how long it was away then.
    """

    hours: bytearray
    counted_ms: int
    since_ms: int
    awake_ms: int = 0
    left: bool = False
    waits_ms: int = 0
    absent_ms: int = 0


class AwakeBook:
    """Awake time of the last seven days, and who went without a word, by machine.

    Args:
        stored: what :meth:`dump` gave once; b"" for nothing.
    """

    def __init__(self, stored: bytes = b"") -> None:
        self._pages: dict[MachineId, _Page] = {}
        self._hour: int | None = None
        if stored:
            self._load(decode(stored, _Stored))

    def heard(self, machine: MachineId, *, since_ms: int, wall_ms: int, leaving: bool, now_ms: int) -> None:
        """A heartbeat, newer than those before.

        Args:
            machine: whose.
            since_ms: since when it has been awake without a break, by its own clock; 0: it does not say.
            wall_ms: its own clock when the heartbeat was made.
            leaving: it says goodbye.
            now_ms: the observer's wall clock.
        """
        self._turn_to(now_ms)
        awake_ms = max(wall_ms - since_ms, 0) if since_ms else 0
        page = self._pages.get(machine)
        if page is None:
            if len(self._pages) >= limits.AWAKE_MACHINES_MAX:
                return
            page = _Page(hours=bytearray(limits.AWAKE_HOURS), counted_ms=0, since_ms=since_ms)
            self._pages[machine] = page
        elif since_ms != page.since_ms:
            _slept(page, since_ms)
            page.since_ms = since_ms
        page.awake_ms, page.left = awake_ms, leaving
        self._count(page, max(now_ms - awake_ms, page.counted_ms), now_ms)

    def awake_s(self, machine: MachineId, now_ms: int) -> float:
        """For how long a machine was awake within the last seven days, as far as it is known here."""
        self._turn_to(now_ms)
        page = self._pages.get(machine)
        return float(sum(page.hours) * limits.AWAKE_UNIT_S) if page is not None else 0.0

    def waits_s(self, machine: MachineId) -> float:
        """How long it has to be awake without a break before it may vote; 0 if it last left with a word."""
        page = self._pages.get(machine)
        return page.waits_ms / 1000 if page is not None else 0.0

    def absent_s(self, machine: MachineId) -> float:
        """For how long it was away when it last went, if that was without a word; else 0."""
        page = self._pages.get(machine)
        return page.absent_ms / 1000 if page is not None else 0.0

    def keep_only(self, machines: Collection[MachineId]) -> None:
        """Forgets everybody else."""
        for machine in self._pages.keys() - set(machines):
            del self._pages[machine]

    def dump(self) -> bytes:
        """The book for the disk."""
        rows = {
            str(machine): _Row(
                hours=bytes(page.hours),
                counted_ms=page.counted_ms,
                since_ms=page.since_ms,
                awake_ms=page.awake_ms,
                left=page.left,
                waits_ms=page.waits_ms,
                absent_ms=page.absent_ms,
            )
            for machine, page in self._pages.items()
        }
        return encode(_Stored(hour=self._hour or 0, machines=rows))

    # --- inside ---------------------------------------------------------------------------------------------------

    def _load(self, stored: _Stored) -> None:
        self._hour = stored.hour
        for machine, row in stored.machines.items():
            self._pages[MachineId(machine)] = _Page(
                hours=bytearray(row.hours[-limits.AWAKE_HOURS :].rjust(limits.AWAKE_HOURS, b"\0")),
                counted_ms=row.counted_ms,
                since_ms=row.since_ms,
                awake_ms=row.awake_ms,
                left=row.left,
                waits_ms=row.waits_ms,
                absent_ms=row.absent_ms,
            )

    def _turn_to(self, now_ms: int) -> None:
        """Hours pass, and the oldest are forgotten. A clock that went back leaves them as they are."""
        hour = now_ms // _HOUR_MS
        before, self._hour = self._hour, hour
        if before is None or hour == before:
            return
        passed = hour - before
        for page in self._pages.values():
            if passed < 0:
                page.counted_ms = min(page.counted_ms, now_ms)
            else:
                page.hours = (page.hours + bytes(min(passed, limits.AWAKE_HOURS)))[-limits.AWAKE_HOURS :]

    def _count(self, page: _Page, from_ms: int, to_ms: int) -> None:
        """Adds an awake span in whole units; the rest of a unit is counted with the next heartbeat."""
        assert self._hour is not None
        first = (self._hour - limits.AWAKE_HOURS + 1) * _HOUR_MS
        at_ms = max(from_ms, first)
        while to_ms - at_ms >= _UNIT_MS:
            hour = at_ms // _HOUR_MS
            units = min(to_ms - at_ms, (hour + 1) * _HOUR_MS - at_ms + _UNIT_MS - 1) // _UNIT_MS
            place = hour - first // _HOUR_MS
            page.hours[place] = min(page.hours[place] + units, _HOUR_MS // _UNIT_MS)
            at_ms += units * _UNIT_MS
        page.counted_ms = at_ms


def _slept(page: _Page, since_ms: int) -> None:
    """It was asleep, or was started anew: if it had said nothing before, its word counts for less for a while."""
    if page.left:
        page.waits_ms = page.absent_ms = 0
        return
    served = page.awake_ms >= page.waits_ms
    again_ms = min(2 * page.awake_ms, round(limits.SILENCE_WAIT_S_MAX * 1000))
    page.waits_ms = again_ms if served else max(page.waits_ms, again_ms)
    page.absent_ms = max(since_ms - page.since_ms - page.awake_ms, 0)
