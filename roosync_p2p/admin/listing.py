"""What ``list`` and ``show`` say, as plain JSON-compatible objects. Reads, decides nothing, shows no secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cryptography import x509

from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.keystore import has_identity, load_identity, root_key_path
from roosync_p2p.adapters.permissions import explained
from roosync_p2p.admin.office import ask_node, directory_of, read_store
from roosync_p2p.clock import rfc3339
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import decode
from roosync_p2p.core.rows import InviteRow
from roosync_p2p.errors import InputFault, PeerFault, UntrustedError
from roosync_p2p.ids import MachineId
from roosync_p2p.trust.certificates import (
    IssuerCertificate,
    MachineCertificate,
    RootCertificate,
    parse_issuer_certificate,
    parse_machine_certificate,
    parse_root_certificate,
    verify_issuer_certificate,
    verify_machine_certificate,
)
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.enrolment import certificates_from_pem
from roosync_p2p.trust.invites import Invite

__all__ = ["fleet_list", "root_key_state", "show_file", "show_fleet", "show_machine"]

_DAY_S: Final = 24 * 3600
_Certificate = RootCertificate | IssuerCertificate | MachineCertificate


def fleet_list(home: Home, *, with_invites: bool, wall_s: int) -> dict[str, Any]:
    """The machines and issuers that this home knows; with the node's view of them while it runs.

    Raises:
        EnvironmentFault, StoreError: no identity, or one of the two is damaged.
    """
    identity = load_identity(home.path)
    answer = ask_node(home, lambda client: client.machines())
    seen = {str(row["machine"]): row for row in answer["machines"]} if answer is not None else {}
    loaded = read_store(home)
    directory = directory_of(identity, loaded)
    document: dict[str, Any] = {
        "fleet": identity.fleet.hex(),
        "fleet_name": identity.fleet_name,
        "machine": identity.machine,
        "running": answer is not None,
        "machines": [
            {
                "machine": member.machine,
                "self": member.machine == identity.machine,
                "state": seen.get(member.machine, {}).get("state"),
                "roles": seen.get(member.machine, {}).get("roles"),
                **_described(member.certificate, wall_s),
            }
            for _, member in sorted(directory.members.items())
        ],
        "issuers": [
            _described(issuer.certificate, wall_s)
            for issuer in sorted(directory.issuers.values(), key=lambda issuer: (issuer.machine, issuer.key_id))
        ],
    }
    if with_invites:
        document["invites"] = _invites(loaded.invites, wall_s)
    return document


def show_fleet(home: Home, *, wall_s: int) -> dict[str, Any]:
    """The fleet, this machine's certificates, and where the root key is.

    Raises:
        EnvironmentFault: no identity, or a damaged one.
    """
    identity = load_identity(home.path)
    own: list[_Certificate] = [parse_machine_certificate(identity.leaf), parse_issuer_certificate(identity.issuer)]
    if identity.own_issuer is not None and identity.own_issuer != identity.issuer:
        own.append(parse_issuer_certificate(identity.own_issuer))
    return {
        "fleet": identity.fleet.hex(),
        "fleet_name": identity.fleet_name,
        "machine": identity.machine,
        "is_issuer": identity.is_issuer,
        "root_key": root_key_state(home),
        "certificates": [
            _described(one, wall_s) | {"trusted": True} for one in (*own, parse_root_certificate(identity.root))
        ],
    }


def show_machine(home: Home, machine: MachineId, *, wall_s: int) -> dict[str, Any]:
    """One member's certificate and its issuer's.

    Raises:
        InputFault: ``no_such_machine``.
        EnvironmentFault, StoreError: as :func:`fleet_list`.
    """
    identity = load_identity(home.path)
    directory = directory_of(identity, read_store(home))
    member = directory.members.get(machine)
    if member is None:
        raise InputFault(
            f"{machine} is not known here as a member",
            code="no_such_machine",
            remedy="see `roosync-admin list`",
            details={"machine": machine},
        )
    shown = (member.certificate, parse_issuer_certificate(member.issuer))
    return {
        "fleet": identity.fleet.hex(),
        "fleet_name": identity.fleet_name,
        "machine": machine,
        "certificates": [_described(one, wall_s) | {"trusted": True} for one in shown],
    }


def show_file(home: Home, pem: bytes, *, wall_s: int) -> dict[str, Any]:
    """The certificates in a file; ``trusted`` says whether this home's fleet vouches for each, None without a fleet.

    Dates are shown and not judged.

    Raises:
        MalformedError, SignatureFault, UntrustedError: not certificates of ours.
    """
    certificates = [_parsed(der) for der in certificates_from_pem(pem)]
    directory = _known_fleet(home)
    return {
        "certificates": [
            _described(one, wall_s) | {"trusted": None if directory is None else _vouched(one, certificates, directory)}
            for one in certificates
        ]
    }


def root_key_state(home: Home) -> dict[str, Any]:
    """Where the root key would be, whether it is there, and whether it takes a passphrase (None: not there)."""
    path = root_key_path(home.path)
    with explained(path, "read"):
        encrypted = b"ENCRYPTED" in path.read_bytes()[:64] if path.is_file() else None
    return {"path": str(path), "present": encrypted is not None, "encrypted": encrypted}


# --- certificates -------------------------------------------------------------------------------------------------


def _parsed(der: bytes) -> _Certificate:
    """A certificate by the first of our three forms that it has.

    Raises:
        PeerFault: none of them; of the reasons, that of the machine's form is told.
    """
    for parse in (parse_root_certificate, parse_issuer_certificate):
        try:
            return parse(der)
        except UntrustedError:  # another form
            continue
    return parse_machine_certificate(der)


def _described(certificate: _Certificate, wall_s: int) -> dict[str, Any]:
    loaded = x509.load_der_x509_certificate(certificate.der)
    kinds = {RootCertificate: "root", IssuerCertificate: "issuer", MachineCertificate: "machine"}
    return {
        "kind": kinds[type(certificate)],
        "machine": None if isinstance(certificate, RootCertificate) else certificate.machine,
        "fleet": certificate.fleet.hex(),
        "key": certificate.public.key_id.hex(),
        "issued_by": loaded.issuer.rfc4514_string(),
        "serial": f"{loaded.serial_number:x}",
        "fingerprint": sha256(certificate.der).hex(),
        "not_before": rfc3339(certificate.not_before_s * 1000),
        "not_after": rfc3339(certificate.not_after_s * 1000),
        "days_left": (certificate.not_after_s - wall_s) // _DAY_S,
    }


def _vouched(certificate: _Certificate, beside: Sequence[_Certificate], directory: Directory) -> bool:
    """Whether the fleet's root signed it, or one of its issuers, known here or shown beside it."""
    if isinstance(certificate, RootCertificate):
        return certificate.fleet == directory.fleet
    if isinstance(certificate, IssuerCertificate):
        return _holds_issuer(certificate, directory)
    known = [issuer.certificate for issuer in directory.issuers.values()]
    shown = [one for one in beside if isinstance(one, IssuerCertificate) and _holds_issuer(one, directory)]
    return any(_signed_by(certificate, issuer) for issuer in (*known, *shown))


