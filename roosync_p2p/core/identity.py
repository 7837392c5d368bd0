"""Who a core is: keys and certificates as values, handed in by the shell."""

from __future__ import annotations

import dataclasses

from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.trust.keys import SigningKey

__all__ = ["NodeIdentity"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeIdentity:
    """One machine of one fleet. Certificates are DER.

    ``issuer_key`` only on machines that are issuers; ``own_issuer`` is its certificate, if that is not ``issuer``, the
    one that signed ``leaf``.
    """

    machine: MachineId
    fleet: FleetId
    key: SigningKey
    leaf: bytes
    issuer: bytes
    root: bytes
    issuer_key: SigningKey | None = None
    own_issuer: bytes | None = None
