"""What the root or an issuer says, and the first bodies of a ledger (docs/protocol/trust.md §6, ledger.md §5).

A body is what an entry of that kind carries. Where more than the entry's author has to say it, the body holds an
envelope with the root's signature, context ``roosync/statement/1``, whose payload names its own kind: a statement of
one kind is none of another.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec import records
from roosync_p2p.errors import MalformedError, SignatureFault, UntrustedError
from roosync_p2p.ids import FleetId, KeyId, MachineId, parse_machine_id
from roosync_p2p.trust import contexts
from roosync_p2p.trust.certificates import (
    parse_root_certificate,
    verify_issuer_certificate,
    verify_machine_chain,
)
from roosync_p2p.trust.directory import ROOT_AUTHOR, Directory
from roosync_p2p.trust.envelopes import Verified, pae, seal, verify
from roosync_p2p.trust.invites import INVITE_ID_BYTES
from roosync_p2p.trust.keys import PUBLIC_KEY_BYTES, SigningKey
from roosync_p2p.trust.roles import PLAIN_ROLES, parse_roles

__all__ = [
    "FLEET_FOUND",
    "KEY_LOST",
    "MEMBER_ADMIT",
    "MEMBER_REMOVE",
    "MEMBER_ROLES",
    "Cut",
    "FleetFound",
    "KeyLost",
    "MemberAdmit",
    "MemberRoles",
    "PersonKey",
    "PersonRemoval",
    "Recovery",
    "Revocation",
    "RoleGrant",
    "RootWord",
    "Statement",
    "TimeReset",
    "carrier_body",
    "decode_member_admit",
    "encode_fleet_found",
    "encode_member_admit",
    "open_statement",
    "seal_role_grant",
    "seal_statement",
    "verdict_bytes",
    "verify_fleet_found",
    "verify_member_admit",
]

FLEET_FOUND: Final = "fleet.found"
KEY_LOST: Final = "key.lost"
MEMBER_ADMIT: Final = "member.admit"
MEMBER_REMOVE: Final = "member.remove"
MEMBER_ROLES: Final = "member.roles"

_Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
_Der = Annotated[bytes, msgspec.Meta(min_length=1, max_length=limits.CERTIFICATE_BYTES_MAX)]
_DerOrNone = Annotated[bytes, msgspec.Meta(max_length=limits.CERTIFICATE_BYTES_MAX)]
_Roles = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=limits.ROLES_MAX)]
_InviteId = Annotated[bytes, msgspec.Meta(max_length=INVITE_ID_BYTES)]
_Serial = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
_PersonName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9._-]{1,49}\Z")]
_PublicKey = Annotated[bytes, msgspec.Meta(min_length=PUBLIC_KEY_BYTES, max_length=PUBLIC_KEY_BYTES)]
_StoreId = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
_Reason = Annotated[str, msgspec.Meta(max_length=limits.STATEMENT_REASON_CHARS_MAX)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=limits.NUMBER_MAX)]
_Machines = Annotated[tuple[MachineId, ...], msgspec.Meta(max_length=limits.STATEMENT_MACHINES_MAX)]
_FleetName = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.FLEET_NAME_CHARS_MAX)]


class FleetFound(records.Record, frozen=True, kw_only=True, tag_field="kind", tag=FLEET_FOUND):
    """What the root says when it founds a fleet.

    Attributes:
        fleet_name: what people call it.
        machine, key, roles: the founder, its key id, and what it may do.
        time_ms: the founder's wall time; shown, never compared.
        root, issuer, leaf: the certificates, DER; the leaf is the founder's.
    """

    fleet_name: _FleetName
    machine: MachineId
    key: _Digest
    roles: _Roles
    time_ms: int
    root: _Der
    issuer: _Der
    leaf: _Der


class RoleGrant(records.Record, frozen=True, kw_only=True, tag_field="kind", tag="role.grant"):
    """The root's consent that whoever redeems one invite, or holds one key, gets more than ``member``.

    Attributes:
        roles: what it gets.
        invite: by which invite; or empty.
        key: by which key id; or empty. One of the two is given.
        machine: under which machine id only; None for any.
    """

    roles: _Roles
    invite: _InviteId = b""
    key: Annotated[bytes, msgspec.Meta(max_length=32)] = b""
    machine: MachineId | None = None


class MemberAdmit(records.Record, frozen=True, kw_only=True):
    """What an issuer says when it admits a member: the body of its entry.

    Attributes:
        machine, key, roles: the member, its key id, and what it may do.
        leaf, issuer: its certificate and the one that signed it, DER.
        invite: the invite that was redeemed; empty when a request was answered by hand (``issue``).
        admitted_by: the issuer's machine, which is the author of the entry.
        grant: the envelope of a :class:`RoleGrant`, when the roles are not just ``member``; else empty.
        epoch: the epoch that the issuer wrote it in (docs/protocol/ledger.md §4).
    """

    machine: MachineId
    key: _Digest
    roles: _Roles
    leaf: _Der
    issuer: _Der
    admitted_by: MachineId
    invite: _InviteId = b""
    grant: bytes = b""
    epoch: _Count = 0


class Cut(records.Record, frozen=True, kw_only=True):
    """The last entry of a chain that still counts."""

    incarnation: Annotated[int, msgspec.Meta(ge=1, le=limits.INCARNATION_MAX)]
    sequence: Annotated[int, msgspec.Meta(ge=0, le=limits.NUMBER_MAX)]
    id: Annotated[bytes, msgspec.Meta(max_length=32)] = b""


class RootWord(records.Record, frozen=True, kw_only=True):
    """Base of what the root says to the ledger.

    Attributes:
        serial: random, so that no two statements are one: each counts once.
        not_after_ms: in commit time; 0 is any time. One that was never ordered does not turn up years later.
    """

    serial: _Serial
    not_after_ms: Annotated[int, msgspec.Meta(ge=0, le=limits.WALL_MS_MAX)] = 0


class MemberRoles(RootWord, frozen=True, kw_only=True, tag_field="kind", tag=MEMBER_ROLES):
    """The root gives a member other roles.

    ``issuer`` is the certificate of the machine's issuer key, where it becomes an issuer; else empty.
    """

    machine: MachineId
    roles: _Roles
    issuer: _DerOrNone = b""


class KeyLost(RootWord, frozen=True, kw_only=True, tag_field="kind", tag=KEY_LOST):
    """The root's word that a machine lost its old key and has a new one.

    The ledger asks for the three ids alone. What stands behind them lets whoever knows only the root judge it
    (:mod:`~roosync_p2p.trust.rotations`); one without is heard of in the ledger and nowhere else.

    Attributes:
        old, new: the key ids.
        former_leaf, former_issuer, leaf, issuer: certificates of both keys, with their signers', DER.
        issuers: key ids of the issuer keys that the machine had beside the old one: they are given up with it.
        ledger, mail: the last entry of each chain, signed with the old key, that counts; None: none beyond the first
            place.
        reason: for people; everybody sees it.
        by: the machine on which it was said.
        time_ms: the wall time there; shown only.
    """

    machine: MachineId
    old: _Digest
    new: _Digest
    former_leaf: _DerOrNone = b""
    former_issuer: _DerOrNone = b""
    leaf: _DerOrNone = b""
    issuer: _DerOrNone = b""
    issuers: Annotated[tuple[_Digest, ...], msgspec.Meta(max_length=limits.KEY_LOST_ISSUERS_MAX)] = ()
    ledger: Cut | None = None
    mail: Cut | None = None
    reason: _Reason = ""
    by: str = ""
    time_ms: Annotated[int, msgspec.Meta(ge=0, le=limits.WALL_MS_MAX)] = 0


class Revocation(RootWord, frozen=True, kw_only=True, tag_field="kind", tag=MEMBER_REMOVE):
    """An issuer's word (the root's for an issuer) that a machine is out. No other word of an issuer is a statement.

    Attributes:
        keys: the key ids that nobody trusts any more.
        ledger, mail: the last entry of each chain that still counts; None is nothing beyond what is known.
    """

    machine: MachineId
    keys: Annotated[tuple[_Digest, ...], msgspec.Meta(max_length=limits.STATEMENT_MACHINES_MAX)]
    reason: _Reason = ""
    ledger: Cut | None = None
    mail: Cut | None = None


class PersonKey(RootWord, frozen=True, kw_only=True, tag_field="kind", tag="person.key"):
    """The root's word that a person approves with this key.

    Attributes:
        key: the raw 32 bytes of an Ed25519 public key.
        replaces: the key that it takes the place of; empty for a new person.
    """

    person: _PersonName
    key: _PublicKey
    replaces: Annotated[bytes, msgspec.Meta(max_length=PUBLIC_KEY_BYTES)] = b""
    label: _Reason = ""


class PersonRemoval(RootWord, frozen=True, kw_only=True, tag_field="kind", tag="person.remove"):
    """The root's word that a person approves no more."""

    person: _PersonName


