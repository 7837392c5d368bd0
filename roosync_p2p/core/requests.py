"""The requests of users, answered once what they report is durable, or refused (docs/protocol/core.md §3).

While the start-up check runs, what would write waits for its end. While the store takes nothing, everything is refused
before anything is signed, so a refusal means that nothing was done.
"""

from __future__ import annotations

from collections.abc import Callable

from roosync_p2p import limits
from roosync_p2p.core import inputs
from roosync_p2p.core.admission import Admission
from roosync_p2p.core.authorship import Authorship, Phase
from roosync_p2p.core.certificates import Certificates
from roosync_p2p.core.commands import (
    AddInvite,
    AdmitMachine,
    IssueRenewal,
    KeyCommand,
    MailCommand,
    OfferCertificate,
    OfferCountersignature,
    OfferLost,
    OrderCommand,
    ReadLedger,
    RenewCertificate,
    Revoke,
    Rotate,
)
from roosync_p2p.core.commit.commit_log import CommitLog
from roosync_p2p.core.departures import Departures
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Answer, Ticket
from roosync_p2p.core.mail_commands import AnswerMessage, ArchiveMessages, KeepMessage, MarkRead, RaiseFloors, Retain
from roosync_p2p.core.messaging import Messaging
from roosync_p2p.core.renewals import Renewals
from roosync_p2p.core.rotations import Rotations
from roosync_p2p.errors import EnvironmentFault, RoosyncError

__all__ = ["Requests"]

# What needs no own chain.
_WRITE_NOTHING = (
    MarkRead,
    AnswerMessage,
    ArchiveMessages,
    KeepMessage,
    RaiseFloors,
    Retain,
    AddInvite,
    ReadLedger,
    Revoke,
    OfferLost,
    RenewCertificate,
    OfferCertificate,
    IssueRenewal,
)


class Requests:
    """Takes commands to the part that they are for. ``admitted`` and ``renewed`` are called after such a command."""

    def __init__(
        self,
        desk: Desk,
        authorship: Authorship,
        messaging: Messaging,
        admission: Admission,
        renewals: Renewals,
        commit: CommitLog,
        departures: Departures,
        certificates: Certificates,
        rotations: Rotations,
        *,
        admitted: Callable[[], None],
        renewed: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._authorship = authorship
        self._messaging = messaging
        self._admission = admission
        self._renewals = renewals
        self._commit = commit
        self._departures = departures
        self._certificates = certificates
        self._rotations = rotations
        self._admitted = admitted
        self._renewed = renewed
        self._waiting: list[inputs.Request] = []
        self.store_fault: EnvironmentFault | None = None

    def take(self, request: inputs.Request) -> None:
        """Answers a request, or keeps it until the start-up check has ended."""
        writes = not isinstance(request.command, _WRITE_NOTHING)
        room = len(self._waiting) < limits.REQUEST_QUEUE_MAX
        if self._authorship.phase is Phase.CHECKING and writes and room:
            self._waiting.append(request)
            return
        result: dict[str, object] | RoosyncError
        try:
            self._require_store()
            if isinstance(request.command, OrderCommand):
                self._commit.take(request.request, request.command)  # answered when the order says
                return
            result, after = self._command(request.command)
        except RoosyncError as error:
            result, after = error, Ticket(0)
        self._desk.emit(Answer(request=request.request, result=result, after=after))

    def tick(self) -> None:
        """Answers what waited for the start-up check, whichever way that ended."""
        if self._waiting and self._authorship.phase is not Phase.CHECKING:
            waiting, self._waiting = self._waiting, []
            for request in waiting:
                self.take(request)

    def stored(self) -> None:
        """The store took something."""
        if self.store_fault is not None:
            self.store_fault = None
            self._desk.notify("store", {"ok": True})

    def store_failed(self, fault: EnvironmentFault) -> None:
        """The store refused something; told once for each kind of fault."""
        if self.store_fault is None or self.store_fault.code != fault.code:
            self._desk.notify("store", {"ok": False, "code": fault.code, "message": fault.message})
        self.store_fault = fault

    def _require_store(self) -> None:
        fault = self.store_fault
        if fault is not None:
            raise EnvironmentFault(f"{fault.message}; nothing was done", code=fault.code, remedy=fault.remedy)

    def _command(
        self, command: MailCommand | AddInvite | AdmitMachine | OfferCountersignature | KeyCommand
    ) -> tuple[dict[str, object], Ticket]:
        if isinstance(command, MailCommand):
            return self._messaging.take(command)
        match command:
            case AddInvite():
                return {}, self._admission.add_invite(command)
            case AdmitMachine():
                ticket = self._admission.admit(command)
                self._admitted()
                return {}, ticket
            case OfferCountersignature(envelope=envelope):
                self._renewals.offered(envelope)
                self._renewed()
                return {"incarnation": self._authorship.incarnation}, self._desk.newest_ticket
            case Revoke(statement=statement):
                machine, ticket = self._departures.offered(statement)
                return {"machine": machine}, ticket
            case OfferLost(statement=statement):
                said, ticket = self._rotations.offered(statement)
                return {"machine": said.machine, "ordered": self._rotations.ordered(said)}, ticket
            case RenewCertificate():
                return {"asked": list(self._certificates.ask())}, Ticket(0)
            case Rotate(key=key):
                return {"asked": list(self._rotations.ask(key))}, self._desk.newest_ticket
            case IssueRenewal(request=request, clock_ms=clock_ms):
                given = self._certificates.issued(request, clock_ms=clock_ms)
                return {"leaf": given.leaf.hex(), "issuer": given.issuer.hex()}, self._desk.newest_ticket
            case OfferCertificate(leaf=leaf, issuer=issuer):
                self._certificates.offered(leaf, issuer)
                return {}, self._desk.newest_ticket
