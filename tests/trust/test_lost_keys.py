"""The root's word that a key was lost: it proves itself, what is forged or incomplete proves nothing, and it stands."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from roosync_p2p.errors import ConflictError, MalformedError, PeerFault
from roosync_p2p.ids import KeyId
from roosync_p2p.trust.directory import Directory, issuer_author
from roosync_p2p.trust.enrolment import certificates_to_pem, lost_from_pem, lost_to_pem
from roosync_p2p.trust.rotations import LostKey, Rotation, read_rotation, seal_rotation, verify_rotation
from roosync_p2p.trust.statements import KeyLost, seal_statement
from tests.helpers.actors import (
    A,
    B,
    C,
    directory,
    identity,
    key_lost,
    keys,
    rotated_key,
    rotation,
    sealed_loss,
    second_key,
)

_ROOT = Directory.found(keys().root)
_FLEET = keys().fleet
_FIRST, _SECOND, _THIRD, _FOURTH = (rotated_key(C, number) for number in range(4))
_THIEF = second_key(C)


def _lost(old: int, new: int) -> LostKey:
    said = read_rotation(sealed_loss(key_lost(C, old, new)))
    assert isinstance(said, LostKey)
    return said


def _stolen(old: int) -> Rotation:
    """A rotation that the thief of a key made with it."""
    said = read_rotation(rotation(C, old, old + 1))
    thieves = {"new": _THIEF.key.key_id, "leaf": _THIEF.leaf, "issuer": _THIEF.issuer}
    return read_rotation(seal_rotation(rotated_key(C, old).key, msgspec.structs.replace(said, **thieves), fleet=_FLEET))


def test_one_that_the_root_signed_is_taken_by_whoever_knows_only_the_root() -> None:
    verified = verify_rotation(sealed_loss(key_lost(C)), _ROOT)
    assert verified.author == "root"
    said = read_rotation(verified.raw)
    assert isinstance(said, LostKey)
    assert (said.new, said.reason, said.by) == (_SECOND.key.key_id, "dead disk", A)
    known = said.taken_into(_ROOT)
    assert known.members[C].public == _SECOND.key.public
    assert known.key_of(C, _FIRST.key.key_id, lasting=True) == _FIRST.key.public


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"new": _THIRD.key.key_id}, "wrong_key"),
        ({"leaf": _THIRD.leaf}, "wrong_key"),
        ({"former_leaf": _THIRD.leaf}, "wrong_key"),
        ({"former_leaf": identity(B).leaf, "old": identity(B).key.key_id}, "wrong_key"),
        ({"machine": B}, "wrong_key"),
        ({"new": _FIRST.key.key_id, "leaf": _FIRST.leaf}, "bad_field"),
        ({"leaf": b"", "issuer": b""}, "bad_field"),
        ({"former_leaf": b""}, "bad_field"),
    ],
)
def test_pieces_that_are_missing_or_do_not_belong_together_are_refused_though_the_root_signed_them(
    changes: dict[str, object], code: str
) -> None:
    with pytest.raises(PeerFault) as refused:
        verify_rotation(sealed_loss(msgspec.structs.replace(key_lost(C), **changes)), _ROOT)
    assert refused.value.code == code


def test_nobody_but_the_root_says_that_a_key_was_lost() -> None:
    issuer = identity(A).issuer_key
    assert issuer is not None
    by_issuer = seal_statement(issuer, key_lost(C), fleet=_FLEET, author=issuer_author(A))
    by_machine = seal_statement(_FIRST.key, key_lost(C), fleet=_FLEET, author=C)
    as_root = seal_statement(issuer, key_lost(C), fleet=_FLEET)
    other_fleet = seal_statement(keys("another fleet").root_key, key_lost(C), fleet=_FLEET)
    for forged, code in ((by_issuer, "not_root"), (by_machine, "not_root"), (as_root, "unknown_key")):
        with pytest.raises(PeerFault) as refused:
            verify_rotation(forged, directory(A, C))
        assert refused.value.code == code
    with pytest.raises(PeerFault):
        verify_rotation(other_fleet, _ROOT)


def test_an_altered_byte_proves_nothing() -> None:
    good = sealed_loss(key_lost(C))
    for at in range(0, len(good), 97):
        with pytest.raises(PeerFault):
            verify_rotation(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :], _ROOT)


def test_the_new_key_is_not_certified_by_an_issuer_key_that_was_lost_with_the_old_one() -> None:
    issuer = identity(A).issuer_key
    assert issuer is not None
    with pytest.raises(MalformedError):
        verify_rotation(sealed_loss(key_lost(A, issuers=(issuer.key_id,))), _ROOT)


def test_a_bare_statement_as_the_ledger_alone_takes_it_is_no_rotation() -> None:
    bare = KeyLost(machine=C, old=_FIRST.key.key_id, new=_SECOND.key.key_id, serial=bytes(16))
    with pytest.raises(MalformedError):
        verify_rotation(sealed_loss(bare), _ROOT)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("pinned", range(5))
@pytest.mark.parametrize("lost", range(3))
def test_among_rotations_it_does_not_matter_in_which_order_it_is_heard(
    order: tuple[int, ...], pinned: int, lost: int
) -> None:
    """Three changes of key, one of them by the root: whoever knew whichever key comes to the last."""
    said = [
        _lost(number, number + 1) if number == lost else read_rotation(rotation(C, number, number + 1))
        for number in range(3)
    ]
    known = directory(A)
    if pinned < 4:
        own = rotated_key(C, pinned)
        known = known.with_chain(own.leaf, own.issuer)
    heard = [said[number] for number in order]
    for count in range(1, len(heard) + 1):
        for _ in range(count):
            for one in heard[:count]:
                known = one.taken_into(known)
    assert known.members[C].public == _FOURTH.key.public
    assert known.given_up == {own.key.key_id for own in (_FIRST, _SECOND, _THIRD)}


@pytest.mark.parametrize("first", ["the root", "the thief"])
def test_a_thief_of_the_lost_key_does_not_escape_by_a_rotation_whichever_is_heard_first(first: str) -> None:
    lost, stolen = _lost(0, 1), _stolen(0)
    known = directory(A, C)
    for said in (lost, stolen, lost) if first == "the root" else (stolen, lost, stolen):
        known = said.taken_into(known)
    assert known.members[C].public == _SECOND.key.public
    assert known.given_up == {_FIRST.key.key_id, _THIEF.key.key_id}


def test_a_revocation_of_the_lost_key_alone_does_not_hold_for_the_new_one_and_of_the_new_one_it_does() -> None:
    said = _lost(0, 1)
    before = said.taken_into(directory(A, C).with_given_up([_FIRST.key.key_id]))
    after = said.taken_into(directory(A, C))
    for known in (before, after.with_given_up(after.with_heirs([_FIRST.key.key_id]))):
        assert known.members[C].public == _SECOND.key.public
    out = after.with_given_up([_SECOND.key.key_id])
    assert C not in said.taken_into(out).members
    assert C not in said.taken_into(directory(A, C).with_given_up([_SECOND.key.key_id])).members


def test_the_issuer_keys_that_it_names_are_given_up_and_the_new_key_outlives_its_own_issuer() -> None:
    issuer = identity(A).issuer_key
    assert issuer is not None
    gone = key_lost(B, issuers=(KeyId(b"i" * 32),))
    said = read_rotation(sealed_loss(gone))
    assert KeyId(b"i" * 32) in said.taken_into(directory(A, B)).given_up
    known = said.taken_into(directory(A, B).with_given_up([issuer.key_id]))
    assert known.members[B].public == rotated_key(B, 1).key.public


def test_the_key_of_now_is_not_shown_to_be_a_former_one() -> None:
    known = _lost(0, 1).taken_into(directory(A, C))
    with pytest.raises(ConflictError):
        known.with_former(_SECOND.leaf, _SECOND.issuer)


def test_the_statement_travels_behind_the_certificates_of_an_answer_and_damage_is_found() -> None:
    envelope = sealed_loss(key_lost(C))
    plain = certificates_to_pem(_SECOND.leaf, _SECOND.issuer, keys().root)
    assert lost_from_pem(plain) is None
    assert lost_from_pem(plain + lost_to_pem(envelope)) == envelope
    assert lost_from_pem((plain + lost_to_pem(envelope)).replace(b"\n", b"\r\n")) == envelope
    cut_off = (plain + lost_to_pem(envelope))[:-60]
    twice = plain + 2 * lost_to_pem(envelope)
    for damaged in (cut_off, twice, plain + lost_to_pem(envelope).replace(b"A", b"*")):
        with pytest.raises(MalformedError) as refused:
            lost_from_pem(damaged)
        assert refused.value.code == "bad_statement"
