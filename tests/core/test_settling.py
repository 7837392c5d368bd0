"""A fork that a person settled: one branch goes on, the other is kept aside, and the conflict is over."""

from __future__ import annotations

import pytest

from roosync_p2p.codec.records import encode
from roosync_p2p.core import inputs, view, wire
from roosync_p2p.core.intake import prepare
from roosync_p2p.core.ports import LinkId
from roosync_p2p.core.rows import ChainCutRow, ForkRow
from roosync_p2p.core.settling import settlement
from roosync_p2p.entries.entry import LEDGER, MAIL, Entry
from roosync_p2p.entries.incarnations import Known, Renewal
from roosync_p2p.errors import InputFault
from roosync_p2p.ledger.bodies import MEMBER_SETTLE, MemberSettle
from roosync_p2p.ledger.cursors import moved
from tests.helpers.cores import A, Actor, B, C, D, Rig, entries, message


def _settlement(by: Actor, keep: Entry) -> Entry:
    """The issuer's word, in its ledger chain."""
    header = keep.header
    body = MemberSettle(
        machine=keep.author, incarnation=header.incarnation, chain=keep.chain, sequence=header.sequence, keep=keep.id
    )
    if not by.chains[LEDGER]:
        by.begin(LEDGER)
    return by.write(MEMBER_SETTLE, encode(body), chain=LEDGER)


def _apply(rig: Rig, settlement: Entry) -> None:
    """As if the order had just given it a number here."""
    rig.core.commit.settlements.append(settlement)
    rig.feed(inputs.Tick())


def _grown(actor: Actor, count: int) -> Actor:
    while len(actor.chains[MAIL]) < count:
        actor.write("note", f"{len(actor.chains[MAIL])} of the other branch".encode())
    return actor


def _forked(*, length: int = 6) -> tuple[Rig, LinkId, Actor, Actor]:
    """B holds one branch of C to its end, and has proof of another one from the fourth entry on."""
    rig, one = Rig(knows=(A, C, D)).ready(), Actor(C)
    one.mail(length)
    other = _grown(one.fork_at(4), length)
    link = rig.meet(Actor(D))
    rig.receive(link, entries(*one.mail(length)))
    rig.receive(link, entries(other.chains[MAIL][3]))
    assert rig.core.forks.frozen(C)
    return rig, link, one, other


def _held(rig: Rig) -> list[object]:
    key = (C, 1, MAIL)
    return [rig.core.exchange.held(key, at) for at in range(1, rig.core.exchange.durable_head(key) + 1)]


def _ids(actor: Actor) -> list[object]:
    return [entry.id for entry in actor.chains[MAIL]]


def test_what_was_held_of_the_other_branch_leaves_the_chain_and_the_kept_one_takes_its_place() -> None:
    rig, link, one, other = _forked()
    kept, dropped = other.chains[MAIL], one.chains[MAIL]
    _apply(rig, _settlement(Actor(A), kept[3]))
    assert rig.rows(ChainCutRow) == [ChainCutRow(author=C, incarnation=1, chain=MAIL, first=4)]
    assert _held(rig) == _ids(one)[:3]
    rig.receive(link, entries(*dropped[3:]))
    assert _held(rig) == _ids(one)[:3], "the branch that was dropped does not come back"
    rig.receive(link, entries(*kept[3:]))
    for node in (rig, rig.restart().ready()):
        assert _held(node) == _ids(other)
        assert not node.core.forks.frozen(C)
        assert not [w for w in view.warnings(node.core) if w["code"] == "forked"]
    assert rig.store.entry(dropped[5].id) is not None, "nothing is deleted"
    assert len(rig.store.load().forks) == 1, "the evidence stays"


def test_who_holds_the_kept_branch_goes_on_with_it() -> None:
    rig, link, one, other = _forked()
    rig.receive(link, entries(one.write("note", b"after the fork")))
    assert len(_held(rig)) == 6
    _apply(rig, _settlement(Actor(A), one.chains[MAIL][3]))
    rig.receive(link, entries(one.chains[MAIL][6]))
    assert _held(rig) == _ids(one)
    assert rig.rows(ChainCutRow) == []
    rig.receive(link, entries(*other.chains[MAIL][3:]))
    assert not rig.core.forks.frozen(C), "what a member that was off still holds is no new fork"


def test_the_conflict_is_over_in_the_transaction_of_the_settlement() -> None:
    rig, _, _, other = _forked()
    rig.holding = True
    _apply(rig, _settlement(Actor(A), other.chains[MAIL][3]))
    lost = rig.restart().ready()
    assert lost.core.forks.frozen(C)
    assert len(_held(lost)) == 6
    _apply(lost, _settlement(Actor(A), other.chains[MAIL][3]))
    assert len(_held(lost)) == 3


