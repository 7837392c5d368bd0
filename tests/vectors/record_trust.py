"""Builds the vectors of codec and trust from keys made of words; run as a program it writes them anew.

    python -m tests.vectors.record_trust

Run it only when the protocol is meant to change, and say so in the changelog.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from roosync_p2p.codec import records
from roosync_p2p.codec.canonical import Value, pack
from roosync_p2p.codec.digests import sha256
from roosync_p2p.ids import MachineId
from roosync_p2p.trust import contexts
from roosync_p2p.trust.certificates import certificate_request
from roosync_p2p.trust.dial_back import DialBack, DialledBack
from roosync_p2p.trust.directory import issuer_author
from roosync_p2p.trust.envelopes import pae, parse_envelope, seal
from roosync_p2p.trust.invites import Invite, JoinCode, encode_join_code
from roosync_p2p.trust.joining import IssuerSession, JoinerSession
from roosync_p2p.trust.late_renewal import RenewerSession
from roosync_p2p.trust.roles import FOUNDER_ROLES, PLAIN_ROLES
from roosync_p2p.trust.rotations import Rotation, seal_rotation
from roosync_p2p.trust.statements import (
    Cut,
    FleetFound,
    MemberAdmit,
    Revocation,
    RoleGrant,
    encode_fleet_found,
    encode_member_admit,
    seal_role_grant,
    seal_statement,
)
from tests.helpers.trust import NOW_S, ExampleFleet, key_from

__all__ = ["FOLDER", "VECTORS", "load"]

FOLDER: Final = Path(__file__).parent

_FLEET: Final = ExampleFleet()
_FOUNDER: Final = MachineId("myia-ai-01")
_MEMBER: Final = MachineId("myia-po-2023")
_INVITE: Final = Invite(invite=bytes(range(8)), secret=bytes(range(100, 116)), expires_s=NOW_S + 86_400)


def load(name: str) -> dict[str, Any]:
    """A vector file as it is on disk."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def codec() -> dict[str, Any]:
    """Values that JSON can show, and their encodings."""
    values: list[Value] = [
        None,
        False,
        127,
        128,
        65_536,
        2**32,
        2**64 - 1,
        -32,
        -33,
        -(2**63),
        "é",
        "x" * 32,
        [],
        {},
        [1, [2, "z"], None],
        {"b": 1, "a": {"é": True, "z": False}},
    ]
    return {"canonical": [{"value": value, "bytes": pack(value).hex()} for value in values]}


def envelope() -> dict[str, Any]:
    """The encoding that is signed, and one heartbeat-shaped envelope."""
    payload = pack({"counter": 7, "machine": _MEMBER})
    data = seal(_FLEET.key(_MEMBER), context=contexts.HEARTBEAT, fleet=_FLEET.fleet, author=_MEMBER, payload=payload)
    signed = parse_envelope(data, size_max=len(data)).signed_bytes()
    return {
        "pae": [{"pieces": pieces, "bytes": pae([piece.encode() for piece in pieces]).hex()} for pieces in _PIECES],
        "public_key": _FLEET.key(_MEMBER).public.raw.hex(),
        "key_id": _FLEET.key(_MEMBER).key_id.hex(),
        "context": contexts.HEARTBEAT,
        "fleet": _FLEET.fleet.hex(),
        "author": _MEMBER,
        "payload": payload.hex(),
        "signed": signed.hex(),
        "digest": sha256(signed).hex(),
        "envelope": data.hex(),
    }


_PIECES: Final[tuple[list[str], ...]] = ([], [""], ["a"], ["ab", "", "c"])


def certificates() -> dict[str, Any]:
    """One chain, and a request."""
    return {
        "fleet": _FLEET.fleet.hex(),
        "machine": _MEMBER,
        "now_s": NOW_S,
        "root": _FLEET.root.hex(),
        "issuer": _FLEET.issuer.hex(),
        "leaf": _FLEET.leaf(_MEMBER).hex(),
        "request": certificate_request(_FLEET.key(_MEMBER), _MEMBER).hex(),
    }


def _code(*contacts: str, machine: MachineId | None = None) -> JoinCode:
    return JoinCode(
        fleet=_FLEET.fleet,
        issuer=_FOUNDER,
        invite=_INVITE.invite,
        secret=_INVITE.secret,
        contacts=contacts,
        machine=machine,
        expires_s=_INVITE.expires_s,
    )


def join_code() -> dict[str, Any]:
    """Codes with all kinds of contacts."""
    codes = [_code(), _code("192.168.1.10:47600"), _code("[fe80::1]:1", "nas.local:47600", machine=_MEMBER)]
    return {
        "codes": [
            {
                "fleet": code.fleet.hex(),
                "issuer": code.issuer,
                "invite": code.invite.hex(),
                "secret": code.secret.hex(),
                "contacts": list(code.contacts),
                "machine": code.machine,
                "expires_s": code.expires_s,
                "text": encode_join_code(code),
            }
            for code in codes
        ]
    }


