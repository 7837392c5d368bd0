"""How a machine that stops gives its vote and its lead away: each step by the facts of that machine."""

from __future__ import annotations

import dataclasses

from roosync_p2p.consensus.autopilot import Facts, Member, Membership, Step
from roosync_p2p.consensus.handover import Action, Asked, Done, HandOver, Outcome, Probe
from roosync_p2p.consensus.items import Seat
from roosync_p2p.ids import MachineId, StoreId


def seat(name: str) -> Seat:
    return Seat(MachineId(name), StoreId(name.encode() * 16))


def known(voters: str, *members: Member, pending: bool = False) -> Facts:
    """What x knows, who leaves."""
    machines = {m.seat.machine: m for m in (member("x"), *members)}
    seats = tuple(seat(name) for name in voters.split())
    return Facts(me=seat("x"), voters=seats, members=machines, size=len(machines), pending=pending)


def member(name: str, **more: object) -> Member:
    return Member(seat=seat(name), **more)  # type: ignore[arg-type]


def did(action: Action | None) -> object:
    """An action in short."""
    match action:
        case Step(kind=kind, seat=where):
            return kind.value, where.machine
        case Asked(leader=leader):
            return "ask", leader.machine
        case Done(text=text):
            return text
        case Probe():
            return "probe"
        case None:
            return None


class Leaver:
    """x, who leaves at time 0."""

    def __init__(self) -> None:
        self.hand_over = HandOver(now_s=0.0)

    def at(self, now_s: float, facts: Facts, *, leader: str | None) -> object:
        """What it does then."""
        return did(self.hand_over.next(facts, leader=None if leader is None else seat(leader), now_s=now_s))


# --- several voters -------------------------------------------------------------------------------------------------


def test_who_leads_transfers_first_and_asks_the_next_leader_to_let_go() -> None:
    x = Leaver()
    fleet = [member("a"), member("b", awake_s=9.0)]
    assert x.at(0.0, known("a b x", *fleet), leader="x") == ("transfer", "b")
    assert x.at(0.1, known("a b x", *fleet), leader="x") is None
    assert x.at(0.2, known("a b x", *fleet), leader="b") == ("ask", "b")
    assert x.at(0.3, known("a b x", *fleet), leader="b") is None
    assert x.at(0.4, known("a b", *fleet, pending=True), leader="b") is None
    assert x.at(0.5, known("a b", *fleet), leader="b") == "handed over"
    assert x.at(0.6, known("a b", *fleet), leader="b") is None
    assert x.hand_over.next_deadline() is None


def test_who_does_not_lead_asks_whoever_does_and_asks_again() -> None:
    x = Leaver()
    facts = known("a b x", member("a"), member("b"))
    assert x.at(0.0, facts, leader=None) is None
    assert x.at(0.1, facts, leader="a") == ("ask", "a")
    assert x.at(1.0, facts, leader="a") is None
    assert x.hand_over.next_deadline() == 1.1
    assert x.at(1.1, facts, leader="a") == ("ask", "a")
    assert x.at(1.2, facts, leader="b") == ("ask", "b")


def test_a_transfer_that_did_not_come_about_is_tried_again_perhaps_with_another() -> None:
    x = Leaver()
    a, b = member("a"), member("b", awake_s=9.0)
    assert x.at(0.0, known("a b x", a, b), leader="x") == ("transfer", "b")
    silent = dataclasses.replace(b, online=False)
    assert x.at(0.9, known("a b x", a, silent), leader="x") is None
    assert x.at(1.0, known("a b x", a, silent), leader="x") == ("transfer", "a")


def test_nothing_is_done_while_a_change_is_not_committed() -> None:
    x = Leaver()
    assert x.at(0.0, known("a b x", member("a"), member("b"), pending=True), leader="x") is None


def test_among_voters_who_all_leave_the_leader_lets_the_others_go_first() -> None:
    x = Leaver()
    a, b = member("a", leaving=True, awake_s=2.0), member("b", leaving=True, awake_s=1.0)
    assert x.at(0.0, known("a b x", a, b), leader="x") == ("remove", "b")
    assert x.at(0.1, known("a x", a, b), leader="x") == ("remove", "a")
    assert x.at(0.2, known("x", a, b), leader="x") == "probe"
    assert x.at(0.4, known("x", a, b), leader="x") == "leaving, holds the only vote"