class TimeReset(RootWord, frozen=True, kw_only=True, tag_field="kind", tag="time.reset"):
    """The root's word that commit time goes back to this, because a stamp was far ahead."""

    time_ms: Annotated[int, msgspec.Meta(ge=0, le=limits.WALL_MS_MAX)]
    reason: _Reason = ""


class Recovery(RootWord, frozen=True, kw_only=True, tag_field="kind", tag="fleet.recover"):
    """The root's last resort: a new epoch with one voter, on a commit log of this size and Merkle root.

    ``dead`` are the voters that are given up.
    """

    epoch: Annotated[int, msgspec.Meta(ge=1, le=limits.NUMBER_MAX)]
    machine: MachineId
    store: _StoreId
    size: _Count
    root_hash: _Digest
    dead: _Machines = ()
    reason: _Reason = ""


Statement = MemberRoles | KeyLost | Revocation | PersonKey | PersonRemoval | TimeReset | Recovery

S = TypeVar("S", bound=RootWord)


class _Signed(records.Record, frozen=True, kw_only=True):
    """The body of a kind that is the statement of somebody other than the entry's author."""

    statement: bytes


def encode_fleet_found(root_key: SigningKey, found: FleetFound) -> bytes:
    """The body of ``fleet.found``, signed by the root."""
    statement = seal(
        root_key,
        context=contexts.STATEMENT,
        fleet=FleetId(root_key.key_id),
        author=ROOT_AUTHOR,
        payload=records.encode(found),
    )
    return records.encode(_Signed(statement=statement))