def joining() -> dict[str, Any]:
    """One whole exchange."""
    issuer_nonce, joiner_nonce = bytes([1]) * 32, bytes([2]) * 32
    issuer = IssuerSession(leaf=_FLEET.leaf(_FOUNDER), issuer=_FLEET.issuer, root=_FLEET.root, nonce=issuer_nonce)
    joiner = JoinerSession(_code(), _MEMBER, _FLEET.key(_MEMBER), joiner_nonce, time_ms=0)
    hello = issuer.hello()
    request = joiner.on_hello(hello, peer_leaf_der=_FLEET.leaf(_FOUNDER))
    issuer.on_request(request, invites={_INVITE.invite: _INVITE}, directory=_FLEET.directory(_FOUNDER), now_s=NOW_S)
    answer = issuer.answer(_FLEET.leaf(_MEMBER), _FLEET.issuer)
    return {
        "code": encode_join_code(_code()),
        "issuer_nonce": issuer_nonce.hex(),
        "joiner_nonce": joiner_nonce.hex(),
        "hello": hello.hex(),
        "request": request.hex(),
        "answer": answer.hex(),
        "dial_back": records.encode(DialBack(port=47_600)).hex(),
        "dialled_back": records.encode(DialledBack(outcome="unanswered", host="192.0.2.7")).hex(),
    }


def statements() -> dict[str, Any]:
    """The founding, an admission by invite, and one with more roles."""
    found = FleetFound(
        fleet_name=_FLEET.name,
        machine=_FOUNDER,
        key=_FLEET.key(_FOUNDER).key_id,
        roles=FOUNDER_ROLES,
        time_ms=NOW_S * 1000,
        root=_FLEET.root,
        issuer=_FLEET.issuer,
        leaf=_FLEET.leaf(_FOUNDER),
    )
    grant = seal_role_grant(_FLEET.root_key, RoleGrant(roles=FOUNDER_ROLES, invite=_INVITE.invite, machine=_MEMBER))
    return {
        "root": _FLEET.root.hex(),
        "fleet_found": encode_fleet_found(_FLEET.root_key, found).hex(),
        "member_admit": encode_member_admit(_admit()).hex(),
        "member_admit_with_grant": encode_member_admit(_admit(roles=FOUNDER_ROLES, grant=grant)).hex(),
        "invite": records.encode(_INVITE).hex(),
    }


def keys() -> dict[str, Any]:
    """How keys end: a revocation by the issuer, a late renewal, a rotation to a third key."""
    old, new = _FLEET.key(_MEMBER), key_from("the next key of myia-po-2023")
    revocation = Revocation(
        machine=_MEMBER,
        keys=(old.key_id,),
        reason="volée",
        ledger=Cut(incarnation=1, sequence=5, id=bytes(range(32))),
        serial=bytes(range(16)),
    )
    rotation = Rotation(
        machine=_MEMBER,
        old=old.key_id,
        new=new.key_id,
        former_leaf=_FLEET.leaf(_MEMBER),
        former_issuer=_FLEET.issuer,
        leaf=_FLEET.leaf(_MEMBER, key=new),
        issuer=_FLEET.issuer,
        ledger=Cut(incarnation=1, sequence=7, id=bytes(range(32))),
        mail=Cut(incarnation=1, sequence=0),
    )
    hello = IssuerSession(
        leaf=_FLEET.leaf(_FOUNDER), issuer=_FLEET.issuer, root=_FLEET.root, nonce=bytes(range(32))
    ).hello()
    renewer = RenewerSession(machine=_MEMBER, key=old, fleet=_FLEET.fleet, time_ms=NOW_S * 1000)
    return {
        "root": _FLEET.root.hex(),
        "revocation": seal_statement(
            _FLEET.issuer_key, revocation, fleet=_FLEET.fleet, author=issuer_author(_FOUNDER)
        ).hex(),
        "rotation": seal_rotation(old, rotation, fleet=_FLEET.fleet).hex(),
        "late_renewal_hello": hello.hex(),
        "late_renewal": renewer.on_hello(hello, peer_leaf_der=_FLEET.leaf(_FOUNDER)).hex(),
    }


def _admit(*, roles: tuple[str, ...] = PLAIN_ROLES, grant: bytes = b"") -> MemberAdmit:
    return MemberAdmit(
        machine=_MEMBER,
        key=_FLEET.key(_MEMBER).key_id,
        roles=roles,
        leaf=_FLEET.leaf(_MEMBER),
        issuer=_FLEET.issuer,
        admitted_by=_FOUNDER,
        invite=_INVITE.invite,
        grant=grant,
    )


VECTORS: Final = {
    "codec": codec,
    "envelope": envelope,
    "certificates": certificates,
    "join_code": join_code,
    "joining": joining,
    "statements": statements,
    "keys": keys,
}

if __name__ == "__main__":
    for vector, build in VECTORS.items():
        text = json.dumps(build(), indent=1, ensure_ascii=False) + "\n"
        (FOLDER / f"{vector}.json").write_text(text, encoding="utf-8", newline="\n")
