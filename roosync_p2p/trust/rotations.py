"""A machine changes its key while it lives: the old key says so itself (docs/protocol/trust.md §10).

A rotation carries its own proof: the certificates of both keys lead to the root, and the old key signed it. So it can
be judged by somebody who knew only the old key, only the new one, or neither. What it changes is decided by
:meth:`~roosync_p2p.trust.directory.Directory.with_rotated`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec import records
from roosync_p2p.errors import MalformedError, UntrustedError
from roosync_p2p.ids import FleetId, KeyId, MachineId, parse_machine_id
from roosync_p2p.trust import contexts
from roosync_p2p.trust.certificates import verify_machine_chain
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.envelopes import Verified, parse_envelope, seal, verify
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import Cut

__all__ = ["Rotation", "read_rotation", "seal_rotation", "verify_rotation"]

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


def seal_rotation(old: SigningKey, rotation: Rotation, *, fleet: FleetId) -> bytes:
    """The envelope of a rotation, signed by the key that is given up."""
    return seal(old, context=contexts.ROTATION, fleet=fleet, author=rotation.machine, payload=records.encode(rotation))


def verify_rotation(data: bytes, directory: Directory) -> Verified:
    """A rotation whose signature and certificates hold. Of the directory only the root is used.

    Raises:
        MalformedError: it does not parse, or its pieces name different keys or machines.
        UntrustedError, SignatureFault: a certificate does not lead to the root, or the old key did not sign it.
    """
    # The certificates inside say whose signature this is; nothing else of it is believed before that is checked.
    envelope = parse_envelope(data, size_max=limits.ROTATION_BYTES_MAX)
    said = records.decode(envelope.payload, Rotation)
    if parse_machine_id(said.machine) != said.machine or said.old == said.new:
        raise MalformedError("a rotation names a machine and two keys", code="bad_field")
    for leaf, issuer, key in ((said.former_leaf, said.former_issuer, said.old), (said.leaf, said.issuer, said.new)):
        certificate = verify_machine_chain(leaf, issuer, root=directory.root)
        if (certificate.machine, certificate.public.key_id) != (said.machine, KeyId(key)):
            raise UntrustedError("a certificate in a rotation is for another machine or key", code="wrong_key")
    before = Directory.found(directory.root.der).with_chain(said.former_leaf, said.former_issuer)
    return verify(data, context=contexts.ROTATION, directory=before, size_max=limits.ROTATION_BYTES_MAX)


def read_rotation(envelope: bytes) -> Rotation:
    """The rotation in an envelope that :func:`verify_rotation` took."""
    return records.decode(parse_envelope(envelope, size_max=limits.ROTATION_BYTES_MAX).payload, Rotation)
