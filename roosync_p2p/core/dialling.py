"""Whom to dial, where, and when again (docs/protocol/links.md §7).

Addresses come from static settings, mDNS, heartbeats, joining and earlier links. None proves anything: an address is
somewhere to try, and who answers there is known after the handshake. One round dials all addresses of a machine at
once; rounds are spaced by capped exponential backoff with jitter, and start at once when an address is learned or a
link is lost.

A refusal counts as evidence about a machine only at an address where that machine answered before: a stranger's
closed port says nothing, and neither does a firewall that never let anybody in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final, TypeAlias

from roosync_p2p import limits
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Dial
from roosync_p2p.core.ports import DialFailed, DialId, DialOutcome
from roosync_p2p.core.rows import AddressRow
from roosync_p2p.ids import MachineId

__all__ = ["Dialling", "Reach", "Redialled", "Target", "Tried"]

DYING_S: Final = 0.05  # a killed program's port is closed this long after its links at the latest
FRUITLESS_S: Final = 1.0  # a link that stood shorter than this was of no use

Target: TypeAlias = str  # a machine id, or "@host:port" for a static address whose machine is not known yet


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Redialled:
    """What a dial says about a machine."""

    machine: MachineId
    outcome: DialOutcome


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One address of a machine, and what became of dialling it.

    Attributes:
        source: what named it first: ``met``, ``heartbeat``, ``mdns``, ``static``, ``joined``.
        met: whether the machine was reached there once.
        outcome: of the newest dial there: a :class:`~roosync_p2p.core.ports.DialOutcome`, ``linked``, or ``dialling``
            while the first one goes on; empty if there was none.
        age_s: seconds since it ended; None while there was none.
    """

    address: str
    source: str
    met: bool
    outcome: str
    detail: str
    age_s: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What is done to reach a machine.

    Attributes:
        tried: its addresses, newest first.
        wished: whether a link with it is wished at all (docs/protocol/links.md §10).
        dialling: whether a dial is under way.
        next_s: seconds until the next round; None if none is planned.
    """

    tried: tuple[Tried, ...]
    wished: bool
    dialling: bool
    next_s: float | None


@dataclasses.dataclass(slots=True)
class _Place:
    """One address of a target, and how the newest dial there ended."""

    source: str
    outcome: str = ""
    detail: str = ""
    ended_s: float | None = None

    def ended(self, outcome: str, detail: str, at_s: float) -> None:
        self.outcome, self.detail, self.ended_s = outcome, detail, at_s


@dataclasses.dataclass(slots=True)
class _Known:
    """What is known about reaching one target."""

    addresses: dict[str, _Place] = dataclasses.field(default_factory=dict)  # ordered, newest last
    confirmed: set[str] = dataclasses.field(default_factory=set)
    dials: dict[DialId, str] = dataclasses.field(default_factory=dict)
    failures: int = 0
    next_at: float | None = None  # monotonic; None: only on demand
    fruitless: int = 0  # links in a row that ended as soon as they stood
    just_lost: bool = False  # its link ended a moment ago: the first dial may still meet the dying program
    replaces: bool = False  # this round stands beside a link that has gone silent
    last_detail: str = ""
    tried_at: float = -limits.REDIAL_FIRST_S
    curious_until_s: float = 0.0  # its link broke a moment ago: it is dialled, whether a link is wished or not
    found: bool = False  # a static address whose machine is known by now: that machine is the target from here on


class Dialling:
    """The address book and the dials under way."""

    def __init__(self, desk: Desk, rows: Iterable[AddressRow]) -> None:
        self._desk = desk
        self._targets: dict[Target, _Known] = {}
        self._by_dial: dict[DialId, Target] = {}
        self._next_dial = 1
        self._linked: set[MachineId] = set()
        self._held_off: dict[MachineId, float] = {}
        self._wished: frozenset[MachineId] | None = None
        self.addresses_learned = 0  # how often an address was new
        self._due_at: float | None = None  # no round is due before, as long as nothing moved
        self._moved = True
        for row in rows:
            known = self._targets.setdefault(row.machine, _Known())
            known.addresses[row.address] = _Place(source="met")
            known.confirmed.add(row.address)
            known.next_at = 0.0

    # --- what is learned ------------------------------------------------------------------------------------------

    def wish(self, machines: frozenset[MachineId] | None) -> None:
        """With whom a link is wished, None: with everybody. Others are not dialled, however well they are known."""
        if machines != self._wished:
            self._wished, self._moved = machines, True

    def wished(self, machine: Target) -> bool:
        """Whether a link with that machine is wished; with whoever is at a static address it is, until it is met."""
        return self._wished is None or machine in self._wished or machine.startswith("@")

    def hopeless(self, machine: MachineId) -> bool:
        """Whether no link is to be expected soon: no address of it is known, or the last dials failed."""
        known = self._targets.get(machine)
        linked = machine in self._linked
        return not linked and (known is None or not known.addresses or known.failures > 0)

    def learned(
        self,
        machine: MachineId | None,
        addresses: Iterable[str],
        *,
        source: str = "heartbeat",
        alive: bool = False,
    ) -> None:
        """New addresses are dialled at once, unless there is a link.

        ``source``: what names them. ``alive``: something just showed that the machine may be there again, so known
        addresses are worth a try too.
        """
        for address in addresses:
            target: Target = machine if machine is not None else f"@{address}"
            if machine == self._desk.me:
                continue
            known = self._targets.setdefault(target, _Known())
            now_s = self._desk.now.monotonic_s
            if address in known.addresses and not (alive and now_s - known.tried_at >= limits.REDIAL_FIRST_S):
                continue
            self.addresses_learned += address not in known.addresses
            known.addresses.setdefault(address, _Place(source=source))
            self._forget_worst(known)
            # Beside a link too, until the way there is known to work: see linked().
            if machine is None or machine not in self._linked or not known.confirmed:
                known.next_at = max(now_s, self._held_off.get(machine, 0.0) if machine is not None else 0.0)
                self._moved = True

    def _forget_worst(self, known: _Known) -> None:
        """Bounds the addresses of one machine; where it was met before counts more than what was only said."""
        while len(known.addresses) > limits.ADDRESSES_PER_MACHINE_MAX:
            worst = next((a for a in known.addresses if a not in known.confirmed), next(iter(known.addresses)))
            del known.addresses[worst]
            known.confirmed.discard(worst)

    def addresses(self, machine: MachineId) -> tuple[str, ...]:
        """Everywhere that machine may be, newest first."""
        known = self._targets.get(machine)
        return tuple(reversed(known.addresses)) if known is not None else ()

    def confirmed(self, machine: MachineId) -> bool:
        """Whether a dial of ours ever reached that machine."""
        known = self._targets.get(machine)
        return known is not None and bool(known.confirmed)

    def reach(self, machine: MachineId) -> Reach:
        """What is done to reach that machine, for people who ask why it is not reached."""
        known, now_s = self._targets.get(machine) or _Known(), self._desk.now.monotonic_s
        under_way = set(known.dials.values())
        planned = known.next_at is not None and self._worth(machine, known) and bool(known.addresses)
        return Reach(
            tried=tuple(
                Tried(
                    address=address,
                    source=place.source,
                    met=address in known.confirmed,
                    outcome=place.outcome or ("dialling" if address in under_way else ""),
                    detail=place.detail,
                    age_s=None if place.ended_s is None else max(now_s - place.ended_s, 0.0),
                )
                for address, place in reversed(known.addresses.items())
            ),
            wished=self.wished(machine),
            dialling=bool(under_way),
            next_s=max((known.next_at or 0.0) - now_s, 0.0) if planned else None,
        )

    def detail(self, machine: MachineId) -> str:
        """How the last dial of that machine failed, in words; empty if it did not."""
        known = self._targets.get(machine)
        return known.last_detail if known is not None else ""

    def static(self) -> tuple[str, ...]:
        """Addresses that somebody named without a machine."""
        return tuple(address for target in self._targets if target.startswith("@") for address in (target[1:],))

    def unmet(self) -> list[str]:
        """How the last dial of each address failed where nobody was ever met, in words."""
        return [
            known.last_detail
            for target, known in sorted(self._targets.items())
            if target.startswith("@") and not known.found and known.last_detail
        ]

    def forget(self, machine: MachineId) -> None:
        """That machine is out: it is dialled no more, unless somebody names an address of it again."""
        known, self._moved = self._targets.pop(machine, None), True
        for dial in known.dials if known is not None else ():
            self._by_dial.pop(dial, None)
        self._held_off.pop(machine, None)

    # --- links ----------------------------------------------------------------------------------------------------

    def replacing(self, dial: DialId | None) -> bool:
        """Whether that dial was made to stand in for links that have gone silent."""
        target = self._by_dial.get(dial) if dial is not None else None
        return target is not None and self._targets[target].replaces

    def opened(self, dial: DialId | None, machine: MachineId) -> None:
        """A link came up: the address is confirmed."""
        target = self._by_dial.pop(dial, None) if dial is not None else None
        known = self._targets.get(target) if target is not None else None
        if dial is None or target is None or known is None:
            return
        address = known.dials.pop(dial)
        known.failures, known.last_detail = 0, ""
        if target != machine:
            known.next_at, known.found, self._moved = None, True, True
        mine = self._targets.setdefault(machine, _Known())
        source = known.addresses[address].source if address in known.addresses else "met"
        place = mine.addresses.setdefault(address, _Place(source=source))
        place.ended("linked", "", self._desk.now.monotonic_s)
        if address not in mine.confirmed:
            mine.confirmed.add(address)
            self._desk.persist(AddressRow(machine=machine, address=address, seen_ms=self._desk.now.wall_ms))

    def useless(self, dial: DialId | None) -> None:
        """What answered at this address is no peer (this node itself, a stranger): it is not tried again soon."""
        target = self._by_dial.pop(dial, None) if dial is not None else None
        known = self._targets.get(target) if target is not None else None
        if dial is None or known is None or target is None:
            return
        address = known.dials.pop(dial)
        known.confirmed.discard(address)
        if not target.startswith("@"):
            known.addresses.pop(address, None)
        known.failures += 1
        if not known.dials and known.addresses and target not in self._linked:
            known.next_at, self._moved = self._desk.now.monotonic_s + limits.REDIAL_MAX_S, True

    def linked(self, machine: MachineId) -> None:
        """The machine has a link: no rounds until it is lost, but one if it was never reached from here.

        Knowing that the way there works is what makes a later refusal mean something.
        """
        self._linked.add(machine)
        self._moved = True
        known = self._targets.setdefault(machine, _Known())
        known.failures = 0
        known.next_at = None if known.confirmed else self._desk.now.monotonic_s + limits.REDIAL_FIRST_S

    def unlinked(self, machine: MachineId, *, abused: bool, lived_s: float, parted: bool = False) -> None:
        """The last link to that machine is gone: dial at once, or later if it was closed for its behaviour.

        A link that ended as soon as it stood (the other end shows us out) is no reason to hurry a second time.
        ``parted``: both ends could do without it.
        """
        self._linked.discard(machine)
        self._moved = True
        known = self._targets.setdefault(machine, _Known())
        known.failures, known.just_lost = 0, True
        known.curious_until_s = 0.0 if parted else self._desk.now.monotonic_s + limits.MESH_CURIOUS_S
        known.fruitless = known.fruitless + 1 if lived_s < FRUITLESS_S else 0
        delay_s = self._backoff_s(known.fruitless - 1) if known.fruitless > 1 else 0.0
        if abused:
            self._held_off[machine] = self._desk.now.monotonic_s + limits.LINK_BACKOFF_AFTER_ABUSE_S
        known.next_at = max(self._desk.now.monotonic_s + delay_s, self._held_off.get(machine, 0.0))

    def redial(self, machine: MachineId) -> None:
        """Dial beside what stands, now: the link there has gone silent, or the machine never answered.

        Not where the next round is put off for a reason: it misbehaved, or it shows us out each time.
        """
        known = self._targets.get(machine)
        linked = machine in self._linked
        if known is None or known.dials or self.held_off(machine) or (known.fruitless > 1 and not linked):
            return
        if not self._worth(machine, known):
            return
        self._round(machine, known, replaces=linked)

    def held_off(self, machine: MachineId) -> bool:
        """Whether that machine misbehaved a moment ago."""
        return self._held_off.get(machine, 0.0) > self._desk.now.monotonic_s

    # --- outcomes and time ----------------------------------------------------------------------------------------

    def failed(self, event: DialFailed) -> Redialled | None:
        """A dial ended without a link; what that says about a machine, once there is something to say."""
        target = self._by_dial.pop(event.dial, None)
        known = self._targets.get(target) if target is not None else None
        if target is None or known is None:
            return None
        address = known.dials.pop(event.dial)
        known.last_detail = f"{address}: {event.outcome.value}, {event.detail}"
        if address in known.addresses:  # it may have given way to newer ones meanwhile
            known.addresses[address].ended(event.outcome.value, event.detail, self._desk.now.monotonic_s)
        self._desk.count(f"dial.{event.outcome.value}")
        if not known.dials:
            known.failures += 1
            # Also beside a link, until the way there is known to work: then a refusal tells of a death at once.
            if known.next_at is None and (target not in self._linked or not known.confirmed):
                dying = known.just_lost and event.outcome in (DialOutcome.REJECTED, DialOutcome.SILENT)
                delay_s = DYING_S if dying else self._backoff_s(known.failures)
                known.next_at, self._moved = self._desk.now.monotonic_s + delay_s, True
            known.just_lost = False
        if target.startswith("@"):
            return None
        machine = MachineId(target)
        if event.outcome is DialOutcome.SILENT:
            return Redialled(machine=machine, outcome=event.outcome)
        if event.outcome is DialOutcome.REFUSED:
            others = known.confirmed & set(known.dials.values())
            believed = address in known.confirmed and not others
            return Redialled(machine=machine, outcome=event.outcome) if believed else None
        return None if known.dials else Redialled(machine=machine, outcome=event.outcome)

    def next_deadline(self) -> float | None:
        """When the next round is due (monotonic seconds)."""
        if self._moved:
            due = (
                known.next_at
                for target, known in self._targets.items()
                if known.next_at is not None and self._worth(target, known)
            )
            # What serves now may not serve then; what serves then and not now is one of those that were moved.
            self._due_at, self._moved = min(due, default=None), False
        return self._due_at

    def tick(self) -> None:
        """Starts the rounds that are due."""
        now_s = self._desk.now.monotonic_s
        at = self.next_deadline()
        if at is None or at > now_s:
            return  # a node in a large fleet knows hundreds of addresses, and looks with every frame
        self._moved = True
        for target, known in self._targets.items():
            if known.next_at is not None and known.next_at <= now_s and self._worth(target, known):
                known.next_at = None
                if not known.dials:
                    self._round(target, known, replaces=False)

    def _worth(self, target: Target, known: _Known) -> bool:
        """Whether a dial serves: a link is wished, or stands and should be confirmed, or has just broken."""
        curious = self._desk.now.monotonic_s < known.curious_until_s
        return curious or target in self._linked or self.wished(target)

    def reachable(self) -> frozenset[Target]:
        """Targets that may still answer: with a link, or with a dial under way or not yet tried."""
        return frozenset(
            target
            for target, known in self._targets.items()
            if not known.found
            and self.wished(target)
            and (target in self._linked or known.dials or (known.addresses and not known.failures))
        )

    def _round(self, target: Target, known: _Known, *, replaces: bool) -> None:
        known.replaces = replaces
        known.tried_at = self._desk.now.monotonic_s
        for address in reversed(known.addresses):
            dial = DialId(self._next_dial)
            self._next_dial += 1
            known.dials[dial] = address
            self._by_dial[dial] = target
            self._desk.emit(Dial(dial=dial, address=address))

    def _backoff_s(self, failures: int) -> float:
        span = min(limits.REDIAL_MAX_S, limits.REDIAL_FIRST_S * 2.0 ** min(failures - 1, 10))
        return span * (0.5 + self._desk.entropy.fraction() / 2)
