"""The verbs of text scenarios: everything that can be done to a fleet (docs/simulation.md §3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from roosync_p2p.core.commands import MarkRead, OfferCountersignature, SendMessage
from roosync_p2p.core.memory_faults import PathFault
from roosync_p2p.core.memory_store import MemoryStore, Snapshot
from roosync_p2p.errors import RoosyncError, StoreError, UsageError
from roosync_p2p.ids import EntryId, MachineId, parse_address
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.key_verbs import KeyVerbs
from roosync_p2p.simulation.member import CrashPoint, Member
from roosync_p2p.simulation.order_verbs import OrderVerbs
from roosync_p2p.simulation.retention import age

__all__ = ["Sent", "Verbs"]


@dataclasses.dataclass(slots=True)
class Sent:
    """A message of the scenario: what its sender was answered, as far as it was."""

    sender: str
    command: SendMessage
    answers: list[dict[str, object] | RoosyncError] = dataclasses.field(default_factory=list)

    @property
    def entry(self) -> EntryId | None:
        """Its entry, once acknowledged."""
        done = [answer for answer in self.answers if isinstance(answer, dict)]
        return EntryId(bytes.fromhex(str(done[-1]["entry"]))) if done else None


class Verbs:
    """A fleet, and what a line of a scenario does to it."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.sent: dict[str, Sent] = {}
        self.order = OrderVerbs(fleet)
        self.keys = KeyVerbs(fleet)
        self._backups: dict[str, Snapshot] = {}
        self._cut_off: dict[str, int] = {}

    def member(self, name: str) -> Member:
        """The member of that name.

        Raises:
            UsageError: there is none.
        """
        if name not in self.fleet.members:
            raise UsageError(f"there is no machine {name}")
        return self.fleet.members[name]

    def do(self, words: list[str]) -> None:
        """Does what one line says.

        Raises:
            UsageError: no such verb, or not with these words.
        """
        verb = _VERBS.get(words[0])
        if verb is None:
            raise UsageError(f"no such verb; there are {', '.join(sorted(_VERBS))} and expect")
        verb(self, words[1:])

    def _each(self, words: list[str]) -> list[Member]:
        if words == ["all"]:
            return list(self.fleet.members.values())
        return [self.member(word) for word in words]

    # --- time and machines ----------------------------------------------------------------------------------------

    def run(self, words: list[str]) -> None:
        self.fleet.run(float(words[0]))

    def start(self, words: list[str]) -> None:
        for member in self._each(words):
            member.start()

    def kill(self, words: list[str]) -> None:
        for member in self._each(words):
            member.crash()

    def power_off(self, words: list[str]) -> None:
        for member in self._each(words):
            self.fleet.power_off(member.name)

    def crash(self, words: list[str]) -> None:
        """``crash beta written|synced|releasing [keep N]``: at the next commit."""
        member = self.member(words[0])
        member.crash_point = CrashPoint(words[1])
        member.crash_keep = int(words[3]) if words[2:3] == ["keep"] else 0

    def pause(self, words: list[str]) -> None:
        for member in self._each(words):
            member.pause()

    def unpause(self, words: list[str]) -> None:
        for member in self._each(words):
            member.unpause()

    def sleep(self, words: list[str]) -> None:
        for member in self._each(words):
            self.fleet.sleep(member.name)

    def wake(self, words: list[str]) -> None:
        for member in self._each(words):
            self.fleet.wake(member.name)

    def leave(self, words: list[str]) -> None:
        for member in self._each(words):
            member.leave()

    def age(self, words: list[str]) -> None:
        """``age 70``: so many days pass, and messages are as old as that."""
        age(self.fleet, int(words[0]))

    def clock(self, words: list[str]) -> None:
        """``clock beta +3600``: the wall clock is set that many seconds ahead (or back)."""
        self.member(words[0]).clock.offset_ms += round(float(words[1]) * 1000)

    # --- network --------------------------------------------------------------------------------------------------

    def cut(self, words: list[str]) -> None:
        """``cut alpha beta`` both ways, ``cut alpha -> beta`` one way."""
        one_way = "->" in words
        names = [self.member(word).name for word in words if word != "->"]
        self.fleet.cut(names[0], names[1], both_ways=not one_way)

    def isolate(self, words: list[str]) -> None:
        for member in self._each(words):
            self.fleet.isolate(member.name)

    def partition(self, words: list[str]) -> None:
        self.fleet.partition([self.member(word).name for word in words])

    def loss(self, words: list[str]) -> None:
        self.fleet.everywhere(PathFault(loss=float(words[0])))

    def heal(self, _words: list[str]) -> None:
        self.fleet.paths.heal()

    def firewall(self, words: list[str]) -> None:
        """``firewall beta on|off``: it refuses whoever dials it."""
        transport = self.member(words[0]).transport
        if transport is None:
            raise UsageError(f"{words[0]} does not run")
        transport.refusing = words[1] == "on"

    # --- disks and homes ------------------------------------------------------------------------------------------

    def disk(self, words: list[str]) -> None:
        """``disk beta stalled|full|fine``."""
        member = self.member(words[0])
        member.disk_stalled = words[1] == "stalled"
        full = StoreError("the disk is full; nothing was stored", code="disk_full")
        member.disk.fault = full if words[1] == "full" else None

    def backup(self, words: list[str]) -> None:
        """``backup beta as monday``."""
        self._backups[words[2]] = self.member(words[0]).disk.snapshot()

    def restore(self, words: list[str]) -> None:
        """``restore beta monday``: the machine does not run."""
        self.member(words[0]).disk.restore(self._backups[words[1]])

    def wipe(self, words: list[str]) -> None:
        """``wipe beta``: its store is lost, its keys are not."""
        self.member(words[0]).disk = MemoryStore()

    def copy(self, words: list[str]) -> None:
        """``copy beta as beta2 [from monday]``: a second computer with that home; it is not started."""
        member = self.member(words[0])
        snapshot = self._backups[words[4]] if words[3:4] == ["from"] else member.disk.snapshot()
        self.fleet.copy(member.name, words[2], snapshot)

    def admit(self, words: list[str]) -> None:
        """``admit delta``: the issuer's node admits it, and it starts."""
        issuer = self.fleet.members[self.fleet.keys.founder]
        machine = words[0]
        issuer.request(
            self.fleet.keys.admission(MachineId(machine)),
            lambda result: None if isinstance(result, RoosyncError) else _ignore(self.fleet.join(machine)),
        )

    def countersign(self, words: list[str]) -> None:
        """``countersign alpha``: a person brings the root's key."""
        member = self.member(words[0])
        renewal = member.node().authorship.renewal
        if renewal is None:
            raise UsageError(f"{words[0]} waits for no countersignature")
        envelope = self.fleet.keys.root_countersignature(renewal)
        member.request(OfferCountersignature(envelope=envelope), lambda _result: None)

    # --- messages -------------------------------------------------------------------------------------------------

    def send(self, words: list[str]) -> None:
        """``send alpha to beta[,gamma:workspace] as m1``."""
        if words[1] != "to" or words[3] != "as":
            raise UsageError("send ALPHA to BETA as NAME")
        command = SendMessage(
            to=tuple(parse_address(text) for text in words[2].split(",")),
            subject=words[4],
            body=f"this is {words[4]}.",
            type="text",
            priority="MEDIUM",
            tags=(),
            workspace=None,
            thread_id=None,
            in_reply_to=None,
            idempotency_key=words[4],
            remembered=None,
        )
        self.sent[words[4]] = Sent(words[0], command)
        self._ask(self.sent[words[4]])

    def retry(self, words: list[str]) -> None:
        """``retry m1``: the user says or asks the same again, with the same key."""
        if words[0] in self.order.asked:
            self.order.retry(words[0])
        else:
            self._ask(self.sent[words[0]])

    def _ask(self, sent: Sent) -> None:
        member = self.member(sent.sender)
        assert sent.command.idempotency_key is not None
        remembered = member.disk.idempotency(sent.command.idempotency_key)
        member.request(dataclasses.replace(sent.command, remembered=remembered), sent.answers.append)

    def read(self, words: list[str]) -> None:
        """``read beta m1``."""
        member = self.member(words[0])
        entry = self.sent[words[1]].entry
        message = member.disk.message(entry) if entry is not None else None
        if message is None:
            raise UsageError(f"{words[0]} does not hold {words[1]}")
        boxes = tuple(row.workspace for row in member.disk.deliveries(message.entry))
        member.request(MarkRead(message=message.entry, author=message.author, workspaces=boxes), lambda _result: None)


