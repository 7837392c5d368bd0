"""A machine lost its key, by the root's word: the new one is taken at once, and what the old one signs is not."""

from __future__ import annotations

import dataclasses

from roosync_p2p import limits
from roosync_p2p.clock import Now
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core import view, wire
from roosync_p2p.core.authorship import Phase
from roosync_p2p.core.commands import OfferLost
from roosync_p2p.core.identity import NodeIdentity
from roosync_p2p.core.memory_store import MemoryStore
from roosync_p2p.core.rotations import lost_record, rotate_body
from roosync_p2p.core.rows import EntryRow, MemberRow
from roosync_p2p.entries.entry import LEDGER, MAIL, Entry
from roosync_p2p.entries.incarnations import ChainStart
from roosync_p2p.errors import RoosyncError
from roosync_p2p.liveness.verdicts import State
from roosync_p2p.simulation.fleet_keys import BORN_S
from roosync_p2p.trust.certificates import issuer_certificate, machine_certificate
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import Cut
from tests.helpers.actors import Actor, key_lost, revocation, rotated_key, rotation, sealed_loss, second_key
from tests.helpers.cores import A, B, C, D, Rig, connect, entries, identity, keys, settle


def _record(envelope: bytes) -> wire.RecordFrame:
    return wire.RecordFrame(kind="rotation", envelope=envelope)


def _cut(entry: Entry) -> Cut:
    return Cut(incarnation=entry.header.incarnation, sequence=entry.header.sequence, id=entry.id)


def _held(rig: Rig, of: Actor, incarnation: int = 1) -> int:
    return rig.core.exchange.durable_head((of.machine, incarnation, MAIL))


def _codes(rig: Rig) -> list[object]:
    return [warning["code"] for warning in view.warnings(rig.core)]


def _again(own: NodeIdentity, envelope: bytes, *, knows: tuple[NodeIdentity, ...] = ()) -> Rig:
    """The new home of a machine, as `install` leaves it: its identity, and the statement."""
    store = MemoryStore()
    rows = [MemberRow(machine=k.machine, key_id=k.key.key_id, leaf=k.leaf, issuer=k.issuer) for k in knows]
    store.commit([lost_record(envelope), *rows])
    return Rig(own.machine, own=own, store=store)


# --- the others -----------------------------------------------------------------------------------------------------


def test_its_link_is_closed_and_shown_why_and_the_new_key_is_taken_from_the_beginning_also_after_a_restart() -> None:
    rig = Rig().ready()
    carol, alice = rig.meet(Actor(C, start=9)), rig.meet(Actor(A))
    rig.forget()
    lost = sealed_loss(key_lost(C))
    rig.receive(alice, _record(lost))
    assert rig.closed[carol].startswith("key_revoked")
    assert rig.frames(wire.RecordFrame, carol) == [_record(lost)]
    assert rig.core.presence.latest(C) is None
    assert rig.told("key_lost")[0]["reason"] == "dead disk"
    new = Actor(C, start=1, store=b"t" * 16)
    new.identity = rotated_key(C, 1)
    for node in (rig, rig.restart().ready()):
        assert node.core.directory.members[C].public == new.identity.key.public
        link = node.meet(new)
        assert link not in node.closed
        old = node.open(identity(C))
        assert node.closed[old].startswith("key_revoked")
        assert node.frames(wire.RecordFrame, old) == [_record(lost)]
        assert node.core.presence.liveness.verdict(C, node.now).state is not State.CONFLICT


def test_it_is_passed_on_once_and_not_before_it_is_on_the_disk() -> None:
    rig = Rig(knows=(A, C, D)).ready()
    alice, dora = rig.meet(Actor(A)), rig.meet(Actor(D))
    rig.forget()
    rig.holding = True
    for _ in range(2):
        rig.receive(alice, _record(sealed_loss(key_lost(C))))
    assert rig.frames(wire.RecordFrame, dora) == []
    rig.commit()
    assert [f for f in rig.frames(wire.RecordFrame, dora) if f.kind == "rotation"] == [
        _record(sealed_loss(key_lost(C)))
    ]


