"""A stranger who knocks at a node: a certificate of another fleet, in the name of one of this fleet's machines."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Final

from roosync_p2p import limits

__all__ = ["refusal_of_stranger"]

_NOT_OF_THIS_FLEET: Final = "ALERT_UNKNOWN_CA"  # RFC 8446 §6.2: no trusted root vouches for the certificate


def refusal_of_stranger(identity: Path, host: str, port: int) -> str | None:
    """Shows the node at that address the certificate in ``identity``; the alert it answers with, None if it lets us in.

    The stranger checks nothing itself, so whatever ends the handshake is the node's own doing. Only the alert that
    means "not of this fleet" counts as this refusal; any other failure is raised.

    Raises:
        OSError: there is no node, or it fails in another way.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(identity / "chain.pem", identity / "machine.key")
    with socket.create_connection((host, port), timeout=limits.HANDSHAKE_TIMEOUT_S) as tcp:
        try:
            with context.wrap_socket(tcp) as tls:
                # A TLS 1.3 client learns of a refusal at its first read. Nothing is said before: an alert behind which
                # unread bytes are left is lost when the connection closes.
                tls.recv(1)
        except ssl.SSLError as error:
            if _NOT_OF_THIS_FLEET in (error.reason or ""):
                return "unknown_ca"
            raise
        except TimeoutError:
            return None  # it waits for us to speak
    return None