def _ignore(_value: object) -> None:
    return None


_VERBS: dict[str, Callable[[Verbs, list[str]], None]] = {
    "admit": Verbs.admit,
    "age": Verbs.age,
    "backup": Verbs.backup,
    "certificate": lambda verbs, words: verbs.keys.certificate(words),
    "claim": lambda verbs, words: verbs.order.claim(words),
    "clock": Verbs.clock,
    "copy": Verbs.copy,
    "countersign": Verbs.countersign,
    "crash": Verbs.crash,
    "cut": Verbs.cut,
    "disk": Verbs.disk,
    "firewall": Verbs.firewall,
    "forge-revocation": lambda verbs, words: verbs.keys.forge_revocation(words),
    "hand-over": lambda verbs, words: verbs.order.hand_over(words),
    "heal": Verbs.heal,
    "isolate": Verbs.isolate,
    "kill": Verbs.kill,
    "leave": Verbs.leave,
    "loss": Verbs.loss,
    "partition": Verbs.partition,
    "pause": Verbs.pause,
    "power-off": Verbs.power_off,
    "query": lambda verbs, words: verbs.order.query(words),
    "read": Verbs.read,
    "release": lambda verbs, words: verbs.order.release(words),
    "renew": lambda verbs, words: verbs.order.renew(words),
    "restore": Verbs.restore,
    "retry": Verbs.retry,
    "revoke": lambda verbs, words: verbs.keys.revoke(words),
    "run": Verbs.run,
    "send": Verbs.send,
    "settle": lambda verbs, words: verbs.keys.settle(words),
    "shorten-log": lambda verbs, words: verbs.order.shorten_log(words),
    "sleep": Verbs.sleep,
    "start": Verbs.start,
    "unpause": Verbs.unpause,
    "vote": lambda verbs, words: verbs.order.vote(words),
    "voters": lambda verbs, words: verbs.order.voters(words),
    "wake": Verbs.wake,
    "wipe": Verbs.wipe,
}