def verify_fleet_found(body: bytes, directory: Directory) -> FleetFound:
    """The founding of the directory's fleet.

    The caller compares the entry's author with ``machine``: only the founder's entry founds.

    Raises:
        MalformedError, SignatureFault, UntrustedError: not such a body, not the root's, or not of this fleet.
    """
    signed = records.decode(body, _Signed, size_max=limits.ENTRY_BODY_BYTES_MAX)
    found = records.decode(_root_payload(signed.statement, directory), FleetFound)
    _require_canonical(found.machine, found.roles)
    root = parse_root_certificate(found.root)
    if root.fleet != directory.fleet:
        raise SignatureFault("the statement carries the root certificate of another fleet", code="wrong_fleet")
    if verify_issuer_certificate(found.issuer, root=root).machine != found.machine:
        raise UntrustedError("the first issuer is not the founder", code="wrong_machine")
    _require_chain(found.leaf, found.issuer, machine=found.machine, key=found.key, directory=directory)
    return found


def encode_member_admit(admit: MemberAdmit) -> bytes:
    """The body of ``member.admit``. The entry's signature is the issuer machine's."""
    return records.encode(admit)


def decode_member_admit(body: bytes) -> MemberAdmit:
    """The body of ``member.admit``, with nothing verified.

    Raises:
        MalformedError: not such a body, or names not in canonical form.
    """
    admit = records.decode(body, MemberAdmit, size_max=limits.ENTRY_BODY_BYTES_MAX)
    _require_canonical(admit.machine, admit.roles)
    _require_canonical(admit.admitted_by, admit.roles)
    return admit


def verify_member_admit(body: bytes, directory: Directory) -> MemberAdmit:
    """An admission whose certificate chain holds and whose roles are permitted.

    The caller compares the entry's author with ``admitted_by`` and looks up in the register that it is an issuer.

    Raises:
        MalformedError, SignatureFault: not such a body, or the chain does not hold.
        UntrustedError: the certificate is for another machine or key (``wrong_machine``, ``wrong_key``), or roles
            beyond ``member`` without the root's consent (``roles_not_granted``).
    """
    admit = decode_member_admit(body)
    _require_chain(admit.leaf, admit.issuer, machine=admit.machine, key=admit.key, directory=directory)
    if admit.roles != PLAIN_ROLES:
        _require_grant(admit, directory)
    return admit


