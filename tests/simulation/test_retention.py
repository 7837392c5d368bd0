"""Four months of mail from a seed: nothing young is lost, nothing old comes back, chains hold from their floors."""

from __future__ import annotations

import dataclasses
from typing import Final

import pytest

from roosync_p2p.core.commands import MarkRead, SendMessage
from roosync_p2p.entries.entry import MAIL, stored_entry
from roosync_p2p.errors import RoosyncError
from roosync_p2p.ids import EntryId, MachineId, parse_address
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.member import Member
from roosync_p2p.simulation.retention import age, floor_of
from tests.helpers.by_hand import by_hand

THERE: Final = ("alpha", "beta", "gamma")
YOUNG_DAYS: Final = 29
BOUND: Final = {"count_max": 100_000, "bytes_max": 1 << 30}


@dataclasses.dataclass
class _Sent:
    day: int
    sender: str
    to: tuple[str, ...]
    entry: EntryId


class _Months:
    """A fleet in which gamma goes away for long, and delta joins late."""

    def __init__(self, seed: int) -> None:
        self.dice = Dice.of(seed, "months")
        self.fleet = Fleet([*THERE, "delta"], dice=self.dice, admitted=3)
        self.day = 0
        self.sent: list[_Sent] = []
        self.bare: set[tuple[str, EntryId]] = set()  # bodies that are gone, by machine
        self.floors: dict[tuple[str, str], int] = {}
        self.wrong: list[str] = []
        for member in self.fleet.members.values():
            member.start()
        self.fleet.run(8)

    def pass_days(self, days: int) -> None:
        for _ in range(days):
            self._talk()
            age(self.fleet, 1)
            self.day += 1
            if self.day % 5 == 0:
                self.check()

    def _talk(self) -> None:
        awake = [member.name for member in self.fleet.running()]
        if self.dice.chance(0.5):
            sender = self.dice.choose(awake)
            self._send(sender, tuple(name for name in THERE if name != sender and self.dice.chance(0.7)))
        for name in awake:
            for sent in self.sent[-3:]:
                member = self.fleet.members[name]
                if name in sent.to and self.dice.chance(0.3) and member.disk.deliveries(sent.entry):
                    command = MarkRead(message=sent.entry, author=MachineId(sent.sender), workspaces=("",))
                    member.request(command, lambda _result: None)

    def _send(self, sender: str, to: tuple[str, ...]) -> None:
        if not to:
            return

        def answered(result: dict[str, object] | RoosyncError) -> None:
            assert isinstance(result, dict)
            self.sent.append(_Sent(self.day, sender, to, EntryId(bytes.fromhex(str(result["entry"])))))

        command = SendMessage(
            to=tuple(parse_address(name) for name in to),
            subject=f"day {self.day}",
            body="text",
            type="text",
            priority="MEDIUM",
            tags=(),
            workspace=None,
            thread_id=None,
            in_reply_to=None,
            idempotency_key=None,
            remembered=None,
        )
        self.fleet.members[sender].request(command, answered)

    def check(self) -> None:
        for member in self.fleet.running():
            self._nothing_young_is_lost(member)
            self._nothing_comes_back(member)
            self._chains_hold(member)

    def _nothing_young_is_lost(self, member: Member) -> None:
        for sent in self.sent:
            if sent.day > self.day - YOUNG_DAYS and member.name in sent.to:
                row = member.disk.entry(sent.entry)
                if row is None or row.body is None or len(member.disk.deliveries(sent.entry)) != 1:
                    self.wrong.append(f"day {self.day}: {member.name} lost what {sent.sender} sent on day {sent.day}")

    def _nothing_comes_back(self, member: Member) -> None:
        for sent in self.sent:
            row = member.disk.entry(sent.entry)
            if row is not None and row.body is None:
                self.bare.add((member.name, sent.entry))
            elif row is not None and (member.name, sent.entry) in self.bare:
                self.wrong.append(f"day {self.day}: a body of day {sent.day} came back at {member.name}")
        for author in (*THERE, "delta"):
            floor = floor_of(member, MachineId(author))
            if floor < self.floors.get((member.name, author), 0):
                self.wrong.append(f"day {self.day}: the floor of {author} sank at {member.name}")
            self.floors[member.name, author] = floor

    def _chains_hold(self, member: Member) -> None:
        for run in member.disk.load().chains:
            before = None
            if run.chain != MAIL:
                continue
            for row in member.disk.entries(run.author, run.incarnation, MAIL, run.floor, **BOUND):
                entry = stored_entry(row.header, row.body)
                if entry.id != row.id or (before is not None and entry.header.previous != before):
                    self.wrong.append(f"day {self.day}: entry {row.sequence} of {run.author} at {member.name}")
                before = entry.id


@by_hand
@pytest.mark.parametrize("seed", range(5))
def test_months_of_mail(seed: int) -> None:
    months = _Months(seed)
    fleet = months.fleet
    months.pass_days(months.dice.integer(3, 20))
    fleet.power_off("gamma")
    months.pass_days(months.dice.integer(72, 90))
    offset_ms = fleet.members["alpha"].clock.offset_ms
    gone_with = {author: floor_of(fleet.members["gamma"], MachineId(author)) for author in THERE}
    fleet.members["gamma"].start()
    fleet.run(15)
    months.check()
    issuer = fleet.members[fleet.keys.founder]
    issuer.request(fleet.keys.admission(MachineId("delta")), lambda _result: None)
    fleet.run(1)
    fleet.join("delta").clock.offset_ms = offset_ms
    fleet.run(15)
    months.check()
    months.pass_days(5)
    assert months.wrong == []
    for author in ("alpha", "beta"):
        mine = MachineId(author)
        (floor,) = {floor_of(member, mine) for member in fleet.running()}
        assert floor > gone_with[author]
    assert len({member.node().exchange.digest() for member in fleet.running()}) == 1
    assert len(fleet.running()) == 4