def test_a_silent_second_voter_is_left_behind_as_long_as_this_one_still_leads() -> None:
    x = Leaver()
    assert x.at(0.0, known("a x", member("a", online=False)), leader="x") == ("remove", "a")


def test_after_five_seconds_it_goes_and_says_with_whom_it_votes() -> None:
    x = Leaver()
    facts = known("a b x", member("a", online=False), member("b", online=False))
    assert x.at(0.0, facts, leader=None) is None
    assert x.hand_over.next_deadline() == 5.0
    assert x.at(5.0, facts, leader=None) == "leaving, votes with a, b"
    assert x.hand_over.done is not None
    assert x.hand_over.done.outcome is Outcome.VOTES_WITH


def test_a_removal_that_is_not_committed_in_time_is_not_counted_on() -> None:
    x = Leaver()
    assert x.at(5.0, known("a", member("a"), pending=True), leader="a") == "leaving, votes with a"


def test_who_has_no_vote_has_nothing_to_hand_over() -> None:
    assert Leaver().at(0.0, known("a", member("a")), leader="a") == "nothing to hand over"


# --- the only vote --------------------------------------------------------------------------------------------------


def test_the_only_vote_goes_to_a_learner_that_answers() -> None:
    x = Leaver()
    silent = [member("a", caught_up=False), member("b", caught_up=False)]
    answers = [member("a"), member("b", awake_s=9.0)]
    assert x.at(0.0, known("x", *answers), leader="x") == "probe"
    assert x.at(0.0, known("x", *silent), leader="x") is None
    assert x.at(0.05, known("x", *answers), leader="x") == ("add", "b")
    assert x.at(0.06, known("b x", *answers, pending=True), leader="x") is None
    assert x.at(0.1, known("b x", *answers), leader="x") == ("transfer", "b")
    assert x.at(0.2, known("b x", *answers), leader="b") == ("ask", "b")
    assert x.at(0.3, known("b", *answers), leader="b") == "handed over"


def test_one_that_does_not_answer_within_200_ms_is_not_waited_for() -> None:
    x = Leaver()
    a, b = member("a"), member("b", awake_s=9.0, caught_up=False)
    assert x.at(0.0, known("x", a, b), leader="x") == "probe"
    assert x.at(0.1, known("x", a, b), leader="x") is None
    assert x.hand_over.next_deadline() == 0.2
    assert x.at(0.2, known("x", a, b), leader="x") == ("add", "a")


def test_with_nobody_awake_it_holds_the_only_vote() -> None:
    x = Leaver()
    fleet = [member("a", online=False), member("b", membership=Membership.OBSERVER), member("c", leaving=True)]
    assert x.at(0.0, known("x", *fleet), leader="x") == "probe"
    assert x.at(0.0, known("x", *fleet), leader="x") == "leaving, holds the only vote"


def test_one_that_was_picked_and_lost_before_it_had_the_change_votes_with_it() -> None:
    x = Leaver()
    assert x.at(0.0, known("x", member("a")), leader="x") == "probe"
    assert x.at(0.1, known("x", member("a")), leader="x") == ("add", "a")
    lost = member("a", online=False)
    assert x.at(2.0, known("a x", lost, pending=True), leader=None) is None
    assert x.at(5.0, known("a x", lost, pending=True), leader=None) == "leaving, votes with a"


def test_one_that_was_picked_and_lost_after_it_had_the_change_is_let_go_and_another_is_tried() -> None:
    x = Leaver()
    a, b = member("a"), member("b", awake_s=1.0)
    assert x.at(0.0, known("x", a, b), leader="x") == "probe"
    assert x.at(0.1, known("x", a, b), leader="x") == ("add", "b")
    lost = dataclasses.replace(b, online=False)
    assert x.at(0.2, known("b x", a, lost), leader="x") == ("remove", "b")
    assert x.at(0.3, known("x", a, lost), leader="x") == "probe"
    assert x.at(0.4, known("x", a, lost), leader="x") == ("add", "a")
