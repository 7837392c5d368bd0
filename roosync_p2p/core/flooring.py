"""When this machine lets go of its own old mail (docs/protocol/messages.md §9).

Age says up to where it could; here is asked who still lacks it. A member that is away is waited for, as long as mail
lives: on so many days nobody may have heard of it, and only days on which this node ran and looked are counted. So a
fleet that slept for months does not take each other for lost on the first morning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from roosync_p2p import limits
from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.core.authorship import Phase
from roosync_p2p.core.delivery import Delivery
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.exchange import Exchange
from roosync_p2p.core.mail_commands import Outlived, RaiseFloors
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.entries.chains import ChainKey
from roosync_p2p.entries.entry import MAIL
from roosync_p2p.ids import MachineId

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["Flooring", "flooring_of"]

_KEY: Final = "absent"
_DAY_MS: Final = 24 * 3600 * 1000


class _Absent(Record, frozen=True, kw_only=True):
    """By machine, on how many days it was not heard of, and the last of them (days since 1970)."""

    machines: dict[str, tuple[int, int]]


class Flooring:
    """Raises this machine's floors.

    Args:
        may_sign: whether this machine may write now, and no doubt is cast on its clock.
        members: all other machines that are in the fleet now.
        beat: (start, counter) of the newest heartbeat of a machine that came in this run.
    """

    def __init__(
        self,
        desk: Desk,
        exchange: Exchange,
        delivery: Delivery,
        meta: Mapping[str, bytes],
        *,
        may_sign: Callable[[], bool],
        members: Callable[[], Iterable[MachineId]],
        beat: Callable[[MachineId], tuple[int, int] | None],
    ) -> None:
        self._desk = desk
        self._exchange = exchange
        self._delivery = delivery
        self._may_sign = may_sign
        self._members = members
        self._beat = beat
        kept = meta.get(_KEY)
        self._absent = {} if kept is None else dict(decode(kept, _Absent, size_max=len(kept)).machines)
        self._beats: dict[MachineId, tuple[int, int]] = {}

    def take(self, command: RaiseFloors) -> Ticket:
        """Raises the floors that may be raised now; nothing happens where this machine must not sign."""
        members = sorted(self._members())
        self._look_who_is_there(members)
        if self._may_sign():
            for outlived in command.outlived:
                self._raise(outlived, members)
        return self._desk.newest_ticket

    def _raise(self, outlived: Outlived, members: list[MachineId]) -> None:
        key: ChainKey = (self._desk.me, outlived.incarnation, MAIL)
        # The newest entry stays: the next one follows on it.
        first = min(outlived.first, self._exchange.durable_head(key))
        for machine in members:
            head = self._delivery.head_of(machine, key)
            if head < first - 1 and not self._is_given_up(machine):
                first = head + 1
        entry = self._exchange.held(key, first)
        if first > self._exchange.floor(key) and entry is not None:
            ticket = self._delivery.raise_floor(MAIL, outlived.incarnation, first, entry)
            self._desk.notify("floor", {"incarnation": outlived.incarnation, "sequence": first}, after=ticket)

    def _is_given_up(self, machine: MachineId) -> bool:
        return self._absent.get(machine, (0, 0))[0] >= limits.FLOOR_ABSENT_DAYS

    def _look_who_is_there(self, members: list[MachineId]) -> None:
        today = self._desk.now.wall_ms // _DAY_MS
        absent: dict[str, tuple[int, int]] = {}
        for machine in members[: limits.FLOOR_MEMBERS_MAX]:
            beat, known = self._beat(machine), self._beats.get(machine)
            if beat is not None and beat != known:
                self._beats[machine] = beat
                continue
            days, last = self._absent.get(machine, (0, 0))
            absent[machine] = (days + 1, today) if last < today else (days, last)
        if absent != self._absent:
            self._absent = absent
            self._desk.persist(MetaRow(key=_KEY, value=encode(_Absent(machines=absent)) if absent else None))


def flooring_of(core: NodeCore, meta: Mapping[str, bytes], *, gone: Callable[[MachineId], bool]) -> Flooring:
    """The floors of that core's machine."""

    def beat(machine: MachineId) -> tuple[int, int] | None:
        latest = core.presence.latest(machine)
        return None if latest is None else (latest.heartbeat.start, latest.heartbeat.counter)

    return Flooring(
        core.desk,
        core.exchange,
        core.delivery,
        meta,
        may_sign=lambda: (
            core.authorship.phase is Phase.READY and core.delivery.signs and not core.commit.clock.doubtful()
        ),
        members=lambda: [machine for machine in core.members() if machine != core.me and not gone(machine)],
        beat=beat,
    )
