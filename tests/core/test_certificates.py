"""Certificates: renewed by the wall clock, by the pinned key alone, and shown without a restart."""

from __future__ import annotations

import dataclasses

from roosync_p2p import limits
from roosync_p2p.clock import Now
from roosync_p2p.core import wire
from roosync_p2p.core.certificates import renew_from_s
from roosync_p2p.core.commands import OfferCertificate, RenewCertificate, Revoke
from roosync_p2p.simulation.fleet_keys import BORN_S
from roosync_p2p.trust.certificates import certificate_request, machine_certificate, parse_machine_certificate
from tests.helpers.actors import revocation
from tests.helpers.cores import NOW, A, Actor, B, C, Rig, connect, identity, second_key, settle

_DUE_S = renew_from_s(parse_machine_certificate(identity(B).leaf))
_DUE = Now(monotonic_s=NOW.monotonic_s, wall_ms=_DUE_S * 1000)


def _next_leaf(rig: Rig, *, now_s: int = _DUE_S) -> bytes:
    own, issuer = identity(rig.machine), identity(A)
    assert issuer.issuer_key is not None
    return machine_certificate(
        issuer.issuer_key,
        issuer.issuer,
        own.key.public,
        machine=rig.machine,
        fleet=own.fleet,
        serial=7,
        now_s=now_s,
    )


def test_a_fresh_certificate_is_left_alone() -> None:
    rig = Rig().ready()
    link = rig.meet(Actor(A))
    rig.advance(200)
    assert rig.frames(wire.LeafRequest, link) == []


def test_from_two_thirds_of_its_life_the_linked_issuers_are_asked_and_again_after_a_while() -> None:
    rig = Rig(now=_DUE).ready()
    alice, carol = rig.meet(Actor(A)), rig.meet(Actor(C))
    rig.advance(limits.CERTIFICATE_NOBODY_S)
    (request,) = rig.frames(wire.LeafRequest, alice)
    assert request.request == certificate_request(identity(B).key, B)
    rig.advance(limits.CERTIFICATE_ASK_S)
    assert len(rig.frames(wire.LeafRequest, alice)) == 2
    assert rig.frames(wire.LeafRequest, carol) == []


def test_a_computer_that_slept_past_the_moment_asks_as_soon_as_it_wakes() -> None:
    """A timer stands still while the computer sleeps; the wall clock is what a certificate runs out by."""
    rig = Rig().ready()
    link = rig.meet(Actor(A))
    rig.advance(5)
    year_s = limits.MACHINE_CERTIFICATE_LIFE_S
    rig.now = Now(monotonic_s=rig.now.monotonic_s + 0.01, wall_ms=(BORN_S + year_s) * 1000)
    rig.advance(limits.CERTIFICATE_NOBODY_S)
    assert len(rig.frames(wire.LeafRequest, link)) >= 1


def test_the_answer_is_kept_shown_from_then_on_and_told_to_the_others() -> None:
    rig = Rig(now=_DUE).ready()
    alice = rig.meet(Actor(A))
    rig.forget()
    leaf = _next_leaf(rig)
    rig.receive(alice, wire.LeafAnswer(leaf=leaf, issuer=identity(B).issuer))
    assert rig.installed == [(leaf, identity(B).issuer)]
    assert rig.core.directory.members[B].leaf == leaf
    assert [hello.leaf for hello in rig.frames(wire.Hello, alice)] == [leaf]
    later = rig.open(identity(C))
    assert [hello.leaf for hello in rig.frames(wire.Hello, later)] == [leaf]
    assert not rig.core.certificates.due()


def test_a_certificate_for_another_key_or_machine_is_not_taken() -> None:
    rig = Rig(now=_DUE).ready()
    alice = rig.meet(Actor(A))
    rig.receive(alice, wire.LeafAnswer(leaf=second_key(B).leaf, issuer=identity(B).issuer))
    rig.receive(alice, wire.LeafAnswer(leaf=identity(C).leaf, issuer=identity(C).issuer))
    assert rig.installed == []
    assert rig.counted("fault.wrong_key") == 2
    assert rig.refused(OfferCertificate(leaf=identity(C).leaf, issuer=identity(C).issuer)).code == "wrong_key"


