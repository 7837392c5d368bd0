"""A machine that is out: from the moment that it is heard nothing new is taken from it, by whatever way it comes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from roosync_p2p.core import wire
from roosync_p2p.core.commands import Revoke
from roosync_p2p.core.revocations import with_ordered_issuers
from roosync_p2p.core.rows import EntryRow, MemberRow
from roosync_p2p.entries.entry import MAIL, Entry
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.register import IssuerState, MemberState, Register
from roosync_p2p.trust.certificates import issuer_certificate
from roosync_p2p.trust.statements import Cut
from tests.helpers.actors import revocation
from tests.helpers.cores import A, Actor, B, C, D, Rig, connect, entries, identity, keys, second_key, settle
from tests.helpers.trust import NOW_S, ExampleFleet, key_from

FLEET = ExampleFleet()


def _record(envelope: bytes) -> wire.RecordFrame:
    return wire.RecordFrame(kind="revocation", envelope=envelope)


def _cut(entry: Entry) -> Cut:
    return Cut(incarnation=entry.header.incarnation, sequence=entry.header.sequence, id=entry.id)


def _held(rig: Rig, of: Actor) -> int:
    return rig.core.exchange.durable_head((of.machine, 1, MAIL))


def _register(*issuers: tuple[str, bytes], roles: Mapping[MachineId, tuple[str, ...]]) -> Register:
    members: dict[str, MemberState] = {
        machine: MemberState(key=bytes(32), roles=of_machine, number=1, by=A, since_ms=0)
        for machine, of_machine in roles.items()
    }
    states = tuple(IssuerState(machine=machine, certificate=certificate) for machine, certificate in issuers)
    return Register(root=FLEET.root, fleet=None, members=members, persons={}, issuers=states)


def test_the_order_says_which_issuer_keys_count_whatever_gossip_brought_first() -> None:
    key = key_from("a second issuer")
    second = issuer_certificate(FLEET.root_key, FLEET.root, key.public, machine=B, serial=9, now_s=NOW_S)
    gossiped = FLEET.directory("myia-ai-01").with_issuer(second)  # that it is one no more had come before
    both = {A: ("issuer", "member"), B: ("issuer", "member")}
    added = _register((B, second), roles=both)
    assert with_ordered_issuers(gossiped, added).given_up == frozenset()
    assert key.public.key_id in with_ordered_issuers(FLEET.directory(), added).issuers
    removed = _register((B, second), roles=both | {B: ("member",)})
    assert with_ordered_issuers(gossiped, removed).given_up == {key.public.key_id}
    # one that is added anew, of which the order says nothing yet, stays
    again = key_from("its next issuer key")
    third = issuer_certificate(FLEET.root_key, FLEET.root, again.public, machine=B, serial=10, now_s=NOW_S)
    assert again.public.key_id not in with_ordered_issuers(gossiped.with_issuer(third), removed).given_up


def test_its_link_is_closed_at_once_and_it_is_shown_the_statement() -> None:
    rig = Rig().ready()
    carol = rig.meet(Actor(C))
    alice = rig.meet(Actor(A))
    rig.forget()
    envelope = revocation(C)
    rig.receive(alice, _record(envelope))
    assert rig.closed[carol].startswith("key_revoked")
    assert rig.frames(wire.RecordFrame, carol) == [_record(envelope)]
    assert C not in rig.core.members()
    assert rig.told("revoked")[0]["machine"] == C


def test_it_is_passed_on_to_everybody_but_the_one_it_came_from_once() -> None:
    rig = Rig(knows=(A, C, D)).ready()
    alice, dora = rig.meet(Actor(A)), rig.meet(Actor(D))
    rig.forget()
    for _ in range(2):
        rig.receive(alice, _record(revocation(C)))
    assert rig.frames(wire.RecordFrame, dora) == [_record(revocation(C))]
    assert [f for f in rig.frames(wire.RecordFrame, alice) if f.kind == "revocation"] == []


def test_nobody_hears_of_it_before_it_is_on_the_disk() -> None:
    rig = Rig(knows=(A, C, D)).ready()
    alice, dora = rig.meet(Actor(A)), rig.meet(Actor(D))
    rig.forget()
    rig.holding = True
    rig.receive(alice, _record(revocation(C)))
    assert rig.frames(wire.RecordFrame, dora) == []
    rig.commit()
    assert rig.frames(wire.RecordFrame, dora) != []


def test_who_returns_with_that_key_is_shown_out_with_the_proof_also_after_a_restart() -> None:
    rig = Rig().ready()
    rig.receive(rig.meet(Actor(A)), _record(revocation(C)))
    for node in (rig, rig.restart().ready()):
        link = node.open(identity(C))
        assert node.closed[link].startswith("key_revoked")
        assert node.frames(wire.RecordFrame, link) == [_record(revocation(C))]
        assert C not in node.core.members()


def test_entries_up_to_the_cut_are_taken_from_anybody_and_none_behind_it() -> None:
    carol = Actor(C)
    mail = carol.mail(5)
    rig = Rig().ready()
    alice = rig.meet(Actor(A))
    rig.receive(alice, entries(*mail[:1]))
    rig.receive(alice, _record(revocation(C, mail=_cut(mail[2]))))
    rig.receive(alice, entries(*mail[1:]))
    assert _held(rig, carol) == 3
    assert rig.counted("entries.revoked") == 2


def test_a_lower_cut_that_comes_later_holds_for_what_comes_later_still() -> None:
    carol = Actor(C)
    mail = carol.mail(5)
    rig = Rig().ready()
    alice = rig.meet(Actor(A))
    rig.receive(alice, _record(revocation(C, mail=_cut(mail[3]), serial=1)))
    rig.receive(alice, entries(*mail[:1]))
    rig.receive(alice, _record(revocation(C, mail=_cut(mail[1]), serial=2)))
    rig.receive(alice, entries(*mail[1:]))
    assert _held(rig, carol) == 2
    rig.receive(alice, _record(revocation(C, mail=_cut(mail[4]), serial=3)))
    rig.receive(alice, entries(*mail[1:]))
    assert _held(rig, carol) == 2


def test_what_was_held_behind_the_cut_is_offered_to_nobody_and_given_to_nobody() -> None:
    carol = Actor(C)
    mail = carol.mail(5)
    rig = Rig().ready()
    alice = rig.meet(Actor(A))
    rig.receive(alice, entries(*mail))
    assert _held(rig, carol) == 5
    rig.receive(alice, _record(revocation(C, mail=_cut(mail[2]))))
    (span,) = [span for span in rig.core.exchange.spans() if (span.author, span.chain) == (C, MAIL)]
    assert (span.head, span.id) == (3, mail[2].id)
    rig.forget()
    rig.receive(alice, wire.Want(author=C, incarnation=1, chain=MAIL, first=1))
    (frame,) = rig.frames(wire.EntriesFrame, alice)
    assert len(frame.entries) == 3
    rig.forget()
    rig.receive(alice, wire.Want(author=C, incarnation=1, chain=MAIL, first=4))
    assert rig.frames(wire.EntriesFrame, alice) == []


def test_two_nodes_of_which_one_holds_more_behind_the_cut_agree_and_fall_silent() -> None:
    carol = Actor(C)
    mail = carol.mail(5)
    one, other = Rig(A, knows=(B, C)).ready(), Rig(B, knows=(A, C)).ready()
    one.receive(one.meet(carol), entries(*mail))
    other.receive(other.meet(carol), entries(*mail[:2]))
    for rig in (one, other):
        rig.answered(Revoke(statement=revocation(C, mail=_cut(mail[1]))))
    connect(one, other)
    settle(one, other, seconds=12)
    assert one.core.exchange.digest() == other.core.exchange.digest()
    assert not other.core.exchange.behind()


def test_its_heartbeats_records_and_relayed_frames_have_no_effect() -> None:
    carol = Actor(C)
    rig = Rig().ready()
    alice = rig.meet(Actor(A))
    rig.receive(alice, _record(revocation(C)))
    rig.forget()
    rig.receive(alice, carol.beat(relayed=True))
    rig.receive(alice, carol.frontier())
    rig.receive(alice, carol.relay(wire.OwnQuery(), to=B))
    assert rig.core.presence.latest(C) is None
    assert rig.frames(wire.OwnAnswer) == []
    assert [f.kind for f in rig.frames(wire.RecordFrame)] == []
    assert alice not in rig.closed  # who passed it on had not heard yet


def test_what_was_verified_a_moment_before_is_judged_again() -> None:
    """A worker thread verified the heartbeat while the key still stood."""
    from roosync_p2p.core import inputs  # noqa: PLC0415 - for this test alone
    from roosync_p2p.core.intake import prepare  # noqa: PLC0415 - the same

    carol = Actor(C)
    rig = Rig().ready()
    alice = rig.meet(Actor(A))
    prepared = prepare(wire.encode_frame(carol.beat(relayed=True)), rig.core.directory)
    rig.receive(alice, _record(revocation(C)))
    rig.feed(inputs.FrameReceived(link=alice, prepared=prepared))
    assert rig.core.presence.latest(C) is None
    assert rig.counted("fault.key_revoked") == 1


def test_a_statement_that_its_signer_may_not_make_changes_nothing() -> None:
    rig = Rig().ready()
    link = rig.meet(Actor(C))
    rig.receive(link, _record(revocation(A)))
    assert A in rig.core.members()
    assert rig.counted("fault.needs_root") == 1
    assert rig.refused(Revoke(statement=revocation(A))).code == "needs_root"


def test_the_root_puts_an_issuer_out_and_its_issuer_key_says_nothing_new() -> None:
    rig = Rig(knows=(A, C)).ready()
    link = rig.meet(Actor(C))
    alice = identity(A)
    assert alice.issuer_key is not None
    rig.receive(link, _record(revocation(A, root=True)))
    assert A not in rig.core.members()
    assert C in rig.core.members()  # let in by that issuer while it was one


def test_a_machine_that_hears_of_its_own_revocation_says_so_and_writes_nothing_also_after_a_restart() -> None:
    rig = Rig().ready()
    rig.receive(rig.meet(Actor(A)), _record(revocation(B)))
    assert rig.core.authorship.phase.value == "revoked"
    assert rig.told("identity")[-1]["phase"] == "revoked"
    again = rig.restart()
    again.advance(6)
    assert again.core.authorship.phase.value == "revoked"
    assert [row for row in again.written if isinstance(row, EntryRow)] == []


def test_it_hears_so_from_whoever_shows_it_out_before_any_greeting() -> None:
    rig = Rig().ready()
    link = rig.open(identity(A))
    rig.receive(link, _record(revocation(B)))
    assert rig.core.authorship.phase.value == "revoked"


def test_nothing_else_is_heard_before_the_greeting() -> None:
    rig = Rig().ready()
    link = rig.open(identity(A))
    rig.receive(link, Actor(C).frontier())
    assert rig.counted("fault.no_greeting") == 1


def test_with_a_new_key_it_is_a_member_again_and_begins_a_new_life() -> None:
    rig = Rig(A, knows=(B, C)).ready()
    carol = Actor(C)
    rig.receive(rig.meet(carol), entries(*carol.mail(3)))
    rig.answered(Revoke(statement=revocation(C)))
    again = second_key(C)
    body = dataclasses.replace(keys().admission(C), leaf=again.leaf)
    rig.answered(body)
    assert rig.core.directory.members[C].key_id == again.key.key_id
    rig.forget()
    link = rig.open(again)
    assert link not in rig.closed
    rig.core.watch.own_query(C)
    assert rig.rows(MemberRow) == []


def test_its_new_home_is_told_of_the_key_before_and_waits_for_a_countersignature() -> None:
    carol = Actor(C)
    mail = carol.mail(3)
    own = second_key(C)
    rig = Rig(C, knows=(A, B), own=own)
    link = rig.meet(Actor(A))
    former = [(identity(C).leaf, identity(C).issuer)]
    rig.receive(link, wire.OwnAnswer(headers=[mail[2].raw], former=former))
    rig.advance(6)
    assert rig.core.authorship.phase.value == "waiting"
    renewal = rig.core.authorship.renewal
    assert renewal is not None
    assert renewal.incarnation == 2
    assert renewal.mail is not None
    assert renewal.mail.sequence == 3
