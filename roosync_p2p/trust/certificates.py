"""X.509 for links: root, issuer, machine (docs/protocol/trust.md §1).

The builders are deterministic: serial numbers and times are arguments, Ed25519 signatures need no randomness. What
comes from elsewhere goes through a ``parse_`` function (shape) or a ``verify_`` function (shape and signatures).
Dates are judged by :func:`check_dates` alone, because they limit links and never what was signed.
"""

from __future__ import annotations

import dataclasses

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from roosync_p2p import limits
from roosync_p2p.errors import MalformedError, SignatureFault, StaleError
from roosync_p2p.ids import FleetId, MachineId, parse_machine_id
from roosync_p2p.trust.keys import PublicKey, SigningKey
from roosync_p2p.trust.x509_form import (
    LIBRARY_ERRORS,
    build_certificate,
    issuer_uri,
    load_certificate,
    machine_uri,
    name,
    parse_issuer_uri,
    parse_machine_uri,
    public_key,
    require_whole_signature,
)

__all__ = [
    "IssuerCertificate",
    "MachineCertificate",
    "Request",
    "RootCertificate",
    "certificate_request",
    "check_dates",
    "fleet_id_of",
    "issuer_certificate",
    "machine_certificate",
    "parse_issuer_certificate",
    "parse_machine_certificate",
    "parse_request",
    "parse_root_certificate",
    "root_certificate",
    "verify_issuer_certificate",
    "verify_machine_certificate",
    "verify_machine_chain",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Dated:
    """What root, issuer and machine certificates share.

    Attributes:
        public: the certified key.
        not_before_s, not_after_s: Unix seconds, both inclusive.
        der: the bytes as they arrived.
    """

    public: PublicKey
    not_before_s: int
    not_after_s: int
    der: bytes = dataclasses.field(repr=False)

    @property
    def age_order(self) -> tuple[int, int, bytes]:
        """Sorts certificates for one key from oldest to newest, the same on every machine."""
        return (self.not_before_s, self.not_after_s, self.der)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RootCertificate(_Dated):
    """A self-signed root. ``fleet_name`` is what people call the fleet; nothing is decided by it."""

    fleet: FleetId
    fleet_name: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IssuerCertificate(_Dated):
    """An issuer key that lives on ``machine``."""

    machine: MachineId
    fleet: FleetId


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MachineCertificate(_Dated):
    """A machine's key for TLS and envelopes."""

    machine: MachineId
    fleet: FleetId


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A certificate request whose self-signature was checked: the asker holds the key.

    Attributes:
        der: the request itself.
    """

    machine: MachineId
    public: PublicKey
    der: bytes = dataclasses.field(repr=False)


# --- building -----------------------------------------------------------------------------------------------------


def root_certificate(key: SigningKey, *, fleet_name: str, serial: int, now_s: int) -> bytes:
    """The DER of a self-signed root certificate.

    Args:
        fleet_name: 1 to ``FLEET_NAME_CHARS_MAX`` characters; shown, never compared.
        serial: random, 1 to 2**159 - 1.
        now_s: Unix seconds; validity begins two days before.

    Raises:
        MalformedError: the name is empty or too long (``bad_fleet_name``).
    """
    if not 0 < len(fleet_name.strip()) <= len(fleet_name) <= limits.FLEET_NAME_CHARS_MAX:
        raise MalformedError(f"a fleet name has 1 to {limits.FLEET_NAME_CHARS_MAX} characters", code="bad_fleet_name")
    subject = name(f"root {key.key_id.hex()[:16]}", organization=fleet_name)
    return build_certificate(
        subject=subject,
        issuer=subject,
        public=key.public,
        signer=key,
        serial=serial,
        not_before_s=now_s - limits.CERTIFICATE_BACKDATE_S,
        not_after_s=now_s + limits.ROOT_CERTIFICATE_LIFE_S,
        path_length=1,
        uri="",
    )


def issuer_certificate(
    root_key: SigningKey,
    root_certificate: bytes,
    issuer_public: PublicKey,
    *,
    machine: MachineId,
    serial: int,
    now_s: int,
) -> bytes:
    """The DER of an issuer certificate: path length 0, valid for five years or as long as the root.

    The caller passes the root certificate that belongs to the root key.
    """
    root = load_certificate(root_certificate)
    assert root.public == root_key.public
    return build_certificate(
        subject=name(f"issuer {issuer_public.key_id.hex()[:16]}"),
        issuer=root.certificate.subject,
        public=issuer_public,
        signer=root_key,
        serial=serial,
        not_before_s=now_s - limits.CERTIFICATE_BACKDATE_S,
        # One that outlives its signer's would break chains at an unexpected place.
        not_after_s=min(now_s + limits.ISSUER_CERTIFICATE_LIFE_S, root.not_after_s),
        path_length=0,
        uri=issuer_uri(FleetId(root.public.key_id), machine),
    )


def machine_certificate(
    issuer_key: SigningKey,
    issuer_certificate: bytes,
    machine_public: PublicKey,
    *,
    machine: MachineId,
    fleet: FleetId,
    serial: int,
    now_s: int,
) -> bytes:
    """The DER of a machine's certificate, valid for one year or as long as the issuer's.

    The caller passes the issuer certificate that belongs to the issuer key, and has decided that this key may have
    this machine id.
    """
    issuer = load_certificate(issuer_certificate)
    assert issuer.public == issuer_key.public
    return build_certificate(
        subject=name(f"{machine} {machine_public.key_id.hex()[:12]}"),
        issuer=issuer.certificate.subject,
        public=machine_public,
        signer=issuer_key,
        serial=serial,
        not_before_s=now_s - limits.CERTIFICATE_BACKDATE_S,
        not_after_s=min(now_s + limits.MACHINE_CERTIFICATE_LIFE_S, issuer.not_after_s),
        path_length=None,
        uri=machine_uri(fleet, machine),
    )


def certificate_request(key: SigningKey, machine: MachineId) -> bytes:
    """The DER of a PKCS#10 request: this key asks for this machine id. Deterministic."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(name(machine))
    return builder.sign(key.private_key, None).public_bytes(serialization.Encoding.DER)


# --- reading ------------------------------------------------------------------------------------------------------


def parse_root_certificate(der: bytes) -> RootCertificate:
    """A root certificate, its self-signature checked. That it is *the* root, the caller compares by its fleet.

    Raises:
        MalformedError: not a certificate (``bad_certificate``), or too large (``oversized``).
        SignatureFault: not signed by itself (``bad_signature``).
        UntrustedError: not the shape of a root (``bad_certificate_use``).
    """
    form = load_certificate(der)
    form.require_authority(path_length=1)
    form.require_signed_by(form)
    return RootCertificate(
        public=form.public,
        not_before_s=form.not_before_s,
        not_after_s=form.not_after_s,
        der=der,
        fleet=FleetId(form.public.key_id),
        fleet_name=form.organization,
    )


def parse_issuer_certificate(der: bytes) -> IssuerCertificate:
    """The shape of an issuer certificate. Nobody has vouched for it yet: :func:`verify_issuer_certificate` does.

    Raises:
        MalformedError, UntrustedError: as :func:`parse_root_certificate`.
    """
    form = load_certificate(der)
    form.require_authority(path_length=0)
    fleet, machine = parse_issuer_uri(form.uri)
    return IssuerCertificate(
        public=form.public,
        not_before_s=form.not_before_s,
        not_after_s=form.not_after_s,
        der=der,
        machine=machine,
        fleet=fleet,
    )


def parse_machine_certificate(der: bytes) -> MachineCertificate:
    """The shape of a machine certificate. Nobody has vouched for it yet: :func:`verify_machine_chain` does.

    Enough for a peer's certificate that TLS has checked against the issuers already.

    Raises:
        MalformedError, UntrustedError: as :func:`parse_root_certificate`.
    """
    form = load_certificate(der)
    form.require_end_entity()
    fleet, machine = parse_machine_uri(form.uri)
    return MachineCertificate(
        public=form.public,
        not_before_s=form.not_before_s,
        not_after_s=form.not_after_s,
        der=der,
        machine=machine,
        fleet=fleet,
    )


def verify_issuer_certificate(der: bytes, *, root: RootCertificate) -> IssuerCertificate:
    """An issuer certificate that this root signed.

    Raises:
        MalformedError, UntrustedError: as :func:`parse_root_certificate`.
        SignatureFault: another fleet's (``wrong_fleet``), or not signed by this root (``bad_signature``).
    """
    certificate = parse_issuer_certificate(der)
    _require_fleet(certificate.fleet, root.fleet)
    load_certificate(der).require_signed_by(load_certificate(root.der))
    return certificate


def verify_machine_certificate(der: bytes, *, issuer: IssuerCertificate) -> MachineCertificate:
    """A machine certificate that this issuer signed. The caller has verified the issuer.

    Raises:
        MalformedError, UntrustedError, SignatureFault: as :func:`verify_issuer_certificate`.
    """
    certificate = parse_machine_certificate(der)
    _require_fleet(certificate.fleet, issuer.fleet)
    load_certificate(der).require_signed_by(load_certificate(issuer.der))
    return certificate


def verify_machine_chain(leaf_der: bytes, issuer_der: bytes, *, root: RootCertificate) -> MachineCertificate:
    """A machine certificate with a chain to this root. Dates and revocations are not judged here.

    Raises:
        MalformedError, UntrustedError, SignatureFault: as :func:`verify_issuer_certificate`.
    """
    return verify_machine_certificate(leaf_der, issuer=verify_issuer_certificate(issuer_der, root=root))


def parse_request(der_or_pem: bytes) -> Request:
    """A certificate request. It proves that the asker holds the key, not that the machine id is theirs.

    Raises:
        MalformedError: too large (``oversized``), not a request (``bad_request``), not for an Ed25519 key
            (``wrong_key_type``), or without a machine id as common name (``bad_machine_id``).
        SignatureFault: not signed by its own key (``bad_signature``).
    """
    if len(der_or_pem) > limits.CERTIFICATE_BYTES_MAX:
        raise MalformedError(f"{len(der_or_pem)} bytes are no certificate request", code="oversized")
    try:
        pem = der_or_pem.lstrip().startswith(b"-----BEGIN")
        request = x509.load_pem_x509_csr(der_or_pem) if pem else x509.load_der_x509_csr(der_or_pem)
        public = public_key(request.public_key())
        names = [str(attribute.value) for attribute in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        genuine = request.is_signature_valid
        der = request.public_bytes(serialization.Encoding.DER)
        require_whole_signature(der)
    except LIBRARY_ERRORS as error:
        raise MalformedError(
            "this is no certificate request, or it was damaged on the way",
            code="bad_request",
            remedy="bring the file again; `roosync-admin request` makes it on the machine that joins",
            details={"library": type(error).__name__},
        ) from error
    if not genuine:
        raise SignatureFault("the certificate request is not signed by its own key")
    if len(names) != 1:
        raise MalformedError("the certificate request does not name one machine", code="bad_machine_id")
    return Request(machine=parse_machine_id(names[0]), public=public, der=der)


def check_dates(certificate: _Dated, wall_ms: int) -> None:
    """Returns if the certificate is valid at this wall time.

    Raises:
        StaleError: before (``certificate_not_yet_valid``) or after (``certificate_expired``) its dates.
    """
    now_s = wall_ms // 1000
    details = {"not_before_s": certificate.not_before_s, "not_after_s": certificate.not_after_s, "now_s": now_s}
    if now_s < certificate.not_before_s:
        raise StaleError(
            "the certificate is not valid yet",
            code="certificate_not_yet_valid",
            remedy="one of the two clocks is wrong; compare them",
            details=details,
        )
    if now_s > certificate.not_after_s:
        raise StaleError("the certificate has expired", code="certificate_expired", details=details)


def fleet_id_of(root_der: bytes) -> FleetId:
    """The fleet of a root certificate: SHA-256 of its SubjectPublicKeyInfo.

    Raises:
        MalformedError, UntrustedError, SignatureFault: as :func:`parse_root_certificate`.
    """
    return parse_root_certificate(root_der).fleet


def _require_fleet(shown: FleetId, expected: FleetId) -> None:
    if shown != expected:
        raise SignatureFault(
            f"a certificate of the fleet {shown.hex()[:16]}…, not of this one",
            code="wrong_fleet",
            details={"fleet": shown.hex(), "expected": expected.hex()},
        )
