"""Members in: what was decided while no node ran is written once, and what others wrote is learned from."""

from __future__ import annotations

import dataclasses

from roosync_p2p.core.commands import AddInvite
from roosync_p2p.core.rows import EntryRow, InviteRow, MemberRow, PendingRow
from roosync_p2p.entries.entry import LEDGER
from roosync_p2p.trust.statements import FLEET_FOUND, MEMBER_ADMIT
from tests.helpers.cores import A, Actor, B, C, D, Rig, entries, keys, second_key


def _founder() -> Rig:
    """The founding machine at its first start, with what ``init`` left for it."""
    rig = Rig(A, knows=(B,))
    rig.store.commit(
        [
            PendingRow(number=1, kind=FLEET_FOUND, body=keys().founding()),
            PendingRow(number=2, kind=MEMBER_ADMIT, body=keys().admission(C).body),
        ]
    )
    return rig.restart()


def _ledger(rig: Rig) -> list[str]:
    return [row.kind for row in rig.store.entries(rig.machine, 1, LEDGER, 1, count_max=99, bytes_max=10**6)]


def test_what_was_decided_before_the_first_start_is_written_after_the_check() -> None:
    rig = _founder()
    assert _ledger(rig) == []
    rig.ready()
    assert _ledger(rig) == ["chain.start", FLEET_FOUND, MEMBER_ADMIT]


def test_it_is_written_once() -> None:
    again = _founder().ready().restart().ready()
    assert _ledger(again) == ["chain.start", FLEET_FOUND, MEMBER_ADMIT]


def test_after_a_crash_in_the_middle_it_is_written_once() -> None:
    rig = _founder()
    rig.holding = True
    rig.advance(5.1)
    assert _ledger(rig.restart().ready()) == ["chain.start", FLEET_FOUND, MEMBER_ADMIT]


def test_an_admission_pins_the_key_writes_the_entry_and_uses_the_invite_together() -> None:
    rig = Rig(A, knows=(B, C)).ready()
    rig.forget()
    admission = dataclasses.replace(keys().admission(D), invite_id=b"i" * 8, invite=b"used")
    rig.holding = True
    request = rig.ask(admission)
    assert request not in rig.answers
    rig.commit()
    assert request in rig.answers
    kinds = {type(row) for row in rig.written}
    assert {MemberRow, InviteRow, EntryRow} <= kinds
    assert D in rig.core.members()


def test_a_machine_id_with_another_key_is_not_admitted() -> None:
    rig = Rig(A, knows=(B, C)).ready()
    rig.forget()
    double = second_key(B)
    refused = rig.refused(dataclasses.replace(keys().admission(B), leaf=double.leaf))
    assert refused.code == "key_conflict"
    assert rig.written == []


def test_nobody_is_admitted_while_this_machine_must_not_write() -> None:
    rig = Rig(A, knows=(B, C))
    request = rig.ask(keys().admission(D))
    assert request not in rig.answers
    assert D not in rig.core.members()
    rig.ready()
    assert isinstance(rig.answers[request], dict)


def test_an_invite_is_kept_before_its_code_is_shown() -> None:
    rig = Rig(A, knows=(B,))
    rig.holding = True
    request = rig.ask(AddInvite(invite_id=b"i" * 8, data=b"data"))
    assert request not in rig.answers
    rig.commit()
    assert request in rig.answers
    assert rig.store.invites() == [InviteRow(invite_id=b"i" * 8, data=b"data")]


def _received(body: bytes, *, author: Actor) -> Rig:
    rig = Rig(knows=(A,)).ready()
    author.begin(LEDGER)
    author.write(MEMBER_ADMIT, body, chain=LEDGER)
    link = rig.meet(Actor(A))
    rig.receive(link, entries(*author.chains[LEDGER]))
    return rig


def test_an_admission_by_an_issuer_introduces_the_machine() -> None:
    rig = _received(keys().admission(D).body, author=Actor(A))
    assert D in rig.core.members()
    assert {"machine": D} in rig.told("member")


def test_an_admission_in_the_name_of_another_is_counted_and_kept() -> None:
    rig = _received(keys().admission(D).body, author=Actor(C))
    assert D not in rig.core.members()
    assert rig.counted("fault.wrong_machine") == 1
    assert len(rig.rows(EntryRow)) >= 2


def test_an_admission_that_does_not_parse_is_counted_and_kept() -> None:
    rig = _received(b"rubbish", author=Actor(A))
    assert any(name.startswith("fault.") for name in rig.core.desk.counters)
    assert [row.kind for row in rig.rows(EntryRow) if row.author == A] == ["chain.start", MEMBER_ADMIT]


def test_members_are_known_after_a_restart() -> None:
    rig = _received(keys().admission(D).body, author=Actor(A))
    assert D in rig.restart().core.members()
