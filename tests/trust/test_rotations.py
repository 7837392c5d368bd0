"""Rotations: each proves itself, altered ones prove nothing, and the order in which they are heard does not matter."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from roosync_p2p.errors import PeerFault, UntrustedError
from roosync_p2p.simulation.fleet_keys import BORN_S
from roosync_p2p.trust import contexts
from roosync_p2p.trust.certificates import machine_certificate
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.envelopes import seal
from roosync_p2p.trust.rotations import Rotation, read_rotation, seal_rotation, verify_rotation
from tests.helpers.actors import A, B, C, directory, identity, keys, rotated_key, rotation, second_key

_ROOT = Directory.found(keys().root)
_FLEET = keys().fleet
_FIRST, _SECOND, _THIRD, _FOURTH = (rotated_key(C, number) for number in range(4))


def _said(old: int, new: int) -> Rotation:
    return read_rotation(rotation(C, old, new))


def _with(known: Directory, *said: Rotation) -> Directory:
    """What a node knows that hears them in this order, each again after each."""
    heard: list[Rotation] = []
    for one in said:
        heard.append(one)
        for _ in heard:
            for again in heard:
                known = known.with_rotated((again.former_leaf, again.former_issuer), (again.leaf, again.issuer))
    return known


def test_one_that_the_old_key_signed_is_taken_by_whoever_knows_only_the_root() -> None:
    verified = verify_rotation(rotation(C, 0, 1), _ROOT)
    assert (verified.author, verified.key_id) == (C, _FIRST.key.key_id)
    assert read_rotation(verified.raw).new == _SECOND.key.key_id


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"new": _THIRD.key.key_id}, "wrong_key"),
        ({"leaf": _THIRD.leaf}, "wrong_key"),
        ({"former_leaf": _THIRD.leaf}, "wrong_key"),
        ({"machine": B}, "wrong_key"),
        ({"new": _FIRST.key.key_id, "leaf": _FIRST.leaf}, "bad_field"),
    ],
)
def test_pieces_that_do_not_belong_together_are_refused_though_the_old_key_signed_them(
    changes: dict[str, object], code: str
) -> None:
    said = msgspec.structs.replace(_said(0, 1), **changes)
    with pytest.raises(PeerFault) as refused:
        verify_rotation(seal_rotation(_FIRST.key, said, fleet=_FLEET), _ROOT)
    assert refused.value.code == code


def test_the_new_key_does_not_replace_the_old_one_by_its_own_word() -> None:
    with pytest.raises(PeerFault) as refused:
        verify_rotation(seal_rotation(_SECOND.key, _said(0, 1), fleet=_FLEET), _ROOT)
    assert refused.value.code == "unknown_key"


def test_a_signature_for_another_purpose_or_an_altered_byte_is_none() -> None:
    other = seal(
        _FIRST.key, context=contexts.ENTRY, fleet=_FLEET, author=C, payload=msgspec.msgpack.encode(_said(0, 1))
    )
    with pytest.raises(PeerFault):
        verify_rotation(other, _ROOT)
    good = rotation(C, 0, 1)
    for at in range(0, len(good), 97):
        with pytest.raises(PeerFault):
            verify_rotation(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :], _ROOT)


def test_a_new_key_that_no_issuer_of_the_fleet_certified_is_refused() -> None:
    stranger = keys("another fleet").identities[C]
    said = msgspec.structs.replace(_said(0, 1), new=stranger.key.key_id, leaf=stranger.leaf, issuer=stranger.issuer)
    with pytest.raises(PeerFault):
        verify_rotation(seal_rotation(_FIRST.key, said, fleet=_FLEET), _ROOT)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("pinned", range(5))
def test_in_whatever_order_and_whichever_key_was_known_the_last_one_is_pinned(
    order: tuple[int, ...], pinned: int
) -> None:
    said = [_said(number, number + 1) for number in range(3)]
    known = directory(A)
    if pinned < 4:  # else a node that has never heard of the machine
        own = rotated_key(C, pinned)
        known = known.with_chain(own.leaf, own.issuer)
    known = _with(known, *(said[number] for number in order))
    assert known.members[C].public == _FOURTH.key.public
    old = {_FIRST.key.key_id, _SECOND.key.key_id, _THIRD.key.key_id}
    assert known.given_up == old
    for key_id in old:
        assert known.key_of(C, key_id, lasting=True).key_id == key_id
        with pytest.raises(UntrustedError):
            known.key_of(C, key_id)


def test_a_key_that_was_revoked_does_not_escape_by_a_rotation_whichever_is_heard_first() -> None:
    revoked = [_FIRST.key.key_id]
    said = _said(0, 1)
    before = _with(directory(C).with_given_up(revoked), said)
    after = _with(directory(C), said)
    after = after.with_given_up(after.with_heirs(revoked))
    for known in (before, after):
        assert C not in known.members
        assert known.given_up == {_FIRST.key.key_id, _SECOND.key.key_id}


def test_one_key_that_says_two_different_things_is_a_conflict() -> None:
    known = _with(directory(C), _said(0, 1))
    thief = second_key(C)
    said = msgspec.structs.replace(_said(0, 1), new=thief.key.key_id, leaf=thief.leaf, issuer=thief.issuer)
    with pytest.raises(PeerFault) as refused:
        _with(known, said)
    assert refused.value.code == "key_conflict"


def test_a_certificate_of_an_issuer_key_that_was_given_up_makes_nobody_anew() -> None:
    issuer = identity(A).issuer_key
    assert issuer is not None
    with pytest.raises(PeerFault) as refused:
        _with(directory(C).with_given_up([issuer.key_id]), _said(0, 1))
    assert refused.value.code == "issuer_revoked"


def test_a_newer_certificate_of_the_new_key_stays() -> None:
    issuer = identity(A)
    assert issuer.issuer_key is not None
    newer = machine_certificate(
        issuer.issuer_key, issuer.issuer, _SECOND.key.public, machine=C, fleet=_FLEET, serial=5, now_s=BORN_S + 5000
    )
    known = _with(directory(A).with_chain(newer, issuer.issuer), _said(0, 1))
    assert known.members[C].leaf == newer
