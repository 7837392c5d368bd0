"""TLS contexts of a node, and TLS failures in words (docs/protocol/links.md §1).

TLS 1.3 only. Both sides show their machine certificate with its issuer, and both are verified against the fleet's root
alone, never against the system's store. Which machine it is, whether its key is the pinned one and not revoked, the
core checks. A client may show no certificate: it then gets the joining path and nothing else (joining.py, listener.py).
"""

from __future__ import annotations

import dataclasses
import ssl
from pathlib import Path
from typing import Final

from roosync_p2p.errors import EnvironmentFault

__all__ = ["TlsContexts", "TlsIdentity", "explain_tls_error", "joiner_context", "load_contexts"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TlsIdentity:
    """Where the key material is; all PEM. ``chain`` begins with the machine's leaf, its issuer follows."""

    chain: Path
    key: Path
    root: Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TlsContexts:
    """What handshakes are made with, from one reading of the identity."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    leaf_der: bytes  # what the other side sees as our certificate


def load_contexts(identity: TlsIdentity) -> TlsContexts:
    """Reads the identity from disk.

    Raises:
        EnvironmentFault: a file is missing, unreadable or damaged (``identity_unreadable``), or the key does not
            belong to the certificate (``identity_mismatch``).
    """
    try:
        server = _context(ssl.PROTOCOL_TLS_SERVER, identity)
        server.verify_mode = ssl.CERT_OPTIONAL
        server.num_tickets = 0  # sessions are not resumed: every link shows its certificate
        client = _context(ssl.PROTOCOL_TLS_CLIENT, identity)
        client.verify_mode = ssl.CERT_REQUIRED
        leaf_der = _first_certificate(identity.chain)
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        raise EnvironmentFault(
            f"the key {identity.key} does not belong to the certificate {identity.chain}"
            if mismatch
            else f"the identity in {identity.chain.parent} is damaged: {error.reason or error}",
            code="identity_mismatch" if mismatch else "identity_unreadable",
            remedy="restore the identity folder from a backup, or join again with a new code",
        ) from error
    except (OSError, ValueError) as error:
        raise EnvironmentFault(
            f"the identity cannot be read: {error}",
            code="identity_unreadable",
            remedy=f"check that {identity.chain.parent} is complete and belongs to you",
        ) from error
    return TlsContexts(server=server, client=client, leaf_der=leaf_der)


def joiner_context() -> ssl.SSLContext:
    """For who does not know the fleet's root yet: verifies nothing; the joining protocol checks the leaf as data."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def explain_tls_error(error: ssl.SSLError) -> str:
    """A failed handshake as one clause: who refused whom, and why."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY_WORDS.get(error.verify_code, f"its certificate does not verify: {error.verify_message}")
    reason = error.reason or str(error)
    if reason in _ALERT_WORDS:
        return f"the other side refused: {_ALERT_WORDS[reason]}"
    if "ALERT" in reason:
        return f"the other side refused: {reason.rpartition('ALERT_')[2].lower().replace('_', ' ')}"
    return _LOCAL_WORDS.get(reason, f"TLS failed: {reason.lower().replace('_', ' ')}")


def _context(protocol: int, identity: TlsIdentity) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # a machine is named by its certificate's URI, which the core reads
    context.load_verify_locations(cafile=identity.root)
    context.load_cert_chain(identity.chain, identity.key, password=_no_passphrase)
    return context


def _no_passphrase() -> str:
    """Without this, OpenSSL would ask on the terminal of a service."""
    raise ValueError("the machine's key is encrypted, and a service cannot ask for a passphrase")


def _first_certificate(path: Path) -> bytes:
    end = "-----END CERTIFICATE-----"
    head, found, _rest = path.read_text(encoding="ascii").partition(end)
    if not found:
        raise ValueError(f"{path} holds no certificate")
    return ssl.PEM_cert_to_DER_cert(head[head.index("-----BEGIN") :] + end)


# openssl/x509_vfy.h
_VERIFY_WORDS: Final = {
    2: "its certificate is not of this fleet",
    9: "its certificate is not valid yet: one of the two clocks is wrong",
    10: "its certificate has expired, or one of the two clocks is wrong",
    18: "its certificate is not of this fleet (self-signed)",
    19: "its certificate is not of this fleet (another root)",
    20: "its certificate is not of this fleet (unknown issuer)",
    21: "its certificate is not of this fleet (issuer not shown)",
    24: "its certificate was issued by a machine, not by an issuer",
    25: "its certificate was issued by an issuer that may not issue issuers",
    26: "its certificate is not meant for links",
}

_ALERT_WORDS: Final = {
    "TLSV1_ALERT_UNKNOWN_CA": "our certificate is not of its fleet",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our certificate has expired, or one of the two clocks is wrong",
    "SSLV3_ALERT_BAD_CERTIFICATE": "our certificate is bad",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "our certificate is not acceptable",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "a certificate is required",
    "TLSV1_ALERT_PROTOCOL_VERSION": "TLS 1.3 is required",
}

_LOCAL_WORDS: Final = {
    "UNSUPPORTED_PROTOCOL": "it does not speak TLS 1.3",
    "HTTP_REQUEST": "it speaks plain HTTP, not TLS",
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it showed no certificate",
    "NO_SHARED_CIPHER": "it shares no cipher with us",
}
