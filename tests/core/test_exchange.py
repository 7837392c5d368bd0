"""Entries in and out: pushed at once, pulled once, repaired by digests; forks are proven, floors are begun at."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.core import view, wire
from roosync_p2p.core.commands import OrderEntry
from roosync_p2p.core.ports import LinkId
from roosync_p2p.core.rows import EntryRow, ForkRow
from roosync_p2p.entries.entry import LEDGER, MAIL, Entry
from roosync_p2p.entries.incarnations import Renewal
from roosync_p2p.gossip.frontier import digest_of
from tests.helpers.cores import A, Actor, B, C, D, Rig, connect, entries, keys, message, settle
from tests.helpers.ordered_fleet import acquire


def _linked(actor: Actor | None = None) -> tuple[Rig, LinkId]:
    rig = Rig().ready()
    link = rig.meet(actor or Actor(A))
    rig.forget()
    return rig, link


def _held(rig: Rig, actor: Actor) -> list[int]:
    runs = [run for run in rig.store.load().chains if (run.author, run.chain) == (actor.machine, MAIL)]
    return [run.floor + at for run in runs for at in range(len(run.ids) // 32)]


def _stored(rig: Rig, author: Actor) -> list[int]:
    return [row.sequence for row in rig.rows(EntryRow) if row.author == author.machine]


def _wants(rig: Rig, link: LinkId | None = None) -> list[tuple[str, int]]:
    return [(want.author, want.first) for want in rig.frames(wire.Want, link)]


# --- in ---------------------------------------------------------------------------------------------------------------


def test_entries_in_order_are_taken_and_durable() -> None:
    rig, link = _linked()
    author = Actor(C)
    rig.receive(link, entries(*author.mail(3)))
    assert _held(rig, author) == [1, 2, 3]


def test_entries_of_a_machine_may_come_through_any_other() -> None:
    rig, link = _linked(Actor(A))
    newcomer = Actor(D)
    rig.receive(link, entries(*newcomer.mail(2)))
    assert _held(rig, newcomer) == [1, 2]
    assert D in rig.core.members()


def test_an_entry_that_is_held_is_not_written_again() -> None:
    rig, link = _linked()
    author = Actor(C)
    rig.receive(link, entries(*author.mail(2)))
    rig.forget()
    rig.receive(link, entries(*author.mail(2)))
    assert _stored(rig, author) == []
    assert rig.counted("entries.duplicate") == 2


def test_an_entry_behind_a_gap_is_not_taken_and_the_gap_is_asked_for() -> None:
    rig, link = _linked()
    author = Actor(C)
    rig.receive(link, entries(author.mail(1)[0]))
    rig.receive(link, entries(author.mail(4)[3]))
    assert _held(rig, author) == [1]
    assert _wants(rig) == [(C, 2)]


def test_an_entry_without_its_body_is_asked_of_somebody_else() -> None:
    rig, link = _linked()
    author = Actor(C)
    first, second = author.mail(2)
    rig.receive(link, entries(first))
    rig.receive(link, wire.EntriesFrame(entries=[wire.WireEntry(header=second.raw, body=None)]))
    assert _held(rig, author) == [1]


def test_a_tampered_entry_in_the_middle_keeps_out_what_follows_it() -> None:
    rig, link = _linked()
    author = Actor(C)
    one, two, three = author.mail(3)
    spoiled = wire.WireEntry(header=two.raw, body=b"another")
    good = [wire.WireEntry(header=e.raw, body=e.body) for e in (one, three)]
    rig.receive(link, wire.EntriesFrame(entries=[good[0], spoiled, good[1]]))
    assert _held(rig, author) == [1]
    assert rig.counted("fault.wrong_body") == 1


# --- pushed -----------------------------------------------------------------------------------------------------------


def test_an_own_entry_is_pushed_at_once_to_who_holds_everything_before_it() -> None:
    a, b = Rig(A, knows=(B, C)), Rig(B, knows=(A, C))
    connect(a, b)
    settle(a, b, seconds=7)
    a.forget()
    a.answered(message("machine-b"))
    assert len(a.frames(wire.EntriesFrame)) == 1
    settle(a, b)
    assert [event["subject"] for event in b.told("message")] == ["hello"]


def test_an_own_entry_is_not_pushed_before_it_is_durable() -> None:
    a, b = Rig(A, knows=(B, C)), Rig(B, knows=(A, C))
    connect(a, b)
    settle(a, b, seconds=7)
    a.forget()
    a.holding = True
    request = a.ask(message("machine-b"))
    assert a.frames(wire.EntriesFrame) == []
    assert request not in a.answers
    a.commit()
    assert len(a.frames(wire.EntriesFrame)) == 1


def test_nobody_is_told_of_an_entry_that_is_not_durable() -> None:
    rig, link = _linked()
    author = Actor(C)
    rig.holding = True
    rig.receive(link, entries(*author.mail(2)))
    rig.advance(1.0)
    rig.receive(link, wire.Want(author=C, incarnation=1, chain="mail", first=1))
    assert all(span.author != C for have in rig.frames(wire.Have) for span in have.spans)
    assert rig.frames(wire.EntriesFrame) == []
    rig.commit()
    rig.advance(1.0)
    assert any(span.author == C and span.head == 2 for have in rig.frames(wire.Have) for span in have.spans)


def test_an_entry_is_not_pushed_back_to_where_it_came_from() -> None:
    rig, link = _linked()
    rig.receive(link, entries(*Actor(C).mail(2)))
    assert rig.frames(wire.EntriesFrame, link) == []


def test_an_entry_from_elsewhere_is_pushed_on_to_who_holds_what_is_before_it() -> None:
    rig, link = _linked()
    author, other = Actor(C), Actor(D)
    rig.receive(link, entries(author.mail(1)[0]))
    far = rig.meet(other)
    rig.receive(far, wire.Have(spans=[author.span(head=1)]))
    rig.receive(link, entries(author.mail(2)[1]))
    assert len(rig.frames(wire.EntriesFrame, far)) == 1


# --- pulled -----------------------------------------------------------------------------------------------------------


def test_what_a_frontier_shows_to_be_missing_is_asked_for_once_though_two_have_it() -> None:
    rig, one = _linked(Actor(A))
    two = rig.meet(Actor(D))
    author = Actor(C)
    author.mail(5)
    for link in (one, two):
        rig.receive(link, wire.FrontierFrame(spans=[author.span()]))
    assert _wants(rig) == [(C, 1)]


def test_an_offer_is_followed_after_a_moment_since_the_entry_is_probably_on_its_way() -> None:
    rig, link = _linked()
    author = Actor(C)
    author.mail(2)
    rig.receive(link, wire.Have(spans=[author.span()]))
    assert _wants(rig) == []
    rig.advance(limits.WANT_DELAY_S)
    assert _wants(rig) == [(C, 1)]


def test_a_want_without_an_answer_goes_to_another_holder() -> None:
    rig, one = _linked(Actor(A))
    two = rig.meet(Actor(D))
    author = Actor(C)
    author.mail(5)
    for link in (one, two):
        rig.receive(link, wire.FrontierFrame(spans=[author.span()]))
    rig.advance(limits.WANT_RETRY_S)
    assert {link for link in (one, two) if rig.frames(wire.Want, link)} == {one, two}


def test_a_long_chain_is_pulled_frame_by_frame() -> None:
    a, b = Rig(A, knows=(B, C)).ready(), Rig(B, knows=(A, C)).ready()
    for number in range(600):
        a.answered(message("machine-b", f"{number}"))
    connect(a, b)
    settle(a, b, seconds=1)
    assert a.core.exchange.spans() == b.core.exchange.spans()
    assert len(b.frames(wire.Want)) >= 3
    assert len(b.told("message")) == 600


def test_a_want_is_answered_from_the_disk_in_order_and_within_the_bound() -> None:
    rig, link = _linked()
    author = Actor(C)
    rig.receive(link, entries(*author.mail(10)))
    rig.receive(link, wire.Want(author=C, incarnation=1, chain="mail", first=3, count=4))
    (frame,) = rig.frames(wire.EntriesFrame, link)
    assert [item.header for item in frame.entries] == [entry.raw for entry in author.mail(10)[2:6]]


def test_a_want_for_what_is_not_here_is_not_answered() -> None:
    rig, link = _linked()
    rig.receive(link, wire.Want(author=C, incarnation=1, chain="mail", first=3))
    assert rig.frames(wire.EntriesFrame) == []
    assert rig.reads == []


@pytest.mark.parametrize("changes", [{"incarnation": 0}, {"first": 0}, {"count": -1}], ids=str)
def test_an_impossible_want_is_a_bad_frame(changes: dict[str, int]) -> None:
    rig, link = _linked()
    numbers = {"incarnation": 1, "first": 1, "count": 0} | changes
    rig.receive(link, wire.Want(author=C, chain="mail", **numbers))
    assert rig.counted("fault.bad_field") == 1


def test_a_peer_that_wants_without_end_costs_bounded_memory() -> None:
    rig, link = _linked()
    rig.receive(link, entries(*Actor(C).mail(2)))
    rig.reading = False
    for _ in range(limits.READS_WAITING_MAX + 50):
        rig.receive(link, wire.Want(author=C, incarnation=1, chain="mail", first=1))
    assert len(rig.reads) == limits.READS_WAITING_MAX
    assert rig.counted("wants.dropped") == 50


# --- digests ----------------------------------------------------------------------------------------------------------


def test_digests_are_compared_again_and_again() -> None:
    rig, link = _linked()
    rig.advance(2 * limits.DIGEST_INTERVAL_S + 0.1)
    assert len(rig.frames(wire.Digest, link)) == 2


def test_an_equal_digest_needs_no_more_words() -> None:
    rig, link = _linked()
    rig.receive(link, wire.Digest(frontier=rig.core.exchange.digest(), records=rig.core.delivery.digest()))
    assert rig.sent == []
    assert rig.core.exchange.agreed(A)


def test_another_digest_is_answered_with_the_whole_frontier() -> None:
    rig, link = _linked()
    rig.receive(link, wire.Digest(frontier=bytes(32), records=rig.core.delivery.digest()))
    (frame,) = rig.frames(wire.FrontierFrame, link)
    assert frame.answer
    assert digest_of(frame.spans) == rig.core.exchange.digest()


def test_what_a_lost_push_left_behind_is_repaired_by_the_digests() -> None:
    a, b = Rig(A, knows=(B, C)), Rig(B, knows=(A, C))
    connect(a, b)
    settle(a, b, seconds=7)
    a.answered(message("machine-b"))
    a.in_flight.clear()
    a.advance(0.2)
    a.in_flight.clear()
    settle(a, b, seconds=limits.DIGEST_INTERVAL_S + 1)
    assert [event["subject"] for event in b.told("message")] == ["hello"]


# --- forks ------------------------------------------------------------------------------------------------------------


def _forked() -> tuple[Rig, LinkId, Actor, Entry]:
    rig, link = _linked()
    author = Actor(C)
    rig.receive(link, entries(*author.mail(3)))
    other = author.fork_at(3).chains[MAIL][2]
    rig.receive(link, entries(other))
    return rig, link, author, other


def test_another_entry_in_a_held_place_is_a_fork_that_is_kept_told_and_passed_on() -> None:
    rig, link, author, other = _forked()
    (row,) = rig.rows(ForkRow)
    assert {row.first, row.second} == {author.chains[MAIL][2].raw, other.raw}
    assert rig.told("fork")[0]["sequence"] == 3
    assert rig.frames(wire.Fork, link) == [wire.Fork(first=row.first, second=row.second)]
    assert rig.core.presence.liveness.verdict(C, rig.now).state == "conflict"


def test_after_a_fork_nothing_new_is_taken_from_its_author() -> None:
    rig, link, author, _ = _forked()
    rig.forget()
    rig.receive(link, entries(author.mail(4)[3]))
    assert _stored(rig, author) == []
    assert rig.counted("entries.after_fork") == 1


def test_a_fork_is_still_known_after_a_restart_and_told_to_who_links() -> None:
    rig, _, author, _ = _forked()
    again = rig.restart()
    link = again.meet(Actor(A))
    assert len(again.frames(wire.Fork, link)) == 1
    again.receive(link, entries(author.mail(4)[3]))
    assert _held(again, author) == [1, 2, 3]


def test_an_entry_on_another_branch_leads_to_the_proof() -> None:
    rig, link = _linked()
    author = Actor(C)
    rig.receive(link, entries(*author.mail(3)))
    twin = author.fork_at(3)
    twin.write("note", b"and on")
    rig.receive(link, entries(twin.chains[MAIL][3]))
    assert (C, 3) in _wants(rig, link)
    rig.receive(link, entries(twin.chains[MAIL][2]))
    assert len(rig.rows(ForkRow)) == 1


def test_a_frontier_with_another_id_leads_to_the_proof() -> None:
    rig, link = _linked()
    author = Actor(C)
    rig.receive(link, entries(*author.mail(3)))
    rig.receive(link, wire.FrontierFrame(spans=[author.fork_at(3).span()]))
    assert _wants(rig, link) == [(C, 3)]


def test_evidence_from_a_peer_is_enough() -> None:
    rig, link = _linked()
    author = Actor(C)
    author.mail(3)
    other = author.fork_at(3).chains[MAIL][2]
    rig.receive(link, wire.Fork(first=author.chains[MAIL][2].raw, second=other.raw))
    assert len(rig.rows(ForkRow)) == 1


@pytest.mark.parametrize("case", ["the same twice", "two places", "two chains"])
def test_evidence_that_proves_nothing_is_a_bad_frame(case: str) -> None:
    rig, link = _linked()
    author = Actor(C)
    one, two, _ = author.mail(3)
    second = {"the same twice": one, "two places": two, "two chains": author.begin(LEDGER)}[case]
    rig.receive(link, wire.Fork(first=one.raw, second=second.raw))
    assert rig.counted("fault.no_fork") == 1
    assert rig.rows(ForkRow) == []


# --- floors -----------------------------------------------------------------------------------------------------------


def _floored() -> tuple[Rig, LinkId, Actor]:
    rig, link = _linked()
    author = Actor(C)
    author.mail(6)
    rig.receive(link, author.floor(author.chains[MAIL][3]))
    return rig, link, author


def test_a_newcomer_begins_at_the_authors_floor() -> None:
    rig, link, author = _floored()
    rig.receive(link, entries(*author.chains[MAIL][3:]))
    assert _stored(rig, author) == [4, 5, 6]


def test_another_entry_than_the_signed_floor_is_never_begun_with() -> None:
    rig, link, author = _floored()
    wrong = author.fork_at(4).chains[MAIL][3]
    for _ in range(3):
        rig.receive(link, entries(wrong))
    assert _stored(rig, author) == []
    assert rig.counted("entries.wrong_floor") == 3


def test_a_floor_survives_a_restart() -> None:
    rig, _, author = _floored()
    again = rig.restart()
    again.receive(again.meet(Actor(A)), entries(*author.chains[MAIL][3:]))
    assert _stored(again, author) == [4, 5, 6]


def test_what_lies_below_the_floor_leaves_a_chain_that_is_held_and_what_follows_goes_on() -> None:
    rig, link = _linked()
    author = Actor(C)
    rig.receive(link, entries(*author.mail(2)))
    rig.receive(link, author.floor(author.mail(6)[3]))
    assert _held(rig, author) == [1, 2]
    rig.receive(link, entries(*author.mail(6)[2:]))
    assert _stored(rig, author) == [1, 2, 3, 4, 5, 6]
    assert _held(rig, author) == [4, 5, 6]
    rig.receive(link, entries(*author.mail(6)))
    assert _held(rig.restart(), author) == [4, 5, 6]
    (span,) = rig.core.exchange.spans()[-1:]
    assert (span.author, span.floor, span.head) == (C, 1, 6)


def test_who_lacks_what_lies_below_the_floor_goes_on_there_and_says_how_much_it_missed() -> None:
    rig, link = _linked()
    author = Actor(C)
    rig.receive(link, entries(*author.mail(2)))
    floor = author.mail(9)[6]
    rig.receive(link, author.floor(floor))
    assert _held(rig, author) == [1, 2]
    rig.receive(link, entries(*author.chains[MAIL][6:]))
    assert _held(rig, author) == [7, 8, 9]
    assert rig.told("skipped") == [{"machine": C, "entries": 4, "from": 7}]
    warned = [one for one in view.warnings(rig.restart().core) if one["code"] == "mail_missed"]
    assert [C in str(one["message"]) and " 4 " in str(one["message"]) for one in warned] == [True]
    key = (C, 1, MAIL)
    assert [rig.core.delivery.holds(rig.machine, key, sequence) for sequence in (3, 6)] == [False, False]


def test_what_is_asked_for_next_is_the_floor_and_nothing_before_it() -> None:
    rig, link = _linked()
    author = Actor(C)
    rig.receive(link, entries(*author.mail(2)))
    rig.receive(link, author.floor(author.mail(9)[6]))
    rig.receive(link, wire.Have(spans=[author.span(MAIL)]))
    rig.advance(limits.WANT_DELAY_S + 0.01)
    assert [want.first for want in rig.frames(wire.Want, link) if want.author == C] == [7]


def test_an_older_run_of_somebody_who_slept_brings_nothing_back() -> None:
    rig, link = _linked()
    author = Actor(C)
    chain = author.mail(6)
    rig.receive(link, entries(*chain))
    rig.receive(link, author.floor(chain[3]))
    rig.forget()
    rig.receive(rig.meet(Actor(C)), entries(*chain[:3]))
    assert _held(rig, author) == [4, 5, 6]
    assert rig.rows(EntryRow) == []


def test_a_floor_beyond_anything_that_exists_takes_nothing_away_and_stops_nobody() -> None:
    rig, link = _linked()
    author, further = Actor(C), Actor(C)
    rig.receive(link, entries(*author.mail(3)))
    rig.receive(link, author.floor(further.mail(50)[49]))
    again = rig.restart()
    assert _held(again, author) == [1, 2, 3]
    again.receive(again.meet(Actor(A)), entries(*author.mail(5)))
    assert _held(again, author) == [1, 2, 3, 4, 5]


def test_a_floor_on_another_branch_takes_nothing_away() -> None:
    rig, link = _linked()
    author = Actor(C)
    rig.receive(link, entries(*author.mail(6)))
    rig.receive(link, author.floor(author.fork_at(4).chains[MAIL][3]))
    assert _held(rig, author) == [1, 2, 3, 4, 5, 6]
    assert rig.counted("floors.other_branch") == 1


def test_a_floor_spares_no_countersignature() -> None:
    rig, link = _linked()
    copy = Actor(C, incarnation=2)
    copy.mail(6)
    rig.receive(link, copy.floor(copy.chains[MAIL][3]))
    rig.receive(link, entries(*copy.chains[MAIL][3:]))
    assert _stored(rig, copy) == []
    assert rig.counted("entries.not_begun") == 1


def test_a_floor_of_a_life_that_was_countersigned_is_begun_at() -> None:
    rig, link = _linked()
    life = Actor(C, incarnation=2, store=b"n" * 16)
    renewal = Renewal(machine=C, incarnation=2, store=b"n" * 16, ledger=None, mail=None)
    envelope = keys().root_countersignature(renewal)
    life.begin(LEDGER, countersignature=envelope)
    life.begin(MAIL, countersignature=envelope)
    life.mail(6)
    rig.receive(link, entries(*life.chains[LEDGER]))
    rig.receive(link, life.floor(life.chains[MAIL][3]))
    rig.receive(link, entries(*life.chains[MAIL][3:]))
    assert [row.sequence for row in rig.rows(EntryRow) if row.chain == MAIL] == [4, 5, 6]
    rig.receive(link, entries(*Actor(C).mail(2)))  # of the life before, of which the renewal knew no mail
    assert rig.counted("entries.stranded") == 2


def test_what_time_made_a_machine_write_is_in_its_frontier_when_it_is_durable() -> None:
    rig = Rig().ready()
    rig.ask(OrderEntry(kind="claim.acquire", body=acquire("issue-1"), timeout_s=2.0, withdraw=True))
    rig.advance(2.0)
    assert rig.rows(EntryRow)[-1].kind == "request.withdraw"
    key = (rig.machine, 1, LEDGER)
    assert rig.core.exchange.durable_head(key) == rig.core.authorship.head(LEDGER)
