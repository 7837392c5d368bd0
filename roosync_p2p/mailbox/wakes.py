"""When somebody is woken for a message, and when that was in vain (docs/protocol/waking.md §2).

    arrived ──▶ gathered ──▶ woken ──▶ taken or read: done
                  ▲            │ nobody took it within the lease
                  └────────────┘ up to ``WAKES_MAX`` times; then its sender hears of it, once

Pure values: who asks says what the time is, by the wall clock, because the book outlives the program. A wake is written
down before it is done, so a crash may lose one and never adds one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.records import Record

__all__ = ["Arrived", "Waiting", "WakeBook", "WakeRule", "Woken"]


class Arrived(NamedTuple):
    """A message in an inbox of this machine. ``workspace`` is empty for the machine's own."""

    message: str
    workspace: str
    sender: str
    type: str
    priority: str


class WakeRule(NamedTuple):
    """What one adapter wakes for, and how often; times in milliseconds. An empty filter lets everything through."""

    workspaces: frozenset[str]
    types: frozenset[str]
    priorities: frozenset[str]
    senders: frozenset[str]
    gather_ms: int
    lease_ms: int
    every_ms: int

    def wants(self, arrived: Arrived) -> bool:
        """Whether it wakes for that message."""
        pairs = (
            (self.workspaces, arrived.workspace),
            (self.types, arrived.type),
            (self.priorities, arrived.priority),
            (self.senders, arrived.sender),
        )
        return all(not wanted or value in wanted for wanted, value in pairs)


class Waiting(Record, frozen=True, kw_only=True):
    """A message that an adapter wakes somebody for. ``told``: nobody came, and its sender was told so."""

    wake: str
    message: str
    workspace: str
    sender: str
    due_ms: int
    wakes: int = 0
    told: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What there is only one of."""
        return self.wake, self.workspace, self.sender, self.message


class Woken(NamedTuple):
    """One wake for several messages. ``attempt``: the highest count among them, from 1."""

    wake: str
    workspace: str
    messages: tuple[str, ...]
    senders: tuple[str, ...]
    attempt: int


class WakeBook:
    """The messages that somebody is to be woken for.

    Args:
        rules: by the name of the adapter.
        kept: what an earlier run of the program had; of adapters that are no more nothing is.
    """

    def __init__(self, rules: Mapping[str, WakeRule], kept: Iterable[Waiting] = ()) -> None:
        self._rules = rules
        self._waiting = {one.key: one for one in kept if one.wake in rules}
        self._woken_ms: dict[tuple[str, str], int] = {}

    @property
    def waiting(self) -> list[Waiting]:
        """All of them, to be written down."""
        return list(self._waiting.values())

    def arrived(self, mail: Arrived, now_ms: int) -> bool:
        """A message came, or was found; whether somebody is woken for it who was not before."""
        news = False
        for name, rule in self._rules.items():
            one = Waiting(
                wake=name,
                message=mail.message,
                workspace=mail.workspace,
                sender=mail.sender,
                due_ms=now_ms + rule.gather_ms,
            )
            if rule.wants(mail) and one.key not in self._waiting:
                self._waiting[one.key] = one
                news = True
        while len(self._waiting) > limits.WAKES_WAITING_MAX:
            del self._waiting[next(iter(self._waiting))]
        return news

    def gone(self, message: str, workspace: str, sender: str) -> None:
        """It was read, or put aside: nobody is woken for it any more."""
        for name in self._rules:
            self._waiting.pop((name, workspace, sender, message), None)

    def put_off(self, message: str, workspace: str, until_ms: int) -> None:
        """Somebody took it: until then nobody is woken for it."""
        for key, one in list(self._waiting.items()):
            if (one.message, one.workspace) == (message, workspace) and not one.told:
                self._waiting[key] = msgspec.structs.replace(one, due_ms=until_ms)

    def due(self, now_ms: int) -> list[Waiting]:
        """Those whose time has come, for whoever looks whether they were read meanwhile."""
        self._set_back_clock(now_ms)
        return [one for one in self._waiting.values() if not one.told and one.due_ms <= now_ms]

    def lapsed(self, now_ms: int) -> list[Waiting]:
        """Those that nobody took after the last wake; call :meth:`told` once the sender was told."""
        return [one for one in self.due(now_ms) if one.wakes >= limits.WAKES_MAX]

    def told(self, one: Waiting) -> None:
        """The sender heard of it; it is kept, so that it does not begin anew."""
        if one.key in self._waiting:
            self._waiting[one.key] = msgspec.structs.replace(one, told=True)

    def wake(self, now_ms: int, busy: Callable[[str, str], bool]) -> list[Woken]:
        """The wakes that are due, counted as done.

        Args:
            busy: whether the adapter's last wake for a workspace still goes on: then nobody is woken for what is new,
                only for what was not taken within its lease.
        """
        groups: dict[tuple[str, str], list[Waiting]] = {}
        for one in self.due(now_ms):
            if one.wakes < limits.WAKES_MAX:
                groups.setdefault((one.wake, one.workspace), []).append(one)
        found = []
        for (name, workspace), due in sorted(groups.items()):
            every_ms = self._rules[name].every_ms
            rested = now_ms >= self._woken_ms.get((name, workspace), now_ms - every_ms) + every_ms
            fresh = all(one.wakes == 0 for one in due)
            if rested and not (fresh and busy(name, workspace)):
                found.append(self._count(name, workspace, due, now_ms))
        return found

    def next_ms(self, now_ms: int, busy: Callable[[str, str], bool]) -> int | None:
        """When something is due next, if nothing else happens; what waits for a wake to end is not in it."""
        times = [
            max(one.due_ms, self._woken_ms.get((one.wake, one.workspace), now_ms - every_ms) + every_ms)
            if one.wakes < limits.WAKES_MAX
            else one.due_ms
            for one in self._waiting.values()
            if not one.told and not (one.wakes == 0 and busy(one.wake, one.workspace))
            for every_ms in [self._rules[one.wake].every_ms]
        ]
        return min(times, default=None)

    def _count(self, name: str, workspace: str, due: list[Waiting], now_ms: int) -> Woken:
        """Takes in what is still being gathered, too: it would be a wake of its own in a moment."""
        gathering = [
            one
            for one in self._waiting.values()
            if (one.wake, one.workspace, one.wakes, one.told) == (name, workspace, 0, False) and one not in due
            if one.due_ms - now_ms <= self._rules[name].gather_ms
        ]
        taken = [*due, *gathering][: limits.WAKE_MESSAGES_MAX]
        self._woken_ms[name, workspace] = now_ms
        for one in taken:
            due_ms = now_ms + self._rules[name].lease_ms
            self._waiting[one.key] = msgspec.structs.replace(one, wakes=one.wakes + 1, due_ms=due_ms)
        return Woken(
            wake=name,
            workspace=workspace,
            messages=tuple(one.message for one in taken),
            senders=tuple(sorted({one.sender for one in taken})),
            attempt=1 + max(one.wakes for one in taken),
        )

    def _set_back_clock(self, now_ms: int) -> None:
        """A clock that was set back must not put a wake off for hours."""
        for key, one in list(self._waiting.items()):
            rule = self._rules[one.wake]
            latest_ms = now_ms + max(rule.gather_ms, rule.lease_ms, round(limits.TAKE_LEASE_S_MAX * 1000))
            if one.due_ms > latest_ms:
                self._waiting[key] = msgspec.structs.replace(one, due_ms=latest_ms)
        for place, woken_ms in list(self._woken_ms.items()):
            self._woken_ms[place] = min(woken_ms, now_ms)
