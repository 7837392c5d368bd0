"""Countersigning: what an issuer grants by itself, what it refuses, and what it tells a node that starts."""

from __future__ import annotations

import pytest

from roosync_p2p.codec.records import encode
from roosync_p2p.core import inputs, wire
from roosync_p2p.core.ports import LinkId
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.entries.entry import LEDGER, MAIL, Entry
from roosync_p2p.entries.incarnations import Known, Renewal
from tests.helpers.cores import A, Actor, B, C, Rig, entries


def _issuer(*held: Entry) -> tuple[Rig, LinkId]:
    """The issuer's node, linked with B, which holds these entries."""
    rig = Rig(A, knows=(B, C)).ready()
    link = rig.meet(Actor(B))
    if held:
        rig.receive(link, entries(*held))
    rig.forget()
    return rig, link


def _renewal(before: Actor, *, store: bytes = b"n" * 16, incarnation: int = 2) -> Renewal:
    return Renewal(machine=B, incarnation=incarnation, store=store, ledger=None, mail=_known(before.chains[MAIL][-1]))


def _known(entry: Entry) -> Known:
    return Known(incarnation=entry.header.incarnation, sequence=entry.header.sequence, id=entry.id)


def _asked(rig: Rig, link: LinkId, renewal: Renewal) -> wire.Countersigned:
    rig.receive(link, wire.RenewalRequest(renewal=encode(renewal)))
    return rig.frames(wire.Countersigned)[-1]


def test_an_issuer_countersigns_what_nobody_could_object_to() -> None:
    before = Actor(B)
    rig, link = _issuer(*before.mail(3))
    answer = _asked(rig, link, _renewal(before))
    assert answer.envelope is not None
    assert [row.key for row in rig.rows(MetaRow)] == [f"countersigned.{B}.2"]


def test_a_countersignature_does_not_leave_before_it_is_written_down_for_whom() -> None:
    before = Actor(B)
    rig, link = _issuer(*before.mail(3))
    rig.holding = True
    rig.receive(link, wire.RenewalRequest(renewal=encode(_renewal(before))))
    assert rig.frames(wire.Countersigned) == []
    rig.commit()
    assert len(rig.frames(wire.Countersigned)) == 1


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("another machine", "wrong_source"),
        ("less than is held", "newer_known"),
        ("another entry in that place", "forked"),
        ("an incarnation that began", "incarnation_taken"),
        ("a second store", "second_store"),
        ("out of bounds", "bad_field"),
        ("rubbish", "malformed"),
    ],
)
def test_an_issuer_refuses_with_a_reason(case: str, code: str) -> None:
    before = Actor(B)
    held = before.mail(3)
    rig, link = _issuer(*held)
    if case == "a second store":
        _asked(rig, link, _renewal(before))
    renewal = {
        "another machine": Renewal(machine=C, incarnation=2, store=b"n" * 16, ledger=None, mail=None),
        "less than is held": Renewal(machine=B, incarnation=2, store=b"n" * 16, ledger=None, mail=_known(held[1])),
        "another entry in that place": _renewal(before.fork_at(3)),
        "an incarnation that began": _renewal(before, incarnation=2),
        "a second store": _renewal(before, store=b"o" * 16),
        "out of bounds": _renewal(before, store=b"short"),
        "rubbish": _renewal(before),
    }[case]
    if case == "an incarnation that began":
        answer = _asked(rig, link, renewal)
        assert answer.envelope is not None
        after = Actor(B, incarnation=2, store=renewal.store)
        rig.receive(link, entries(after.begin(previous=renewal.mail, countersignature=answer.envelope)))
    if case == "rubbish":
        rig.receive(link, wire.RenewalRequest(renewal=b"rubbish"))
        refusal = rig.frames(wire.Countersigned)[-1]
    else:
        refusal = _asked(rig, link, renewal)
    assert refusal.envelope is None
    assert refusal.refusal.startswith(code)


def test_whoever_is_no_issuer_says_so() -> None:
    before = Actor(B)
    before.mail(1)
    rig = Rig(C, knows=(A, B)).ready()
    answer = _asked(rig, rig.meet(Actor(B)), _renewal(before))
    assert answer.refusal.startswith("not_an_issuer")


def test_a_second_store_is_refused_after_a_restart_too() -> None:
    before = Actor(B)
    rig, link = _issuer(*before.mail(3))
    _asked(rig, link, _renewal(before))
    again = rig.restart().ready()
    answer = _asked(again, again.meet(Actor(B)), _renewal(before, store=b"o" * 16))
    assert answer.refusal.startswith("second_store")


def test_a_node_that_starts_is_told_what_is_held_of_it() -> None:
    before = Actor(B)
    before.begin(LEDGER)
    rig, link = _issuer(*before.chains[LEDGER], *before.mail(3))
    rig.receive(link, before.beat())
    rig.receive(link, wire.OwnQuery())
    (answer,) = rig.frames(wire.OwnAnswer)
    assert answer.headers == [before.chains[LEDGER][-1].raw, before.chains[MAIL][-1].raw]
    assert answer.heartbeat is not None


def test_what_cannot_be_read_is_no_answer_at_all() -> None:
    before = Actor(B)
    rig, link = _issuer(*before.mail(3))
    rig.reading = False
    rig.receive(link, wire.OwnQuery())
    rig.feed(inputs.EntriesRead(read=rig.reads.pop().read, entries=()))
    assert rig.frames(wire.OwnAnswer) == []
