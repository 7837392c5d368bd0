"""Whose key is whose: the pinned keys of a fleet (docs/protocol/trust.md §5).

A machine id belongs to the first key that was shown for it with a valid chain to the root. Another key for the same
id is a conflict, however valid its certificate, until that key was **given up**: revoked, or replaced by a rotation.
What such a key signed before stays verifiable, and it says nothing new. The directory lets a machine link, gossip and
send; which roles it has is the register's business. Certificate dates are not judged here: they limit links, never what
was signed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from roosync_p2p.errors import ConflictError, UntrustedError
from roosync_p2p.ids import FleetId, KeyId, MachineId
from roosync_p2p.trust.certificates import (
    IssuerCertificate,
    MachineCertificate,
    RootCertificate,
    parse_machine_certificate,
    parse_root_certificate,
    verify_issuer_certificate,
    verify_machine_certificate,
)
from roosync_p2p.trust.keys import PublicKey

__all__ = ["ROOT_AUTHOR", "Directory", "Issuer", "Member", "issuer_author", "issuer_machine"]

ROOT_AUTHOR: Final = "root"  # reserved: no machine can have this id
_ISSUER_PREFIX: Final = "issuer:"  # a colon occurs in no machine id


def issuer_author(machine: MachineId) -> str:
    """The author of what a machine's issuer key signs, as opposed to the machine's own key."""
    return _ISSUER_PREFIX + machine


def issuer_machine(author: str) -> MachineId | None:
    """The machine whose issuer key that author is; None for any other author."""
    return MachineId(author.removeprefix(_ISSUER_PREFIX)) if author.startswith(_ISSUER_PREFIX) else None


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
        issuers: by key id; a machine may have had several. One that was given up stays, because what it vouched for
            before is verified by it.
        former: by machine and key id: keys that a machine had and gave up.
        given_up: key ids, of machines and issuers, that say nothing new.
        heirs: by key id, the key that it was replaced by in a rotation.
    """

    root: RootCertificate
    version: int
    members: Mapping[MachineId, Member]
    issuers: Mapping[KeyId, Issuer]
    former: Mapping[tuple[MachineId, KeyId], Member] = dataclasses.field(default_factory=dict)
    given_up: frozenset[KeyId] = frozenset()
    heirs: Mapping[KeyId, KeyId] = dataclasses.field(default_factory=dict)

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
            UntrustedError: the key, or that of the issuer of a machine that is new here, was given up
                (``key_revoked``, ``issuer_revoked``).
            ConflictError: the machine id is pinned to another key (``key_conflict``, both key ids in the details).
        """
        if any(member.leaf == leaf_der and member.issuer == issuer_der for member in self.members.values()):
            return self
        issuer = verify_issuer_certificate(issuer_der, root=self.root)
        leaf = verify_machine_certificate(leaf_der, issuer=issuer)
        self._require_standing(leaf, issuer)
        issuers = self._issuers_with(issuer)
        members = self._members_with(leaf, issuer)
        if members is self.members and issuers is self.issuers:
            return self
        return self._changed(members=members, issuers=issuers)

    def with_given_up(self, key_ids: Iterable[KeyId]) -> Directory:
        """The directory in which these keys say nothing new; itself if that was known.

        A machine that is pinned to one of them is no member until it is shown with another key.
        """
        news = frozenset(key_ids) - self.given_up
        if not news:
            return self
        gone = {machine: member for machine, member in self.members.items() if member.key_id in news}
        return dataclasses.replace(
            self,
            version=self.version + 1,
            members=MappingProxyType({m: member for m, member in self.members.items() if m not in gone}),
            former=MappingProxyType({**self.former, **{(m, member.key_id): member for m, member in gone.items()}}),
            given_up=self.given_up | news,
        )

    def with_former(self, leaf_der: bytes, issuer_der: bytes) -> Directory:
        """The directory in which a machine is known to have had this key, and to have given it up.

        Raises:
            MalformedError, SignatureFault, UntrustedError: the chain does not lead to this fleet's root.
            ConflictError: it is the key that the machine has now (``key_in_use``).
        """
        issuer = verify_issuer_certificate(issuer_der, root=self.root)
        leaf = verify_machine_certificate(leaf_der, issuer=issuer)
        place = (leaf.machine, leaf.public.key_id)
        if place in self.former:
            return self
        now = self.members.get(leaf.machine)
        if now is not None and now.public == leaf.public:
            raise ConflictError(f"{leaf.machine} still has that key", code="key_in_use")
        member = Member(machine=leaf.machine, public=leaf.public, leaf=leaf_der, issuer=issuer_der, certificate=leaf)
        return dataclasses.replace(
            self,
            version=self.version + 1,
            former=MappingProxyType({**self.former, place: member}),
            given_up=self.given_up | {leaf.public.key_id},
        )

    def with_rotated(self, former: tuple[bytes, bytes], now: tuple[bytes, bytes]) -> Directory:
        """The directory in which a machine's key was replaced by another, at its own word.

        The caller has verified that word. It does not matter in which order several rotations are heard: one of a key
        that is not the pinned one yet changes nothing, and is to be shown again when another one was taken.

        Args:
            former, now: leaf and issuer of the old key and of the new one, DER.

        Raises:
            MalformedError, SignatureFault, UntrustedError: a chain does not lead to this fleet's root, or its issuer
                key was given up.
            ConflictError: the machine said so of that key before, and of another new one (``key_conflict``).
        """
        old = verify_machine_certificate(former[0], issuer=verify_issuer_certificate(former[1], root=self.root))
        new = verify_machine_certificate(now[0], issuer=verify_issuer_certificate(now[1], root=self.root))
        machine, gone, heir = old.machine, old.public.key_id, new.public.key_id
        pinned = self.members.get(machine)
        if self.heirs.get(gone, heir) != heir:
            raise _key_conflict(machine, self.heirs[gone], heir)
        if gone in self.given_up:
            known = (pinned is not None and pinned.key_id == heir) or (machine, heir) in self.former
            # Out by revocation before it said so: a thief does not escape by taking another key.
            taken = self.with_former(*former) if known else self.with_former(*former).with_former(*now)
        elif heir in self.given_up or (pinned is not None and pinned.key_id == heir):
            taken = self.with_given_up([gone]).with_former(*former)
        elif pinned is not None and pinned.key_id != gone:
            return self
        else:
            taken = self.with_given_up([gone]).with_former(*former).with_chain(*now)
        if taken.heirs.get(gone) == heir:
            return taken
        heirs = MappingProxyType({**taken.heirs, gone: heir})
        return dataclasses.replace(taken, version=self.version + 1, heirs=heirs)

    def with_lost(
        self, former: tuple[bytes, bytes], now: tuple[bytes, bytes], *, issuers: Iterable[KeyId]
    ) -> Directory:
        """The directory in which a machine lost its key and has another, at the root's word.

        The caller has verified that word. It stands above whatever the old key said of itself: who holds that may have
        made a rotation with it, and does not escape by it. Nor does a revocation of the old key alone hold for the new
        one, which no thief made. As with :meth:`with_rotated` the order does not matter.

        Args:
            former, now: leaf and issuer of the old key and of the new one, DER.
            issuers: issuer keys that are given up with the old one.

        Raises:
            MalformedError, SignatureFault, UntrustedError: a chain does not lead to this fleet's root.
        """
        old = verify_machine_certificate(former[0], issuer=verify_issuer_certificate(former[1], root=self.root))
        certifies = verify_issuer_certificate(now[1], root=self.root)
        new = verify_machine_certificate(now[0], issuer=certifies)
        gone, heir = old.public.key_id, new.public.key_id
        stolen = self.with_heirs([gone]) - self.with_heirs([heir])
        taken = self.with_given_up([gone, *stolen, *issuers]).with_former(*former)
        if heir in taken.given_up:
            return taken.with_former(*now)
        if taken.members.get(new.machine) is not None:
            return taken  # the new key, a later one, or one from before the old: then it waits for what leads here
        return taken.with_vouched(new, certifies)

    def with_vouched(self, leaf: MachineCertificate, issuer: IssuerCertificate) -> Directory:
        """The directory with a machine pinned to a key that the root named: whatever becomes of who certified it.

        Raises:
            ConflictError: as :meth:`with_chain`.
        """
        return self._changed(members=self._members_with(leaf, issuer), issuers=self._issuers_with(issuer))

    def with_heirs(self, key_ids: Iterable[KeyId]) -> frozenset[KeyId]:
        """These keys, and those that they were replaced by: whoever stole one may have made the next."""
        found: set[KeyId] = set()
        for key_id in key_ids:
            heir: KeyId | None = key_id
            while heir is not None and heir not in found:
                found.add(heir)
                heir = self.heirs.get(heir)
        return frozenset(found)

    def with_introduced(self, leaf_der: bytes, issuer_der: bytes) -> Directory:
        """The directory with the machine of an old entry known: by this key now, or as one that it gave up.

        Raises:
            MalformedError, SignatureFault, UntrustedError, ConflictError: as :meth:`with_chain`.
        """
        if parse_machine_certificate(leaf_der).public.key_id in self.given_up:
            return self.with_former(leaf_der, issuer_der)
        return self.with_chain(leaf_der, issuer_der)

    def key_of(self, author: str, key_id: KeyId, *, lasting: bool = False) -> PublicKey:
        """The key of an author: a machine id, ``root``, or ``issuer:<machine id>``.

        Args:
            lasting: what is verified was perhaps signed long ago: a key that the machine gave up will do. Whether it
                was signed before that, the caller judges.

        Raises:
            UntrustedError: nobody by that name (``unknown_author``), or not with that key (``unknown_key``).
        """
        if author.startswith(_ISSUER_PREFIX):
            return self._issuer_key(author, key_id)
        if author == ROOT_AUTHOR:
            known = self.root.public
        else:
            before = self.former.get((MachineId(author), key_id)) if lasting else None
            member = before or self.members.get(MachineId(author))
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
            raise _key_conflict(leaf.machine, known.key_id, leaf.public.key_id)
        if known is not None and leaf.age_order <= known.certificate.age_order:
            return self.members
        member = Member(machine=leaf.machine, public=leaf.public, leaf=leaf.der, issuer=issuer.der, certificate=leaf)
        return MappingProxyType({**self.members, leaf.machine: member})

    def _require_standing(self, leaf: MachineCertificate, issuer: IssuerCertificate) -> None:
        if leaf.public.key_id in self.given_up:
            raise UntrustedError(
                f"that key of {leaf.machine} was revoked or replaced",
                code="key_revoked",
                remedy="a machine that returns takes a new key: a new home and a new invite",
                details={"machine": leaf.machine, "key": leaf.public.key_id.hex()},
            )
        known = self.members.get(leaf.machine)
        # Whoever was known before stays: what an issuer did while it was one counts.
        if issuer.public.key_id in self.given_up and (known is None or known.public != leaf.public):
            raise UntrustedError(
                f"{leaf.machine} was let in by an issuer key that was revoked",
                code="issuer_revoked",
                remedy="another issuer admits it again: a new home and a new invite",
                details={"machine": leaf.machine, "issuer": issuer.machine},
            )

    def _changed(
        self,
        *,
        members: Mapping[MachineId, Member] | None = None,
        issuers: Mapping[KeyId, Issuer] | None = None,
    ) -> Directory:
        return dataclasses.replace(
            self,
            version=self.version + 1,
            members=self.members if members is None else members,
            issuers=self.issuers if issuers is None else issuers,
        )


def _key_conflict(machine: MachineId, pinned: KeyId, shown: KeyId) -> ConflictError:
    return ConflictError(
        f"{machine} is pinned to another key than the one that was shown",
        code="key_conflict",
        remedy="if the key was lost, the root has to say so: rotate --lost; else two computers use one machine id",
        details={"machine": machine, "pinned": pinned.hex(), "shown": shown.hex()},
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
