"""The identity in a home directory: keys and certificates on disk (docs/protocol/trust.md §1).

    identity/  machine.key machine.pem chain.pem root.pem         of an issuer also issuer.key issuer.pem,
                                                                  of the founder also fleet.found,
                                                                  where the key before it was lost key.lost
    root/      root.key                                           of the founder, until it is moved away
    identity.pending/  machine.key request.pem                    while a join is not finished

``chain.pem`` is what TLS presents: the leaf, then its issuer. Keys are made here, from the operating system's
generator, and never leave. Everything is prepared in a directory beside and moved into place in one step, so a
process that is killed leaves an identity or none; :func:`found_fleet`, which moves two, undoes the first when it finds
itself interrupted.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from roosync_p2p.adapters.identity_files import (
    corrupt_file,
    load_certificates,
    load_key,
    mismatching_file,
    read_file,
    remove_folder,
)
from roosync_p2p.adapters.permissions import create_private_directory, explained, replace, write_private
from roosync_p2p.errors import EnvironmentFault, InputFault, PeerFault, SignatureFault
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.trust.certificates import (
    Request,
    certificate_request,
    issuer_certificate,
    machine_certificate,
    parse_machine_certificate,
    parse_request,
    parse_root_certificate,
    root_certificate,
    verify_issuer_certificate,
)
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.enrolment import Enrolment, certificates_to_pem
from roosync_p2p.trust.keys import SEED_BYTES, SigningKey
from roosync_p2p.trust.roles import FOUNDER_ROLES
from roosync_p2p.trust.statements import FleetFound, encode_fleet_found

__all__ = [
    "NEXT_KEY",
    "Identity",
    "PendingIdentity",
    "create_request",
    "found_fleet",
    "generate_key",
    "has_identity",
    "install_certificate",
    "install_enrolment",
    "issue_machine_certificate",
    "load_identity",
    "load_root_key",
    "root_key_path",
]

NEXT_KEY: Final = "next.key"
_KEY: Final = "machine.key"
_IDENTITY: Final = "identity"
_PENDING: Final = "identity.pending"
_FOUNDING: Final = "founding"
_ROOT: Final = "root"
_LOST: Final = "key.lost"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this machine is. Certificates are DER.

    Attributes:
        home: the home directory.
        fleet_name: what people call the fleet.
        key: the machine's key.
        leaf, issuer, root: the machine's chain.
        issuer_key, own_issuer: of an issuer: its key and its own issuer certificate, which need not be the one that
            signed ``leaf``; else None.
        fleet_found: of the founder: the body of its ``fleet.found``; else None.
        key_lost: the root's word that this key took the place of a lost one; None where it did not.
        key_file: which file the key is in; another one than usual while a rotation is being finished.
    """

    home: Path
    machine: MachineId
    fleet: FleetId
    fleet_name: str
    key: SigningKey
    leaf: bytes = dataclasses.field(repr=False)
    issuer: bytes = dataclasses.field(repr=False)
    root: bytes = dataclasses.field(repr=False)
    issuer_key: SigningKey | None
    own_issuer: bytes | None = dataclasses.field(repr=False)
    fleet_found: bytes | None = dataclasses.field(repr=False)
    key_lost: bytes | None = dataclasses.field(repr=False, default=None)
    key_file: str = _KEY

    @property
    def is_issuer(self) -> bool:
        """Whether this machine can admit others."""
        return self.issuer_key is not None

    @property
    def key_path(self) -> Path:
        """PEM of the machine's key, for TLS."""
        return self.home / _IDENTITY / self.key_file

    @property
    def chain_path(self) -> Path:
        """PEM of leaf and issuer, for TLS."""
        return self.home / _IDENTITY / "chain.pem"

    @property
    def root_path(self) -> Path:
        """PEM of the root certificate, the only trust anchor."""
        return self.home / _IDENTITY / "root.pem"

    def directory(self) -> Directory:
        """The directory that this identity alone gives: the root, the issuers and this machine."""
        directory = Directory.found(self.root).with_chain(self.leaf, self.issuer)
        return directory if self.own_issuer is None else directory.with_issuer(self.own_issuer)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PendingIdentity:
    """A key that waits for its certificate.

    Attributes:
        request: the certificate request.
        request_path: its PEM, to be carried by hand.
    """

    machine: MachineId
    key: SigningKey
    request: Request
    request_path: Path


def generate_key() -> SigningKey:
    """A new key from the operating system's generator."""
    return SigningKey(os.urandom(SEED_BYTES))


def has_identity(home: Path) -> bool:
    """Whether this home has been founded or enrolled; not whether what it holds is in order."""
    return (home / _IDENTITY).is_dir()


