"""Real keys, certificates and first statements for a simulated fleet, from a seed."""

from __future__ import annotations

import dataclasses

from roosync_p2p.core.commands import AdmitMachine
from roosync_p2p.core.identity import NodeIdentity
from roosync_p2p.entries.incarnations import Renewal, countersign
from roosync_p2p.entropy import Entropy
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.trust.certificates import (
    fleet_id_of,
    issuer_certificate,
    machine_certificate,
    root_certificate,
)
from roosync_p2p.trust.directory import ROOT_AUTHOR, issuer_author
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.roles import PLAIN_ROLES
from roosync_p2p.trust.statements import (
    Cut,
    FleetFound,
    MemberAdmit,
    MemberRoles,
    Revocation,
    encode_fleet_found,
    encode_member_admit,
    seal_statement,
)

__all__ = ["BORN_S", "FleetKeys"]

BORN_S = 1_768_435_200  # 2026-01-15: certificates are valid from here, virtual wall clocks begin here


@dataclasses.dataclass(frozen=True, slots=True)
class FleetKeys:
    """The secrets of one simulated fleet; the first machine is its founder and issuer."""

    root_key: SigningKey
    root: bytes
    identities: dict[MachineId, NodeIdentity]

    @classmethod
    def make(cls, machines: list[MachineId], entropy: Entropy) -> FleetKeys:
        """A root, an issuer on the first machine, and a certificate for each."""
        root_key = SigningKey(entropy.bytes(32))
        root = root_certificate(root_key, fleet_name="simulated", serial=_serial(entropy), now_s=BORN_S)
        issuer_key = SigningKey(entropy.bytes(32))
        issuer = issuer_certificate(
            root_key, root, issuer_key.public, machine=machines[0], serial=_serial(entropy), now_s=BORN_S
        )
        fleet = fleet_id_of(root)
        identities = {}
        for machine in machines:
            key = SigningKey(entropy.bytes(32))
            leaf = machine_certificate(
                issuer_key, issuer, key.public, machine=machine, fleet=fleet, serial=_serial(entropy), now_s=BORN_S
            )
            identities[machine] = NodeIdentity(
                machine=machine,
                fleet=fleet,
                key=key,
                leaf=leaf,
                issuer=issuer,
                root=root,
                issuer_key=issuer_key if machine == machines[0] else None,
            )
        return cls(root_key, root, identities)

    @property
    def founder(self) -> MachineId:
        """The machine that founded the fleet."""
        return next(iter(self.identities))

    @property
    def fleet(self) -> FleetId:
        """The fleet's id."""
        return self.identities[self.founder].fleet

    def founding(self) -> bytes:
        """The body of ``fleet.found``, as ``init`` leaves it for the founder's node."""
        founder = self.identities[self.founder]
        found = FleetFound(
            fleet_name="simulated",
            machine=founder.machine,
            key=founder.key.key_id,
            roles=("approver", "issuer", "member"),
            time_ms=BORN_S * 1000,
            root=self.root,
            issuer=founder.issuer,
            leaf=founder.leaf,
        )
        return encode_fleet_found(self.root_key, found)

    def admission(self, machine: MachineId) -> AdmitMachine:
        """What the issuer's node is told when a certificate was issued."""
        identity = self.identities[machine]
        body = MemberAdmit(
            machine=machine,
            key=identity.key.key_id,
            roles=PLAIN_ROLES,
            leaf=identity.leaf,
            issuer=identity.issuer,
            admitted_by=self.founder,
        )
        return AdmitMachine(
            machine=machine,
            leaf=identity.leaf,
            issuer=identity.issuer,
            body=encode_member_admit(body),
            invite_id=None,
            invite=None,
        )

    def revocation(self, machine: MachineId, *, ledger: Cut | None, mail: Cut | None, serial: int) -> bytes:
        """What ``roosync-admin revoke`` makes: by the issuer, of the issuer itself by the root."""
        said = Revocation(
            machine=machine,
            keys=(self.identities[machine].key.key_id,),
            reason="in a story",
            ledger=ledger,
            mail=mail,
            serial=serial.to_bytes(16, "big"),
        )
        issuer_key = self.identities[self.founder].issuer_key
        if machine == self.founder or issuer_key is None:
            return seal_statement(self.root_key, said, fleet=self.fleet)
        return seal_statement(issuer_key, said, fleet=self.fleet, author=issuer_author(self.founder))

    def reissue(self, machine: MachineId, issued_s: int, entropy: Entropy) -> None:
        """That machine's certificate was issued then (Unix seconds), for the same key."""
        self.identities[machine] = self.certified(machine, self.identities[machine].key, issued_s, entropy)

    def certified(self, machine: MachineId, key: SigningKey, issued_s: int, entropy: Entropy) -> NodeIdentity:
        """Who that machine is with this key and a certificate that was issued then (Unix seconds)."""
        identity, issuer_key = self.identities[machine], self.identities[self.founder].issuer_key
        assert issuer_key is not None
        leaf = machine_certificate(
            issuer_key,
            identity.issuer,
            key.public,
            machine=machine,
            fleet=identity.fleet,
            serial=_serial(entropy),
            now_s=issued_s,
        )
        return dataclasses.replace(identity, key=key, leaf=leaf)

    def further_issuer(self, machine: MachineId, entropy: Entropy) -> tuple[SigningKey, bytes]:
        """An issuer key that was made on another machine, and the root's certificate for it."""
        key = SigningKey(entropy.bytes(32))
        certificate = issuer_certificate(
            self.root_key, self.root, key.public, machine=machine, serial=_serial(entropy), now_s=BORN_S
        )
        return key, certificate

    def roles(self, machine: MachineId, roles: tuple[str, ...], *, issuer: bytes, serial: int) -> bytes:
        """What ``roosync-admin`` makes with the root's key when a member becomes an issuer, or is one no more."""
        said = MemberRoles(machine=machine, roles=roles, issuer=issuer, serial=serial.to_bytes(16, "big"))
        return seal_statement(self.root_key, said, fleet=self.fleet)

    def revocation_by(self, issuer_key: SigningKey, issuer: MachineId, victim: NodeIdentity) -> bytes:
        """A revocation by the issuer key of a machine, whether that may say it or not."""
        said = Revocation(machine=victim.machine, keys=(victim.key.key_id,), reason="out of spite", serial=bytes(16))
        return seal_statement(issuer_key, said, fleet=self.fleet, author=issuer_author(issuer))

    def root_countersignature(self, renewal: Renewal) -> bytes:
        """What ``roosync-admin countersign`` makes with the root's key."""
        return countersign(self.root_key, author=ROOT_AUTHOR, fleet=self.fleet, renewal=renewal)


def _serial(entropy: Entropy) -> int:
    return 1 + int.from_bytes(entropy.bytes(16), "big")
