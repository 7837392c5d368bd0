"""A machine's next key: one transaction at home, and from the moment that it is heard the old key says nothing new."""

from __future__ import annotations

import dataclasses

import pytest

from roosync_p2p import limits
from roosync_p2p.core import inputs, wire
from roosync_p2p.core.commands import Rotate
from roosync_p2p.core.identity import NodeIdentity
from roosync_p2p.core.rows import EntryRow, MemberRow, RecordRow
from roosync_p2p.entries.entry import LEDGER, MAIL, Entry
from roosync_p2p.errors import RoosyncError
from roosync_p2p.gossip.sessions import OpenSession
from roosync_p2p.liveness.verdicts import State
from roosync_p2p.trust.certificates import certificate_request
from roosync_p2p.trust.envelopes import parse_envelope
from roosync_p2p.trust.rotations import read_rotation
from roosync_p2p.trust.statements import Cut
from tests.helpers.actors import Actor, revocation, rotated_key, rotation, second_key
from tests.helpers.cores import A, B, C, D, Rig, entries, identity


def _record(envelope: bytes) -> wire.RecordFrame:
    return wire.RecordFrame(kind="rotation", envelope=envelope)


def _cut(entry: Entry) -> Cut:
    return Cut(incarnation=entry.header.incarnation, sequence=entry.header.sequence, id=entry.id)


def _with_key(actor: Actor, own: NodeIdentity) -> Actor:
    actor.identity = own
    return actor


def _held(rig: Rig, of: Actor) -> int:
    return rig.core.exchange.durable_head((of.machine, 1, MAIL))


def test_links_with_the_old_key_are_closed_and_the_machine_is_known_by_the_new_one_also_after_a_restart() -> None:
    rig = Rig().ready()
    carol, alice = rig.meet(Actor(C)), rig.meet(Actor(A))
    rig.receive(alice, _record(rotation(C)))
    assert rig.closed[carol].startswith("key_revoked")
    assert rig.told("rotated")[0]["key"] == rotated_key(C, 1).key.key_id.hex()
    for node in (rig, rig.restart().ready()):
        assert node.core.directory.members[C].public == rotated_key(C, 1).key.public
        again = node.meet(_with_key(Actor(C, start=2), rotated_key(C, 1)))
        assert again not in node.closed
        old = node.open(identity(C))
        assert node.closed[old].startswith("key_revoked")
        assert node.frames(wire.RecordFrame, old) == [_record(rotation(C))]


def test_it_is_passed_on_once_and_not_before_it_is_on_the_disk() -> None:
    rig = Rig(knows=(A, C, D)).ready()
    alice, dora = rig.meet(Actor(A)), rig.meet(Actor(D))
    rig.forget()
    rig.holding = True
    for _ in range(2):
        rig.receive(alice, _record(rotation(C)))
    assert rig.frames(wire.RecordFrame, dora) == []
    rig.commit()
    assert [f for f in rig.frames(wire.RecordFrame, dora) if f.kind == "rotation"] == [_record(rotation(C))]


def test_who_was_off_takes_the_new_key_from_the_machine_itself_before_it_greets() -> None:
    rig = Rig().ready()
    carol = _with_key(Actor(C), rotated_key(C, 1))
    link = rig.open(carol.identity)
    assert rig.frames(wire.Hello, link) == []
    rig.receive(link, _record(rotation(C)))
    rig.receive(link, carol.hello())
    assert link not in rig.closed
    assert rig.frames(wire.Hello, link) != []
    assert rig.counted("fault.key_conflict") == 0


def test_who_was_off_while_it_rotated_twice_takes_both() -> None:
    rig = Rig().ready()
    carol = _with_key(Actor(C), rotated_key(C, 2))
    link = rig.open(carol.identity)
    rig.receive(link, _record(rotation(C, 1, 2)))
    rig.receive(link, _record(rotation(C, 0, 1)))
    rig.receive(link, carol.hello())
    assert link not in rig.closed
    assert rig.core.directory.members[C].public == carol.identity.key.public


def test_entries_of_the_old_key_count_up_to_the_cut_and_those_of_the_new_one_behind_it() -> None:
    carol = Actor(C)
    mail = list(carol.mail(3))
    late = carol.fork_at(4).chains[MAIL][3]
    rig = Rig().ready()
    alice = rig.meet(Actor(A))
    rig.receive(alice, entries(*mail))
    rig.receive(alice, _record(rotation(C, mail=_cut(mail[2]))))
    rig.receive(alice, entries(late))
    assert (_held(rig, carol), rig.counted("entries.replaced_key")) == (3, 1)
    carol.identity = rotated_key(C, 1)
    rig.receive(alice, entries(carol.write("note", b"with the new key")))
    assert _held(rig, carol) == 4
    assert not rig.core.forks.frozen(C)


