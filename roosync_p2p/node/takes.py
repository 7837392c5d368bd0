"""Which session works on which message, so that no other one does (docs/protocol/waking.md §3).

A take is a lease: it ends with its time, or with its session. It changes nothing about the message, so what a session
took and never read is there for the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.clock import rfc3339
from roosync_p2p.core.rows import DeliveryRow
from roosync_p2p.errors import InputFault
from roosync_p2p.node.sessions import Sessions

__all__ = ["Take", "Takes"]

_ID_SHOWN: Final = 12


class Take(msgspec.Struct, frozen=True, kw_only=True):
    """A message in an inbox that a session works on, by this computer's wall clock."""

    entry: str
    message: str
    workspace: str
    session: str
    until_ms: int


class Takes:
    """The takes of one machine.

    Args:
        now_ms: the wall clock.
        kept: those of an earlier run.
    """

    def __init__(self, sessions: Sessions, *, now_ms: Callable[[], int], kept: Iterable[Take] = ()) -> None:
        self._sessions = sessions
        self._now_ms = now_ms
        self._takes = {(take.entry, take.workspace): take for take in kept}

    @property
    def live(self) -> list[Take]:
        """Those that count now, to be written down."""
        self._takes = {place: take for place, take in self._takes.items() if self._counts(take)}
        return list(self._takes.values())

    def left(self) -> list[Take]:
        """Those whose session is over before their time, once."""
        left = [take for take in self._takes.values() if not self._sessions.may_be_there(take.session)]
        for take in left:
            del self._takes[take.entry, take.workspace]
        return left

    def holder(self, box: DeliveryRow) -> Take | None:
        """Who works on a message of that inbox."""
        take = self._takes.get((box.entry.hex(), box.workspace))
        return take if take is not None and self._counts(take) else None

    def free_for(self, boxes: Iterable[DeliveryRow], session: str) -> list[DeliveryRow]:
        """Those boxes in which nobody else works on the message."""
        return [box for box in boxes if (take := self.holder(box)) is None or take.session == session]

    def require_free(self, boxes: Iterable[DeliveryRow], session: str) -> None:
        """Returns if nobody else works on the message in one of these inboxes.

        Raises:
            InputFault: ``taken``, with whose it is and until when; nothing was changed.
        """
        for box in boxes:
            take = self.holder(box)
            if take is not None and take.session != session:
                until = rfc3339(take.until_ms)
                raise InputFault(
                    f"another session works on this message until {until} at the latest; nothing was changed",
                    code="taken",
                    remedy="leave it to that session; it is free again when that ends or does not read it in time",
                    details={"session": take.session, "workspace": box.workspace or None, "until": until},
                )

    def take(self, message: str, boxes: Iterable[DeliveryRow], session: str, *, lease_s: float) -> int:
        """The session works on the message in these inboxes from now on; until when.

        Raises:
            InputFault: ``taken``, ``too_many_takes``; nothing was changed.
        """
        wanted = list(boxes)
        self.require_free(wanted, session)
        if len(self.live) + len(wanted) > limits.TAKES_MAX:
            raise InputFault(
                f"{limits.TAKES_MAX} messages are taken on this machine; nothing was changed",
                code="too_many_takes",
                remedy="read what was taken, or let the leases run out",
            )
        until_ms = self._now_ms() + round(lease_s * 1000)
        for box in wanted:
            self._takes[box.entry.hex(), box.workspace] = Take(
                entry=box.entry.hex(),
                message=message,
                workspace=box.workspace,
                session=session,
                until_ms=until_ms,
            )
        return until_ms

    def done(self, boxes: Iterable[DeliveryRow]) -> bool:
        """The message was read or put aside there; whether somebody had taken it."""
        ended = [self._takes.pop((box.entry.hex(), box.workspace), None) for box in boxes]
        return any(take is not None for take in ended)

    def _counts(self, take: Take) -> bool:
        now_ms = self._now_ms()
        longest_ms = round(limits.TAKE_LEASE_S_MAX * 1000)  # of a clock that was set back
        return now_ms < take.until_ms <= now_ms + longest_ms and self._sessions.may_be_there(take.session)
