"""Watches what becomes of machines that were revoked: rows, verdicts and links become facts for the checker."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Final

from roosync_p2p.core import effects
from roosync_p2p.core.revocations import REVOCATION
from roosync_p2p.core.rotations import ROTATION
from roosync_p2p.core.rows import EntryRow, RecordRow, Row
from roosync_p2p.entries.entry import CHAIN_START, stored_entry
from roosync_p2p.ids import CommitNumber, MachineId
from roosync_p2p.ledger.register import MemberState, register_of
from roosync_p2p.simulation import order_facts
from roosync_p2p.simulation.checkers.revocations import Cut, Holding, RevocationChecker
from roosync_p2p.simulation.checkers.violation import Violation
from roosync_p2p.simulation.member import Member

if TYPE_CHECKING:
    from roosync_p2p.simulation.fleet import Fleet

__all__ = ["KeyWatch"]

CLOSED_S: Final = 1.0  # the links of a machine that is out are closed within this


class KeyWatch:
    """The part of a world's watch that knows keys. ``found`` takes violations."""

    def __init__(self, *, found: Callable[[Iterable[Violation]], None]) -> None:
        self.checker = RevocationChecker()
        self.revoked: list[MachineId] = []
        self.replaces_key: Callable[[Member], None] = lambda _member: None  # its rotation is on its way to its disk
        self._found = found
        self._heard_s: dict[tuple[str, str], float] = {}
        self._fleet: Fleet
        self._up_for_s: Callable[[str], float]

    def attach(self, fleet: Fleet, *, up_for_s: Callable[[str], float]) -> None:
        """Whom to watch, and for how long each has been awake."""
        self._fleet = fleet
        self._up_for_s = up_for_s

    def planned(self, machine: MachineId) -> None:
        """That machine is revoked by somebody who may."""
        self.revoked.append(machine)
        self.checker.planned(machine)

    def wrote(self, member: Member, rows: tuple[Row, ...]) -> None:
        """Rows are on their way to a disk."""
        if any(
            isinstance(row, RecordRow) and (row.kind, row.author) == (ROTATION, member.identity.machine) for row in rows
        ):
            self.replaces_key(member)
        if not self.revoked:
            return
        now_s = self._fleet.now_s
        for row in rows:
            if isinstance(row, EntryRow) and row.author in self.revoked and row.author != member.identity.machine:
                place = (str(row.author), row.incarnation, str(row.chain), row.sequence)
                self._found(self.checker.took(member.name, place, now_s))
            elif isinstance(row, RecordRow) and row.author in self.revoked and row.kind != REVOCATION:
                self._found(self.checker.took_record(member.name, row.author, row.kind, now_s))

    def notified(self, member: Member, notice: effects.Notify) -> None:
        """Something on a node's event stream."""
        machine, now_s = str(notice.data.get("machine", "")), self._fleet.now_s
        if notice.event == "revoked":
            cut = _cut(notice.data["ledger"], notice.data["mail"])
            self._found(self.checker.heard(member.name, machine, cut, now_s))
            self._heard_s.setdefault((member.name, machine), now_s)
            life = member.life
            self._fleet.scheduler.schedule(CLOSED_S, lambda: self._look(member, life))
        elif notice.event == "verdict" and machine in self.revoked:
            self._found(self.checker.judged(member.name, machine, str(notice.data["state"]), now_s))

    def _look(self, member: Member, life: int) -> None:
        if member.life == life:
            self.sample(member)

    def sample(self, member: Member) -> None:
        """What a node that is awake has and remembers of those who were revoked."""
        core, now_s = member.core, self._fleet.now_s
        if core is None or member.paused or self._up_for_s(member.name) < CLOSED_S:
            return
        for machine in self.revoked:
            since_s = self._heard_s.get((member.name, machine), now_s)
            if machine in core.links.peers() and now_s >= since_s + CLOSED_S:
                self._found(self.checker.linked(member.name, machine, now_s))
            if core.presence.latest(machine) is not None:
                self._found(self.checker.remembers(member.name, machine, now_s))

    def finish(self, members: Iterable[Member], ordered: Collection[Member]) -> None:
        """Everybody that counts, after convergence. ``ordered``: those who take part in an order that goes on."""
        there = list(members)
        for machine in self.revoked:
            holdings = [self._holding(member, machine, ordered=member in ordered) for member in there]
            self._found(self.checker.finish(machine, holdings, self._fleet.now_s))

    def _holding(self, member: Member, machine: MachineId, *, ordered: bool) -> Holding:
        core = member.node()
        said = core.revocations.revoked.get(machine)
        spans = [span for span in core.exchange.spans() if span.author == machine and span.head >= span.floor]
        state = register_of(core.commit.state, member.identity.root).members.get(machine)
        return Holding(
            member=member.name,
            cut=None if said is None else Cut(ledger=said.ledger, mail=said.mail),
            heads={(span.incarnation, str(span.chain)): span.head for span in spans},
            commits=_accepted(member, machine, state),
            removed=not ordered or (state is not None and bool(state.ended)),
        )


def _accepted(member: Member, machine: MachineId, state: MemberState | None) -> list[str]:
    """What the ledger took of a machine behind the number with which its membership ended."""
    if state is None or not state.ended:
        return []
    behind = member.disk.commits(CommitNumber(state.ended_number + 1), order_facts.ALL_ITEMS)
    ids = [row.entry for row in behind if row.entry is not None and row.accepted]
    entries = [stored_entry(*held) for held in member.disk.ordered_entries(ids).values()]
    # The beginning of a chain changes nothing, whoever wrote it.
    return [entry.id.hex() for entry in entries if entry.author == machine and entry.header.kind != CHAIN_START]


def _cut(ledger: object, mail: object) -> Cut:
    return Cut(ledger=_place(ledger), mail=_place(mail))


def _place(said: object) -> tuple[int, int]:
    assert isinstance(said, list)
    incarnation, sequence = said
    return int(incarnation), int(sequence)
