"""The founding and the admissions: who says it, and what else has to fit."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.codec import records
from roosync_p2p.codec.canonical import pack
from roosync_p2p.errors import PeerFault
from roosync_p2p.ids import KeyId, MachineId
from roosync_p2p.trust import contexts
from roosync_p2p.trust.directory import ROOT_AUTHOR
from roosync_p2p.trust.envelopes import seal
from roosync_p2p.trust.roles import FOUNDER_ROLES, PLAIN_ROLES, parse_roles
from roosync_p2p.trust.statements import (
    FleetFound,
    MemberAdmit,
    RoleGrant,
    decode_member_admit,
    encode_fleet_found,
    encode_member_admit,
    seal_role_grant,
    verify_fleet_found,
    verify_member_admit,
)
from tests.helpers.trust import NOW_S, ExampleFleet, accepted_or_documented, key_from, refused_with

_FLEET = ExampleFleet()
_FOUNDER = MachineId("myia-ai-01")
_MEMBER = MachineId("myia-web1")
_DIRECTORY = _FLEET.directory(_FOUNDER)
_FOUND = FleetFound(
    fleet_name=_FLEET.name,
    machine=_FOUNDER,
    key=_FLEET.key(_FOUNDER).key_id,
    roles=FOUNDER_ROLES,
    time_ms=NOW_S * 1000,
    root=_FLEET.root,
    issuer=_FLEET.issuer,
    leaf=_FLEET.leaf(_FOUNDER),
)
_ADMIT = MemberAdmit(
    machine=_MEMBER,
    key=_FLEET.key(_MEMBER).key_id,
    roles=PLAIN_ROLES,
    leaf=_FLEET.leaf(_MEMBER),
    issuer=_FLEET.issuer,
    admitted_by=_FOUNDER,
    invite=b"invite 1",
)


def _found(**changed: Any) -> bytes:
    return encode_fleet_found(_FLEET.root_key, msgspec.structs.replace(_FOUND, **changed))


def _admit(**changed: Any) -> bytes:
    return encode_member_admit(msgspec.structs.replace(_ADMIT, **changed))


def test_the_founding_is_what_the_root_signed() -> None:
    assert verify_fleet_found(_found(), _DIRECTORY) == _FOUND


def test_a_founding_is_verified_by_who_knows_the_root_alone() -> None:
    assert verify_fleet_found(_found(), _FLEET.directory()) == _FOUND


def test_only_the_root_founds() -> None:
    """An issuer's signature has the same context, and is refused."""
    statement = seal(
        _FLEET.issuer_key,
        context=contexts.STATEMENT,
        fleet=_FLEET.fleet,
        author="issuer:myia-ai-01",
        payload=records.encode(_FOUND),
    )
    from_issuer = pack({"statement": statement})
    refused_with("not_root", lambda: verify_fleet_found(from_issuer, _DIRECTORY))


def test_a_founding_of_another_fleet_is_refused() -> None:
    other = ExampleFleet("elsewhere")
    refused_with("wrong_fleet", lambda: verify_fleet_found(_found(), other.directory()))
    refused_with("wrong_fleet", lambda: verify_fleet_found(_found(root=other.root), _DIRECTORY))
    refused_with("wrong_fleet", lambda: verify_fleet_found(_found(issuer=other.issuer), _DIRECTORY))


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("wrong_key", {"key": KeyId(bytes(32))}),
        ("wrong_machine", {"machine": _MEMBER}),
        ("wrong_machine", {"leaf": _FLEET.leaf(_MEMBER)}),
        ("bad_field", {"machine": "MYIA-AI-01"}),
        ("bad_machine_id", {"machine": "root"}),
        ("bad_role", {"roles": ("king",)}),
        ("bad_field", {"roles": ("member", "issuer", "approver")}),
        ("bad_field", {"roles": ()}),
        ("bad_field", {"fleet_name": ""}),
        ("bad_field", {"key": b"short"}),
        ("bad_certificate", {"root": b"no"}),
    ],
    ids=str,
)
def test_a_founding_with_one_lie_is_refused(code: str, changed: dict[str, Any]) -> None:
    refused_with(code, lambda: verify_fleet_found(_found(**changed), _DIRECTORY))


def test_a_grant_signed_by_the_root_is_no_founding() -> None:
    grant = seal_role_grant(_FLEET.root_key, RoleGrant(roles=FOUNDER_ROLES, invite=b"invite 1"))
    body = pack({"statement": grant})
    refused_with("bad_field", lambda: verify_fleet_found(body, _DIRECTORY))


