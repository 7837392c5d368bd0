"""Simulated machines on one network: what a world and a text scenario are both made of.

Everything that can be done to a machine is a verb here, and each verb keeps the truth: who ran when, who was cut off,
whose home is whose copy.
"""

from __future__ import annotations

from collections.abc import Sequence

from roosync_p2p.clock import Now
from roosync_p2p.consensus.autopilot import Pace
from roosync_p2p.core.folder.reading import marker_bytes
from roosync_p2p.core.memory_faults import PathFault
from roosync_p2p.core.memory_folder import MemoryShare
from roosync_p2p.core.memory_store import MemoryStore, Snapshot
from roosync_p2p.core.memory_transport import MemoryNetwork
from roosync_p2p.core.rows import MemberRow, PendingRow
from roosync_p2p.errors import PeerFault
from roosync_p2p.gossip.folder_paths import MARKER
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.profile import LAN, Profile
from roosync_p2p.simulation.clocks import MachineClock
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.fleet_keys import BORN_S, FleetKeys
from roosync_p2p.simulation.member import Member
from roosync_p2p.simulation.observer import NOBODY, Observer
from roosync_p2p.simulation.parts import Parts, real_parts
from roosync_p2p.simulation.paths import Paths
from roosync_p2p.simulation.scheduler import Scheduler
from roosync_p2p.trust.certificates import check_dates, parse_machine_certificate
from roosync_p2p.trust.statements import FLEET_FOUND, MEMBER_ADMIT

__all__ = ["Fleet"]


