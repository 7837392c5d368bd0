"""A machine has another key: its old one says so, or the root where that was lost (docs/protocol/trust.md §10, §11).

Both carry their own proof: the certificates of both keys lead to the root, and who has to say it signed it. So each can
be judged by somebody who knew only the old key, only the new one, or neither. What it changes is decided by
:meth:`~roosync_p2p.trust.directory.Directory.with_rotated` and
:meth:`~roosync_p2p.trust.directory.Directory.with_lost`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec import records
from roosync_p2p.errors import MalformedError, UntrustedError
from roosync_p2p.ids import FleetId, KeyId, MachineId, parse_machine_id
from roosync_p2p.trust import contexts
from roosync_p2p.trust.certificates import RootCertificate, verify_issuer_certificate, verify_machine_chain
from roosync_p2p.trust.directory import ROOT_AUTHOR, Directory
from roosync_p2p.trust.envelopes import Verified, parse_envelope, seal, verify
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import Cut, KeyLost

__all__ = ["LostKey", "Rotation", "read_rotation", "seal_rotation", "verify_rotation"]

_Der = Annotated[bytes, msgspec.Meta(min_length=1, max_length=limits.CERTIFICATE_BYTES_MAX)]
_Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Rotation(records.Record, frozen=True, kw_only=True):
    """That a machine has another key from here on.

    Attributes:
        old, new: the key ids.
        former_leaf, former_issuer: a certificate of the old key and the one that signed it, DER.
        leaf, issuer: the same of the new key.
        ledger: the last entry of that chain that the old key signed: its own ``member.rotate``.
        mail: the same of the mail chain.
    """

    machine: MachineId
    old: _Digest
    new: _Digest
    former_leaf: _Der
    former_issuer: _Der
    leaf: _Der
    issuer: _Der
    ledger: Cut
    mail: Cut

    def cut(self, chain: str) -> tuple[int, int]:
        """Up to which (incarnation, sequence) of that chain the old key counts."""
        last = self.mail if chain == "mail" else self.ledger
        return last.incarnation, last.sequence

    def taken_into(self, directory: Directory) -> Directory:
        """The directory of somebody who has verified and heard this.

        Raises:
            PeerFault: as :meth:`~roosync_p2p.trust.directory.Directory.with_rotated`.
        """
        return directory.with_rotated((self.former_leaf, self.former_issuer), (self.leaf, self.issuer))


class LostKey(Rotation, frozen=True, kw_only=True):
    """The same by the root's word, because the old key was lost. On a wire it is the ``key.lost`` that it is read from.

    Attributes:
        issuers: key ids of issuer keys that are given up with the old key.
        reason, by, time_ms: why, on which machine it was said, and when by the wall clock there.
    """

    issuers: tuple[_Digest, ...]
    reason: str
    by: str
    time_ms: int

    def taken_into(self, directory: Directory) -> Directory:
        """The directory of somebody who has verified and heard this.

        Raises:
            PeerFault: as :meth:`~roosync_p2p.trust.directory.Directory.with_lost`.
        """
        former, now = (self.former_leaf, self.former_issuer), (self.leaf, self.issuer)
        return directory.with_lost(former, now, issuers=map(KeyId, self.issuers))


def seal_rotation(old: SigningKey, rotation: Rotation, *, fleet: FleetId) -> bytes:
    """The envelope of a rotation, signed by the key that is given up."""
    return seal(old, context=contexts.ROTATION, fleet=fleet, author=rotation.machine, payload=records.encode(rotation))


def verify_rotation(data: bytes, directory: Directory) -> Verified:
    """A rotation whose signature and certificates hold, by the old key or the root. Only the directory's root is used.

    Raises:
        MalformedError: it does not parse, lacks something, or its pieces name different keys or machines.
        UntrustedError, SignatureFault: a certificate does not lead to the root, the old key did not sign it, or, of one
            that says that it was lost, the root did not (``not_root``).
    """
    # The certificates inside say whose signature this is; nothing else of it is believed before that is checked.
    envelope = parse_envelope(data, size_max=limits.ROTATION_BYTES_MAX)
    said = read_rotation(data)
    _require_whole(said, directory.root)
    if not isinstance(said, LostKey):
        before = Directory.found(directory.root.der).with_chain(said.former_leaf, said.former_issuer)
        return verify(data, context=contexts.ROTATION, directory=before, size_max=limits.ROTATION_BYTES_MAX)
    if envelope.author != ROOT_AUTHOR:
        raise UntrustedError("that a key was lost takes the root's signature", code="not_root")
    if verify_issuer_certificate(said.issuer, root=directory.root).public.key_id in said.issuers:
        raise MalformedError("the new key is certified by one that is given up with the old one", code="bad_field")
    only_root = Directory.found(directory.root.der)
    return verify(data, context=contexts.STATEMENT, directory=only_root, size_max=limits.ROTATION_BYTES_MAX)


def read_rotation(envelope: bytes) -> Rotation:
    """The rotation in an envelope that :func:`verify_rotation` took; a :class:`LostKey` where the root says it.

    Raises:
        MalformedError: it is none.
    """
    parsed = parse_envelope(envelope, size_max=limits.ROTATION_BYTES_MAX)
    if parsed.context != contexts.STATEMENT:
        return records.decode(parsed.payload, Rotation)
    said = records.decode(parsed.payload, KeyLost)
    nothing = Cut(incarnation=1, sequence=0)
    return LostKey(
        machine=said.machine,
        old=said.old,
        new=said.new,
        former_leaf=said.former_leaf,
        former_issuer=said.former_issuer,
        leaf=said.leaf,
        issuer=said.issuer,
        ledger=said.ledger or nothing,
        mail=said.mail or nothing,
        issuers=said.issuers,
        reason=said.reason,
        by=said.by,
        time_ms=said.time_ms,
    )


def _require_whole(said: Rotation, root: RootCertificate) -> None:
    if parse_machine_id(said.machine) != said.machine or said.old == said.new:
        raise MalformedError("a rotation names a machine and two keys", code="bad_field")
    if not (said.former_leaf and said.former_issuer and said.leaf and said.issuer):
        raise MalformedError("a rotation carries the certificates of both keys", code="bad_field")
    for leaf, issuer, key in ((said.former_leaf, said.former_issuer, said.old), (said.leaf, said.issuer, said.new)):
        certificate = verify_machine_chain(leaf, issuer, root=root)
        if (certificate.machine, certificate.public.key_id) != (said.machine, KeyId(key)):
            raise UntrustedError("a certificate in a rotation is for another machine or key", code="wrong_key")
