"""A further issuer: its key is made where it will live, and its certificate comes from the root (trust.md §9).

    issuer.pending/  issuer.key request.pem      until the root's answer is installed

The key is in ``identity/`` last: where it is, its certificate is too, so a process that is killed leaves an issuer or
none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from roosync_p2p.adapters.identity_files import load_key, remove_folder
from roosync_p2p.adapters.keystore import Identity, generate_key, load_identity
from roosync_p2p.adapters.permissions import create_private_directory, explained, replace, write_private
from roosync_p2p.errors import InputFault, UntrustedError
from roosync_p2p.trust.certificates import (
    Request,
    certificate_request,
    issuer_certificate,
    parse_root_certificate,
    verify_issuer_certificate,
)
from roosync_p2p.trust.enrolment import certificates_to_pem
from roosync_p2p.trust.keys import SigningKey

__all__ = ["certify_issuer", "install_issuer", "request_issuer"]

_PENDING: Final = "issuer.pending"
_KEY: Final = "issuer.key"


def request_issuer(home: Path) -> bytes:
    """PEM of the request for this machine's issuer key, which is made now; the same again until it is answered.

    Raises:
        InputFault: this machine is an issuer already (``already_issuer``).
        EnvironmentFault: identity or disk.
    """
    identity = load_identity(home)
    if identity.is_issuer:
        raise InputFault(f"{identity.machine} is an issuer already; nothing was made", code="already_issuer")
    pending = home / _PENDING
    if not pending.is_dir():
        staged = home / f"{_PENDING}.new"
        remove_folder(staged)
        create_private_directory(staged)
        write_private(staged / _KEY, generate_key().to_pem(None))
        with explained(pending, "write"):
            replace(staged, pending)
    der = certificate_request(load_key(pending / _KEY), identity.machine)
    return x509.load_der_x509_csr(der).public_bytes(serialization.Encoding.PEM)


def certify_issuer(identity: Identity, root_key: SigningKey, request: Request, *, wall_s: int) -> bytes:
    """DER of an issuer certificate by the root. The caller has decided that this machine may be one."""
    return issuer_certificate(
        root_key,
        identity.root,
        request.public,
        machine=request.machine,
        serial=x509.random_serial_number(),
        now_s=wall_s,
    )


def install_issuer(home: Path, certificate: bytes) -> Identity:
    """Makes this machine an issuer, with the root's answer to :func:`request_issuer`.

    Raises:
        InputFault: no key waits for one (``nothing_pending``).
        UntrustedError: it is for another machine or key (``wrong_machine``, ``wrong_key``).
        PeerFault: it is not by this fleet's root.
        EnvironmentFault: identity or disk.
    """
    identity = load_identity(home)
    pending = home / _PENDING
    if not pending.is_dir():
        raise InputFault("no issuer key waits for a certificate in this home", code="nothing_pending")
    verified = verify_issuer_certificate(certificate, root=parse_root_certificate(identity.root))
    if verified.machine != identity.machine:
        raise UntrustedError(f"the certificate is for {verified.machine}; nothing was changed", code="wrong_machine")
    if verified.public != load_key(pending / _KEY).public:
        raise UntrustedError("the certificate is for another key; nothing was changed", code="wrong_key")
    folder = identity.key_path.parent
    write_private(folder / "issuer.pem", certificates_to_pem(certificate))
    with explained(folder / _KEY, "write"):
        replace(pending / _KEY, folder / _KEY)
    remove_folder(pending)
    return load_identity(home)