def test_a_thief_of_the_old_key_makes_no_evidence_of_a_fork() -> None:
    carol = Actor(C)
    mail = list(carol.mail(3))
    false = carol.fork_at(4).chains[MAIL][3]
    carol.identity = rotated_key(C, 1)
    true = carol.write("note", b"with the new key")
    rig = Rig().ready()
    alice = rig.meet(Actor(A))
    rig.receive(alice, _record(rotation(C, mail=_cut(mail[2]))))
    rig.receive(alice, wire.Fork(first=true.raw, second=false.raw))
    assert not rig.core.forks.frozen(C)
    assert rig.counted("fault.no_fork") == 1


def test_who_never_knew_the_old_key_reads_what_it_signed() -> None:
    carol = Actor(C)
    mail = list(carol.mail(3))
    carol.identity = rotated_key(C, 1)
    mail.append(carol.write("note", b"with the new key"))
    rig = Rig(knows=(A,)).ready()
    alice = rig.meet(Actor(A))
    rig.receive(alice, _record(rotation(C, mail=_cut(mail[2]))))
    rig.receive(alice, entries(*mail))
    assert _held(rig, carol) == 4


def test_a_revoked_machine_does_not_come_back_by_a_rotation_whichever_is_heard_first() -> None:
    revoked = wire.RecordFrame(kind="revocation", envelope=revocation(C))
    for first, second in ((revoked, _record(rotation(C))), (_record(rotation(C)), revoked)):
        rig = Rig().ready()
        alice = rig.meet(Actor(A))
        rig.receive(alice, first)
        rig.receive(alice, second)
        assert C not in rig.core.members()
        link = rig.open(rotated_key(C, 1))
        assert rig.closed[link].startswith("key_revoked")


def test_a_copy_with_the_old_key_stops_for_good() -> None:
    rig = Rig(C).ready()
    rig.receive(rig.meet(Actor(A)), _record(rotation(C)))
    for node in (rig, rig.restart()):
        assert node.core.authorship.phase.value == "revoked"
        assert "replaced" in node.core.authorship.reason


# --- this machine's own -------------------------------------------------------------------------------------------


def _founder() -> Rig:
    """The only issuer, voter and member, whose admission is ordered."""
    rig = Rig(A, knows=(), founded=True).ready()
    rig.advance(5)
    assert rig.core.commit.seats.known.register.present(A) is not None
    return rig


def test_an_issuer_rotates_in_one_transaction_and_installs_it_before_anybody_hears() -> None:
    rig = _founder()
    link = rig.meet(Actor(B))
    rig.forget()
    key = rotated_key(A, 1).key
    assert rig.answered(Rotate(key=key)) == {"asked": [A]}
    (row,) = [row for row in rig.rows(RecordRow) if row.kind == "rotation"]
    said = read_rotation(row.envelope)
    (entry,) = [row for row in rig.rows(EntryRow) if row.kind == "member.rotate"]
    assert (said.ledger.sequence, said.ledger.id) == (entry.sequence, entry.id)
    assert [row.key_id for row in rig.rows(MemberRow) if row.machine == A][-1] == key.key_id
    assert rig.installed[-1] == (said.leaf, said.issuer)
    assert _record(row.envelope) in rig.frames(wire.RecordFrame, link)
    rig.advance(5)
    register = rig.core.commit.seats.known.register
    assert register.members[A].key == key.key_id
    assert rig.core.exchange.durable_head((A, 1, LEDGER)) >= entry.sequence


@pytest.mark.parametrize("durable", [False, True])
def test_killed_before_it_was_durable_the_old_key_works_and_afterwards_the_new_one(durable: bool) -> None:
    rig = _founder()
    key = rotated_key(A, 1).key
    rig.holding = True
    rig.ask(Rotate(key=key))
    assert rig.installed == [], "nothing of it leaves before it is on the disk"
    if durable:
        rig.commit()
        ((leaf, issuer),) = rig.installed
        own = dataclasses.replace(identity(A), key=key, leaf=leaf, issuer=issuer)
        again = rig.restart(own=own).ready()
        assert again.core.directory.members[A].public == key.public
    else:
        again = rig.restart().ready()
        assert again.core.directory.members[A].public == identity(A).key.public
    again.advance(5)
    assert again.core.authorship.phase.value == "ready"
    present = again.core.commit.seats.known.register.present(A)
    assert present is not None
    assert present.key == again.core.desk.identity.key.key_id