def test_who_was_off_takes_the_new_key_from_the_machine_itself_before_it_greets() -> None:
    rig = Rig().ready()
    carol = Actor(C)
    carol.identity = rotated_key(C, 1)
    link = rig.open(carol.identity)
    assert rig.frames(wire.Hello, link) == []
    rig.receive(link, _record(sealed_loss(key_lost(C))))
    rig.receive(link, carol.hello())
    assert link not in rig.closed
    assert rig.frames(wire.Hello, link) != []
    assert rig.counted("fault.key_conflict") == 0


def test_it_is_heard_from_the_entry_that_carries_it() -> None:
    rig = Rig().ready()
    alice = Actor(A)
    link = rig.meet(alice)
    body = encode(rotate_body(sealed_loss(key_lost(C))))
    rig.receive(link, entries(alice.begin(LEDGER), alice.write("member.rotate", body, chain=LEDGER)))
    assert rig.core.directory.members[C].public == rotated_key(C, 1).key.public
    assert _codes(rig) == ["key_lost"]


def test_what_the_old_key_signed_up_to_the_cut_counts_and_what_was_held_behind_it_is_given_to_nobody() -> None:
    carol = Actor(C)
    mail = list(carol.mail(5))
    rig, late = Rig().ready(), Rig().ready()
    alice, other = rig.meet(Actor(A)), late.meet(Actor(A))
    rig.receive(alice, entries(*mail))
    for node, link in ((rig, alice), (late, other)):
        node.receive(link, _record(sealed_loss(key_lost(C, mail=_cut(mail[2])))))
    late.receive(other, entries(*mail))
    assert (_held(rig, carol), _held(late, carol)) == (5, 3)
    assert late.counted("entries.replaced_key") == 2
    for node in (rig, late, rig.restart().ready()):
        (span,) = [span for span in node.core.exchange.spans() if (span.author, span.chain) == (C, MAIL)]
        assert (span.head, span.id) == (3, mail[2].id)
    rig.forget()
    rig.receive(alice, wire.Want(author=C, incarnation=1, chain=MAIL, first=4))
    assert rig.frames(wire.EntriesFrame, alice) == []


def test_heartbeats_records_and_relayed_frames_of_the_old_key_have_no_effect() -> None:
    carol = Actor(C)
    rig = Rig().ready()
    alice = rig.meet(Actor(A))
    rig.receive(alice, _record(sealed_loss(key_lost(C))))
    rig.forget()
    rig.receive(alice, carol.beat(relayed=True))
    rig.receive(alice, carol.frontier())
    rig.receive(alice, carol.relay(wire.OwnQuery(), to=B))
    assert rig.core.presence.latest(C) is None
    assert rig.frames(wire.OwnAnswer) == []
    assert alice not in rig.closed


def test_a_thief_makes_no_evidence_of_a_fork_with_the_old_key() -> None:
    carol = Actor(C)
    mail = list(carol.mail(3))
    false, true = carol.fork_at(4).chains[MAIL][3], carol.write("note", b"before it died, and unheard")
    rig = Rig().ready()
    alice = rig.meet(Actor(A))
    rig.receive(alice, _record(sealed_loss(key_lost(C, mail=_cut(mail[2])))))
    rig.receive(alice, wire.Fork(first=true.raw, second=false.raw))
    assert not rig.core.forks.frozen(C)
    assert rig.counted("fault.no_fork") == 1


def test_two_words_about_one_key_are_a_conflict_and_the_first_stays() -> None:
    rig = Rig().ready()
    alice = rig.meet(Actor(A))
    rig.receive(alice, _record(sealed_loss(key_lost(C))))
    rig.receive(alice, _record(sealed_loss(key_lost(C, serial=2, by=second_key(C)))))
    assert rig.core.presence.liveness.verdict(C, rig.now).state is State.CONFLICT
    assert rig.core.directory.members[C].public == rotated_key(C, 1).key.public
    assert alice not in rig.closed  # who passed it on is not to blame


