"""A commit log in memory: machines sign entries, a history orders and applies them, and checks itself at each step.

Every step is also done on a state loaded from its pairs, and the digest is computed anew, so no test can pass on a
state that another machine would not have.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

import msgspec

from roosync_p2p.codec import records
from roosync_p2p.entries.entry import CHAIN_START, LEDGER, Entry, write_entry
from roosync_p2p.entries.incarnations import ChainStart
from roosync_p2p.ids import CommitNumber, EntryId, Epoch, MachineId, StoreId
from roosync_p2p.ledger.apply import apply, apply_voters
from roosync_p2p.ledger.bodies import Carrier, OrderedBody
from roosync_p2p.ledger.cursors import Take, takes
from roosync_p2p.ledger.outcomes import Applied, Event
from roosync_p2p.ledger.state import State
from roosync_p2p.trust.directory import ROOT_AUTHOR
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.roles import FOUNDER_ROLES, PLAIN_ROLES
from roosync_p2p.trust.statements import (
    FLEET_FOUND,
    MEMBER_ADMIT,
    FleetFound,
    MemberAdmit,
    RoleGrant,
    Statement,
    encode_fleet_found,
    encode_member_admit,
    seal_role_grant,
    seal_statement,
)
from tests.helpers.trust import NOW_S, ExampleFleet

__all__ = ["FLEET", "START_MS", "A", "Author", "B", "C", "D", "History", "serial"]

FLEET: Final = ExampleFleet()
A, B, C, D = (MachineId(name) for name in ("myia-ai-01", "myia-po-2023", "myia-po-2024", "myia-web1"))  # A founds
START_MS: Final = NOW_S * 1000


def serial(number: int) -> bytes:
    """The serial number of a statement."""
    return number.to_bytes(16, "big")


@dataclasses.dataclass
class Author:
    """One machine's ledger chain."""

    machine: MachineId
    key: SigningKey
    incarnation: int = 1
    sequence: int = 0
    previous: EntryId | None = None

    def write(self, kind: str, body: bytes, *, time_ms: int = START_MS) -> Entry:
        """The next entry of the chain."""
        entry = write_entry(
            self.key,
            fleet=FLEET.fleet,
            author=self.machine,
            incarnation=self.incarnation,
            chain=LEDGER,
            sequence=self.sequence + 1,
            previous=self.previous,
            time_ms=time_ms,
            kind=kind,
            body=body,
        )
        self.sequence, self.previous = entry.header.sequence, entry.id
        return entry


_BEGINNINGS: dict[object, History] = {}  # founded once for each set of members: signing takes time