def root_key_path(home: Path) -> Path:
    """Where the founder's root key is until it is moved away."""
    return home / _ROOT / "root.key"


def found_fleet(home: Path, *, fleet_name: str, machine: MachineId, passphrase: bytes | None, wall_s: int) -> Identity:
    """Makes a fleet: root, first issuer, first machine, and the root's statement about it.

    Args:
        passphrase: encrypts the root key; None leaves it open, which the caller has asked for by name.
        wall_s: Unix seconds.

    Raises:
        InputFault: the home has an identity, an unfinished one, or a root key (``identity_exists``,
            ``join_pending``, ``root_exists``).
        MalformedError: the fleet's name is empty or too long.
        EnvironmentFault: the disk; then nothing of it is left.
    """
    _prepare_home(home)
    _undo_founding(home)
    _refuse_existing(home, pending_too=True)
    if (home / _ROOT).exists():
        raise InputFault(f"{home / _ROOT} holds the root key of a fleet; nothing was changed", code="root_exists")
    try:
        _stage_founding(home / _FOUNDING, fleet_name, machine, passphrase, wall_s)
        with explained(home, "write"):
            # The root first: an identity without its root key would look like one whose root was moved away.
            replace(home / _FOUNDING / _ROOT, home / _ROOT)
            replace(home / _FOUNDING / _IDENTITY, home / _IDENTITY)
    finally:
        _undo_founding(home)
    return load_identity(home)


def create_request(home: Path, machine: MachineId) -> PendingIdentity:
    """The key and the certificate request of a machine that wants to join; the same again for the same machine id.

    Raises:
        InputFault: the home has an identity (``identity_exists``).
        EnvironmentFault: the disk, or a damaged pending key.
    """
    _prepare_home(home)
    _refuse_existing(home, pending_too=False)
    pending = home / _PENDING
    if pending.is_dir():
        known = _load_pending(home)
        if known.machine == machine:
            return known
        remove_folder(pending)
    staged = home / f"{_PENDING}.new"
    remove_folder(staged)
    try:
        create_private_directory(staged)
        key = generate_key()
        write_private(staged / "machine.key", key.to_pem(None))
        write_private(staged / "request.pem", _request_pem(certificate_request(key, machine)))
        with explained(pending, "write"):
            replace(staged, pending)
    finally:
        remove_folder(staged)
    return _load_pending(home)


def install_enrolment(home: Path, enrolment: Enrolment, *, fleet: FleetId, lost: bytes | None = None) -> Identity:
    """Turns the pending key and its certificate into this machine's identity.

    Args:
        enrolment: from the joining protocol, or from a file carried by hand.
        fleet: the fleet that the user means to join: from the join code, or confirmed by them.
        lost: the root's word that this key takes the place of a lost one, verified by the caller; None: it does not.

    Raises:
        InputFault: the home has an identity (``identity_exists``), or no key that waits (``nothing_pending``).
        SignatureFault: the certificate is of another fleet (``wrong_fleet``).
        UntrustedError: it is for another key (``wrong_key``).
        EnvironmentFault: the disk; the key still waits then.
    """
    _refuse_existing(home, pending_too=False)
    if not (home / _PENDING).is_dir():
        raise InputFault("no key waits for a certificate in this home", code="nothing_pending")
    if enrolment.fleet != fleet:
        raise SignatureFault("the certificate is of another fleet", code="wrong_fleet")
    enrolment.require_key(_load_pending(home).key.public)
    pending = home / _PENDING
    _write_chain(pending, enrolment)
    if lost is not None:
        write_private(pending / _LOST, lost)
    with explained(home / _IDENTITY, "write"):
        replace(pending, home / _IDENTITY)
        (home / _IDENTITY / "request.pem").unlink(missing_ok=True)
    return load_identity(home)


def install_certificate(home: Path, *, leaf: bytes, issuer: bytes) -> Identity:
    """Another certificate for this machine's key; killed in between, the old one or the new one is there.

    The caller has verified the chain.

    Raises:
        EnvironmentFault: the disk; the old one stays.
    """
    folder = home / _IDENTITY
    with explained(folder, "write"):
        for name, pem in (
            ("chain.pem", certificates_to_pem(leaf, issuer)),  # what counts, and what TLS reads
            ("machine.pem", certificates_to_pem(leaf)),
        ):
            staged = folder / f"{name}.new"
            write_private(staged, pem)
            replace(staged, folder / name)
    return load_identity(home)


