"""Whom to dial and when again, and what a dial that failed says about a machine."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.core import inputs
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.dialling import Dialling, Redialled
from roosync_p2p.core.effects import Dial
from roosync_p2p.core.ports import DialFailed, DialId, DialOutcome
from roosync_p2p.core.rows import AddressRow
from roosync_p2p.entropy import Entropy
from tests.helpers.cores import NOW, A, Actor, B, C, Rig, directory, identity

_ONE, _TWO = "10.0.0.1:47600", "10.0.0.2:47600"


class _Book:
    """An address book alone."""

    def __init__(self, *rows: AddressRow) -> None:
        self.desk = Desk(identity(B), directory(A, B, C), Entropy(bytes(16)))
        self.desk.now = NOW
        self.dialling = Dialling(self.desk, rows)

    def dials(self) -> list[Dial]:
        """The dials that are wanted now."""
        self.dialling.tick()
        return [effect for effect in self.desk.drain() if isinstance(effect, Dial)]

    def wait(self, seconds: float) -> list[Dial]:
        """The dials that are wanted until then."""
        self.desk.now = self.desk.now.later(seconds)
        return self.dials()

    def fail(self, dial: Dial, outcome: DialOutcome = DialOutcome.REFUSED) -> Redialled | None:
        """A dial ends without a link."""
        return self.dialling.failed(DialFailed(dial=dial.dial, outcome=outcome, detail="so it was"))


def _row(address: str = _ONE) -> AddressRow:
    return AddressRow(machine=A, address=address, seen_ms=0)


def test_a_learned_address_is_dialled_at_once() -> None:
    book = _Book()
    book.dialling.learned(A, [_ONE])
    assert [dial.address for dial in book.dials()] == [_ONE]


def test_where_a_machine_was_reached_before_is_dialled_at_the_start() -> None:
    assert [dial.address for dial in _Book(_row()).dials()] == [_ONE]


def test_all_addresses_of_a_machine_are_dialled_together_the_newest_first() -> None:
    book = _Book()
    book.dialling.learned(A, [_ONE, _TWO])
    assert [dial.address for dial in book.dials()] == [_TWO, _ONE]


def test_an_address_that_is_known_already_is_no_news() -> None:
    book = _Book(_row())
    book.dials()
    book.dialling.learned(A, [_ONE])
    assert book.dials() == []


def test_an_address_of_oneself_is_not_dialled() -> None:
    book = _Book()
    book.dialling.learned(B, [_ONE])
    assert book.dials() == []


def test_a_linked_machine_is_not_dialled_at_a_new_address() -> None:
    book = _Book(_row())
    (dial,) = book.dials()
    book.dialling.opened(dial.dial, A)
    book.dialling.linked(A)
    book.dialling.learned(A, [_TWO])
    assert book.wait(60.0) == []


def test_rounds_that_fail_are_spaced_further_and_further_up_to_the_cap() -> None:
    book = _Book(_row())
    spans = []
    (dial,) = book.dials()
    for _ in range(12):
        book.fail(dial)
        at = book.dialling.next_deadline()
        assert at is not None
        spans.append(at - book.desk.now.monotonic_s)
        (dial,) = book.wait(spans[-1])
    assert spans[0] <= limits.REDIAL_FIRST_S
    assert all(span <= limits.REDIAL_MAX_S for span in spans)
    assert all(span >= limits.REDIAL_MAX_S / 2 for span in spans[-4:])


def test_the_next_round_waits_for_the_last_dial_of_this_one() -> None:
    book = _Book(_row(_ONE), _row(_TWO))
    one, two = book.dials()
    book.fail(one)
    assert book.dialling.next_deadline() is None
    book.fail(two)
    assert book.dialling.next_deadline() is not None


def test_when_a_link_is_lost_its_machine_is_dialled_at_once() -> None:
    book = _Book(_row())
    (dial,) = book.dials()
    book.dialling.opened(dial.dial, A)
    book.dialling.linked(A)
    book.dialling.unlinked(A, abused=False, lived_s=60.0)
    assert len(book.dials()) == 1


# --- what a failure says ----------------------------------------------------------------------------------------------


def test_a_refusal_where_the_machine_answered_before_says_something() -> None:
    book = _Book(_row())
    assert book.fail(book.dials()[0]) == Redialled(machine=A, outcome=DialOutcome.REFUSED)


def test_a_refusal_at_an_address_that_was_only_said_says_nothing() -> None:
    book = _Book()
    book.dialling.learned(A, [_ONE])
    assert book.fail(book.dials()[0]) is None


def test_a_refusal_says_nothing_while_another_confirmed_address_may_still_answer() -> None:
    book = _Book(_row(_ONE), _row(_TWO))
    one, two = book.dials()
    assert book.fail(one) is None
    assert book.fail(two) == Redialled(machine=A, outcome=DialOutcome.REFUSED)


def test_a_refusal_at_a_static_address_says_nothing_about_anybody() -> None:
    book = _Book()
    book.dialling.learned(None, [_ONE])
    assert book.fail(book.dials()[0]) is None


def test_an_accepted_but_silent_dial_says_so_wherever_it_was() -> None:
    book = _Book()
    book.dialling.learned(A, [_ONE])
    assert book.fail(book.dials()[0], DialOutcome.SILENT) == Redialled(machine=A, outcome=DialOutcome.SILENT)


def test_no_answer_says_something_only_once_all_addresses_gave_none() -> None:
    book = _Book(_row(_ONE), _row(_TWO))
    one, two = book.dials()
    assert book.fail(one, DialOutcome.UNANSWERED) is None
    assert book.fail(two, DialOutcome.UNANSWERED) == Redialled(machine=A, outcome=DialOutcome.UNANSWERED)


def test_how_the_last_dial_failed_can_be_told_in_words() -> None:
    book = _Book(_row())
    book.fail(book.dials()[0])
    assert book.dialling.detail(A) == f"{_ONE}: refused, so it was"


def test_the_outcome_of_a_dial_that_nobody_made_is_ignored() -> None:
    failed = DialFailed(dial=DialId(99), outcome=DialOutcome.REFUSED, detail="")
    assert _Book().dialling.failed(failed) is None


# --- addresses --------------------------------------------------------------------------------------------------------


def test_where_a_machine_answered_is_written_down_once() -> None:
    rig = Rig()
    rig.feed(inputs.AddressesFound(machine=A, addresses=(_ONE,), source="mdns"))
    (dial,) = rig.dials
    rig.close(rig.meet(Actor(A), dial=dial))
    rig.advance(1.0)
    rig.meet(Actor(A), dial=max(rig.dials))
    assert [(row.machine, row.address) for row in rig.rows(AddressRow)] == [(A, _ONE)]


def test_a_static_address_becomes_one_of_the_machine_that_answers_there() -> None:
    book = _Book()
    book.dialling.learned(None, [_ONE])
    (dial,) = book.dials()
    book.dialling.opened(dial.dial, A)
    assert book.dialling.addresses(A) == (_ONE,)
    assert book.dialling.confirmed(A)


def test_of_many_addresses_those_that_worked_are_kept() -> None:
    book = _Book(_row())
    book.dialling.learned(A, [f"10.0.1.{number}:1" for number in range(3 * limits.ADDRESSES_PER_MACHINE_MAX)])
    assert len(book.dialling.addresses(A)) == limits.ADDRESSES_PER_MACHINE_MAX
    assert _ONE in book.dialling.addresses(A)


def test_a_machine_that_was_never_reached_from_here_is_dialled_once_though_it_is_linked() -> None:
    book = _Book()
    book.dialling.linked(A)
    book.dialling.learned(A, [_ONE])
    assert [dial.address for dial in book.wait(limits.REDIAL_FIRST_S)] == [_ONE]


def test_a_dial_beside_a_silent_link_says_that_it_replaces_it() -> None:
    book = _Book(_row())
    (dial,) = book.dials()
    book.dialling.opened(dial.dial, A)
    book.dialling.linked(A)
    book.dialling.redial(A)
    (beside,) = book.dials()
    assert book.dialling.replacing(beside.dial)
    assert not book.dialling.replacing(None)


# --- abuse, and who may still answer ----------------------------------------------------------------------------------


def test_an_abusive_machine_is_not_dialled_before_its_time() -> None:
    book = _Book(_row())
    book.dials()
    book.fail(Dial(dial=DialId(1), address=_ONE))
    book.dialling.unlinked(A, abused=True, lived_s=60.0)
    book.dialling.learned(A, [_TWO])
    book.dialling.redial(A)
    assert book.wait(limits.LINK_BACKOFF_AFTER_ABUSE_S - 1) == []
    assert book.dialling.held_off(A)
    assert len(book.wait(1.0)) == 2
    assert not book.dialling.held_off(A)


@pytest.mark.parametrize("outcome", list(DialOutcome))
def test_a_machine_may_still_answer_until_its_dials_have_failed(outcome: DialOutcome) -> None:
    book = _Book(_row())
    assert A in book.dialling.reachable()
    (dial,) = book.dials()
    assert A in book.dialling.reachable()
    book.fail(dial, outcome)
    assert A not in book.dialling.reachable()


def test_a_static_address_whose_machine_is_known_is_waited_for_no_more() -> None:
    book = _Book()
    book.dialling.learned(None, [_ONE])
    (dial,) = book.dials()
    assert book.dialling.reachable() == {f"@{_ONE}"}
    book.dialling.opened(dial.dial, A)
    assert f"@{_ONE}" not in book.dialling.reachable()


# --- what is told of it -------------------------------------------------------------------------------------------


def test_every_address_tells_who_named_it_how_its_newest_dial_ended_and_how_long_ago() -> None:
    book = _Book(_row())
    book.dialling.learned(A, [_TWO], source="mdns")
    first, second = book.dials()
    reach = book.dialling.reach(A)
    assert (reach.dialling, reach.next_s) == (True, None)
    assert [(one.address, one.source, one.met, one.outcome, one.age_s) for one in reach.tried] == [
        (_TWO, "mdns", False, "dialling", None),
        (_ONE, "met", True, "dialling", None),
    ]
    book.fail(first, DialOutcome.UNANSWERED)
    book.fail(second)
    book.desk.now = book.desk.now.later(0.25)
    reach = book.dialling.reach(A)
    assert {one.address: (one.outcome, one.age_s) for one in reach.tried} == {
        _TWO: ("unanswered", 0.25),
        _ONE: ("refused", 0.25),
    }
    assert not reach.dialling
    assert reach.next_s is not None
    assert 0.0 < reach.next_s <= limits.REDIAL_FIRST_S


def test_an_address_that_opened_a_link_tells_so_under_the_machine_that_was_met_there() -> None:
    book = _Book()
    book.dialling.learned(None, [_ONE], source="static")
    (dial,) = book.dials()
    book.dialling.opened(dial.dial, A)
    book.dialling.linked(A)
    reach = book.dialling.reach(A)
    assert [(one.source, one.met, one.outcome) for one in reach.tried] == [("static", True, "linked")]
    assert reach.next_s is None


def test_what_is_kept_of_addresses_is_bounded_with_them() -> None:
    book = _Book()
    book.dialling.learned(A, [f"10.0.1.{n}:1" for n in range(3 * limits.ADDRESSES_PER_MACHINE_MAX)])
    assert len(book.dialling.reach(A).tried) == limits.ADDRESSES_PER_MACHINE_MAX
    assert book.dialling.reach(C).tried == ()
