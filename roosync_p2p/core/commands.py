"""What users ask of a core that changes something. Reads go to the store and to :mod:`~roosync_p2p.core.view`."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

from roosync_p2p.core.mail_commands import MailCommand, MarkRead, SendMessage
from roosync_p2p.core.rows import OrderKeyRow
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.bodies import OrderedBody
from roosync_p2p.trust.keys import SigningKey

__all__ = [
    "AcceptClock",
    "AddInvite",
    "AdmitMachine",
    "Command",
    "HandOver",
    "IssueRenewal",
    "KeyCommand",
    "MailCommand",
    "MarkRead",
    "OfferCertificate",
    "OfferCountersignature",
    "OfferLost",
    "OrderCommand",
    "OrderEntry",
    "ReadLedger",
    "Recover",
    "RenewCertificate",
    "Revoke",
    "Rotate",
    "SeeLost",
    "SendMessage",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AddInvite:
    """Keep an invite (encoded ``trust.invites.Invite``), new or used."""

    invite_id: bytes
    data: bytes | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AdmitMachine:
    """A certificate was issued: pin it, mark the invite used, write ``member.admit`` to the ledger chain."""

    machine: MachineId
    leaf: bytes
    issuer: bytes
    body: bytes  # encoded trust.statements.MemberAdmit
    invite_id: bytes | None
    invite: bytes | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OfferCountersignature:
    """A countersignature that was made elsewhere (by the root) for this node's renewal."""

    envelope: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderEntry:
    """Write an entry that needs the fleet's one order, and wait for its outcome.

    ``body``: without epoch and not-after, which the core fills in. ``not_after_s``: from now on, in commit time, when
    the request is refused as too late; None: never. ``withdraw``: what is granted after the caller gave up is given
    back. ``remembered`` and ``outcome``: what the store knows of ``idempotency_key``, and what that request was
    answered, if it was.
    """

    kind: str
    body: OrderedBody
    timeout_s: float
    not_after_s: float | None = None
    withdraw: bool = False
    idempotency_key: str | None = None
    remembered: OrderKeyRow | None = None
    outcome: dict[str, object] | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReadLedger:
    """Wait until this node has applied all that was decided before now; answered with ``as_of`` and ``stale``."""

    timeout_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AcceptClock:
    """A person vouches for this computer's clock, which alone is far from the newest commit time."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """Give the vote and the lead to somebody else, as before a shutdown; answered when that is done or impossible."""

    timeout_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recover:
    """Begin a new epoch of the commit log by the root's statement, after its majority was lost for good."""

    statement: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """Hear a revocation that a person brings, and tell everybody. That it is ordered is asked for apart."""

    statement: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RenewCertificate:
    """Ask the linked issuers for this machine's next certificate now; answered with who was asked."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OfferCertificate:
    """A certificate for this machine's key that was got by another way than a link. DER."""

    leaf: bytes
    issuer: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IssueRenewal:
    """On an issuer: the next certificate for a member that proved its key; ``leaf`` and ``issuer`` in hex.

    ``clock_ms``: what its clock shows; None if it did not say.
    """

    request: bytes
    clock_ms: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rotate:
    """Replace this machine's key by this one, which the caller has put on the disk; answered with who was asked.

    An :class:`~roosync_p2p.core.effects.InstallCertificate` follows when an issuer has certified it.
    """

    key: SigningKey


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OfferLost:
    """Hear the root's word that a machine lost its key. That it is ordered is asked for apart."""

    statement: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SeeLost:
    """A person has looked at what is not in that epoch; the warning about it ends. The list itself is kept."""

    epoch: int


OrderCommand: TypeAlias = OrderEntry | ReadLedger | AcceptClock | HandOver | Recover | SeeLost
"""What the commit log answers, when the order says."""

KeyCommand: TypeAlias = Revoke | OfferLost | RenewCertificate | OfferCertificate | IssueRenewal | Rotate
"""What is asked about keys and certificates."""

Command: TypeAlias = MailCommand | AddInvite | AdmitMachine | OfferCountersignature | OrderCommand | KeyCommand