def load_identity(home: Path) -> Identity:
    """Who this machine is, with everything checked that the disk alone can tell: permissions, chain, matching keys.

    Dates are not judged: a node with an expired certificate still has its store.

    Raises:
        EnvironmentFault: none (``no_identity``, or ``not_enrolled`` while a join is unfinished), a file is missing
            (``identity_incomplete``), damaged (``identity_corrupt``), does not fit the others
            (``identity_mismatch``), or is open to others (``permissions_too_open``).
    """
    folder = home / _IDENTITY
    if not folder.is_dir():
        raise _no_identity(home)
    key, key_file = load_key(folder / _KEY), _KEY
    root_der, *_ = load_certificates(folder / "root.pem", count=1)
    leaf, issuer = load_certificates(folder / "chain.pem", count=2)
    try:
        enrolment = Enrolment.checked(leaf=leaf, issuer=issuer, root=root_der)
    except PeerFault as error:
        raise mismatching_file(
            folder / "chain.pem", f"its chain does not lead to root.pem ({error.message})"
        ) from error
    rotating = (folder / NEXT_KEY).exists()
    if enrolment.public != key.public and rotating:
        key, key_file = load_key(folder / NEXT_KEY), NEXT_KEY
    if enrolment.public != key.public:
        raise mismatching_file(folder / "machine.key", "it is not the key of chain.pem")
    (alone,) = load_certificates(folder / "machine.pem", count=1)
    if alone != leaf and not (rotating or _same_key(alone, leaf)):  # it is replaced after chain.pem
        raise mismatching_file(folder / "machine.pem", "it is not the first certificate of chain.pem")
    issuer_key, own_issuer = _load_issuer(folder, enrolment)
    return Identity(
        home=home,
        machine=enrolment.machine,
        fleet=enrolment.fleet,
        fleet_name=parse_root_certificate(root_der).fleet_name,
        key=key,
        leaf=leaf,
        issuer=issuer,
        root=root_der,
        issuer_key=issuer_key,
        own_issuer=own_issuer,
        fleet_found=read_file(folder / "fleet.found") if (folder / "fleet.found").exists() else None,
        key_lost=read_file(folder / _LOST) if (folder / _LOST).exists() else None,
        key_file=key_file,
    )


def load_root_key(home: Path, passphrase: bytes | None) -> SigningKey:
    """The fleet's root key. The caller holds it no longer than one statement takes.

    Raises:
        EnvironmentFault: not here (``root_key_elsewhere``), open to others, damaged, or of another fleet.
        InputFault: the passphrase is missing or wrong (``passphrase_needed``, ``wrong_passphrase``).
    """
    path = root_key_path(home)
    if not path.exists():
        raise EnvironmentFault(
            f"the root key is not at {path}",
            code="root_key_elsewhere",
            remedy=f"bring it back from where it is kept to {path}, and remove it afterwards",
        )
    key = load_key(path, passphrase)
    if FleetId(key.key_id) != load_identity(home).fleet:
        raise mismatching_file(path, "it is the root key of another fleet")
    return key


def issue_machine_certificate(identity: Identity, request: Request, *, wall_s: int) -> Enrolment:
    """A certificate for a request. The caller has decided that this key may have this machine id.

    Raises:
        InputFault: this machine is not an issuer (``not_an_issuer``).
    """
    if identity.issuer_key is None or identity.own_issuer is None:
        raise InputFault(
            f"{identity.machine} is not an issuer", code="not_an_issuer", remedy="run this on an issuer's machine"
        )
    leaf = machine_certificate(
        identity.issuer_key,
        identity.own_issuer,
        request.public,
        machine=request.machine,
        fleet=identity.fleet,
        serial=x509.random_serial_number(),
        now_s=wall_s,
    )
    return Enrolment.checked(leaf=leaf, issuer=identity.own_issuer, root=identity.root)


# --- founding -----------------------------------------------------------------------------------------------------


