"""Further issuers, made and unmade by the root (docs/protocol/trust.md §9)."""

from __future__ import annotations

import os
from collections.abc import Callable

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.issuer_keys import certify_issuer
from roosync_p2p.adapters.keystore import load_identity
from roosync_p2p.adapters.system import read_now
from roosync_p2p.api.methods import JsonObject
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.errors import InputFault
from roosync_p2p.ids import MachineId
from roosync_p2p.trust.certificates import parse_request
from roosync_p2p.trust.enrolment import certificates_to_pem
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.roles import ISSUER, OBSERVER
from roosync_p2p.trust.statements import MemberRoles, seal_statement

__all__ = ["add_issuer", "remove_issuer"]

_MEMBER_ROLES = "member.roles"
_SERIAL_BYTES = 16


def add_issuer(home: Home, request_pem: bytes, root: Callable[[], SigningKey]) -> JsonObject:
    """The root certifies the issuer key of a member and has the fleet know it; ``certificate`` is the answer, PEM.

    Raises:
        MalformedError, SignatureFault: the request is damaged.
        InputFault: no member (``unknown_member``), an observer (``bad_role``), or the root key.
        UndecidedError: the fleet has not ordered it yet; the certificate counts when it has.
    """
    request = parse_request(request_pem)
    roles = _roles(home, request.machine)
    if OBSERVER in roles:
        raise InputFault(f"{request.machine} is an observer; nothing was signed", code="bad_role")
    key = root()
    certificate = certify_issuer(load_identity(home.path), key, request, wall_s=read_now().wall_ms // 1000)
    said = _statement(request.machine, (*roles, ISSUER), certificate)
    ordered = _carried(home, said, key)
    return {
        "machine": request.machine,
        "key": request.public.key_id.hex(),
        "certificate": certificates_to_pem(certificate).decode(),
        **ordered,
    }


def remove_issuer(home: Home, machine: MachineId, root: Callable[[], SigningKey]) -> JsonObject:
    """The machine stays a member, and its issuer keys say nothing new. Whom it let in stays.

    Raises:
        InputFault: no issuer (``not_an_issuer``), the only one (``last_issuer``), or the root key.
        UndecidedError: the fleet has not ordered it yet.
    """
    roles = _roles(home, machine)
    if ISSUER not in roles:
        raise InputFault(f"{machine} is no issuer; nothing was signed", code="not_an_issuer")
    if not [other for other in _issuers(home) if other != machine]:
        raise InputFault(
            f"{machine} is the only issuer: without it nobody can be admitted or renewed; nothing was signed",
            code="last_issuer",
            remedy="add another one first: roosync-admin issuer request, add, install",
        )
    said = _statement(machine, tuple(role for role in roles if role != ISSUER), b"")
    return {"machine": machine, **_carried(home, said, root())}


def _statement(machine: MachineId, roles: tuple[str, ...], certificate: bytes) -> MemberRoles:
    return MemberRoles(
        machine=machine,
        roles=tuple(sorted({*roles})),
        issuer=certificate,
        serial=os.urandom(_SERIAL_BYTES),
        not_after_ms=read_now().wall_ms + limits.STATEMENT_LIFE_S * 1000,
    )


def _carried(home: Home, said: MemberRoles, root: SigningKey) -> JsonObject:
    envelope = seal_statement(root, said, fleet=load_identity(home.path).fleet)
    ordered = SyncClient(home.path).carry_statement(_MEMBER_ROLES, envelope)
    return {"roles": list(said.roles), "commit_number": ordered["commit_number"]}


def _present(home: Home) -> dict[str, tuple[str, ...]]:
    rows = SyncClient(home.path).register()["members"]
    return {str(row["machine"]): tuple(row["roles"]) for row in rows if row["state"] == "present"}


def _issuers(home: Home) -> list[str]:
    return [machine for machine, roles in _present(home).items() if ISSUER in roles]


def _roles(home: Home, machine: MachineId) -> tuple[str, ...]:
    present = _present(home)
    if machine not in present:
        raise InputFault(f"{machine} is no member of the fleet; nothing was signed", code="unknown_member")
    return present[machine]
