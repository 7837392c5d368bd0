"""Commit time at this node: its stamps while it leads, and what it takes commit time to be else (autopilot.md §5)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

from roosync_p2p import limits
from roosync_p2p.consensus import commit_time
from roosync_p2p.consensus.commit_time import Floor, Held
from roosync_p2p.consensus.items import Noop
from roosync_p2p.consensus.quorum import majority
from roosync_p2p.core.commit.applier import Applier, Committed
from roosync_p2p.core.commit.order import Order
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.presence import Presence
from roosync_p2p.ids import LogIndex, MachineId
from roosync_p2p.ledger.fleet import reset_of
from roosync_p2p.liveness.verdicts import State

__all__ = ["CommitClock", "Warned"]

TIME_RESET: Final = "time.reset"
READ_EVERY_S: Final = 1.0  # heartbeats bring the others' clocks about this often
_DAY_MS: Final = round(limits.LONE_CLOCK_S * 1000)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """What a person should know about the clocks, and do."""

    code: str
    message: str
    remedy: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Stamp:
    """A stamp, and when it came by this node's monotonic clock."""

    time_ms: int
    at_s: float


class CommitClock:
    """Stamps, and commit time as far as this node knows it."""

    def __init__(self, desk: Desk, presence: Presence, order: Order, applier: Applier) -> None:
        self._desk = desk
        self._presence = presence
        self._order = order
        self._applier = applier
        self._newest: _Stamp | None
        self._applied_ms: int
        self._floor: Floor | None
        self._accepted_ms: int | None = None  # wall minus monotonic time, when a person vouched for it
        self._agreed_ms: int | None = None  # the same, when others' clocks agreed with it
        self._offsets: tuple[float, list[int]] = (-READ_EVERY_S, [])
        self._told: frozenset[str] = frozenset()
        self.begin_again()

    def begin_again(self) -> None:
        """What is applied is all that counts: at the start, and when this node went back to the base of an epoch."""
        applier = self._applier
        self._newest = self._floor = None
        self._applied_ms = applier.time_ms
        reset = reset_of(applier.state)
        if reset is not None and reset.number == applier.number:
            self._reset(reset.time_ms, applier.time_ms, through=LogIndex(applier.index))

    # --- stamps ---------------------------------------------------------------------------------------------------

    def stamp_ms(self) -> int:
        """What this node stamps now, if it leads."""
        return commit_time.stamp_ms(self._desk.now.wall_ms, self._heard(), self._least())

    def may_stamp(self) -> bool:
        """Whether it may: where others vote it hears their clocks first; alone it may have to wait for a second one."""
        others_vote = self._order.leads and self._voters() > 1
        return not (others_vote and not self._heard()) and not self.unconfirmed()

    def unconfirmed(self) -> bool:
        """Whether it is alone, with a clock that is far from the newest stamp and that nobody has vouched for."""
        if not commit_time.needs_second_clock(self._desk.now.wall_ms, self._heard(), self._least()):
            return False
        accepted = self._accepted_ms
        return accepted is None or abs(self._set_to() - accepted) > limits.CLOCK_OFF_S * 1000

    def accept(self) -> None:
        """A person vouches for this computer's clock, until it is set again."""
        self._accepted_ms = self._set_to()

    def doubtful(self, other_ms: int | None = None) -> str:
        """Why a certificate must not be dated by this clock; empty if it may.

        A date cannot be taken back: what was issued a year ahead is of no use for a year, and counts as the newest. So
        another clock agrees within a day, or did since this one was set; or nobody is there, and it stands where the
        newest commit time would have it.

        Args:
            other_ms: what the clock of the machine shows that asks, Unix milliseconds.
        """
        own_ms, others = self._desk.now.wall_ms, self._heard()
        if others or other_ms is not None:
            off_ms = own_ms - commit_time.median_of(others if other_ms is None else [*others, other_ms])
            if abs(off_ms) <= _DAY_MS:
                return ""
            days = f"{abs(off_ms) / _DAY_MS:.1f} days {'ahead of' if off_ms > 0 else 'behind'}"
            return f"the issuer's clock is {days} the others'"
        if abs(own_ms - self._least()) <= _DAY_MS or not self._least() or self._vouched_for():
            return ""
        return "no other clock confirms the issuer's, which is far from the newest commit time"

    def _vouched_for(self) -> bool:
        """Whether a person, or another clock, agreed with this one since it was set."""
        set_ms = self._set_to()
        return any(
            known is not None and abs(set_ms - known) <= limits.CLOCK_OFF_S * 1000
            for known in (self._accepted_ms, self._agreed_ms)
        )

    def believes(self, time_ms: int) -> bool:
        """Whether this node, following, may acknowledge an item with that stamp, which is not known to be committed.

        No stamp may be less than the one before, so one that is no further than what was applied is right. Whoever is
        needed for a majority takes any: the item could never be got rid of, and everybody would wait for its time.
        """
        if not self._order.votes or time_ms <= self._applied_ms:
            return True
        fits = commit_time.acknowledges(time_ms, self._desk.now.wall_ms, self._heard())
        return fits or not self._others_decide()

    def _others_decide(self) -> bool:
        """Whether the voters that are there could decide without the leader, so that its stamps need not be borne."""
        status = self._order.status
        if status is None:
            return False
        voters = {seat.machine for seat in status.configuration.voters}
        leader = None if status.leader is None else status.leader.machine
        there = [machine for machine in voters if machine != leader and self._is_there(machine)]
        return len(there) >= majority(len(voters))

    def _is_there(self, machine: MachineId) -> bool:
        if machine == self._desk.me:
            return True
        return self._presence.liveness.verdict(machine, self._desk.now).state is State.ONLINE

    def _voters(self) -> int:
        status = self._order.status
        return 0 if status is None else len(status.configuration.voters)

    def _least(self) -> int:
        """The stamp before: of the newest item of the log that has one."""
        raft = self._order.raft
        index = LogIndex(0 if raft is None else raft.last_index)
        while raft is not None and index > self._applier.index:
            payload = raft.items(index, count_max=1, bytes_max=1)[0].payload
            if not isinstance(payload, Noop):
                return payload.time_ms if self._floor is None else self._floor.under(index, payload.time_ms)
            index = LogIndex(index - 1)
        return self._applied_ms

    # --- what everybody takes it to be ----------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Commit time now."""
        if self._order.leads:
            return self.stamp_ms()
        held, newest = None, self._newest
        if newest is not None and newest.at_s > self._presence.resumed_s:
            since_s = self._desk.now.monotonic_s - newest.at_s
            held = Held(time_ms=newest.time_ms, since_ms=round(since_s * 1000))
        return commit_time.known_ms(self._desk.now.wall_ms, self._heard(), held, self._applied_ms)

    def applied(self, done: Committed) -> None:
        """Something was applied here."""
        self._applied_ms = done.time_ms if self._floor is None else self._floor.under(done.index, done.time_ms)
        for event in done.events:
            if event.name == TIME_RESET:
                time_ms = event.detail["time_ms"]
                assert isinstance(time_ms, int)
                raft = self._order.raft
                through = done.index if raft is None or done.again else raft.last_index
                self._reset(time_ms, done.time_ms, through=through)
        self._newest = _Stamp(time_ms=self._applied_ms, at_s=self._desk.now.monotonic_s)

    def _reset(self, time_ms: int, before_ms: int, *, through: LogIndex) -> None:
        self._floor = Floor(time_ms=time_ms, before_ms=before_ms, through=through)
        self._applied_ms = time_ms

    # --- warnings -------------------------------------------------------------------------------------------------

    def warnings(self) -> Iterator[Warned]:
        """What is wrong with the clocks now."""
        own_ms, heard = self._desk.now.wall_ms, self._heard()
        off_s = (own_ms - commit_time.median_ms(own_ms, heard)) / 1000
        if abs(off_s) > limits.CLOCK_OFF_S:
            how = f"{abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'}"
            yield Warned(
                code="clock_off",
                message=f"this machine's clock is {how} the median of {len(heard) + 1} machines, which is what it "
                "stamps while it leads",
                remedy="set the clock, or let the computer set it by NTP",
            )
        if self._order.leads and self.unconfirmed():
            days = (own_ms - self._least()) / (limits.LONE_CLOCK_S * 1000)
            yield Warned(
                code="clock_unconfirmed",
                message=f"this machine leads, its clock is {days:.1f} days past the newest commit time, and no other "
                "clock confirms it: nothing is decided",
                remedy="set the clock, start another machine, or run `roosync clock accept`",
            )

    def look(self) -> None:
        """Tells what is newly wrong, once."""
        wrong = {warned.code: warned for warned in self.warnings()}
        for code in sorted(wrong.keys() - self._told):
            self._desk.count(f"alarm.{code}")
            self._desk.notify("alarm", {"code": code, "message": wrong[code].message})
        self._told = frozenset(wrong)

    # --- clocks ---------------------------------------------------------------------------------------------------

    def _heard(self) -> list[int]:
        """What the clocks show now that were heard in the last minute, by this node's monotonic clock since."""
        read_s, offsets = self._offsets
        now_s = self._desk.now.monotonic_s
        if not offsets or now_s >= read_s + READ_EVERY_S or read_s <= self._presence.resumed_s:
            offsets = self._read()
            self._offsets = (now_s, offsets)
            if offsets and abs(self._set_to() - commit_time.median_of(offsets)) <= _DAY_MS:
                self._agreed_ms = self._set_to()
        return [offset + round(now_s * 1000) for offset in offsets]

    def _read(self) -> list[int]:
        """The others' wall clocks minus this node's monotonic one. What only a relay said of an unknown clock, late,
        is no evidence of life (docs/protocol/liveness.md §4), nor of time."""
        now = self._desk.now
        offsets = []
        for machine in self._desk.directory.members:
            beat = None if machine == self._desk.me else self._presence.latest(machine)
            if beat is None or beat.at_s <= max(now.monotonic_s - limits.CLOCKS_HEARD_S, self._presence.resumed_s):
                continue
            age_s = self._presence.liveness.verdict(machine, now).evidence.age_s
            if age_s is not None and age_s <= limits.CLOCKS_HEARD_S:
                offsets.append(beat.heartbeat.wall_ms - round(beat.at_s * 1000))
        return offsets

    def _set_to(self) -> int:
        """How the wall clock is set against the monotonic one, which nobody sets."""
        return self._desk.now.wall_ms - round(self._desk.now.monotonic_s * 1000)
