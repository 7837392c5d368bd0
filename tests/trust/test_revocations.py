"""Revocations: who may say one, and that what was altered says nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.errors import PeerFault
from roosync_p2p.ids import MachineId
from roosync_p2p.simulation.fleet_keys import BORN_S
from roosync_p2p.trust import contexts
from roosync_p2p.trust.certificates import machine_certificate
from roosync_p2p.trust.directory import ROOT_AUTHOR, Directory, issuer_author
from roosync_p2p.trust.envelopes import seal, verify
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.revocations import NOTHING_MORE, read_revocation, revoked_by
from roosync_p2p.trust.statements import Cut, Revocation, seal_statement
from tests.helpers.actors import A, B, C, D, directory, keys, second_key

_FLEET = keys().fleet
_KNOWN = directory(A, B, C, D)


def _said(machine: MachineId = C, **changes: object) -> Revocation:
    made = Revocation(machine=machine, keys=(keys().identities[machine].key.key_id,), serial=bytes(16))
    return msgspec.structs.replace(made, **changes)


def _by_issuer(said: Revocation) -> bytes:
    key = keys().identities[A].issuer_key
    assert key is not None
    return seal_statement(key, said, fleet=_FLEET, author=issuer_author(A))


def _by_root(said: Revocation) -> bytes:
    return seal_statement(keys().root_key, said, fleet=_FLEET, author=ROOT_AUTHOR)


def _read(envelope: bytes, known: Directory = _KNOWN) -> Revocation:
    verified = verify(envelope, context=contexts.STATEMENT, directory=known, size_max=limits.RECORD_BYTES_MAX)
    return read_revocation(verified, known)


def _refused(envelope: bytes, known: Directory = _KNOWN) -> str:
    with pytest.raises(PeerFault) as caught:
        _read(envelope, known)
    return caught.value.code


def _fields(envelope: bytes) -> dict[str, Any]:
    fields = unpack(envelope, size_max=10_000)
    assert isinstance(fields, dict)
    return fields


def test_an_issuer_revokes_a_plain_machine_and_the_root_anybody() -> None:
    assert _read(_by_issuer(_said())) == _said()
    assert _read(_by_root(_said())) == _said()
    assert _read(_by_root(_said(A))).machine == A


def test_an_issuer_revokes_no_issuer() -> None:
    assert _refused(_by_issuer(_said(A))) == "needs_root"


def test_a_machines_own_key_revokes_nobody() -> None:
    key = keys().identities[B].key
    envelope = seal_statement(key, _said(), fleet=_FLEET, author=B)
    assert _refused(envelope) == "not_an_issuer"


def test_a_machine_that_calls_itself_an_issuer_is_not_believed() -> None:
    key = keys().identities[B].key
    assert _refused(seal_statement(key, _said(), fleet=_FLEET, author=issuer_author(B))) == "unknown_author"
    assert _refused(seal_statement(key, _said(), fleet=_FLEET, author=issuer_author(A))) == "unknown_key"
    assert _refused(seal_statement(key, _said(), fleet=_FLEET, author=ROOT_AUTHOR)) == "unknown_key"


def test_an_issuer_of_another_fleet_is_not_believed() -> None:
    other = keys("another fleet")
    key = other.identities[A].issuer_key
    assert key is not None
    assert _refused(seal_statement(key, _said(), fleet=other.fleet, author=issuer_author(A))) == "wrong_fleet"
    assert _refused(seal_statement(key, _said(), fleet=_FLEET, author=issuer_author(A))) == "unknown_key"


def test_an_issuer_whose_key_was_given_up_revokes_nobody() -> None:
    issuer_key = keys().identities[A].issuer_key
    assert issuer_key is not None
    assert _refused(_by_issuer(_said()), _KNOWN.with_given_up([issuer_key.key_id])) == "key_revoked"


def test_nobody_is_revoked_under_the_name_of_another() -> None:
    """The name decides who may say it: an issuer would put out an issuer, or the founder's approver."""
    for key in (keys().identities[A].key, keys().identities[A].issuer_key, keys().identities[B].key, keys().root_key):
        assert isinstance(key, SigningKey)
        assert _refused(_by_issuer(_said(keys=(key.key_id,)))) == "other_key"


