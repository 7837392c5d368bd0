"""Making a join code while no node runs here. A running node makes its own."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping, Sequence

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home, read_settings
from roosync_p2p.adapters.interfaces import local_addresses
from roosync_p2p.admin.office import Office, open_office
from roosync_p2p.admin.passphrases import open_root_key
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core.rows import InviteRow
from roosync_p2p.core.settings import join_host_port, parse_host_port, parse_toml
from roosync_p2p.errors import InputFault, MalformedError, UsageError
from roosync_p2p.ids import MachineId
from roosync_p2p.trust.invites import (
    INVITE_ID_BYTES,
    INVITE_SECRET_BYTES,
    Invite,
    JoinCode,
    encode_join_code,
    parse_contact,
)
from roosync_p2p.trust.roles import ISSUER, MEMBER, OBSERVER, PLAIN_ROLES, parse_roles
from roosync_p2p.trust.statements import RoleGrant, seal_role_grant

__all__ = ["Invitation", "check_contacts", "invite_offline", "own_contacts", "roles_of"]

_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A join code and what it was made for. ``text`` is secret until it is redeemed."""

    text: str = dataclasses.field(repr=False)
    machine: MachineId | None
    contacts: tuple[str, ...]
    expires_s: int


def roles_of(words: Sequence[str]) -> tuple[str, ...]:
    """The roles that ``--role`` asks for; a member unless an observer.

    Raises:
        UsageError: ``bad_role``, or ``role_needs_certificate`` for an issuer.
    """
    wanted = [word.strip().lower() for word in words]
    if ISSUER in wanted:
        raise UsageError(
            "an invite makes no issuers: an issuer needs a certificate of its own from the root",
            code="role_needs_certificate",
        )
    try:
        return parse_roles(wanted if wanted and OBSERVER in wanted else [*wanted, MEMBER])
    except MalformedError as error:
        raise UsageError(error.message, code=error.code) from error


def check_contacts(contacts: Sequence[str]) -> tuple[str, ...]:
    """The addresses as they were given, each once.

    Raises:
        UsageError: ``bad_contact``, or more than a code can hold (``too_many_contacts``).
    """
    unique = tuple(dict.fromkeys(contacts))
    if len(unique) > limits.JOIN_CONTACTS_MAX:
        raise UsageError(f"a code holds at most {limits.JOIN_CONTACTS_MAX} addresses", code="too_many_contacts")
    try:
        for contact in unique:
            parse_contact(contact)
    except MalformedError as error:
        raise UsageError(error.message, code=error.code) from error
    return unique


def invite_offline(
    home: Home,
    machine: MachineId | None,
    *,
    ttl_s: int,
    contacts: tuple[str, ...],
    roles: tuple[str, ...],
    environ: Mapping[str, str],
    wall_s: int,
) -> Invitation:
    """A join code whose invite is on disk before the code is returned.

    Args:
        contacts: where the joiner finds this machine; empty: as the settings and the network interfaces say.
        wall_s: Unix seconds.

    Raises:
        InputFault: no issuer (``not_an_issuer``), ``machine_exists``, ``too_many_invites``, or the passphrase.
        EnvironmentFault: identity, store, root key, or a home in use.
    """
    with open_office(home, "roosync-admin invite") as office:
        office.require_issuer()
        _require_free(office, machine)
        _require_room(office, wall_s)
        name = secrets.token_bytes(INVITE_ID_BYTES)
        invite = Invite(
            invite=name,
            secret=secrets.token_bytes(INVITE_SECRET_BYTES),
            expires_s=wall_s + ttl_s,
            machine=machine,
            roles=roles,
            grant=b"" if roles == PLAIN_ROLES else _grant(home, roles, name, machine, environ),
        )
        code = JoinCode(
            fleet=office.identity.fleet,
            issuer=office.identity.machine,
            invite=name,
            secret=invite.secret,
            contacts=contacts or own_contacts(home),
            machine=machine,
            expires_s=invite.expires_s,
        )
        text = encode_join_code(code)
        office.commit([InviteRow(invite_id=name, data=encode(invite))])
    return Invitation(text=text, machine=machine, contacts=code.contacts, expires_s=invite.expires_s)


def own_contacts(home: Home) -> tuple[str, ...]:
    """Where this machine's node will be reached, as far as that is known before it runs; perhaps nowhere.

    Raises:
        InputFault: the settings are wrong.
    """
    settings = parse_toml(read_settings(home))
    host, port = parse_host_port(settings.node.listen, key="node.listen")
    if port == 0:  # the system will choose one when the node starts
        return ()
    if host not in _ANYWHERE:
        return (join_host_port(host, port),)
    try:
        return local_addresses(port, settings.discovery.interfaces)[: limits.JOIN_CONTACTS_MAX]
    except OSError:  # the joiner looks on the LAN, or is told the address
        return ()


def _grant(
    home: Home, roles: tuple[str, ...], invite: bytes, machine: MachineId | None, environ: Mapping[str, str]
) -> bytes:
    root_key = open_root_key(home.path, environ)
    return seal_role_grant(root_key, RoleGrant(roles=roles, invite=invite, machine=machine))


def _require_free(office: Office, machine: MachineId | None) -> None:
    if machine is not None and machine in office.directory.members:
        raise InputFault(
            f"{machine} is a member already; no code was made",
            code="machine_exists",
            remedy="choose another machine id",
            details={"machine": machine},
        )


def _require_room(office: Office, wall_s: int) -> None:
    invites = [decode(row.data, Invite) for row in office.loaded.invites if row.data is not None]
    outstanding = sum(1 for invite in invites if invite.used_by is None and invite.expires_s >= wall_s)
    if outstanding >= limits.INVITES_OUTSTANDING_MAX:
        raise InputFault(
            f"{outstanding} codes are outstanding; no further one was made",
            code="too_many_invites",
            remedy="wait until some were used or have expired; see `roosync-admin list --invites`",
        )