class Fleet:
    """Machines, their keys, the network between them.

    Args:
        machines: ids; the first founds the fleet and issues certificates.
        admitted: how many of them are members from the beginning; the rest join later with :meth:`admit`.
        dice: where keys, jitter and boot ids come from.
        autopilot: whether leaders decide who votes; off where the caller does.
        pace: how fast.
        folder: whether all have a shared folder; its faults are those of ``share``.
    """

    def __init__(
        self,
        machines: Sequence[str],
        *,
        dice: Dice,
        admitted: int | None = None,
        profile: Profile = LAN,
        parts: Parts | None = None,
        observer: Observer = NOBODY,
        autopilot: bool = True,
        pace: Pace | None = None,
        folder: bool = False,
    ) -> None:
        self.scheduler = Scheduler()
        self.network = MemoryNetwork(self.scheduler.schedule, dice.entropy("network"))
        self.paths = Paths(self.network, self.scheduler)
        self.profile = profile
        self.parts = parts if parts is not None else real_parts()
        self.observer = observer
        self.autopilot = autopilot
        self.pace = pace if pace is not None else Pace()
        ids = [MachineId(machine) for machine in machines]
        self.keys = FleetKeys.make(ids, dice.entropy("keys"))
        self.members: dict[str, Member] = {}
        self.outside: set[str] = set()  # revoked or retired: they may run, and nobody counts on them
        self.share = self._shared(dice) if folder else None
        self._dice = dice
        self._addresses = {machine: f"10.0.0.{number}:47600" for number, machine in enumerate(ids, 1)}
        self._asleep: dict[str, int] = {}
        self._copies = 0
        self.dated = False  # whether the dates of certificates limit links
        for machine in ids[:admitted]:
            self._add(machine, machine)
        self._admitted = ids[:admitted]
        self._found(self._admitted)

    def _shared(self, dice: Dice) -> MemoryShare:
        share = MemoryShare(lambda: self.scheduler.now_s, dice.entropy("folder"))
        identity = self.keys.identities[self.keys.founder]
        share.folder("founder").write(MARKER, marker_bytes(identity.fleet))
        return share

    def _found(self, admitted: Sequence[MachineId]) -> None:
        rows = [PendingRow(number=1, kind=FLEET_FOUND, body=self.keys.founding())]
        for number, machine in enumerate(admitted[1:], 2):
            rows.append(PendingRow(number=number, kind=MEMBER_ADMIT, body=self.keys.admission(machine).body))
        self.members[self.keys.founder].disk.commit(rows)

    def _add(self, machine: MachineId, name: str, *, disk: MemoryStore | None = None) -> Member:
        address = self._addresses[machine]
        if name != machine:
            self._copies += 1
            address = f"10.0.1.{self._copies}:47600"
        member = Member(
            identity=self.keys.identities[machine],
            name=name,
            address=address,
            scheduler=self.scheduler,
            network=self.network,
            entropy=self._dice.entropy(name),
            disk=disk,
            clock=MachineClock(self.scheduler, zero_s=self._dice.between(1.0, 100_000.0)),
            peers=self._peers_of(machine),
            profile=self.profile,
            parts=self.parts,
            observer=self.observer,
        )
        member.autopilot = self.autopilot
        member.pace = self.pace
        member.refuse_leaf = lambda leaf: self._refuses(member, leaf)
        member.folder = None if self.share is None else self.share.folder(name)
        self.members[name] = member
        return member

    def _peers_of(self, machine: MachineId) -> tuple[str, ...]:
        """The founder's address, and one more by luck; the rest is learned."""
        others = [other for other in self._addresses if other != machine]
        if not others:
            return ()
        chosen = {self._dice.choose(others), others[0]}
        return tuple(sorted(self._addresses[other] for other in chosen))

    def reissue(self, machine: MachineId, issued_s: int) -> None:
        """That machine's certificate was issued then (Unix seconds); nothing has started yet."""
        self.keys.reissue(machine, issued_s, self._dice.entropy(f"certificate {machine}"))
        self.members[machine].identity = self.keys.identities[machine]
        self._found(self._admitted)
        identity = self.keys.identities[machine]  # the founder's tool keeps what it issued
        row = MemberRow(machine=machine, key_id=identity.key.key_id, leaf=identity.leaf, issuer=identity.issuer)
        self.members[self.keys.founder].disk.commit([row])

    def expired(self, name: str) -> bool:
        """Whether the certificate of a running member has run out, by true time."""
        core = self.members[name].core
        return self.dated and core is not None and core.certificates.own.not_after_s < BORN_S + self.now_s

    def _refuses(self, member: Member, leaf: bytes) -> str | None:
        """What the TLS of a member says of the dates of a certificate, by its own clock."""
        if not self.dated:
            return None
        try:
            check_dates(parse_machine_certificate(leaf), member.clock.now().wall_ms)
        except PeerFault as fault:
            return fault.code
        return None

    # --- who is there ---------------------------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        """True virtual time."""
        return self.scheduler.now_s

    def running(self) -> list[Member]:
        """Members of the fleet whose node runs and is not paused, in the order of their creation."""
        return [member for member in self.insiders() if member.running and not member.paused]

    def insiders(self) -> list[Member]:
        """Members that belong to the fleet, whether they run or not: neither revoked nor retired."""
        return [member for member in self.members.values() if member.name not in self.outside]

    def of(self, machine: str) -> list[Member]:
        """The members with that machine's home: one, or more where it was copied."""
        return [member for member in self.members.values() if member.identity.machine == machine]

    def run(self, seconds: float) -> None:
        """Lets virtual time pass."""
        self.scheduler.run_until(self.scheduler.now_s + seconds)

    # --- machines -------------------------------------------------------------------------------------------------

    def join(self, machine: str) -> Member:
        """A machine that was admitted has its home, and starts."""
        member = self._add(MachineId(machine), machine)
        member.start()
        return member

    def copy(self, original: str, name: str, snapshot: Snapshot) -> Member:
        """A second computer with a copy of a home; it is not started."""
        disk = MemoryStore()
        disk.restore(snapshot)
        return self._add(self.members[original].identity.machine, name, disk=disk)

    def sleep(self, name: str) -> None:
        """Suspends a computer: its network is off."""
        self._asleep[name] = self.paths.add(self._all_ways(name), PathFault(cut=True))
        self.members[name].sleep()

    def wake(self, name: str) -> None:
        """The computer goes on."""
        self.paths.remove(self._asleep.pop(name))
        self.members[name].wake()

    @property
    def asleep(self) -> frozenset[str]:
        """Suspended computers."""
        return frozenset(self._asleep)

    def power_off(self, name: str, *, keep: int | None = None) -> None:
        """The power fails; a sleeping computer stays dark."""
        if name in self._asleep:
            self.paths.remove(self._asleep.pop(name))
            self.members[name].clock.wake()
        self.members[name].crash(keep=keep, power=True)

    # --- the network ----------------------------------------------------------------------------------------------

    def _all_ways(self, name: str) -> list[tuple[str, str]]:
        others = [other for other in self.members if other != name]
        return [(name, other) for other in others] + [(other, name) for other in others]

    def isolate(self, name: str) -> int:
        """Cuts one machine off from everybody; returns the layer for ``paths.remove``."""
        return self.paths.add(self._all_ways(name), PathFault(cut=True))

    def cut(self, source: str, target: str, *, both_ways: bool) -> int:
        """Cuts one way or both between two machines."""
        ways = [(source, target), (target, source)] if both_ways else [(source, target)]
        return self.paths.add(ways, PathFault(cut=True))

    def partition(self, group: Sequence[str]) -> int:
        """Cuts a group off from the rest."""
        rest = [name for name in self.members if name not in group]
        ways = [way for one in group for other in rest for way in ((one, other), (other, one))]
        return self.paths.add(ways, PathFault(cut=True))

    def everywhere(self, fault: PathFault) -> int:
        """Puts a fault on all ways between the machines there are now."""
        names = list(self.members)
        return self.paths.add([(one, other) for one in names for other in names if one != other], fault)

    def clock_of(self, name: str) -> Now:
        """What a machine's clocks show."""
        return self.members[name].clock.now()
