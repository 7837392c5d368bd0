"""Whether this machine may write: the start-up check, evidence of a rolled-back store, new lives, conflicts."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.codec.records import decode
from roosync_p2p.core import wire
from roosync_p2p.core.authorship import Phase
from roosync_p2p.core.commands import OfferCountersignature
from roosync_p2p.core.rows import EntryRow
from roosync_p2p.entries.entry import CHAIN_START, LEDGER, MAIL, Entry
from roosync_p2p.entries.incarnations import ChainStart, Renewal
from roosync_p2p.errors import InputFault
from tests.helpers.cores import A, Actor, B, C, Rig, entries, identity, keys, message


def _phase(rig: Rig) -> Phase:
    return rig.core.authorship.phase


def _answer(*shown: Entry, heartbeat: bytes | None = None) -> wire.OwnAnswer:
    return wire.OwnAnswer(headers=[entry.raw for entry in shown], heartbeat=heartbeat)


def _rolled_back(*, lost: int = 2) -> tuple[Rig, Actor]:
    """A node of B that starts on a disk with less than B wrote; the actor is what B was."""
    before = Actor(B)
    before.begin(LEDGER)
    before.mail(2 + lost)
    rig = Rig()
    rig.store.commit([_row(entry) for chain, kept in ((LEDGER, 1), (MAIL, 2)) for entry in before.chains[chain][:kept]])
    return rig.restart(), before


def _row(entry: Entry) -> EntryRow:
    return EntryRow(
        author=entry.author,
        incarnation=entry.header.incarnation,
        chain=entry.chain,
        sequence=entry.header.sequence,
        id=entry.id,
        kind=entry.header.kind,
        header=entry.raw,
        body=entry.body,
        received_ms=0,
    )


def _waiting() -> tuple[Rig, Actor]:
    rig, before = _rolled_back()
    link = rig.meet(Actor(C))
    rig.receive(link, _answer(before.chains[MAIL][-1], before.chains[LEDGER][-1]))
    rig.advance(limits.STARTUP_CHECK_S)
    assert _phase(rig) is Phase.WAITING
    return rig, before


# --- the check -------------------------------------------------------------------------------------------------------


def test_the_first_machine_of_a_fleet_has_nobody_to_ask() -> None:
    rig = Rig(A, knows=())
    rig.advance(limits.STARTUP_ALONE_S)
    assert _phase(rig) is Phase.READY


def test_the_check_ends_when_everybody_has_answered() -> None:
    rig = Rig()
    for actor in (Actor(A), Actor(C)):
        assert _phase(rig) is Phase.CHECKING
        rig.receive(rig.meet(actor), _answer())
    assert _phase(rig) is Phase.READY


def test_a_linked_machine_is_asked_what_it_holds() -> None:
    rig = Rig()
    link = rig.meet(Actor(A))
    assert rig.frames(wire.OwnQuery, link) == [wire.OwnQuery()]


def test_the_check_ends_after_its_time_though_somebody_never_answers() -> None:
    rig = Rig()
    rig.meet(Actor(A))
    rig.advance(limits.STARTUP_CHECK_S - 0.1)
    assert _phase(rig) is Phase.CHECKING
    rig.advance(0.1)
    assert _phase(rig) is Phase.READY


def test_a_member_that_is_nowhere_holds_the_check_only_while_discovery_would_find_it() -> None:
    """Its address may be found in a moment; a machine that is off must not hold up every start of the others."""
    rig = Rig(knows=(A,))
    rig.advance(limits.STARTUP_ALONE_S - 0.1)
    assert _phase(rig) is Phase.CHECKING
    rig.advance(0.3)
    assert _phase(rig) is Phase.READY


def test_heartbeats_begin_when_the_check_has_ended() -> None:
    rig = Rig()
    link = rig.meet(Actor(A))
    rig.advance(limits.STARTUP_CHECK_S - 0.1)
    assert rig.frames(wire.Beat, link) == []
    rig.advance(0.2)
    assert len(rig.frames(wire.Beat, link)) == 1


def test_each_chain_begins_with_the_certificates() -> None:
    rig = Rig().ready()
    written = [row for row in rig.rows(EntryRow) if row.kind == CHAIN_START]
    assert [(row.chain, row.sequence) for row in written] == [(LEDGER, 1), (MAIL, 1)]
    assert decode(written[0].body or b"", ChainStart).leaf == identity(B).leaf


def test_what_was_asked_during_the_check_is_done_after_it() -> None:
    rig = Rig()
    request = rig.ask(message())
    assert request not in rig.answers
    rig.ready()
    assert isinstance(rig.answers[request], dict)


def test_what_was_asked_during_a_check_that_ends_badly_is_refused_with_the_reason() -> None:
    rig, before = _rolled_back()
    request = rig.ask(message())
    rig.receive(rig.meet(Actor(C)), _answer(before.chains[MAIL][-1]))
    rig.advance(limits.STARTUP_CHECK_S)
    answer = rig.answers[request]
    assert isinstance(answer, InputFault)
    assert answer.code == "not_writing_waiting"


def test_what_was_asked_before_a_conflict_is_refused_with_the_reason() -> None:
    rig = Rig()
    request = rig.ask(message())
    rig.receive(rig.open(identity(B)), Actor(B).hello())
    answer = rig.answers[request]
    assert isinstance(answer, InputFault)
    assert answer.code == "not_writing_conflict"


def test_each_start_has_a_number_of_its_own_though_nothing_else_happened() -> None:
    rig = Rig()
    assert [rig.core.authorship.start, rig.restart().core.authorship.start] == [1, 2]


def test_a_start_number_that_did_not_reach_the_disk_is_used_again_and_was_never_shown() -> None:
    rig = Rig(holding=True)
    rig.open(identity(A))
    assert rig.sent == []
    assert rig.restart().core.authorship.start == 1


# --- evidence ---------------------------------------------------------------------------------------------------------


def test_a_newer_own_entry_that_is_shown_proves_that_this_store_lost_something() -> None:
    rig, before = _rolled_back()
    rig.receive(rig.meet(Actor(C)), _answer(before.chains[MAIL][-1]))
    rig.advance(limits.STARTUP_CHECK_S)
    assert _phase(rig) is Phase.WAITING


def test_an_own_entry_below_the_own_floor_proves_nothing() -> None:
    before = Actor(B)
    chain = list(before.mail(5))
    rig = Rig().ready()
    for _ in range(4):
        rig.answered(message("machine-a"))
    (third,) = rig.store.entries(B, 1, MAIL, 3, count_max=1, bytes_max=1)
    rig.core.delivery.raise_floor(MAIL, 1, 3, third.id)
    rig.receive(rig.meet(Actor(C)), entries(chain[1]))
    rig.advance(1)
    assert _phase(rig) is Phase.READY


def test_an_own_entry_that_is_held_proves_nothing() -> None:
    rig, before = _rolled_back()
    rig.receive(rig.meet(Actor(C)), _answer(before.chains[MAIL][1]))
    rig.advance(limits.STARTUP_CHECK_S)
    assert _phase(rig) is Phase.READY


def test_a_higher_start_number_in_an_own_heartbeat_proves_it_too() -> None:
    rig = Rig()
    rig.receive(rig.meet(Actor(C)), _answer(heartbeat=Actor(B, start=7).beat().envelope))
    rig.advance(limits.STARTUP_CHECK_S)
    assert _phase(rig) is Phase.WAITING
    assert rig.core.authorship.start == 8


def test_no_heartbeat_leaves_before_the_higher_start_number_is_durable() -> None:
    rig = Rig(knows=(A,))
    link = rig.meet(Actor(A))
    rig.holding = True
    rig.receive(link, _answer(heartbeat=Actor(B, start=7).beat().envelope))
    assert _phase(rig) is Phase.WAITING
    rig.advance(2.0)
    assert rig.frames(wire.Beat, link) == []
    rig.commit()
    assert rig.frames(wire.Beat, link) != []


def test_an_own_heartbeat_of_an_earlier_start_proves_nothing() -> None:
    rig = Rig().restart()
    rig.receive(rig.meet(Actor(C)), _answer(heartbeat=Actor(B, start=1).beat().envelope))
    rig.advance(limits.STARTUP_CHECK_S)
    assert _phase(rig) is Phase.READY


def test_a_relayed_own_heartbeat_of_a_higher_start_proves_it_during_the_check() -> None:
    rig = Rig()
    rig.receive(rig.meet(Actor(C)), wire.Beat(envelope=Actor(B, start=7).beat().envelope, relayed=True))
    rig.advance(limits.STARTUP_CHECK_S)
    assert _phase(rig) is Phase.WAITING


def test_a_tampered_header_proves_nothing() -> None:
    rig, before = _rolled_back()
    raw = before.chains[MAIL][-1].raw
    rig.receive(rig.meet(Actor(C)), wire.OwnAnswer(headers=[raw[:-1] + bytes([raw[-1] ^ 1])]))
    rig.advance(limits.STARTUP_CHECK_S)
    assert _phase(rig) is Phase.READY


def test_anothers_entry_proves_nothing() -> None:
    rig, _ = _rolled_back()
    rig.receive(rig.meet(Actor(C)), _answer(Actor(C).mail(9)[-1]))
    rig.advance(limits.STARTUP_CHECK_S)
    assert _phase(rig) is Phase.READY


def test_another_entry_in_an_own_place_is_a_conflict() -> None:
    rig, before = _rolled_back()
    rig.receive(rig.meet(Actor(C)), _answer(before.fork_at(2).chains[MAIL][-1]))
    assert _phase(rig) is Phase.CONFLICT


def test_an_answer_that_comes_late_still_counts_while_nothing_was_written() -> None:
    rig, before = _rolled_back()
    link = rig.meet(Actor(C))
    rig.ready()
    rig.receive(link, _answer(before.chains[MAIL][-1]))
    assert _phase(rig) is Phase.WAITING


def test_an_answer_that_comes_after_something_was_written_is_a_conflict() -> None:
    rig, before = _rolled_back()
    link = rig.meet(Actor(C))
    rig.ready().answered(message())
    rig.receive(link, _answer(before.chains[MAIL][-1]))
    assert _phase(rig) is Phase.CONFLICT


def test_an_own_entry_that_surfaces_before_anything_was_written_begins_a_new_life() -> None:
    rig, before = _rolled_back()
    link = rig.meet(Actor(C))
    rig.ready()
    rig.receive(link, entries(before.chains[MAIL][2]))
    assert _phase(rig) is Phase.WAITING


def test_an_own_entry_that_surfaces_after_something_was_written_is_a_conflict() -> None:
    rig, before = _rolled_back()
    link = rig.meet(Actor(C))
    rig.ready().answered(message())
    rig.receive(link, entries(before.chains[MAIL][2]))
    assert _phase(rig) is Phase.CONFLICT


def test_an_own_entry_that_a_peer_sends_back_is_no_conflict() -> None:
    rig = Rig().ready()
    rig.answered(message())
    mine = rig.store.entries(B, 1, MAIL, 1, count_max=9, bytes_max=9_999)
    link = rig.meet(Actor(C))
    echo = [wire.WireEntry(header=row.header, body=row.body) for row in mine]
    rig.receive(link, wire.EntriesFrame(entries=echo))
    assert _phase(rig) is Phase.READY


# --- what is refused, and how -----------------------------------------------------------------------------------------


def test_while_it_waits_a_machine_refuses_to_write_and_says_who_helps() -> None:
    rig, _ = _waiting()
    refused = rig.refused(message())
    assert refused.code == "not_writing_waiting"
    assert "nothing was sent" in refused.message
    assert "issuer" in refused.remedy


def test_in_conflict_a_machine_refuses_to_write_and_says_what_to_do() -> None:
    rig = Rig().ready()
    rig.receive(rig.open(identity(B)), Actor(B).hello())
    refused = rig.refused(message())
    assert refused.code == "not_writing_conflict"
    assert "settle" in refused.remedy


def test_while_it_waits_a_machine_still_receives() -> None:
    rig, _ = _waiting()
    rig.receive(rig.meet(Actor(A)), entries(*_told(Actor(A))))
    assert [event["subject"] for event in rig.told("message")] == ["hello"]


def _told(actor: Actor) -> list[Entry]:
    actor.say("machine-b")
    return actor.chains[MAIL]


def test_while_it_waits_a_machine_lives_and_says_so() -> None:
    rig, _ = _waiting()
    rig.forget()
    rig.advance(2.0)
    assert rig.frames(wire.Beat) != []


# --- a new life -------------------------------------------------------------------------------------------------------


def test_a_waiting_node_asks_the_issuer_it_is_linked_with() -> None:
    rig, before = _waiting()
    link = rig.meet(Actor(A))
    rig.advance(2.0)
    (asked, *_) = rig.frames(wire.RenewalRequest, link)
    renewal = decode(asked.renewal, Renewal)
    assert (renewal.machine, renewal.incarnation) == (B, 2)
    assert renewal.mail is not None
    assert renewal.mail.id == before.chains[MAIL][-1].id


def test_with_an_issuers_countersignature_the_new_life_begins() -> None:
    rig, _ = _waiting()
    renewal = rig.core.authorship.renewal
    assert renewal is not None
    rig.forget()
    rig.answered(OfferCountersignature(envelope=keys().root_countersignature(renewal)))
    assert (_phase(rig), rig.core.authorship.incarnation) == (Phase.READY, 2)
    begun = [(row.chain, row.incarnation, row.kind) for row in rig.rows(EntryRow)]
    assert begun == [(LEDGER, 2, CHAIN_START), (MAIL, 2, CHAIN_START)]
    assert rig.answered(message())["id"]


def test_a_countersignature_for_another_beginning_is_refused() -> None:
    rig, _ = _waiting()
    other = Renewal(machine=B, incarnation=2, store=b"o" * 16, ledger=None, mail=None)
    refused = rig.refused(OfferCountersignature(envelope=keys().root_countersignature(other)))
    assert refused.code == "other_renewal"
    assert _phase(rig) is Phase.WAITING


def test_a_countersignature_that_nobody_waits_for_is_refused() -> None:
    other = Renewal(machine=B, incarnation=2, store=b"o" * 16, ledger=None, mail=None)
    refused = Rig().ready().refused(OfferCountersignature(envelope=keys().root_countersignature(other)))
    assert refused.code == "not_waiting"


def test_the_wait_survives_a_restart_with_the_same_store_id() -> None:
    rig, _ = _waiting()
    asked = rig.core.authorship.renewal
    again = rig.restart()
    again.advance(limits.STARTUP_CHECK_S)
    assert _phase(again) is Phase.WAITING
    assert again.core.authorship.renewal == asked


def test_the_new_life_survives_a_restart() -> None:
    rig, _ = _waiting()
    renewal = rig.core.authorship.renewal
    assert renewal is not None
    rig.answered(OfferCountersignature(envelope=keys().root_countersignature(renewal)))
    again = rig.restart().ready()
    assert (again.core.authorship.incarnation, again.core.authorship.store) == (2, renewal.store)


def test_what_the_disk_lost_comes_back_and_the_new_life_begins_behind_it() -> None:
    rig, before = _waiting()
    rig.receive(rig.meet(Actor(A)), entries(*before.chains[MAIL][2:]))
    assert [row.sequence for row in rig.rows(EntryRow)] == [3, 4]
    renewal = rig.core.authorship.renewal
    assert renewal is not None
    assert renewal.mail is not None
    assert renewal.mail.sequence == 4


def test_what_surfaces_of_an_earlier_life_is_kept_and_no_conflict() -> None:
    rig, before = _waiting()
    renewal = rig.core.authorship.renewal
    assert renewal is not None
    rig.answered(OfferCountersignature(envelope=keys().root_countersignature(renewal)))
    rig.receive(rig.meet(Actor(A)), entries(*before.chains[MAIL][2:]))
    assert _phase(rig) is Phase.READY
    assert rig.store.entries(B, 1, MAIL, 3, count_max=9, bytes_max=9_999) != []
