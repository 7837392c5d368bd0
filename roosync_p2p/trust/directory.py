"""Whose key is whose: the pinned keys of a fleet (docs/protocol/trust.md §5).

A machine id belongs to the first key that was shown for it with a valid chain to the root. Another key for the same
id is a conflict, however valid its certificate. The directory lets a machine link, gossip and send; which roles it
has is the register's business. Certificate dates are not judged here: they limit links, never what was signed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from roosync_p2p.errors import ConflictError, UntrustedError
from roosync_p2p.ids import FleetId, KeyId, MachineId
from roosync_p2p.trust.certificates import (
    IssuerCertificate,
    MachineCertificate,
    RootCertificate,
    parse_root_certificate,
    verify_issuer_certificate,
    verify_machine_certificate,
)
from roosync_p2p.trust.keys import PublicKey

__all__ = ["ROOT_AUTHOR", "Directory", "Issuer", "Member", "issuer_author"]

ROOT_AUTHOR: Final = "root"  # reserved: no machine can have this id
_ISSUER_PREFIX: Final = "issuer:"  # a colon occurs in no machine id


def issuer_author(machine: MachineId) -> str:
    """The author of what a machine's issuer key signs, as opposed to the machine's own key."""
    return _ISSUER_PREFIX + machine


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """An issuer key, vouched for by the root.

    Attributes:
        machine: where the key lives.
        certificate: its newest certificate.
    """

    machine: MachineId
    public: PublicKey
    certificate: IssuerCertificate

    @property
    def key_id(self) -> KeyId:
        """The key id of the issuer key."""
        return self.public.key_id


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A machine with its pinned key.

    Attributes:
        leaf: its newest certificate, DER.
        issuer: the certificate that signed it, DER.
        certificate: the parsed leaf.
    """

    machine: MachineId
    public: PublicKey
    leaf: bytes = dataclasses.field(repr=False)
    issuer: bytes = dataclasses.field(repr=False)
    certificate: MachineCertificate

    @property
    def key_id(self) -> KeyId:
        """The key id of the pinned key."""
        return self.public.key_id


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """The keys that this node knows, immutable. Built by :meth:`found`, extended by :meth:`with_chain`.

    Attributes:
        root: the root certificate.
        version: 1 when founded, one more for each change.
        members: by machine id.
        issuers: by key id; a machine may have had several.
    """

    root: RootCertificate
    version: int
    members: Mapping[MachineId, Member]
    issuers: Mapping[KeyId, Issuer]

    @classmethod
    def found(cls, root_der: bytes) -> Directory:
        """The directory of a fleet of which only the root is known.

        Raises:
            MalformedError, SignatureFault, UntrustedError: not a root certificate of ours.
        """
        root = parse_root_certificate(root_der)
        return cls(root=root, version=1, members=MappingProxyType({}), issuers=MappingProxyType({}))

    @property
    def fleet(self) -> FleetId:
        """The fleet: SHA-256 of the root's SubjectPublicKeyInfo."""
        return self.root.fleet

    def with_issuer(self, issuer_der: bytes) -> Directory:
        """The directory with this issuer known too; itself if it was.

        Raises:
            MalformedError, SignatureFault, UntrustedError: the root does not vouch for it as an issuer.
        """
        certificate = verify_issuer_certificate(issuer_der, root=self.root)
        issuers = self._issuers_with(certificate)
        return self if issuers is self.issuers else self._changed(issuers=issuers)

    def with_chain(self, leaf_der: bytes, issuer_der: bytes) -> Directory:
        """The directory with this machine pinned; itself if there is nothing new in the chain.

        A newer certificate for the same key replaces the older one.

        Raises:
            MalformedError, SignatureFault, UntrustedError: the chain does not lead to this fleet's root.
            ConflictError: the machine id is pinned to another key (``key_conflict``, both key ids in the details).
        """
        if any(member.leaf == leaf_der and member.issuer == issuer_der for member in self.members.values()):
            return self
        issuer = verify_issuer_certificate(issuer_der, root=self.root)
        leaf = verify_machine_certificate(leaf_der, issuer=issuer)
        issuers = self._issuers_with(issuer)
        members = self._members_with(leaf, issuer)
        if members is self.members and issuers is self.issuers:
            return self
        return self._changed(members=members, issuers=issuers)

    def key_of(self, author: str, key_id: KeyId) -> PublicKey:
        """The key of an author: a machine id, ``root``, or ``issuer:<machine id>``.

        Raises:
            UntrustedError: nobody by that name (``unknown_author``), or not with that key (``unknown_key``).
        """
        if author.startswith(_ISSUER_PREFIX):
            return self._issuer_key(author, key_id)
        if author == ROOT_AUTHOR:
            known = self.root.public
        else:
            member = self.members.get(MachineId(author))
            if member is None:
                raise _unknown_author(author, key_id)
            known = member.public
        if known.key_id != key_id:
            raise _unknown_key(author, key_id)
        return known

    def _issuer_key(self, author: str, key_id: KeyId) -> PublicKey:
        machine = author.removeprefix(_ISSUER_PREFIX)
        issuer = self.issuers.get(key_id)
        if issuer is not None and issuer.machine == machine:
            return issuer.public
        if any(known.machine == machine for known in self.issuers.values()):
            raise _unknown_key(author, key_id)
        raise _unknown_author(author, key_id)

    def _issuers_with(self, certificate: IssuerCertificate) -> Mapping[KeyId, Issuer]:
        key_id = certificate.public.key_id
        known = self.issuers.get(key_id)
        if known is not None and known.machine != certificate.machine:
            raise ConflictError(
                f"one issuer key is certified for {known.machine} and for {certificate.machine}",
                code="key_conflict",
                details={"machine": certificate.machine, "pinned": key_id.hex(), "shown": key_id.hex()},
            )
        if known is not None and certificate.age_order <= known.certificate.age_order:
            return self.issuers
        issuer = Issuer(machine=certificate.machine, public=certificate.public, certificate=certificate)
        return MappingProxyType({**self.issuers, key_id: issuer})

    def _members_with(self, leaf: MachineCertificate, issuer: IssuerCertificate) -> Mapping[MachineId, Member]:
        known = self.members.get(leaf.machine)
        if known is not None and known.public != leaf.public:
            raise ConflictError(
                f"{leaf.machine} is pinned to another key than the one that was shown",
                code="key_conflict",
                remedy="if the key was lost, an issuer has to say so; else two computers use one machine id",
                details={
                    "machine": leaf.machine,
                    "pinned": known.key_id.hex(),
                    "shown": leaf.public.key_id.hex(),
                },
            )
        if known is not None and leaf.age_order <= known.certificate.age_order:
            return self.members
        member = Member(machine=leaf.machine, public=leaf.public, leaf=leaf.der, issuer=issuer.der, certificate=leaf)
        return MappingProxyType({**self.members, leaf.machine: member})

    def _changed(
        self,
        *,
        members: Mapping[MachineId, Member] | None = None,
        issuers: Mapping[KeyId, Issuer] | None = None,
    ) -> Directory:
        return Directory(
            root=self.root,
            version=self.version + 1,
            members=self.members if members is None else members,
            issuers=self.issuers if issuers is None else issuers,
        )


def _unknown_author(author: str, key_id: KeyId) -> UntrustedError:
    return UntrustedError(
        f"nobody by the name {author!r} is known",
        code="unknown_author",
        details={"author": author, "key": key_id.hex()},
    )


def _unknown_key(author: str, key_id: KeyId) -> UntrustedError:
    return UntrustedError(
        f"the key {key_id.hex()[:16]}… is not known as one of {author!r}",
        code="unknown_key",
        details={"author": author, "key": key_id.hex()},
    )