def test_who_asks_for_records_before_it_is_durable_gets_it_afterwards() -> None:
    rig = _founder()
    link = rig.meet(Actor(B))
    rig.holding = True
    rig.ask(Rotate(key=rotated_key(A, 1).key))
    rig.receive(link, wire.Versions(versions=[], answer=False))
    assert [frame for frame in rig.frames(wire.RecordFrame, link) if frame.kind == "rotation"] == []
    rig.commit()
    assert [frame for frame in rig.frames(wire.RecordFrame, link) if frame.kind == "rotation"] != []


def test_whoever_links_before_it_is_durable_is_greeted_and_shown_it_afterwards() -> None:
    rig = _founder()
    rig.holding = True
    rig.ask(Rotate(key=rotated_key(A, 1).key))
    link = rig.open(identity(B))
    assert (rig.frames(wire.RecordFrame, link), rig.frames(wire.Hello, link)) == ([], [])
    rig.commit()
    first, second, *_ = [frame for on, frame in rig.sent if on == link]
    assert isinstance(first, wire.RecordFrame)
    assert isinstance(second, wire.Hello)


@pytest.mark.parametrize("kind", ["sessions", "sealing"])
def test_who_works_here_and_how_to_seal_for_it_is_said_again_with_the_new_key(kind: str) -> None:
    rig = _founder()
    rig.feed(inputs.SealingKey(public=bytes(32)))
    session = OpenSession(id=bytes(32), workspace="w", client="c", active_ms=0, expires_ms=1)
    rig.feed(inputs.SessionsOpen(sessions=(session,)))
    link = rig.meet(Actor(B))
    rig.advance(2)
    rig.forget()
    key = rotated_key(A, 1).key
    rig.answered(Rotate(key=key))
    rig.advance(2)
    sent = [frame.envelope for frame in rig.frames(wire.RecordFrame, link) if frame.kind == kind]
    assert [parse_envelope(envelope, size_max=limits.RECORD_BYTES_MAX).key for envelope in sent] == [key.key_id]


def test_a_member_that_the_fleet_has_not_ordered_yet_keeps_its_key() -> None:
    rig = Rig().ready()
    rig.meet(Actor(A))
    answer = rig.answers[rig.ask(Rotate(key=rotated_key(B, 1).key))]
    assert isinstance(answer, RoosyncError)
    assert answer.code == "not_a_member"


def test_an_issuer_certifies_a_key_for_the_machine_that_asks_and_only_one_that_nobody_had() -> None:
    rig = Rig(A, knows=(B, C), founded=True).ready()
    link = rig.meet(Actor(B))
    asked = [(rotated_key(B, 1), ""), (identity(B), "key_revoked"), (rotated_key(C, 1), "wrong_source")]
    for own, refusal in asked:
        rig.forget()
        rig.receive(link, wire.LeafRequest(request=certificate_request(own.key, own.machine), rotates=True))
        (answer,) = rig.frames(wire.LeafAnswer, link)
        assert bool(answer.leaf) is not bool(refusal)
        assert answer.refusal.startswith(refusal)
    assert rig.core.directory.members[B].public == identity(B).key.public, "until the old key says so"


def test_another_valid_key_without_the_old_ones_word_is_a_conflict() -> None:
    rig = Rig().ready()
    thief = _with_key(Actor(C), second_key(C))
    link = rig.open(thief.identity)
    rig.receive(link, thief.hello())
    assert rig.closed[link].startswith("key_conflict")
    assert rig.core.presence.liveness.verdict(C, rig.core.desk.now).state is State.CONFLICT
    rig.receive(rig.meet(Actor(A)), _record(rotation(C)))
    assert rig.core.presence.liveness.verdict(C, rig.core.desk.now).state is State.CONFLICT, "of another key"


def test_a_key_that_was_shown_before_the_old_ones_word_is_no_conflict_once_that_came() -> None:
    rig = Rig().ready()
    carol = _with_key(Actor(C), rotated_key(C, 1))
    rig.receive(rig.open(carol.identity), carol.hello())
    assert rig.core.presence.liveness.verdict(C, rig.core.desk.now).state is State.CONFLICT
    rig.receive(rig.meet(Actor(A)), _record(rotation(C)))
    assert rig.core.presence.liveness.verdict(C, rig.core.desk.now).state is not State.CONFLICT