def test_of_two_words_with_the_same_new_key_the_lowest_cut_holds_in_whatever_order() -> None:
    carol = Actor(C)
    mail = list(carol.mail(5))
    said = [sealed_loss(key_lost(C, mail=_cut(mail[at]), serial=at)) for at in (1, 3)]
    for order in (said, said[::-1]):
        rig = Rig().ready()
        alice = rig.meet(Actor(A))
        for one in order:
            rig.receive(alice, _record(one))
        rig.receive(alice, entries(*mail))
        assert _held(rig, carol) == 2
        assert _codes(rig) == ["key_lost"], "one loss, shown once"


def test_one_that_names_keys_of_somebody_else_changes_nothing() -> None:
    rig = Rig().ready()
    alice = rig.meet(Actor(A))
    issuer = identity(A).issuer_key
    assert issuer is not None
    rig.receive(alice, _record(sealed_loss(key_lost(C, issuers=(identity(B).key.key_id,)))))
    assert rig.counted("fault.other_key") == 1
    assert rig.core.directory.members[C].public == identity(C).key.public


def test_a_revocation_of_the_old_key_alone_leaves_the_new_one_whichever_is_heard_first() -> None:
    revoked, lost = wire.RecordFrame(kind="revocation", envelope=revocation(C)), _record(sealed_loss(key_lost(C)))
    for first, second in ((revoked, lost), (lost, revoked)):
        rig = Rig().ready()
        alice = rig.meet(Actor(A))
        rig.receive(alice, first)
        rig.receive(alice, second)
        assert rig.core.directory.members[C].public == rotated_key(C, 1).key.public
        assert rig.restart().core.directory.members[C].public == rotated_key(C, 1).key.public


def test_a_key_lost_after_a_rotation_that_comes_later_waits_for_it() -> None:
    rig = Rig().ready()
    alice = rig.meet(Actor(A))
    rig.receive(alice, _record(sealed_loss(key_lost(C, 1, 2))))
    assert rig.core.directory.members[C].public == rotated_key(C, 0).key.public
    rig.receive(alice, _record(rotation(C, 0, 1)))
    assert rig.core.directory.members[C].public == rotated_key(C, 2).key.public
    assert rig.restart().core.directory.members[C].public == rotated_key(C, 2).key.public


def test_it_is_shown_for_seven_days_from_when_it_was_heard() -> None:
    rig = Rig().ready()
    rig.answered(OfferLost(statement=sealed_loss(key_lost(C))))
    (warning,) = view.warnings(rig.core)
    assert (warning["code"], C in str(warning["message"]), "dead disk" in str(warning["message"])) == (
        "key_lost",
        True,
        True,
    )
    for later_s, shown in ((-60, ["key_lost"]), (60, [])):
        now = Now(
            monotonic_s=rig.now.monotonic_s + limits.KEY_LOST_SHOWN_S + later_s,
            wall_ms=rig.now.wall_ms + (limits.KEY_LOST_SHOWN_S + later_s) * 1000,
        )
        assert _codes(Rig(store=rig.store, now=now)) == shown


def test_a_person_is_told_why_a_statement_is_none() -> None:
    rig = Rig().ready()
    for statement, code in (
        (rotation(C), "bad_statement"),
        (sealed_loss(key_lost(C))[:-1], "malformed"),
        (revocation(C, root=True), "bad_field"),
    ):
        answer = rig.answers[rig.ask(OfferLost(statement=statement))]
        assert isinstance(answer, RoosyncError)
        assert answer.code == code
    assert rig.core.directory.members[C].public == identity(C).key.public


def test_the_machines_issuer_key_is_given_up_and_who_was_certified_by_it_asks_another_at_once() -> None:
    lost, key = identity(A).issuer_key, SigningKey(b"i" * 32)
    assert lost is not None
    by_dora = issuer_certificate(keys().root_key, keys().root, key.public, machine=D, serial=7, now_s=BORN_S)
    new = rotated_key(A, 1)
    leaf = machine_certificate(key, by_dora, new.key.public, machine=A, fleet=keys().fleet, serial=8, now_s=BORN_S + 1)
    own = dataclasses.replace(new, leaf=leaf, issuer=by_dora, issuer_key=None, own_issuer=None)
    rig = Rig(knows=(A, C, D)).ready()
    carol, dora = rig.meet(Actor(C)), rig.meet(Actor(D))
    assert not rig.core.certificates.due()
    rig.forget()
    rig.receive(carol, _record(sealed_loss(key_lost(A, by=own, issuers=(lost.key_id,)))))
    for node in (rig, rig.restart()):
        assert lost.key_id in node.core.directory.given_up
        assert C in node.core.members(), "who was let in by it stays"
    rig.advance(1)
    assert [frame.rotates for frame in rig.frames(wire.LeafRequest, dora)] == [False]