def test_the_same_settlement_twice_changes_nothing_the_second_time() -> None:
    rig, link, _, other = _forked()
    settlement = _settlement(Actor(A), other.chains[MAIL][3])
    _apply(rig, settlement)
    rig.receive(link, entries(*other.chains[MAIL][3:]))
    rig.forget()
    _apply(rig, settlement)
    assert (rig.written, rig.told("settled")) == ([], [])
    assert _held(rig) == _ids(other)


def test_evidence_of_a_settled_fork_that_comes_late_is_no_conflict() -> None:
    rig, link, one, other = _forked()
    _apply(rig, _settlement(Actor(A), other.chains[MAIL][3]))
    for at in (3, 4, 5):
        rig.receive(link, wire.Fork(first=one.chains[MAIL][at].raw, second=other.chains[MAIL][at].raw))
    assert not rig.core.forks.frozen(C)


def test_the_kept_branch_can_fork_again() -> None:
    rig, link, _, other = _forked()
    _apply(rig, _settlement(Actor(A), other.chains[MAIL][3]))
    rig.receive(link, entries(*other.chains[MAIL][3:]))
    third = other.fork_at(6)
    rig.receive(link, entries(third.chains[MAIL][5]))
    assert rig.core.forks.frozen(C)
    assert rig.core.forks.beginnings(C)[0].sequence == 6


def test_one_settled_chain_does_not_end_the_conflict_of_the_other() -> None:
    rig, link, _, other = _forked()
    ledger = Actor(C)
    ledger.begin(LEDGER)
    ledger.write("note", b"1", chain=LEDGER)
    twin = ledger.fork_at(2, chain=LEDGER)
    rig.receive(link, wire.Fork(first=ledger.chains[LEDGER][1].raw, second=twin.chains[LEDGER][1].raw))
    _apply(rig, _settlement(Actor(A), other.chains[MAIL][3]))
    assert [row.chain for row in rig.core.forks.beginnings(C)] == [LEDGER]
    _apply(rig, _settlement(Actor(A), twin.chains[LEDGER][1]))
    assert not rig.core.forks.frozen(C)


def test_where_the_branches_part_is_walked_back_to_and_only_there_it_can_be_settled() -> None:
    rig, one = Rig(knows=(A, C, D)).ready(), Actor(C)
    one.mail(7)
    other = _grown(one.fork_at(4), 7)
    link = rig.meet(Actor(D))
    rig.receive(link, entries(*one.chains[MAIL]))
    rig.receive(link, entries(other.chains[MAIL][6]))
    assert rig.core.forks.branches(C) == {}
    for sequence in (6, 5, 4):
        assert rig.frames(wire.Want, link)[-1].first == sequence
        rig.receive(link, entries(other.chains[MAIL][sequence - 1]))
    assert set(rig.core.forks.branches(C)) == {one.chains[MAIL][3].id, other.chains[MAIL][3].id}
    assert [row.sequence for row in rig.rows(ForkRow)] == [7, 4]
    assert rig.frames(wire.Fork, link)[-1].first in (one.chains[MAIL][3].raw, other.chains[MAIL][3].raw)


def test_what_has_a_commit_number_cannot_be_dropped_and_keeping_it_names_the_newest_that_has_one() -> None:
    rig, one = Rig(knows=(A, C, D)).ready(), Actor(C)
    one.begin(LEDGER)
    for number in range(4):
        one.write("note", f"{number}".encode(), chain=LEDGER)
    ordered, dropped = one.chains[LEDGER][2], one.fork_at(3, chain=LEDGER).chains[LEDGER][2]
    newest = one.chains[LEDGER][4]
    link = rig.meet(Actor(D))
    rig.receive(link, entries(*one.chains[LEDGER]))
    rig.receive(link, entries(dropped))
    rig.core.commit.applier.state = rig.core.commit.state.with_changes(moved(newest))
    proof = rig.core.forks.branches(C)[ordered.id]
    with pytest.raises(InputFault) as caught:
        settlement(rig.core, proof, dropped.id, ordered=False)
    assert caught.value.code == "already_ordered"
    body = settlement(rig.core, proof, ordered.id, ordered=True)
    assert (body.sequence, body.keep, body.kept) == (5, newest.id, (3, ordered.id))


# --- the machine itself -----------------------------------------------------------------------------------------------


def _copied() -> tuple[Rig, LinkId, Entry, Entry]:
    """B in conflict: it wrote one thing, its copy another in that place. Its own entry, and the copy's."""
    rig = Rig().ready()
    rig.answered(message())
    written = rig.store.entries(B, 1, MAIL, 2, count_max=1, bytes_max=1 << 20)[0]
    copy = Actor(B)
    begun = rig.store.entries(B, 1, MAIL, 1, count_max=1, bytes_max=1 << 20)[0]
    copy.chains[MAIL] = [_parsed(rig, begun.header)]
    theirs = copy.write("note", b"of the copy")
    mine = _parsed(rig, written.header)
    link = rig.meet(Actor(A))
    rig.receive(link, wire.Fork(first=mine.raw, second=theirs.raw))
    assert rig.core.authorship.phase.value == "conflict"
    return rig, link, mine, theirs