def test_an_admission_is_verified() -> None:
    assert verify_member_admit(_admit(), _DIRECTORY) == _ADMIT
    by_hand = msgspec.structs.replace(_ADMIT, invite=b"")
    assert verify_member_admit(encode_member_admit(by_hand), _DIRECTORY) == by_hand


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("wrong_key", {"key": KeyId(bytes(32))}),
        ("wrong_machine", {"machine": MachineId("myia-web2")}),
        ("wrong_fleet", {"leaf": ExampleFleet("elsewhere").leaf(_MEMBER)}),
        ("wrong_fleet", {"issuer": ExampleFleet("elsewhere").issuer}),
        ("bad_field", {"admitted_by": "MYIA-AI-01"}),
        ("bad_field", {"invite": b"longer than an invite id"}),
        ("roles_not_granted", {"roles": FOUNDER_ROLES}),
        ("roles_not_granted", {"roles": ("observer",)}),
    ],
    ids=str,
)
def test_an_admission_with_one_lie_is_refused(code: str, changed: dict[str, Any]) -> None:
    refused_with(code, lambda: verify_member_admit(_admit(**changed), _DIRECTORY))


@pytest.mark.parametrize(
    "grant",
    [
        RoleGrant(roles=FOUNDER_ROLES, invite=_ADMIT.invite),
        RoleGrant(roles=FOUNDER_ROLES, invite=_ADMIT.invite, machine=_MEMBER),
        RoleGrant(roles=FOUNDER_ROLES, key=_ADMIT.key),
    ],
    ids=["by invite", "by invite and machine", "by key"],
)
def test_with_the_roots_consent_a_member_gets_more_roles(grant: RoleGrant) -> None:
    body = _admit(roles=FOUNDER_ROLES, grant=seal_role_grant(_FLEET.root_key, grant))
    assert verify_member_admit(body, _DIRECTORY).roles == FOUNDER_ROLES


@pytest.mark.parametrize(
    "grant",
    [
        RoleGrant(roles=("approver", "member"), invite=_ADMIT.invite),
        RoleGrant(roles=FOUNDER_ROLES, invite=b"another!"),
        RoleGrant(roles=FOUNDER_ROLES, key=key_from("another").key_id),
        RoleGrant(roles=FOUNDER_ROLES, invite=_ADMIT.invite, machine=_FOUNDER),
    ],
    ids=["other roles", "other invite", "other key", "other machine"],
)
def test_a_consent_to_something_else_does_not_help(grant: RoleGrant) -> None:
    body = _admit(roles=FOUNDER_ROLES, grant=seal_role_grant(_FLEET.root_key, grant))
    refused_with("roles_not_granted", lambda: verify_member_admit(body, _DIRECTORY))


def test_a_consent_that_the_root_did_not_sign_does_not_help() -> None:
    grant = RoleGrant(roles=FOUNDER_ROLES, invite=_ADMIT.invite)
    forged = seal(
        _FLEET.issuer_key,
        context=contexts.STATEMENT,
        fleet=_FLEET.fleet,
        author=ROOT_AUTHOR,
        payload=records.encode(grant),
    )
    body = _admit(roles=FOUNDER_ROLES, grant=forged)
    refused_with("unknown_key", lambda: verify_member_admit(body, _DIRECTORY))


def test_an_admission_by_hand_is_not_covered_by_a_consent_without_a_name() -> None:
    """Empty matches nothing: an empty invite id and an empty key are no names."""
    nameless = seal(
        _FLEET.root_key,
        context=contexts.STATEMENT,
        fleet=_FLEET.fleet,
        author=ROOT_AUTHOR,
        payload=records.encode(RoleGrant(roles=FOUNDER_ROLES)),
    )
    body = _admit(roles=FOUNDER_ROLES, invite=b"", grant=nameless)
    refused_with("roles_not_granted", lambda: verify_member_admit(body, _DIRECTORY))


def test_what_a_newer_version_adds_is_read_over() -> None:
    value = msgspec.to_builtins(_ADMIT, builtin_types=(bytes,))
    newer = pack({**value, "zone": "lab"})
    assert decode_member_admit(newer) == _ADMIT


@pytest.mark.parametrize("words", [[], [""], ["king"], ["observer", "member"], ["member", "root"]])
def test_roles_that_do_not_exist_or_exclude_each_other_are_refused(words: list[str]) -> None:
    refused_with("bad_role", lambda: parse_roles(words))


def test_roles_have_one_spelling() -> None:
    assert parse_roles(["Member", " issuer", "member"]) == ("issuer", "member")
    assert parse_roles(FOUNDER_ROLES) == FOUNDER_ROLES


@given(st.binary(max_size=300))
def test_any_bytes_are_a_statement_or_a_documented_error(body: bytes) -> None:
    """Invariant: accepted, or a documented error."""
    accepted_or_documented(lambda: verify_fleet_found(body, _DIRECTORY))
    accepted_or_documented(lambda: verify_member_admit(body, _DIRECTORY))


@given(st.integers(0, len(_found()) - 1), st.integers(1, 255))
def test_a_damaged_founding_is_always_a_documented_error(at: int, change: int) -> None:
    """Invariant: no byte of a founding can be changed without a documented refusal."""
    damaged = bytearray(_found())
    damaged[at] ^= change
    with pytest.raises(PeerFault):
        verify_fleet_found(bytes(damaged), _DIRECTORY)
