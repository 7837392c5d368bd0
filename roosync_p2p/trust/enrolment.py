"""What a machine gets when it is admitted: its certificate and the chain (docs/protocol/trust.md §4)."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from roosync_p2p import limits
from roosync_p2p.errors import MalformedError, UntrustedError
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.trust.certificates import parse_root_certificate, verify_machine_chain
from roosync_p2p.trust.keys import PublicKey
from roosync_p2p.trust.x509_form import LIBRARY_ERRORS

__all__ = [
    "Enrolment",
    "certificates_from_pem",
    "certificates_to_pem",
    "enrolment_from_pem",
    "enrolment_to_pem",
    "lost_from_pem",
    "lost_to_pem",
]

_LOST_BEGIN: Final = b"-----BEGIN ROOSYNC KEY LOST-----"
_LOST_END: Final = b"-----END ROOSYNC KEY LOST-----"
_LOST: Final = re.compile(_LOST_BEGIN + rb"([^-]*)" + _LOST_END)
_BLOCK: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A verified chain for one machine: leaf, issuer, root, each DER. Built by :meth:`checked` alone."""

    machine: MachineId
    fleet: FleetId
    public: PublicKey
    leaf: bytes = dataclasses.field(repr=False)
    issuer: bytes = dataclasses.field(repr=False)
    root: bytes = dataclasses.field(repr=False)

    @classmethod
    def checked(cls, *, leaf: bytes, issuer: bytes, root: bytes) -> Enrolment:
        """The enrolment in a chain. The caller compares fleet and key with what it expects.

        Raises:
            MalformedError, SignatureFault, UntrustedError: the chain does not hold.
        """
        anchor = parse_root_certificate(root)
        certificate = verify_machine_chain(leaf, issuer, root=anchor)
        return cls(
            machine=certificate.machine,
            fleet=anchor.fleet,
            public=certificate.public,
            leaf=leaf,
            issuer=issuer,
            root=root,
        )

    def require_key(self, public: PublicKey) -> None:
        """Returns if the certificate is for this key.

        Raises:
            UntrustedError: it is for another (``wrong_key``).
        """
        if self.public != public:
            raise UntrustedError("the certificate is for another key than the one that asked", code="wrong_key")


def enrolment_to_pem(enrolment: Enrolment) -> bytes:
    """One file to carry by hand: leaf, issuer, root."""
    return certificates_to_pem(enrolment.leaf, enrolment.issuer, enrolment.root)


def enrolment_from_pem(pem: bytes) -> Enrolment:
    """The enrolment in such a file.

    Raises:
        MalformedError, SignatureFault, UntrustedError: not three certificates, or their chain does not hold.
    """
    ders = certificates_from_pem(pem)
    if len(ders) != limits.CERTIFICATE_CHAIN_MAX:
        raise MalformedError(f"{len(ders)} certificates, not leaf, issuer and root", code="bad_certificate")
    return Enrolment.checked(leaf=ders[0], issuer=ders[1], root=ders[2])


def certificates_to_pem(*ders: bytes) -> bytes:
    """PEM blocks of certificates, in this order."""
    return b"".join(x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM) for der in ders)


def certificates_from_pem(pem: bytes) -> tuple[bytes, ...]:
    """The DER of the certificates in a PEM file, in its order; text between the blocks is skipped.

    Raises:
        MalformedError: too large (``oversized``), or a block is not a certificate (``bad_certificate``).
    """
    if len(pem) > limits.CERTIFICATE_PEM_BYTES_MAX:
        raise MalformedError(f"{len(pem)} bytes are no certificate chain", code="oversized")
    blocks = _BLOCK.findall(pem)
    if not blocks or len(blocks) > limits.CERTIFICATE_CHAIN_MAX:
        raise MalformedError(f"{len(blocks)} certificates in the file", code="bad_certificate")
    try:
        loaded = [x509.load_pem_x509_certificate(block) for block in blocks]
        return tuple(certificate.public_bytes(serialization.Encoding.DER) for certificate in loaded)
    except LIBRARY_ERRORS as error:
        raise MalformedError(
            "this holds no certificates, or it was damaged on the way",
            code="bad_certificate",
            remedy="bring the file again from where it was made",
            details={"library": type(error).__name__},
        ) from error


def lost_to_pem(statement: bytes) -> bytes:
    """The root's word that a key was lost, behind the certificates of an answer (docs/protocol/trust.md §11)."""
    return _LOST_BEGIN + b"\n" + base64.encodebytes(statement) + _LOST_END + b"\n"


def lost_from_pem(pem: bytes) -> bytes | None:
    """That word in such a file, not verified yet; None where there is none.

    Raises:
        MalformedError: it is there twice, or damaged (``bad_statement``).
    """
    blocks = _LOST.findall(pem)
    if not blocks and _LOST_BEGIN not in pem:
        return None
    try:
        (text,) = blocks
        return base64.b64decode(b"".join(text.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise MalformedError(
            "the statement in this file was damaged on the way",
            code="bad_statement",
            remedy="bring the file again from where it was made",
        ) from error