class History:
    """The fleet's order, from its founding by A.

    Attributes:
        state: after the last commit.
        time_ms: commit time of the next entry; tests move it.
        events: of all commits so far.
        log: every entry with its number and time, to replay.
    """

    def __init__(self, *members: MachineId, voters: tuple[MachineId, ...] = (A,)) -> None:
        self._clear()
        beginning = _BEGINNINGS.get((members, voters))
        if beginning is None:
            self._found(members, voters)
            _BEGINNINGS[members, voters] = self._copy()
        else:
            self.__dict__ = beginning._copy().__dict__

    @classmethod
    def unfounded(cls) -> History:
        """A log in which nothing happened yet."""
        empty = object.__new__(cls)
        empty._clear()
        return empty

    def _clear(self) -> None:
        self.state = State()
        self.number = 0
        self.time_ms = START_MS
        self.epoch = Epoch(0)
        self.authors: dict[MachineId, Author] = {}
        self.events: list[Event] = []
        self.log: list[tuple[int, int, Entry]] = []

    def _found(self, members: tuple[MachineId, ...], voters: tuple[MachineId, ...]) -> None:
        self.voters(*voters)
        self.begin(A)
        assert self.commit(self.author(A).write(FLEET_FOUND, self.founding())).outcome.accepted
        for machine in members:
            self.join(machine)

    def _copy(self) -> History:
        twin = object.__new__(History)
        twin.__dict__ = {
            **self.__dict__,
            "authors": {machine: dataclasses.replace(author) for machine, author in self.authors.items()},
            "events": list(self.events),
            "log": list(self.log),
        }
        return twin

    # --- what machines write ------------------------------------------------------------------------------------

    def author(self, machine: MachineId) -> Author:
        """The chain of a machine, which begins when it is first asked for."""
        if machine not in self.authors:
            self.authors[machine] = Author(machine, FLEET.key(machine))
        return self.authors[machine]

    def begin(self, machine: MachineId, **renewal: object) -> Applied:
        """The first entry of a chain."""
        body = ChainStart(leaf=FLEET.leaf(machine), issuer=FLEET.issuer, store=bytes(16), **renewal)  # type: ignore[arg-type]
        return self.commit(self.author(machine).write(CHAIN_START, records.encode(body)))

    def say(self, machine: MachineId, kind: str, body: OrderedBody | bytes) -> Applied:
        """An entry of a machine, ordered at once."""
        data = body if isinstance(body, bytes) else records.encode(body)
        return self.commit(self.author(machine).write(kind, data, time_ms=self.time_ms))

    def carry(self, machine: MachineId, kind: str, statement: Statement, **body: object) -> Applied:
        """An entry that carries a statement of the root."""
        envelope = seal_statement(FLEET.root_key, statement, fleet=FLEET.fleet, author=ROOT_AUTHOR)
        return self.say(machine, kind, Carrier(statement=envelope, **body))  # type: ignore[arg-type]

    def founding(self) -> bytes:
        """The body of ``fleet.found``."""
        found = FleetFound(
            fleet_name=FLEET.name,
            machine=A,
            key=FLEET.key(A).key_id,
            roles=FOUNDER_ROLES,
            time_ms=START_MS,
            root=FLEET.root,
            issuer=FLEET.issuer,
            leaf=FLEET.leaf(A),
        )
        return encode_fleet_found(FLEET.root_key, found)

    def admission(self, machine: MachineId, /, *roles: str, **changed: object) -> bytes:
        """The body of ``member.admit`` by A."""
        given = tuple(sorted(roles)) or PLAIN_ROLES
        key = FLEET.key(machine).key_id
        grant = b"" if given == PLAIN_ROLES else seal_role_grant(FLEET.root_key, RoleGrant(roles=given, key=key))
        admit = MemberAdmit(
            machine=machine,
            key=key,
            roles=given,
            leaf=FLEET.leaf(machine),
            issuer=FLEET.issuer,
            admitted_by=A,
            grant=grant,
            epoch=self.epoch,
        )
        return encode_member_admit(msgspec.structs.replace(admit, **changed))

    def admit(self, machine: MachineId, *roles: str) -> Applied:
        """A admits a machine."""
        return self.say(A, MEMBER_ADMIT, self.admission(machine, *roles))

    def join(self, machine: MachineId, *roles: str) -> None:
        """A admits a machine, whose chain begins."""
        assert self.admit(machine, *roles).outcome.accepted
        self.begin(machine)

    # --- ordering -----------------------------------------------------------------------------------------------

    def commit(self, entry: Entry) -> Applied:
        """Gives an entry the next number. Its author's cursor is next, or the test is wrong."""
        assert takes(self.state, entry, root=FLEET.root) is Take.NEXT
        number = self.number + 1
        self.log.append((number, self.time_ms, entry))
        return self._applied(
            apply(
                self.state,
                number=CommitNumber(number),
                time_ms=self.time_ms,
                epoch=self.epoch,
                entry=entry,
                root=FLEET.root,
            ),
            apply(
                State.load(self.state.items()),
                number=CommitNumber(number),
                time_ms=self.time_ms,
                epoch=self.epoch,
                entry=entry,
                root=FLEET.root,
            ),
        )

    def voters(self, *machines: MachineId) -> Applied:
        """A configuration of consensus is committed."""
        seats = [(machine, StoreId(bytes(16))) for machine in machines]
        number, state = CommitNumber(self.number + 1), self.state
        first, again = (
            apply_voters(start, number=number, time_ms=self.time_ms, epoch=self.epoch, voters=seats)
            for start in (state, State.load(state.items()))
        )
        return self._applied(first, again)

    def wait(self, seconds: float) -> None:
        """Commit time passes."""
        self.time_ms += round(seconds * 1000)

    def told(self, name: str) -> list[Mapping[str, object]]:
        """Details of all events of that name."""
        return [event.detail for event in self.events if event.name == name]

    def _applied(self, applied: Applied, again: Applied) -> Applied:
        assert applied == again
        self.number += 1
        self.state = self.state.with_changes(applied.changes)
        assert self.state.digest == State.load(self.state.items()).digest
        self.events += applied.events
        return applied
