"""A world from one seed: machines, faults, users, and after healing the question whether every promise was kept.

    1  the fleet starts
    2  faults and users, for some forty seconds
    3  everything is healed; the fleet must converge within a bound
    4  the checkers look at every disk
    5  one machine is killed, stopped or cut off in quiet, and must be noticed in time

The same seed gives the same run, event for event.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable
from typing import Final

from roosync_p2p.consensus.autopilot import Pace
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.profile import LAN, Profile
from roosync_p2p.simulation import inspection
from roosync_p2p.simulation.adversary import Adversary
from roosync_p2p.simulation.attaching import Attaching
from roosync_p2p.simulation.certificates import DATED_CLOCK_S, Certificates
from roosync_p2p.simulation.checkers.violation import Violation
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.epilogue import Epilogue
from roosync_p2p.simulation.faults import KINDS, ORDER, RARE, USUAL
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.folder_epilogue import FOLDER_EPILOGUE_CHANCE, FolderEpilogue
from roosync_p2p.simulation.folder_faults import heal_folder, plan_folder, tell_folder
from roosync_p2p.simulation.homes import Homes
from roosync_p2p.simulation.key_faults import KeyFaults
from roosync_p2p.simulation.member import Member
from roosync_p2p.simulation.order_workload import OrderUsers
from roosync_p2p.simulation.parts import Parts, real_parts
from roosync_p2p.simulation.root_key import RootKey
from roosync_p2p.simulation.updates import Updates
from roosync_p2p.simulation.voting import Voting
from roosync_p2p.simulation.watch import Watch
from roosync_p2p.simulation.workload import Workload

__all__ = ["Outcome", "Plan", "World"]

SETTLE_S: Final = 8.0  # the fleet is left alone at first
CONVERGE_S: Final = 75.0  # two capped redials, two digests and the longest pull
PATIENCE_S: Final = 30.0  # users of a machine that may not write give up after this
QUIET_S: Final = 5.0
HURRIED: Final = Pace(promote_awake_s=4.0, demote_unseen_s=7.0, evidence_awake_s=30.0)  # a world lasts two minutes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much happens in a world, and for how long. Ranges are drawn from; both ends are included.

    Attributes:
        machines: how many there are.
        faulty_s: how long faults and users go on.
        faults: how many there are.
        wishes: how many things users do.
        requests: how many things they ask of the one order.
        votes: how often the voters change, or the leader hands over or is lost.
        homes_chance: of a world in which a home is restored or copied.
        updates_chance: of a world in which machine after machine gets a program with newer rules.
        autopilot_chance: of a world in which leaders decide by themselves who votes; else it is drawn, far more often
            than they would change it.
        folder_chance: of a world that has a shared folder.
        certificates_chance: of a world with old certificates, of which some run out.
        keys_chance: of a world in which a membership or a key changes.
        attachments_chance: of a world in which users send files along.
        sample_s: evidence is asked for this often.
    """

    machines: tuple[int, int] = (2, 6)
    faulty_s: float = 40.0
    faults: tuple[int, int] = (2, 9)
    wishes: tuple[int, int] = (8, 20)
    requests: tuple[int, int] = (6, 20)
    votes: tuple[int, int] = (1, 7)
    homes_chance: float = 0.35
    updates_chance: float = 0.2
    autopilot_chance: float = 0.33
    folder_chance: float = 0.35
    keys_chance: float = 0.7
    certificates_chance: float = 0.12
    attachments_chance: float = 0.35
    sample_s: float = 2.3

    @classmethod
    def of_hours(cls, hours: float, machines: int) -> Plan:
        """A long run: mostly quiet, twelve faults and twenty wishes an hour, no home touched."""
        faults, wishes = max(1, round(12 * hours)), max(1, round(20 * hours))
        return cls(
            machines=(machines, machines),
            faulty_s=hours * 3600.0,
            faults=(faults, faults),
            wishes=(wishes, wishes),
            requests=(wishes, wishes),
            votes=(faults // 3, faults // 3),
            homes_chance=0.0,
            keys_chance=0.0,
            certificates_chance=0.0,
            updates_chance=0.0,
            autopilot_chance=0.0,
            sample_s=17.3,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run did and found. ``digest`` is the same for the same seed, on every computer."""

    seed: int
    violations: tuple[Violation, ...]
    digest: str
    active: dict[str, int]
    explained: dict[str, int]
    virtual_s: float
    messages: int
    steps: int
    converged_s: float
    order: dict[str, int] = dataclasses.field(default_factory=dict)


class World:
    """One seeded run; build, then :meth:`run`."""

    def __init__(
        self,
        seed: int,
        *,
        profile: Profile = LAN,
        parts: Parts | None = None,
        plan: Plan | None = None,
    ) -> None:
        dice = Dice.of(seed, "world")
        self.seed = seed
        self.dice = dice
        self.plan = plan if plan is not None else Plan()
        # Small worlds more often than large ones: what goes wrong needs few machines, and these cost less.
        count = min(dice.integer(*self.plan.machines), dice.integer(*self.plan.machines))
        self.machines = [f"machine-{number}" for number in range(count)]
        late = 1 if count > 2 and dice.chance(0.4) else 0
        self.parts = parts if parts is not None else real_parts()
        self.autopilot = Dice.of(seed, "autopilot").chance(self.plan.autopilot_chance)
        self.watch = Watch(self.parts.prepare)
        self.fleet = Fleet(
            self.machines,
            dice=dice,
            admitted=count - late,
            profile=profile,
            parts=self.parts,
            autopilot=self.autopilot,
            pace=HURRIED,
            folder=Dice.of(seed, "folder").chance(self.plan.folder_chance),
            observer=self.watch,
        )
        self.certificates = Certificates(self, Dice.of(seed, "certificates"))
        self.certificates.make_old(self.machines[: count - late])
        self._late = self.machines[count - late :]
        self.busy: set[str] = set()
        self.messages = 0
        self.requests = 0
        self.homes = Homes(self)
        self.workload = Workload(self, Dice.of(seed, "workload"))
        self.attaching = Attaching(self, Dice.of(seed, "attachments"))
        self.updates = Updates(self, Dice.of(seed, "updates"))
        self.voting = Voting(self.fleet, lacking=lambda: self.updates.lacking)
        self.root_key = RootKey(self)
        self.users = OrderUsers(self, Dice.of(seed, "order"))
        self.adversary = Adversary(self, Dice.of(seed, "adversary"))
        self.keys = KeyFaults(self, Dice.of(seed, "keys"))
        self.watch.order.ended = self.keys.ended
        self.watch.attach(self.fleet, overheard=self.adversary.overheard, touched=lambda: self.homes.touched)
        self.healing = False

    # --- the run --------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Everything, from the first start to the last check."""
        self._begin()
        self.fleet.scheduler.run_until(SETTLE_S + self.plan.faulty_s)
        self._heal()
        converged_s = self._converge()
        self._check()
        self.watch.order.seats.quiet(quiet=False)
        if self.homes.touched is None:
            self._end()
        self.attaching.drop()
        return self.outcome(converged_s)

    def _end(self) -> None:
        by_folder = Dice.of(self.seed, "folder epilogue")
        if self.fleet.share is not None and by_folder.chance(FOLDER_EPILOGUE_CHANCE):
            FolderEpilogue(self, by_folder).play()
        else:
            Epilogue(self, Dice.of(self.seed, "epilogue")).play()

    def outcome(self, converged_s: float) -> Outcome:
        """The result so far."""
        tell_folder(self)
        return Outcome(
            seed=self.seed,
            violations=tuple(self.watch.violations),
            digest=self.watch.digest(),
            active=dict(self.watch.active),
            explained=dict(self.watch.liveness.explained),
            virtual_s=self.fleet.now_s,
            messages=self.messages,
            steps=self.fleet.scheduler.steps,
            converged_s=converged_s,
            order=dict(self.watch.order.counts()),
        )

    def _begin(self) -> None:
        for member in self.fleet.members.values():
            if self.dice.chance(0.25):
                wrong_s = self.dice.between(-1, 1) * self.dice.choose((2, 600, 90_000))
                if self.fleet.dated:
                    wrong_s = max(-DATED_CLOCK_S, min(wrong_s, DATED_CLOCK_S))
                member.clock.offset_ms = round(1000 * wrong_s)
                self.watch.active["wrong_clock"] += 1
            self.later(self.dice.between(0, 2), lambda member=member: self.start(member))  # type: ignore[misc]  # late binding
        self._plan_faults(Dice.of(self.seed, "faults"))
        users = Dice.of(self.seed, "users")
        for _ in range(users.integer(*self.plan.wishes)):
            self.later(users.between(1, SETTLE_S + self.plan.faulty_s - 1), self.workload.act)
        self.attaching.plan(SETTLE_S / 2, SETTLE_S + self.plan.faulty_s - 1)
        self.later(self.plan.sample_s, self._sample)
        self._plan_order(Dice.of(self.seed, "votes"))
        if self.fleet.share is not None:
            plan_folder(self, Dice.of(self.seed, "folder faults"))
        self.certificates.plan()
        self.keys.plan(SETTLE_S, SETTLE_S + self.plan.faulty_s * 0.8)
        self.updates.plan(SETTLE_S, SETTLE_S + self.plan.faulty_s * 0.8)

    def _plan_order(self, dice: Dice) -> None:
        """Requests from the time on when the founder leads, and voters that come and go."""
        for _ in range(dice.integer(*self.plan.requests)):
            self.later(dice.between(4, SETTLE_S + self.plan.faulty_s - 1), self.users.act)
        voters = min(dice.choose((1, 2, 3, 3, 3, 5)), len(self.machines))
        grow_at = dice.between(3, 8)
        if not self.autopilot:
            self.later(grow_at, lambda: self._grow(voters))
        for _ in range(dice.integer(*self.plan.votes)):
            kind = dice.choose(sorted(ORDER))
            last_s = self.plan.faulty_s * 0.9
            self.later(SETTLE_S + dice.between(0, last_s), lambda kind=kind: self._fault(kind, dice))  # type: ignore[misc]  # late binding

    def _grow(self, voters: int) -> None:
        """Until so many vote, or are found never to."""
        self.voting.grow(voters)
        if not self.healing and len(self.voting.voters()) != voters:
            self.later(1.0, lambda: self._grow(voters))

    def _sample(self) -> None:
        self.watch.sample()
        self.later(self.plan.sample_s, self._sample)

    def _plan_faults(self, dice: Dice) -> None:
        kinds = sorted(USUAL)
        plan = [dice.choose(kinds) for _ in range(dice.integer(*self.plan.faults))]
        if self._late:
            plan.append("late_joiner")
        if dice.chance(self.plan.homes_chance):
            plan.append(dice.choose(sorted(RARE)))
        for number, kind in enumerate(plan):
            own = Dice.of(self.seed, f"fault {number}")
            last_s = self.plan.faulty_s * (0.4 if kind in RARE else 0.85)
            self.later(SETTLE_S + dice.between(0, last_s), lambda kind=kind, own=own: self._fault(kind, own))  # type: ignore[misc]  # late binding

    def _fault(self, kind: str, dice: Dice) -> None:
        happened = KINDS[kind](self, dice)
        if happened and kind not in _COUNTED_ELSEWHERE:
            self.watch.active[kind] += 1

    def _heal(self) -> None:
        self.healing = True
        # Where machines are still updated, and leave for it, votes have a reason to move.
        self.watch.order.seats.quiet(quiet=not self.updates.planned)
        self.fleet.paths.heal()
        heal_folder(self)
        self.homes.put_away()
        for member in list(self.fleet.members.values()):
            if member in self.homes.copies:
                continue
            member.crash_point = None
            member.disk_stalled = False
            member.disk.fault = None
            member.commit_s = 0.001
            if member.transport is not None:
                member.transport.refusing = False
            self.watch.truth.opened(member.name)
            if member.paused:
                self.wake(member)
        self._start_all()
        self.workload.retry_all()
        self.users.retry_all()

    def _start_all(self) -> None:
        """Whoever is down comes back; who was about to leave when everything was healed, a little later."""
        for member in self.fleet.insiders():
            if not member.running and member not in self.homes.copies:
                self.start(member)

    def _converge(self) -> float:
        """Runs until all agree, or until the bound; returns how long it took."""
        began_s = self.fleet.now_s
        while self.fleet.now_s < began_s + CONVERGE_S:
            self.fleet.run(0.5)
            self._start_all()
            self.updates.finish()
            self.root_key.countersign()
            self.root_key.recover(began_s)
            self.keys.finish()
            repairs = not self.autopilot and self.voting.repair()
            pending = self.workload.pending() or (self.order_goes_on() and self.users.pending())
            said = not pending or self.fleet.now_s > began_s + PATIENCE_S
            at_rest = said and not repairs and not self._unrest() and not self._waits_for_people()
            at_rest = at_rest and not self.attaching.missing()
            if at_rest and not self.watch.convergence.differences(inspection.views(self)):
                return self.fleet.now_s - began_s
            if (self.fleet.now_s - began_s) % 5 == 0:
                self.workload.retry_all()
                self.users.retry_all()
        return CONVERGE_S

    def _waits_for_people(self) -> bool:
        return self.root_key.is_wanted() or not self.updates.settled or self.keys.is_wanted()

    def _unrest(self) -> list[str]:
        """What an autopilot still has to do about the seats."""
        if not self.autopilot or not self.order_goes_on():
            return []
        return self.watch.order.seats.unrest(len(self.voting.voters()))

    def _check(self) -> None:
        now_s = self.fleet.now_s
        self.watch.found(self.watch.convergence.finish(inspection.views(self), now_s))
        self.watch.delivery.excused(inspection.excused(self) | self.keys.excused())
        self.watch.found(self.watch.delivery.finish(inspection.inboxes(self.fleet.running()), now_s))
        self.watch.found(self.watch.durability.finish())
        known = inspection.knowledge(self)
        self.watch.found(self.watch.identity.finish(known, now_s))
        touched = frozenset(() if self.homes.touched is None else (str(self.homes.touched),))
        self.watch.found(self.watch.identity.innocent(known, touched, now_s))
        for member in self.fleet.members.values():
            self.watch.found(self.watch.signatures.finish(member.name, inspection.signed(member), now_s))
        goes_on = self.order_goes_on()
        self.watch.order.finish(self.fleet.running(), self.voting.taking_part() if goes_on else ())
        for text in self._unrest():
            self.watch.order.found([Violation(checker="seats", at_s=now_s, text=text)])
        self.watch.keys.finish(self.fleet.running(), self.voting.taking_part() if goes_on else ())
        self.watch.found(self.keys.finish_new_keys())
        self.watch.active["autopilot"] += self.autopilot
        self.watch.active["order_lost"] += not goes_on
        self.watch.active["one_seat_twice"] += self.watch.order.one_seat_twice
        before = collections.Counter(self.watch.dials)
        self.fleet.run(QUIET_S)
        dials = self.watch.dials - before
        for name in self.fleet.outside:
            del dials[name]
        self.watch.found(self.watch.convergence.rest(dials, QUIET_S, self.fleet.now_s))
        self.attaching.finish()

    def order_goes_on(self) -> bool:
        """Whether enough voters are there to decide anything: the only one may have lost its disk, or have a twin."""
        return self.voting.has_majority() and not self.watch.order.one_seat_twice

    # --- for faults, homes and users ------------------------------------------------------------------------------

    def later(self, delay_s: float, call: Callable[[], object]) -> None:
        """Schedules something that is not part of any machine."""
        self.fleet.scheduler.schedule(delay_s, lambda: (call(), None)[1])

    def start(self, member: Member) -> None:
        """Starts a node, unless it runs."""
        if not member.running and member.name not in self.keys.off:
            self.watch.truth.started(member.name)
            member.start()

    def restart_later(self, member: Member, delay_s: float) -> None:
        """The machine comes back after that time, if it is down then."""
        self.busy.add(member.name)
        self.later(delay_s, lambda: self._restart(member))

    def _restart(self, member: Member) -> None:
        if self.healing or self.homes.touched == member.identity.machine:
            self.busy.discard(member.name)
            if self.healing or member.running:
                return
        self.busy.discard(member.name)
        member.crash_point = None
        self.start(member)

    def leave(self, member: Member) -> None:
        """An orderly stop."""
        self.watch.truth.leaves(member.name)
        member.leave()

    def unpause_later(self, member: Member, delay_s: float) -> None:
        """A paused program goes on after that time."""
        self.busy.add(member.name)
        self.later(delay_s, lambda: self._resume(member))

    wake_later = unpause_later

    def _resume(self, member: Member) -> None:
        self.busy.discard(member.name)
        if member.paused and not self.healing:  # healing woke everybody, and what is paused after it is no fault
            self.wake(member)

    def wake(self, member: Member) -> None:
        """A program that was paused, or a computer that sleeps, goes on."""
        self.watch.truth.resumed(member.name)
        if member.name in self.fleet.asleep:
            self.fleet.wake(member.name)
        else:
            member.unpause()

    def admit_next(self, start_after_s: float) -> bool:
        """The issuer admits a machine; it starts a little later. False if there is none, or no issuer runs."""
        issuer = self.fleet.members[self.fleet.keys.founder]
        if not self._late or not issuer.running or issuer.paused:
            return False
        machine = self._late.pop()

        def admitted(result: object) -> None:
            if isinstance(result, dict):
                self.watch.active["late_joiner"] += 1
                self.later(start_after_s, lambda: self._join(machine))
            else:
                self._late.append(machine)

        issuer.request(self.fleet.keys.admission(MachineId(machine)), admitted)
        return True

    def _join(self, machine: str) -> None:
        if self.fleet.keys.founder in self.watch.keys.revoked:
            return  # whom a revoked issuer let in is taken by nobody who had not heard of it
        self.watch.truth.started(machine)
        self.fleet.join(machine)


_COUNTED_ELSEWHERE = frozenset(
    {"crash_written", "crash_synced", "crash_releasing", "restored_disk", "copied_home", "late_joiner", "forgery"}
)