def _holds_issuer(certificate: IssuerCertificate, directory: Directory) -> bool:
    try:
        verify_issuer_certificate(certificate.der, root=directory.root)
    except PeerFault:
        return False
    return True


def _signed_by(certificate: MachineCertificate, issuer: IssuerCertificate) -> bool:
    try:
        verify_machine_certificate(certificate.der, issuer=issuer)
    except PeerFault:
        return False
    return True


def _known_fleet(home: Home) -> Directory | None:
    """The directory of this home; None for a home without an identity, which can still look at files."""
    return directory_of(load_identity(home.path), read_store(home)) if has_identity(home.path) else None


# --- invites ------------------------------------------------------------------------------------------------------


def _invites(rows: Sequence[InviteRow], wall_s: int) -> list[dict[str, Any]]:
    """The invites of this issuer, those that expire last first."""
    invites = [decode(row.data, Invite) for row in rows if row.data is not None]
    return [
        {
            "invite": invite.invite.hex(),
            "machine": invite.machine,
            "roles": list(invite.roles),
            "state": _state(invite, wall_s),
            "expires": rfc3339(invite.expires_s * 1000),
            "used_as": invite.used_as,
        }
        for invite in sorted(invites, key=lambda invite: -invite.expires_s)
    ]


def _state(invite: Invite, wall_s: int) -> str:
    if invite.used_by is not None:
        return "used"
    return "outstanding" if wall_s <= invite.expires_s else "expired"