def seal_role_grant(root_key: SigningKey, grant: RoleGrant) -> bytes:
    """The envelope of a grant, signed by the root. The caller names an invite or a key in it."""
    assert bool(grant.invite) != bool(grant.key)
    return seal(
        root_key,
        context=contexts.STATEMENT,
        fleet=FleetId(root_key.key_id),
        author=ROOT_AUTHOR,
        payload=records.encode(grant),
    )


def seal_statement(key: SigningKey, statement: Statement, *, fleet: FleetId, author: str = ROOT_AUTHOR) -> bytes:
    """The envelope of a statement, by the root or, as ``issuer:<machine>``, by an issuer."""
    return seal(key, context=contexts.STATEMENT, fleet=fleet, author=author, payload=records.encode(statement))


def carrier_body(statement: bytes) -> bytes:
    """The body of an entry that carries a statement."""
    return records.encode(_Signed(statement=statement))


def open_statement(data: bytes, kind: type[S], directory: Directory) -> tuple[S, Verified]:
    """A statement, and by whom: the caller decides whether that signer may say it.

    Raises:
        PeerFault: not such an envelope, tampered with, by nobody known, or a statement of another kind.
    """
    verified = verify(data, context=contexts.STATEMENT, directory=directory, size_max=limits.ENTRY_BODY_BYTES_MAX)
    return records.decode(verified.payload, kind), verified


def verdict_bytes(
    *, fleet: FleetId, person: str, decision: str, revision: bytes, verdict: str, not_after_ms: int
) -> bytes:
    """What a person signs to decide (docs/protocol/ledger.md §8): no envelope, and no node makes it.

    Args:
        verdict: ``approve``, ``reject``, or ``resolve <decision>``.
        not_after_ms: in commit time; 0 is any time.
    """
    pieces = (contexts.APPROVAL.encode(), fleet, person.encode(), decision.encode(), revision, verdict.encode())
    return pae((*pieces, not_after_ms.to_bytes(8, "big")))


def _root_payload(statement: bytes, directory: Directory) -> bytes:
    """The payload, signed by the root itself: an issuer's signature has the same context and is not enough."""
    verified = verify(statement, context=contexts.STATEMENT, directory=directory, size_max=limits.ENTRY_BODY_BYTES_MAX)
    if verified.author != ROOT_AUTHOR:
        raise UntrustedError(f"this takes the root's signature, not that of {verified.author!r}", code="not_root")
    return verified.payload


def _require_grant(admit: MemberAdmit, directory: Directory) -> None:
    if not admit.grant:
        raise _not_granted(admit)
    grant = records.decode(_root_payload(admit.grant, directory), RoleGrant)
    by_invite = bool(grant.invite) and grant.invite == admit.invite
    by_key = bool(grant.key) and grant.key == admit.key
    if not (by_invite or by_key) or grant.machine not in (None, admit.machine) or grant.roles != admit.roles:
        raise _not_granted(admit)


def _require_chain(leaf: bytes, issuer: bytes, *, machine: MachineId, key: bytes, directory: Directory) -> None:
    certificate = verify_machine_chain(leaf, issuer, root=directory.root)
    if certificate.machine != machine:
        raise UntrustedError(f"the certificate is for {certificate.machine}, not {machine}", code="wrong_machine")
    if certificate.public.key_id != KeyId(key):
        raise UntrustedError("the certificate is for another key than the one named", code="wrong_key")


def _require_canonical(machine: MachineId, roles: tuple[str, ...]) -> None:
    if parse_machine_id(machine) != machine or parse_roles(roles) != roles:
        raise MalformedError("a machine id or the roles are not in canonical form", code="bad_field")


def _not_granted(admit: MemberAdmit) -> UntrustedError:
    return UntrustedError(
        f"{admit.machine} as {', '.join(admit.roles)} takes the root's consent, which is missing or for another",
        code="roles_not_granted",
    )
