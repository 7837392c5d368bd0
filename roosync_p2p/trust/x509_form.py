"""The X.509 form of our certificates: how one is encoded, and what of a foreign one is accepted at all.

Only Ed25519, version 3, one URI as alternative name, the extensions that we write ourselves. Everything that could
mean something which we do not evaluate (another critical extension, name constraints, a second name) is refused
rather than ignored. What the parts mean is in :mod:`~roosync_p2p.trust.certificates`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import re
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, SignatureAlgorithmOID

from roosync_p2p import limits
from roosync_p2p.errors import MalformedError, SignatureFault, UntrustedError
from roosync_p2p.ids import FleetId, KeyId, MachineId, parse_fleet_id, parse_machine_id
from roosync_p2p.trust.keys import SIGNATURE_BYTES, PublicKey, SigningKey

__all__ = [
    "LIBRARY_ERRORS",
    "CertificateForm",
    "build_certificate",
    "issuer_uri",
    "library_key",
    "load_certificate",
    "machine_uri",
    "name",
    "parse_issuer_uri",
    "parse_machine_uri",
    "public_key",
    "require_whole_signature",
]

# What the library raises for bytes that it does not like; parts of a certificate are parsed when they are read.
# Its deprecation warnings (a serial number that is not positive) are errors where a run asks for that.
LIBRARY_ERRORS: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    CryptographyDeprecationWarning,
)

_E = TypeVar("_E", bound=x509.ExtensionType)

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MACHINE_URI: Final = re.compile(r"roosync://([0-9a-f]{64})/([a-z0-9_-]{3,50})")
_ISSUER_URI: Final = re.compile(r"roosync://([0-9a-f]{64})/issuer/([a-z0-9_-]{3,50})")
_KNOWN_EXTENSIONS: Final = frozenset(
    kind.oid
    for kind in (
        x509.BasicConstraints,
        x509.KeyUsage,
        x509.ExtendedKeyUsage,
        x509.SubjectKeyIdentifier,
        x509.AuthorityKeyIdentifier,
        x509.SubjectAlternativeName,
    )
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CertificateForm:
    """A certificate that has our form, its parts read out; nothing is verified.

    Attributes:
        der: the bytes that this was read from.
        certificate: the library's object.
        public: the certified key.
        uri: the one alternative name, or an empty string.
        organization: the subject's organization, or an empty string.
        not_before_s, not_after_s: Unix seconds.
    """

    der: bytes = dataclasses.field(repr=False)
    certificate: x509.Certificate
    public: PublicKey
    uri: str
    organization: str
    not_before_s: int
    not_after_s: int

    def require_authority(self, *, path_length: int) -> None:
        """Returns if this may sign certificates, and exactly so many levels below it.

        Raises:
            UntrustedError: it may not (``bad_certificate_use``).
        """
        constraints, usage, extended = self._uses()
        right = constraints.ca and constraints.path_length == path_length and usage.key_cert_sign and extended is None
        if not right:
            raise _wrong_use("not a certificate of an authority at its level")

    def require_end_entity(self) -> None:
        """Returns if this is for TLS on both sides, and may sign no certificates.

        Raises:
            UntrustedError: it is for something else (``bad_certificate_use``).
        """
        constraints, usage, extended = self._uses()
        both = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
        right = not constraints.ca and not usage.key_cert_sign and usage.digital_signature
        if not right or extended is None or set(extended) != both:
            raise _wrong_use("not a certificate of a machine")

    def require_signed_by(self, signer: CertificateForm) -> None:
        """Returns if the signer's name and key are those that signed this.

        Raises:
            SignatureFault: they are not (``bad_signature``).
        """
        _require_signed_by(self.der, signer.der)

    def _uses(self) -> tuple[x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage | None]:
        extensions = self.certificate.extensions
        try:
            return (
                extensions.get_extension_for_class(x509.BasicConstraints).value,
                extensions.get_extension_for_class(x509.KeyUsage).value,
                _optional(extensions, x509.ExtendedKeyUsage),
            )
        except x509.ExtensionNotFound as error:
            raise _wrong_use("a certificate says what it may be used for, and this one does not") from error


# A node is shown the same few certificates in every greeting, chain start and admission. Only what is in order is
# remembered, by its very bytes; a flood of others costs parsing, as if nothing were remembered.
@functools.lru_cache(limits.CERTIFICATES_REMEMBERED)
def load_certificate(der: bytes) -> CertificateForm:
    """A certificate in our form. Nothing is verified.

    Raises:
        MalformedError: too large (``oversized``), or not a certificate in our form (``bad_certificate``).
    """
    if len(der) > limits.CERTIFICATE_BYTES_MAX:
        raise MalformedError(f"{len(der)} bytes are no certificate of ours", code="oversized")
    try:
        certificate = x509.load_der_x509_certificate(der)
        require_whole_signature(der)
        return _form(der, certificate)
    except LIBRARY_ERRORS as error:
        raise MalformedError(
            "this is no certificate of a fleet, or it was damaged on the way",
            code="bad_certificate",
            remedy="bring the file again from where it was made",
            details={"library": type(error).__name__},
        ) from error


@functools.lru_cache(limits.CERTIFICATES_REMEMBERED)
def _require_signed_by(der: bytes, signer: bytes) -> None:
    try:
        load_certificate(der).certificate.verify_directly_issued_by(load_certificate(signer).certificate)
    except (InvalidSignature, *LIBRARY_ERRORS) as error:
        raise SignatureFault("the certificate is not signed by the one that it names") from error


def require_whole_signature(der: bytes) -> None:
    """Returns if a certificate or request ends with all bits of an Ed25519 signature.

    The bit string that holds the signature is not signed itself. If the last bits of a signature happen to be zero,
    one that declares them unused is accepted by the library too, and one certificate would have several encodings.

    Raises:
        MalformedError: it ends otherwise (``bad_certificate``).
    """
    if der[:-SIGNATURE_BYTES][-3:] != b"\x03\x41\x00":
        raise _bad_form("the signature is not 512 bits")


def build_certificate(
    *,
    subject: x509.Name,
    issuer: x509.Name,
    public: PublicKey,
    signer: SigningKey,
    serial: int,
    not_before_s: int,
    not_after_s: int,
    path_length: int | None,
    uri: str,
) -> bytes:
    """The DER of a certificate in our form; deterministic.

    Args:
        path_length: how many authorities may stand below it; None for a machine.
        uri: its alternative name; empty for a root.
    """
    authority = path_length is not None
    builder = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer)
        .public_key(library_key(public))
        .serial_number(serial)
        .not_valid_before(_EPOCH + dt.timedelta(seconds=not_before_s))
        .not_valid_after(_EPOCH + dt.timedelta(seconds=not_after_s))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
        .add_extension(_key_usage(authority=authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(_identifier(public.key_id)), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(_identifier(signer.key_id), None, None), critical=False)
    )
    if not authority:
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if uri:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer.private_key, None).public_bytes(serialization.Encoding.DER)


def name(common_name: str, *, organization: str = "") -> x509.Name:
    """A subject. Common names are unique, because OpenSSL looks for the signer of a certificate by name."""
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def machine_uri(fleet: FleetId, machine: MachineId) -> str:
    """The alternative name of a machine's certificate."""
    return f"roosync://{fleet.hex()}/{machine}"