def _stage_founding(stage: Path, fleet_name: str, machine: MachineId, passphrase: bytes | None, wall_s: int) -> None:
    root_key, issuer_key, key = generate_key(), generate_key(), generate_key()
    serials = [x509.random_serial_number() for _ in range(3)]
    root = root_certificate(root_key, fleet_name=fleet_name, serial=serials[0], now_s=wall_s)
    fleet = FleetId(root_key.key_id)
    issuer = issuer_certificate(root_key, root, issuer_key.public, machine=machine, serial=serials[1], now_s=wall_s)
    leaf = machine_certificate(
        issuer_key, issuer, key.public, machine=machine, fleet=fleet, serial=serials[2], now_s=wall_s
    )
    found = FleetFound(
        fleet_name=fleet_name,
        machine=machine,
        key=key.key_id,
        roles=FOUNDER_ROLES,
        time_ms=wall_s * 1000,
        root=root,
        issuer=issuer,
        leaf=leaf,
    )
    create_private_directory(stage)
    create_private_directory(stage / _ROOT)
    write_private(stage / _ROOT / "root.key", root_key.to_pem(passphrase))
    folder = stage / _IDENTITY  # last, and after the root is complete: _undo_founding relies on it
    create_private_directory(folder)
    write_private(folder / "machine.key", key.to_pem(None))
    write_private(folder / "issuer.key", issuer_key.to_pem(None))
    write_private(folder / "issuer.pem", certificates_to_pem(issuer))
    write_private(folder / "fleet.found", encode_fleet_found(root_key, found))
    _write_chain(folder, Enrolment.checked(leaf=leaf, issuer=issuer, root=root))


def _undo_founding(home: Path) -> None:
    """Removes what an interrupted founding left. Its root key has signed nothing that anybody saw."""
    stage = home / _FOUNDING
    root_was_moved = (stage / _IDENTITY).exists() and not (stage / _ROOT).exists()
    if root_was_moved and (home / _ROOT).exists() and not has_identity(home):
        with explained(home / _ROOT, "remove"):
            replace(home / _ROOT, stage / _ROOT)
    remove_folder(stage)


# --- reading ------------------------------------------------------------------------------------------------------


def _load_pending(home: Path) -> PendingIdentity:
    folder = home / _PENDING
    key = load_key(folder / "machine.key")
    path = folder / "request.pem"
    try:
        request = parse_request(read_file(path))
    except PeerFault as error:
        raise corrupt_file(path, error) from error
    if request.public != key.public:
        raise mismatching_file(path, "it is not for machine.key beside it")
    return PendingIdentity(machine=request.machine, key=key, request=request, request_path=path)


def _same_key(one: bytes, other: bytes) -> bool:
    try:
        return parse_machine_certificate(one).public == parse_machine_certificate(other).public
    except PeerFault:
        return False


def _load_issuer(folder: Path, enrolment: Enrolment) -> tuple[SigningKey | None, bytes | None]:
    if not (folder / "issuer.key").exists():
        return None, None
    key = load_key(folder / "issuer.key")
    (der,) = load_certificates(folder / "issuer.pem", count=1)
    try:
        certificate = verify_issuer_certificate(der, root=parse_root_certificate(enrolment.root))
    except PeerFault as error:
        raise mismatching_file(folder / "issuer.pem", f"root.pem does not vouch for it ({error.message})") from error
    if certificate.public != key.public or certificate.machine != enrolment.machine:
        raise mismatching_file(folder / "issuer.pem", "it is not for issuer.key, or not for this machine")
    return key, der


# --- writing ------------------------------------------------------------------------------------------------------


def _prepare_home(home: Path) -> None:
    with explained(home, "create"):
        home.parent.mkdir(parents=True, exist_ok=True)
    if not home.is_dir():
        create_private_directory(home)


def _write_chain(folder: Path, enrolment: Enrolment) -> None:
    write_private(folder / "machine.pem", certificates_to_pem(enrolment.leaf))
    write_private(folder / "chain.pem", certificates_to_pem(enrolment.leaf, enrolment.issuer))
    write_private(folder / "root.pem", certificates_to_pem(enrolment.root))


def _request_pem(der: bytes) -> bytes:
    return x509.load_der_x509_csr(der).public_bytes(serialization.Encoding.PEM)


# --- refusing -----------------------------------------------------------------------------------------------------


def _refuse_existing(home: Path, *, pending_too: bool) -> None:
    if has_identity(home):
        raise InputFault(
            f"{home} has an identity already; nothing was changed",
            code="identity_exists",
            remedy="choose another --home for another machine",
            details={"home": str(home)},
        )
    if pending_too and (home / _PENDING).exists():
        raise InputFault(
            f"{home} waits for an answer to its certificate request; nothing was changed",
            code="join_pending",
            remedy=f"finish with roosync join CODE, or remove {home / _PENDING}",
            details={"home": str(home)},
        )


def _no_identity(home: Path) -> EnvironmentFault:
    if (home / _PENDING).is_dir():
        return EnvironmentFault(
            f"{home} waits for its certificate: the join was not finished",
            code="not_enrolled",
            remedy="roosync join CODE, with the same code",
        )
    return EnvironmentFault(
        f"{home} has no identity",
        code="no_identity",
        remedy="roosync-admin init founds a fleet, roosync join CODE joins one",
    )