def test_it_names_a_key_and_a_machine_in_canonical_form() -> None:
    assert _refused(_by_issuer(_said(keys=()))) == "bad_field"
    assert _refused(_by_issuer(msgspec.structs.replace(_said(), machine=MachineId("Machine-C")))) == "bad_field"


@pytest.mark.parametrize("flipped", range(8))
def test_an_altered_statement_is_none(flipped: int) -> None:
    """Also one whose signature was only re-encoded: what is signed is compared whole, and has one encoding."""
    fields = _fields(_by_issuer(_said(reason="stolen")))
    payload = bytearray(fields["p"])
    payload[(flipped * 37) % len(payload)] ^= 1 << flipped
    assert _refused(pack({**fields, "p": bytes(payload)})) == "bad_signature"
    signature = bytearray(fields["s"])
    signature[(flipped * 9) % 64] ^= 1 << flipped
    assert _refused(pack({**fields, "s": bytes(signature)})) == "bad_signature"


def test_a_signature_with_the_group_order_added_is_none() -> None:
    """RFC 8032 §5.1.7: S is below the order. Another S would verify by the equation alone."""
    order = 2**252 + 27742317777372353535851937790883648493
    fields = _fields(_by_issuer(_said()))
    first, second = fields["s"][:32], int.from_bytes(fields["s"][32:], "little")
    altered = first + (second + order).to_bytes(32, "little")
    assert _refused(pack({**fields, "s": altered})) == "bad_signature"


def test_a_statement_of_another_kind_or_purpose_is_no_revocation() -> None:
    key = keys().identities[A].issuer_key
    assert key is not None
    payload = pack({"kind": "role.grant", "roles": ["member"], "key": bytes(32)})
    envelope = seal(key, context=contexts.STATEMENT, fleet=_FLEET, author=issuer_author(A), payload=payload)
    assert _refused(envelope) == "bad_field"
    other = seal(key, context=contexts.INCARNATION, fleet=_FLEET, author=issuer_author(A), payload=payload)
    assert _refused(other) == "wrong_context"


def test_of_several_the_lowest_cut_of_each_chain_holds_and_every_key() -> None:
    second = second_key(C).key.key_id
    one = _said(ledger=Cut(incarnation=1, sequence=9), mail=Cut(incarnation=1, sequence=4), reason="lost")
    other = _said(ledger=Cut(incarnation=2, sequence=1), mail=Cut(incarnation=1, sequence=2), keys=(second,))
    for said in ([one, other], [other, one]):
        revoked = revoked_by(said)
        assert (revoked.ledger, revoked.mail, revoked.reason) == ((1, 9), (1, 2), "lost")
        assert revoked.keys == {*one.keys, second}
    assert revoked_by([one, _said()]).ledger == NOTHING_MORE


def test_another_certificate_for_a_revoked_key_is_revoked_too() -> None:
    """What is revoked is a key: a serial number, or an encoding, is no way around."""
    known = _KNOWN.with_given_up([keys().identities[C].key.key_id])
    own, issuer = keys().identities[C], keys().identities[A]
    assert issuer.issuer_key is not None
    another = machine_certificate(
        issuer.issuer_key, issuer.issuer, own.key.public, machine=C, fleet=_FLEET, serial=4711, now_s=BORN_S + 9
    )
    assert C not in known.members
    with pytest.raises(PeerFault) as caught:
        known.with_chain(another, own.issuer)
    assert caught.value.code == "key_revoked"


def test_under_an_issuer_key_that_was_given_up_nobody_new_comes_in_and_who_was_known_stays() -> None:
    issuer_key = keys().identities[A].issuer_key
    assert issuer_key is not None
    known = directory(A, B).with_given_up([issuer_key.key_id])
    assert B in known.members
    assert known.with_chain(keys().identities[B].leaf, keys().identities[B].issuer) is known
    with pytest.raises(PeerFault) as caught:
        known.with_chain(keys().identities[C].leaf, keys().identities[C].issuer)
    assert caught.value.code == "issuer_revoked"


def test_an_old_certificate_introduces_a_former_key_and_no_member() -> None:
    own = keys().identities[C]
    known = directory(A, B).with_given_up([own.key.key_id]).with_introduced(own.leaf, own.issuer)
    assert C not in known.members
    assert known.key_of(C, own.key.key_id, lasting=True) == own.key.public
    with pytest.raises(PeerFault):
        known.key_of(C, own.key.key_id)