def issuer_uri(fleet: FleetId, machine: MachineId) -> str:
    """The alternative name of the certificate of an issuer that lives on a machine."""
    return f"roosync://{fleet.hex()}/issuer/{machine}"


def parse_machine_uri(uri: str) -> tuple[FleetId, MachineId]:
    """Fleet and machine of :func:`machine_uri`.

    Raises:
        MalformedError: another URI, or not a machine id in it (``bad_certificate``).
    """
    return _parse_uri(_MACHINE_URI, uri)


def parse_issuer_uri(uri: str) -> tuple[FleetId, MachineId]:
    """Fleet and machine of :func:`issuer_uri`.

    Raises:
        MalformedError: another URI, or not a machine id in it (``bad_certificate``).
    """
    return _parse_uri(_ISSUER_URI, uri)


def library_key(public: PublicKey) -> Ed25519PublicKey:
    """The library's object for a key."""
    return Ed25519PublicKey.from_public_bytes(public.raw)


def public_key(key: object) -> PublicKey:
    """Our object for a key of the library.

    Raises:
        MalformedError: not an Ed25519 key (``wrong_key_type``).
    """
    if not isinstance(key, Ed25519PublicKey):
        raise MalformedError("the key is not an Ed25519 key", code="wrong_key_type")
    return PublicKey(key.public_bytes_raw())


def _form(der: bytes, certificate: x509.Certificate) -> CertificateForm:
    if certificate.version is not x509.Version.v3:
        raise _bad_form("not an X.509 version 3 certificate")
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ED25519:
        raise _bad_form("not signed with Ed25519")
    if certificate.serial_number <= 0:
        raise _bad_form("the serial number is not positive")
    for extension in certificate.extensions:
        if extension.oid not in _KNOWN_EXTENSIONS:
            raise _bad_form(f"extension {extension.oid.dotted_string} is not one of ours")
    organizations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return CertificateForm(
        der=der,
        certificate=certificate,
        public=public_key(certificate.public_key()),
        uri=_uri(certificate.extensions),
        organization=str(organizations[0].value) if organizations else "",
        not_before_s=int(certificate.not_valid_before_utc.timestamp()),
        not_after_s=int(certificate.not_valid_after_utc.timestamp()),
    )


def _uri(extensions: x509.Extensions) -> str:
    names = _optional(extensions, x509.SubjectAlternativeName)
    if names is None:
        return ""
    values = list(names)
    if len(values) != 1 or not isinstance(values[0], x509.UniformResourceIdentifier):
        raise _bad_form("not exactly one URI as alternative name")
    return values[0].value


def _optional(extensions: x509.Extensions, kind: type[_E]) -> _E | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _parse_uri(pattern: re.Pattern[str], uri: str) -> tuple[FleetId, MachineId]:
    match = pattern.fullmatch(uri)
    if match is None:
        raise _bad_form(f"{uri[:100]!r} does not name a machine of a fleet")
    try:
        return parse_fleet_id(match[1]), parse_machine_id(match[2])
    except MalformedError as error:
        raise _bad_form(error.message) from error


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _identifier(key_id: KeyId) -> bytes:
    """RFC 7093 §2, method 1: the leftmost 160 bits of SHA-256; SHA-1 is used nowhere."""
    return key_id[:20]


def _bad_form(message: str) -> MalformedError:
    return MalformedError(message, code="bad_certificate")


def _wrong_use(message: str) -> UntrustedError:
    return UntrustedError(message, code="bad_certificate_use")