def test_an_older_certificate_does_not_come_back() -> None:
    rig = Rig(now=_DUE).ready()
    link = rig.meet(Actor(A))
    newer, older = _next_leaf(rig), _next_leaf(rig, now_s=BORN_S + 9)
    for leaf in (newer, older):
        rig.receive(link, wire.LeafAnswer(leaf=leaf, issuer=identity(B).issuer))
    assert [leaf for leaf, _ in rig.installed] == [newer]


def test_a_refusal_is_remembered_for_people() -> None:
    rig = Rig(now=_DUE).ready()
    rig.receive(rig.meet(Actor(A)), wire.LeafAnswer(refusal="not_a_member: no"))
    assert rig.core.certificates.refusal == "not_a_member: no"


# --- the issuer -------------------------------------------------------------------------------------------------------


def _asked(rig: Rig, request: bytes, *, by: Actor) -> wire.LeafAnswer:
    link = rig.meet(by)
    rig.receive(link, wire.LeafRequest(request=request))
    (answer,) = rig.frames(wire.LeafAnswer, link)
    return answer


def test_an_issuer_renews_for_the_pinned_key() -> None:
    rig = Rig(A, knows=(B, C), now=_DUE).ready()
    answer = _asked(rig, certificate_request(identity(B).key, B), by=Actor(B))
    certificate = parse_machine_certificate(answer.leaf)
    assert (certificate.machine, certificate.public) == (B, identity(B).key.public)
    assert certificate.not_after_s == _DUE_S + 5 + limits.MACHINE_CERTIFICATE_LIFE_S
    assert rig.core.directory.members[B].leaf == answer.leaf


def test_who_asks_again_soon_gets_the_same() -> None:
    rig = Rig(A, knows=(B, C), now=_DUE).ready()
    link = rig.meet(Actor(B))
    for _ in range(2):
        rig.receive(link, wire.LeafRequest(request=certificate_request(identity(B).key, B)))
    first, second = rig.frames(wire.LeafAnswer, link)
    assert first == second


def test_another_key_or_another_name_is_refused() -> None:
    rig = Rig(A, knows=(B, C), now=_DUE).ready()
    assert _asked(rig, certificate_request(second_key(B).key, B), by=Actor(B)).refusal.startswith("wrong_key")
    assert _asked(rig, certificate_request(identity(B).key, B), by=Actor(C)).refusal.startswith("wrong_source")


def test_a_machine_that_is_no_issuer_renews_nobodys() -> None:
    rig = Rig(B, knows=(A, C), now=_DUE).ready()
    assert _asked(rig, certificate_request(identity(C).key, C), by=Actor(C)).refusal.startswith("not_an_issuer")


def test_an_issuer_renews_its_own() -> None:
    rig = Rig(A, knows=(B,), now=_DUE).ready()
    assert len(rig.installed) == 1
    assert rig.answered(RenewCertificate()) == {"asked": [A]}


def test_a_revoked_issuer_is_asked_no_more() -> None:
    rig = Rig(knows=(A, C), now=_DUE).ready()
    rig.meet(Actor(A))
    rig.answered(Revoke(statement=revocation(A, root=True)))
    assert rig.answered(RenewCertificate()) == {"asked": []}


def test_two_nodes_renew_and_their_link_stays() -> None:
    alice, bob = Rig(A, knows=(B,), now=_DUE).ready(), Rig(B, knows=(A,), now=_DUE).ready()
    near, far = connect(alice, bob)
    settle(alice, bob, seconds=5)
    assert bob.installed != []
    assert near not in alice.closed
    assert far not in bob.closed
    assert alice.core.directory.members[B].leaf == bob.installed[0][0]
    assert dataclasses.replace(identity(B), leaf=bob.installed[0][0]).key == identity(B).key