# --- the machine itself -----------------------------------------------------------------------------------------------


def test_who_has_the_old_key_is_told_why_and_writes_nothing_also_after_a_restart() -> None:
    rig = Rig(C, knows=(A, B)).ready()
    rig.receive(rig.meet(Actor(A)), _record(sealed_loss(key_lost(C))))
    for node in (rig, rig.restart()):
        assert node.core.authorship.phase is Phase.REVOKED
        assert "was lost" in node.core.authorship.reason
        assert "dead disk" in node.core.authorship.reason


def test_the_new_home_begins_behind_the_cut_though_nobody_shows_it_anything() -> None:
    carol = Actor(C)
    mail = list(carol.mail(3))
    rig = _again(rotated_key(C, 1), sealed_loss(key_lost(C, mail=_cut(mail[2]))), knows=(identity(A),))
    rig.advance(limits.STARTUP_CHECK_S + 1)
    assert rig.core.authorship.phase is Phase.WAITING
    renewal = rig.core.authorship.renewal
    assert renewal is not None
    assert (renewal.incarnation, renewal.ledger) == (2, None)
    assert renewal.mail is not None
    assert (renewal.mail.sequence, renewal.mail.id) == (3, mail[2].id)
    assert "key was lost" in rig.core.authorship.reason
    assert "key_lost" in _codes(rig)


def test_an_issuer_that_holds_more_than_the_cut_countersigns_and_all_agree() -> None:
    carol = Actor(C)
    mail = list(carol.mail(5))
    lost = sealed_loss(key_lost(C, mail=_cut(mail[2])))
    alice, berta = Rig(A, knows=(B, C)).ready(), Rig(B, knows=(A, C)).ready()
    old = alice.meet(carol)
    alice.receive(old, entries(*mail))
    alice.answered(OfferLost(statement=lost))
    alice.close(old)
    connect(alice, berta)
    settle(alice, berta, seconds=3)
    rig = _again(rotated_key(C, 1), lost, knows=(identity(A), identity(B)))
    for other in (alice, berta):
        connect(rig, other)
    settle(alice, berta, rig, seconds=20)
    assert (rig.core.authorship.phase, rig.core.authorship.incarnation) == (Phase.READY, 2)
    assert rig.core.authorship.start == 1
    starts = [row for row in rig.rows(EntryRow) if row.author == C and row.kind == "chain.start" and row.chain == MAIL]
    assert starts[-1].body is not None
    previous = decode(starts[-1].body, ChainStart).previous
    assert previous is not None
    assert previous.sequence == 3
    digests = {node.core.exchange.digest() for node in (alice, berta, rig)}
    assert len(digests) == 1
    for node in (alice, berta):
        assert node.core.presence.liveness.verdict(C, node.now).state is State.ONLINE


def test_an_incarnation_that_the_old_key_began_unheard_is_left_out() -> None:
    carol = Actor(C, incarnation=2)
    unheard = carol.begin()  # a life that the issuer had not heard of when the root spoke
    rig = _again(rotated_key(C, 1), sealed_loss(key_lost(C)), knows=(identity(A), identity(B)))
    link = rig.meet(Actor(B))
    rig.receive(link, wire.OwnAnswer(headers=[unheard.raw], heartbeat=None, vote=None, former=[]))
    rig.advance(limits.STARTUP_CHECK_S + 1)
    renewal = rig.core.authorship.renewal
    assert renewal is not None
    assert (renewal.incarnation, renewal.mail) == (3, None)
