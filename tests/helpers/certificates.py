"""Fleets with key material on disk, for tests that need real TLS. Deterministic but for the validity dates."""

from __future__ import annotations

import dataclasses
import hashlib
import ssl
import time
from pathlib import Path

from roosync_p2p.adapters.websocket import TlsIdentity
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.trust.certificates import issuer_certificate, machine_certificate, root_certificate
from roosync_p2p.trust.keys import SigningKey

__all__ = ["Member", "TestFleet"]

_YEAR_S = 365 * 24 * 3600


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One machine's identity on disk."""

    machine: MachineId
    identity: TlsIdentity
    leaf_der: bytes
    key: SigningKey


class TestFleet:
    """A root, an issuer, and machines made on demand.

    Args:
        folder: where identities are written, one folder a machine.
        seed: two fleets with different seeds have different roots.
    """

    __test__ = False

    def __init__(self, folder: Path, seed: str = "fleet") -> None:
        self._folder = folder
        self._seed = seed
        self._now_s = int(time.time())
        self._serial = 1
        self._root_key = self._key("root")
        self._issuer_key = self._key("issuer")
        self.fleet = FleetId(self._root_key.key_id)
        self.root_der = root_certificate(self._root_key, fleet_name=seed, serial=1, now_s=self._now_s)
        self.issuer_der = issuer_certificate(
            self._root_key,
            self.root_der,
            self._issuer_key.public,
            machine=MachineId("issuer-machine"),
            serial=2,
            now_s=self._now_s,
        )

    def member(self, name: str, *, expired: bool = False, trusts: TestFleet | None = None) -> Member:
        """A machine with its certificate. ``trusts``: it holds this fleet's certificate and the other one's root."""
        self._serial += 1
        key = self._key(name)
        machine = MachineId(name)
        leaf = machine_certificate(
            self._issuer_key,
            self.issuer_der,
            key.public,
            machine=machine,
            fleet=self.fleet,
            serial=self._serial + 100,
            now_s=self._now_s - (2 * _YEAR_S if expired else 0),
        )
        folder = self._folder / f"{self._seed}-{name}-{self._serial}"
        folder.mkdir(parents=True)
        identity = TlsIdentity(chain=folder / "chain.pem", key=folder / "machine.key", root=folder / "root.pem")
        identity.chain.write_text(_pem(leaf) + _pem(self.issuer_der))
        identity.key.write_bytes(key.to_pem(None))
        identity.root.write_text(_pem((trusts or self).root_der))
        return Member(machine=machine, identity=identity, leaf_der=leaf, key=key)

    def _key(self, name: str) -> SigningKey:
        return SigningKey(hashlib.sha256(f"{self._seed}/{name}".encode()).digest())


def _pem(der: bytes) -> str:
    return ssl.DER_cert_to_PEM_cert(der)
