"""What follows when a machine is out: its links end, it is asked and told nothing more (docs/protocol/trust.md §7).

It is out because its key was revoked, which is heard, or because it left or was retired, which is ordered. Of the
second kind everything that it wrote goes on to count; it stays linked for a moment, so that it reads of its own end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from roosync_p2p import limits
from roosync_p2p.codec.records import decode
from roosync_p2p.core.authorship import Authorship
from roosync_p2p.core.delivery import Delivery
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.links import Links
from roosync_p2p.core.revocations import Revocations, with_ordered_issuers
from roosync_p2p.entries.entry import Entry
from roosync_p2p.errors import InputFault, PeerFault
from roosync_p2p.ids import KeyId, MachineId
from roosync_p2p.ledger.bodies import Carrier
from roosync_p2p.ledger.register import Register
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import Verified, verify
from roosync_p2p.trust.statements import MEMBER_REMOVE

__all__ = ["Departures"]

Forget = Callable[[MachineId], None]


class Departures:
    """Hears revocations, from peers, from entries and from people, and does what follows.

    Args:
        register: of the applied state.
        applied: up to which commit number a machine says that it has read the log.
        forget: of the parts that remember something of a machine.
        gone: called with a machine that is out now.
    """

    def __init__(
        self,
        desk: Desk,
        links: Links,
        delivery: Delivery,
        authorship: Authorship,
        revocations: Revocations,
        *,
        register: Callable[[], Register],
        applied: Callable[[MachineId], int | None],
        forget: Iterable[Forget],
        gone: Forget,
    ) -> None:
        self._desk = desk
        self._links = links
        self._delivery = delivery
        self._authorship = authorship
        self._revocations = revocations
        self._forget = tuple(forget)
        self._gone = gone
        self._register = register
        self._applied = applied
        self._judged: Register | None = None
        self._going: dict[MachineId, float] = {}  # who left or was retired, and until when it stays linked, once it is

    def begin(self) -> None:
        """At the start: whether this machine itself is out."""
        self._if_own()

    def heard(self, verified: Verified, *, source: MachineId | None) -> Ticket:
        """A revocation came; what it is the ticket for is durable before anybody else hears of it.

        Raises:
            PeerFault: it is none, or its signer may not say it.
        """
        record = self._revocations.heard(verified)
        if record is None:
            return self._desk.newest_ticket
        machine = record.author
        ticket = self._delivery.spread(record, source=source)
        self._if_own()
        if self._revocations.out(machine) is not None:
            self._put_out(machine)
        return ticket

    def tick(self) -> None:
        """What the order says of keys, by what is applied here: who left or was retired, who is an issuer."""
        now_s, register = self._desk.now.monotonic_s, self._register()
        if register is not self._judged:
            self._judged = register
            self._desk.follow(with_ordered_issuers(self._desk.directory, register))
            going = [MachineId(name) for name in register.members if self._leaves(MachineId(name))]
            self._going = {machine: self._going.get(machine, math.inf) for machine in going}
        for machine, until_s in list(self._going.items()):
            linked, ended = machine in self._links.peers(), register.members[machine]
            if ended.ended == "retired" and (self._applied(machine) or 0) < ended.ended_number:
                continue  # perhaps it is off: it reads of its end when it links, and nobody else tells it
            if linked and until_s == math.inf:
                self._going[machine] = now_s + limits.ENDED_LINKED_S
            elif not linked or now_s >= until_s:
                del self._going[machine]
                self._desk.give_up([KeyId(register.members[machine].key)])
                self._put_out(machine)

    def _leaves(self, machine: MachineId) -> bool:
        """Whether its membership has ended, and it is known here with the key that it had then."""
        ended, known = self._register().members.get(machine), self._desk.directory.members.get(machine)
        if machine == self._desk.me or ended is None or not ended.ended or known is None:
            return False
        return known.key_id == ended.key

    def _put_out(self, machine: MachineId) -> None:
        self._links.show_out(machine)
        for forget in self._forget:
            forget(machine)
        self._gone(machine)

    def carried(self, entry: Entry) -> None:
        """An entry was accepted; if it carries a revocation, that is heard."""
        if entry.header.kind != MEMBER_REMOVE or entry.body is None:
            return
        try:
            statement = decode(entry.body, Carrier, size_max=limits.ENTRY_BODY_BYTES_MAX).statement
            self.heard(self._verified(statement), source=None)
        except PeerFault as fault:
            self._desk.fault(fault)

    def offered(self, statement: bytes) -> tuple[MachineId, Ticket]:
        """A person brings a revocation; who is out, and when that is durable here.

        Raises:
            InputFault: it is none, or its signer may not say it; nothing was changed.
        """
        try:
            verified = self._verified(statement)
            ticket = self.heard(verified, source=None)
        except PeerFault as fault:
            raise InputFault(fault.message, code=fault.code, remedy=fault.remedy, details=fault.details) from fault
        return self._revocations.machine_of(verified), ticket

    def _verified(self, statement: bytes) -> Verified:
        return verify(
            statement,
            context=contexts.STATEMENT,
            directory=self._desk.directory,
            size_max=limits.RECORD_BYTES_MAX,
        )

    def _if_own(self) -> None:
        said = self._revocations.own()
        if said is not None:
            why = f": {said.reason}" if said.reason else ""
            self._authorship.revoked(f"this machine's key was revoked{why}; the others take nothing new from it")