def _parsed(rig: Rig, header: bytes) -> Entry:
    (entry,) = prepare(
        wire.encode_frame(wire.EntriesFrame(entries=[wire.WireEntry(header=header, body=None)])), rig.core.directory
    ).parts
    assert isinstance(entry, Entry)
    return entry


def _heard(rig: Rig, link: LinkId, keep: Entry, by: Actor | None = None) -> None:
    issuer = Actor(A) if by is None else by
    settlement = _settlement(issuer, keep)
    rig.receive(link, entries(issuer.chains[LEDGER][0], settlement))


def test_a_forked_machine_names_the_entry_that_its_home_holds() -> None:
    rig, _, mine, theirs = _copied()
    shown = str(view.warnings(rig.core)[0]["message"])
    assert mine.id.hex() in shown
    assert theirs.id.hex() not in shown


def test_the_machine_whose_branch_is_kept_begins_a_new_life_behind_it() -> None:
    rig, link, mine, _ = _copied()
    start = rig.core.authorship.start
    _heard(rig, link, mine)
    assert rig.core.authorship.phase.value == "checking"
    assert rig.core.authorship.start > start
    for node in (rig, rig.restart()):
        node.advance(5.1)
        renewal = node.core.authorship.renewal
        assert renewal is not None
        assert renewal.incarnation == 2
        assert renewal.mail is not None
        assert renewal.mail.id == mine.id


def test_the_machine_whose_branch_is_dropped_writes_nothing_and_says_why_also_after_a_restart() -> None:
    rig, link, _, theirs = _copied()
    _heard(rig, link, theirs)
    for node in (rig, rig.restart()):
        node.advance(6)
        assert node.core.authorship.phase.value == "conflict"
        refused = node.refused(message())
        assert (refused.code, "this home is the copy" in refused.message) == ("not_writing_conflict", True)
        assert isinstance(refused, InputFault)
        assert "remove this home" in refused.remedy
        assert not node.core.presence.beating


@pytest.mark.parametrize("again", ["the dropped branch", "the evidence"])
def test_a_machine_that_goes_on_is_not_stopped_by_who_has_not_heard(again: str) -> None:
    rig, link, mine, theirs = _copied()
    _heard(rig, link, mine)
    late = entries(theirs) if again == "the dropped branch" else wire.Fork(first=mine.raw, second=theirs.raw)
    rig.receive(link, late)
    assert rig.core.authorship.phase.value == "checking"
    rig.advance(6)
    rig.receive(link, late)
    assert rig.core.authorship.phase.value == "waiting"


def test_a_copy_that_has_not_heard_is_given_no_life_that_the_machine_needs() -> None:
    rig, one = Rig(A, knows=(B, C)).ready(), Actor(C)
    one.mail(6)
    other = _grown(one.fork_at(4), 6)
    link = rig.meet(Actor(C))
    rig.receive(link, entries(*one.chains[MAIL]))
    rig.receive(link, entries(other.chains[MAIL][3]))
    _apply(rig, _settlement(Actor(A), one.chains[MAIL][3]))
    newest = one.chains[MAIL][-1]
    known = Known(incarnation=1, sequence=6, id=newest.id)
    for store, settled, granted in (
        (b"c" * 16, b"", False),
        (b"m" * 16, rig.core.forks.settlements(C), True),
        (b"c" * 16, rig.core.forks.settlements(C), False),
    ):
        renewal = Renewal(machine=C, incarnation=2, store=store, ledger=None, mail=known)
        rig.receive(link, wire.RenewalRequest(renewal=encode(renewal), settled=settled))
        answer = rig.frames(wire.Countersigned)[-1]
        assert (answer.envelope is not None) == granted
        if not settled:
            assert answer.refusal.startswith("unsettled")


def test_who_asks_for_a_new_life_says_which_settlements_it_knows() -> None:
    rig, link, mine, _ = _copied()
    _heard(rig, link, mine)
    rig.advance(8)
    issuer = Rig(A, knows=(B, C)).ready()
    _apply(issuer, _settlement(Actor(A), mine))
    assert rig.frames(wire.RenewalRequest)[-1].settled == issuer.core.forks.settlements(B) != b""


def test_nobody_but_an_issuer_settles() -> None:
    rig, _, mine, _ = _copied()
    _heard(rig, rig.meet(Actor(C)), mine, Actor(C))
    assert rig.core.authorship.phase.value == "conflict"
