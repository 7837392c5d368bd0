"""Members in: invites of this issuer, admissions it writes, admissions others wrote (docs/protocol/trust.md §6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from roosync_p2p import limits
from roosync_p2p.codec.records import decode
from roosync_p2p.core.authorship import Authorship
from roosync_p2p.core.commands import AddInvite, AdmitMachine
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.rows import InviteRow, PendingRow
from roosync_p2p.entries.entry import LEDGER, Entry
from roosync_p2p.errors import ConflictError, InputFault, PeerFault, UntrustedError
from roosync_p2p.ids import Epoch, MachineId
from roosync_p2p.ledger.bodies import Carrier, in_epoch
from roosync_p2p.trust.directory import ROOT_AUTHOR
from roosync_p2p.trust.roles import ISSUER
from roosync_p2p.trust.statements import (
    FLEET_FOUND,
    MEMBER_ADMIT,
    MEMBER_ROLES,
    MemberRoles,
    open_statement,
    verify_fleet_found,
    verify_member_admit,
)

__all__ = ["Admission"]


class Admission:
    """Keeps invites, and turns what was decided into entries of the ledger chain. ``epoch``: the one in force."""

    def __init__(
        self, desk: Desk, authorship: Authorship, pending: Iterable[PendingRow], *, epoch: Callable[[], Epoch]
    ) -> None:
        self._desk = desk
        self._epoch = epoch
        self._authorship = authorship
        self._pending = sorted(pending, key=lambda row: row.number)

    def ready(self) -> None:
        """This machine may write: what was decided while no node ran here goes to its chain."""
        for row in self._pending:
            if row.body is not None:
                self._desk.persist(PendingRow(number=row.number, kind=row.kind, body=None))
                if row.kind != FLEET_FOUND or self._authorship.incarnation == 1:  # a fleet is founded once
                    self._write(row.kind, row.body)
        self._pending.clear()

    def add_invite(self, command: AddInvite) -> Ticket:
        """Keeps an invite before its code is shown to anybody."""
        return self._desk.persist(InviteRow(invite_id=command.invite_id, data=command.data))

    def admit(self, command: AdmitMachine) -> Ticket:
        """A certificate was issued: pinned, written to the ledger chain, the invite used up, all in one transaction.

        Raises:
            InputFault: this machine must not write now, or the machine id has another key.
        """
        self._authorship.check_writable()
        try:
            self._desk.learn(command.leaf, command.issuer)
        except PeerFault as fault:
            raise InputFault(fault.message, code=fault.code, remedy=fault.remedy, details=fault.details) from fault
        if command.invite_id is not None:
            self._desk.persist(InviteRow(invite_id=command.invite_id, data=command.invite))
        return self._write(MEMBER_ADMIT, command.body)

    def accepted(self, entry: Entry) -> MachineId | None:
        """Learns from an accepted ledger entry; the machine whose pinned key it contradicts, if it does."""
        if entry.body is None:
            return None
        try:
            if entry.header.kind == MEMBER_ADMIT:
                admit = verify_member_admit(entry.body, self._desk.directory)
                if admit.admitted_by != entry.author:
                    raise UntrustedError("an admission names another issuer than its author", code="wrong_machine")
                self._desk.learn(admit.leaf, admit.issuer)
            elif entry.header.kind == FLEET_FOUND:
                found = verify_fleet_found(entry.body, self._desk.directory)
                self._desk.learn(found.leaf, found.issuer)
            elif entry.header.kind == MEMBER_ROLES:
                self._issuers(entry.body)
        except ConflictError as fault:
            self._desk.fault(fault)
            machine = fault.details.get("machine")
            return MachineId(machine) if isinstance(machine, str) else None
        except PeerFault as fault:
            self._desk.fault(fault)
        return None

    def _issuers(self, body: bytes) -> None:
        """The root makes a machine an issuer, or lets it be one no more: then its issuer keys say nothing new."""
        statement = decode(body, Carrier, size_max=limits.ENTRY_BODY_BYTES_MAX).statement
        said, verified = open_statement(statement, MemberRoles, self._desk.directory)
        if verified.author != ROOT_AUTHOR:
            raise UntrustedError("roles are given by the root alone", code="not_root")
        if said.issuer:
            self._desk.learn_issuer(said.issuer)
        if ISSUER not in said.roles:
            issuers = self._desk.directory.issuers.values()
            self._desk.give_up(issuer.key_id for issuer in issuers if issuer.machine == said.machine)

    def _write(self, kind: str, body: bytes) -> Ticket:
        return self._authorship.append(LEDGER, kind, in_epoch(body, self._epoch()))[1]
