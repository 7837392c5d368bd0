"""Who should vote: one rule a test, each by the facts of one leader."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.consensus.autopilot import Facts, Member, Membership, Step, StepKind, next_step, target_of
from roosync_p2p.consensus.items import Seat
from roosync_p2p.consensus.quorum import majority
from roosync_p2p.ids import MachineId, StoreId

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def seat(name: str, store: int = 1) -> Seat:
    """A machine's seat; another number is another life of its store."""
    return Seat(MachineId(name), StoreId(bytes([store]) * 16))


def awake(name: str, **known: object) -> Member:
    """A machine that has been awake for an hour, as much as everybody else."""
    usual: dict[str, object] = {"seat": seat(name), "awake_for_s": HOUR_S, "awake_s": 100 * HOUR_S}
    return Member(**{**usual, **known})  # type: ignore[arg-type]


def asleep(name: str, **known: object) -> Member:
    """A machine that is not heard since a minute."""
    return awake(name, **{"online": False, "unseen_s": 60.0, **known})


def facts(*members: Member, voters: str, **more: object) -> Facts:
    """What the first voter knows, who leads. ``voters``: names; the first is the leader."""
    known = {member.seat.machine: member for member in members}
    seats = tuple(seat(name) for name in voters.split())
    return Facts(me=seats[0], voters=seats, members=known, size=len(members), **more)  # type: ignore[arg-type]


def done(step: Step | None) -> tuple[str, str] | None:
    """What a step does, for comparison."""
    return None if step is None else (step.kind.value, step.seat.machine)


# --- how many -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "most", "voters"),
    [
        (1, 5, 1),
        (2, 5, 1),
        (3, 5, 3),
        (6, 5, 3),
        (7, 5, 5),
        (300, 5, 5),
        (300, 7, 7),
        (8, 8, 7),
        (300, 1, 1),
        (9, 9, 9),
    ],
)
def test_the_number_of_voters_is_odd_and_follows_the_size_of_the_fleet(size: int, most: int, voters: int) -> None:
    assert target_of(size, most) == voters


def test_a_fleet_of_two_keeps_one_voter() -> None:
    assert next_step(facts(awake("a"), awake("b"), voters="a")) is None


def test_two_learners_become_voters_one_after_the_other() -> None:
    step = next_step(facts(awake("a"), awake("b"), awake("c"), voters="a"))
    assert done(step) == ("add", "b")
    assert step is not None
    assert step.reason == "1 of 3 voters, and b has been awake for 60 minutes"
    assert done(next_step(facts(awake("a"), awake("b"), awake("c"), voters="a b"))) == ("add", "c")
    assert next_step(facts(awake("a"), awake("b"), awake("c"), voters="a b c")) is None


def test_one_voter_is_better_than_two() -> None:
    assert next_step(facts(awake("a"), awake("b"), asleep("c"), voters="a")) is None
    step = next_step(facts(awake("a"), awake("b", awake_s=50 * HOUR_S), asleep("c"), voters="a b"))
    assert done(step) == ("remove", "b")


def test_of_two_voters_the_leader_goes_if_it_is_awake_less() -> None:
    step = next_step(facts(awake("a", awake_s=50 * HOUR_S), awake("b"), asleep("c"), voters="a b"))
    assert done(step) == ("remove", "a")


def test_more_voters_than_the_fleet_needs_are_taken_away_one_by_one() -> None:
    members = [awake("a"), awake("b"), awake("c", awake_s=90 * HOUR_S), awake("d"), awake("e")]
    assert done(next_step(facts(*members, voters="a b c d e"))) == ("remove", "c")
    assert done(next_step(facts(*members, voters="a b d e"))) == ("remove", "b")


def test_nothing_is_done_while_a_change_is_not_committed() -> None:
    assert next_step(facts(awake("a"), awake("b"), awake("c"), voters="a", pending=True)) is None


# --- who ------------------------------------------------------------------------------------------------------------


def test_a_learner_waits_until_it_was_awake_for_thirty_minutes_without_a_break() -> None:
    young = awake("c", awake_for_s=30 * 60 - 1)
    assert next_step(facts(awake("a"), awake("b"), young, voters="a")) is None
    old = awake("c", awake_for_s=30 * 60)
    assert next_step(facts(awake("a"), awake("b"), old, voters="a")) is not None


def test_who_disappeared_without_a_word_waits_longer() -> None:
    waits = awake("c", awake_for_s=3 * HOUR_S, waits_s=4 * HOUR_S)
    assert next_step(facts(awake("a"), awake("b"), waits, voters="a")) is None
    waited = awake("c", awake_for_s=4 * HOUR_S, waits_s=4 * HOUR_S)
    assert next_step(facts(awake("a"), awake("b"), waited, voters="a")) is not None


@pytest.mark.parametrize(
    "unfit",
    [
        asleep("c"),
        awake("c", caught_up=False),
        awake("c", leaving=True),
        awake("c", supports_rules=False),
        awake("c", membership=Membership.OBSERVER),
        awake("c", membership=Membership.REVOKED),
        awake("c", membership=Membership.GONE),
    ],
)
def test_who_could_not_serve_is_not_promoted(unfit: Member) -> None:
    assert next_step(facts(awake("a"), awake("b"), unfit, voters="a")) is None
    assert done(next_step(facts(awake("a"), awake("b"), unfit, voters="a b"))) == ("remove", "b")


def test_of_two_learners_the_one_that_is_awake_more_is_promoted() -> None:
    members = [awake("a"), awake("b", awake_s=99 * HOUR_S), awake("c"), awake("d", awake_s=98 * HOUR_S)]
    assert done(next_step(facts(*members, voters="a"))) == ("add", "c")
    assert done(next_step(facts(*members, voters="a c"))) == ("add", "b")


def test_on_battery_only_if_there_is_no_other() -> None:
    members = [
        awake("a"),
        awake("b", on_battery=True),
        awake("c", awake_s=60 * HOUR_S),
        awake("d", awake_s=61 * HOUR_S),
    ]
    assert done(next_step(facts(*members, voters="a"))) == ("add", "d")
    assert done(next_step(facts(*members, voters="a d"))) == ("add", "c")
    alone = [awake("a"), awake("b", on_battery=True), awake("c")]
    assert done(next_step(facts(*alone, voters="a c"))) == ("add", "b")


def test_a_preferred_machine_is_promoted_at_once_and_stays() -> None:
    just = awake("d", awake_for_s=1.0, awake_s=1.0, waits_s=DAY_S)
    members = [awake("a"), awake("b", awake_s=99 * HOUR_S), awake("c"), just]
    preferred = frozenset({MachineId("d")})
    step = next_step(facts(*members, voters="a b c", preferred=preferred))
    assert done(step) == ("add", "d")
    assert step is not None
    assert step.reason == "d is preferred"
    assert done(next_step(facts(*members, voters="a b c d", preferred=preferred))) == ("remove", "b")
    assert next_step(facts(*members, voters="a c d", preferred=preferred)) is None


def test_in_a_fleet_of_two_the_preferred_machine_gets_the_only_vote() -> None:
    members = [awake("a"), awake("b", awake_for_s=1.0)]
    preferred = frozenset({MachineId("b")})
    assert done(next_step(facts(*members, voters="a", preferred=preferred))) == ("add", "b")
    assert done(next_step(facts(*members, voters="a b", preferred=preferred))) == ("remove", "a")


# --- seats change hands ---------------------------------------------------------------------------------------------


def test_a_voter_that_is_awake_less_than_half_as_much_hands_its_seat_over() -> None:
    seldom = awake("b", awake_s=49 * HOUR_S)
    members = [awake("a"), seldom, awake("c"), awake("d")]
    step = next_step(facts(*members, voters="a b c"))
    assert done(step) == ("add", "d")
    assert step is not None
    assert step.reason == "awake in the last seven days: d 100 h, b 49 h"
    assert done(next_step(facts(*members, voters="a b c d"))) == ("remove", "b")


def test_a_voter_that_is_awake_half_as_much_keeps_its_seat() -> None:
    assert next_step(facts(awake("a"), awake("b", awake_s=50 * HOUR_S), awake("c"), awake("d"), voters="a b c")) is None


def test_a_sole_voter_hands_its_seat_over_too() -> None:
    members = [awake("a", awake_s=10 * HOUR_S, awake_for_s=60.0), awake("b"), asleep("c")]
    assert done(next_step(facts(*members, voters="a"))) == ("add", "b")
    assert done(next_step(facts(*members, voters="a b"))) == ("remove", "a")


def test_a_seat_is_handed_over_when_both_are_awake() -> None:
    assert next_step(facts(awake("a"), asleep("b", awake_s=HOUR_S), awake("c"), awake("d"), voters="a b c")) is None


def test_a_newcomer_does_not_push_anybody_out_before_it_was_awake_for_an_hour() -> None:
    members = [awake("a", awake_s=60.0), awake("b", awake_s=HOUR_S - 1, awake_for_s=60.0)]
    assert next_step(facts(*members, voters="a")) is None


# --- who goes -------------------------------------------------------------------------------------------------------


def test_a_voter_not_seen_for_ten_minutes_is_demoted() -> None:
    members = [awake("a"), awake("b"), asleep("c", unseen_s=599.0)]
    assert next_step(facts(*members, voters="a b c")) is None
    members[2] = asleep("c", unseen_s=600.0)
    step = next_step(facts(*members, voters="a b c"))
    assert done(step) == ("remove", "c")
    assert step is not None
    assert step.reason == "c was not seen for 10 minutes"


def test_the_longest_unseen_is_demoted_first_and_only_while_the_others_keep_a_majority() -> None:
    members = [awake("a"), awake("b"), awake("c"), asleep("d", unseen_s=900.0), asleep("e", unseen_s=1200.0)]
    members += [awake("f", awake_for_s=0.0), asleep("g")]
    assert done(next_step(facts(*members, voters="a b c d e"))) == ("remove", "e")
    lost = [awake("a"), asleep("b"), asleep("c", unseen_s=900.0)]
    assert next_step(facts(*lost, voters="a b c")) is None


def test_a_leader_whose_disk_stands_still_lets_another_lead() -> None:
    members = [awake("a", stalled_s=10.0), awake("b"), awake("c", awake_s=101 * HOUR_S)]
    step = next_step(facts(*members, voters="a b c"))
    assert done(step) == ("transfer", "c")
    assert step is not None
    assert step.reason == "a, which leads, has stood still for 10 s"
    # Not to one that stands still itself, and not where there is nobody else.
    members[2] = awake("c", awake_s=101 * HOUR_S, stalled_s=10.0)
    assert done(next_step(facts(*members, voters="a b c"))) == ("transfer", "b")
    assert next_step(facts(awake("a", stalled_s=10.0), asleep("b"), asleep("c"), voters="a b c")) is None


def test_a_voter_that_stands_still_counts_for_no_majority_and_is_demoted_after_ten_minutes() -> None:
    members = [awake("a"), awake("b"), awake("c", stalled_s=599.0)]
    assert next_step(facts(*members, voters="a b c")) is None
    members[2] = awake("c", stalled_s=600.0)
    step = next_step(facts(*members, voters="a b c"))
    assert done(step) == ("remove", "c")
    assert step is not None
    assert step.reason == "c has stood still for 10 minutes"
    known = facts(*members, voters="a b c")
    assert not known.there(next(seat for seat in known.voters if seat.machine == "c"))
    assert not known.keeps_majority(seat for seat in known.voters if seat.machine != "b")


def test_a_demoted_voter_is_replaced_or_one_more_goes() -> None:
    members = [awake("a"), awake("b"), asleep("c", unseen_s=900.0), awake("d")]
    assert done(next_step(facts(*members, voters="a b"))) == ("add", "d")
    members[3] = awake("d", awake_for_s=60.0)
    assert done(next_step(facts(*members, voters="a b"))) == ("remove", "b")


def lapsed(name: str, **known: object) -> Member:
    """A machine that slept for a night without a word, after eight hours awake, and is back for an hour."""
    return awake(name, **{"absent_s": 16 * HOUR_S, "waits_s": 16 * HOUR_S, **known})


def test_who_was_away_without_a_word_while_nobody_could_demote_it_is_demoted_when_it_is_back() -> None:
    members = [awake("a"), lapsed("b"), lapsed("c", awake_s=99 * HOUR_S)]
    step = next_step(facts(*members, voters="a b c"))
    assert done(step) == ("remove", "c")
    assert step is not None
    assert step.reason == "c was away for 960 minutes without a word"
    assert done(next_step(facts(*members, voters="a b"))) == ("remove", "b")
    assert done(next_step(facts(*members, voters="b a c"))) == ("remove", "c")
    assert done(next_step(facts(*members, voters="b a"))) == ("remove", "b")


def test_who_was_away_for_less_than_ten_minutes_or_has_waited_since_or_is_preferred_keeps_its_seat() -> None:
    for kept in (lapsed("b", absent_s=599.0), lapsed("b", awake_for_s=16 * HOUR_S)):
        assert next_step(facts(awake("a"), kept, awake("c"), voters="a b c")) is None
    preferred = frozenset({MachineId("b")})
    assert next_step(facts(awake("a"), lapsed("b"), awake("c"), voters="a b c", preferred=preferred)) is None


def test_who_went_without_a_word_does_not_take_over_at_once_from_one_that_leaves() -> None:
    members = [awake("a"), awake("b", leaving=True), awake("c", awake_s=99 * HOUR_S), lapsed("d")]
    assert done(next_step(facts(*members, voters="a c", vacated=True))) == ("remove", "c")


def test_a_voter_that_is_hardly_ever_awake_is_no_reason_to_demote_another() -> None:
    members = [awake("a", awake_s=49 * HOUR_S), lapsed("b"), lapsed("c")]
    assert next_step(facts(*members, voters="a b c")) is None


def test_where_every_voter_goes_without_a_word_they_stay() -> None:
    assert next_step(facts(lapsed("a"), lapsed("b"), lapsed("c"), awake("d"), voters="a b c")) is None
    assert next_step(facts(lapsed("a"), lapsed("b"), asleep("c"), voters="a b c")) is None


@pytest.mark.parametrize("membership", [Membership.REVOKED, Membership.GONE, Membership.OBSERVER])
def test_who_must_not_vote_is_removed_at_once(membership: Membership) -> None:
    out = awake("b", membership=membership)
    assert done(next_step(facts(awake("a"), out, awake("c"), voters="a b c"))) == ("remove", "b")


def test_a_revoked_voter_that_is_needed_for_a_majority_goes_when_it_no_longer_is() -> None:
    out = awake("b", membership=Membership.REVOKED)
    assert next_step(facts(awake("a"), out, asleep("c"), voters="a b c")) is None
    assert done(next_step(facts(awake("a"), out, asleep("c", unseen_s=600.0), voters="a b c"))) == ("remove", "c")
    assert done(next_step(facts(awake("a"), out, voters="a b"))) == ("remove", "b")


def test_a_leader_that_must_not_vote_lets_another_lead() -> None:
    out = awake("a", membership=Membership.REVOKED)
    assert done(next_step(facts(out, awake("b"), awake("c"), voters="a b c"))) == ("transfer", "b")
    assert done(next_step(facts(out, awake("b", awake_for_s=1.0), voters="a"))) == ("add", "b")
    assert next_step(facts(out, asleep("b"), voters="a")) is None


def test_the_old_seat_of_a_restored_store_is_removed_and_the_new_one_is_a_learner() -> None:
    restored = awake("b", seat=seat("b", 2), awake_for_s=60.0)
    members = [awake("a"), restored, awake("c"), awake("d", awake_for_s=60.0)]
    known = facts(*members, voters="a b c")
    step = next_step(known)
    assert step is not None
    assert (step.kind, step.seat) == (StepKind.REMOVE, seat("b", 1))
    after = dataclasses.replace(known, voters=(seat("a"), seat("c")))
    assert done(next_step(after)) == ("remove", "c")  # the new seat has not been awake for half an hour


def test_a_leaver_is_removed_and_somebody_awake_takes_over_at_once() -> None:
    members = [awake("a"), awake("b", leaving=True), awake("c"), awake("d", awake_for_s=1.0, waits_s=DAY_S)]
    assert done(next_step(facts(*members, voters="a b c"))) == ("remove", "b")
    step = next_step(facts(*members, voters="a c", vacated=True))
    assert done(step) == ("add", "d")
    assert step is not None
    assert step.reason == "2 of 3 voters, and d is awake, while another left"


def test_with_two_left_and_nobody_else_awake_one_more_goes() -> None:
    members = [awake("a"), asleep("b", leaving=True), awake("c"), asleep("d")]
    assert done(next_step(facts(*members, voters="a c", vacated=True))) == ("remove", "c")


def test_a_revoked_voter_goes_before_one_that_leaves() -> None:
    members = [awake("a"), awake("b", leaving=True), awake("c", membership=Membership.REVOKED), awake("d"), awake("e")]
    members += [awake("f"), awake("g")]
    assert done(next_step(facts(*members, voters="a b c d e"))) == ("remove", "c")


# --- always ---------------------------------------------------------------------------------------------------------

_NAMES = "abcdefgh"


@st.composite
def situations(draw: st.DrawFn) -> Facts:
    """Any fleet in which the leader can commit."""
    members = [
        Member(
            seat=seat(name, draw(st.sampled_from([1, 1, 1, 2]))),
            membership=draw(st.sampled_from([Membership.ACTING] * 5 + list(Membership))),
            online=draw(st.sampled_from([True, True, False])),
            caught_up=draw(st.sampled_from([True, True, False])),
            awake_for_s=draw(st.sampled_from([0.0, HOUR_S, 30 * HOUR_S])),
            awake_s=draw(st.sampled_from([0.0, 2 * HOUR_S, 40 * HOUR_S, 90 * HOUR_S, 168 * HOUR_S])),
            waits_s=draw(st.sampled_from([0.0, 0.0, 2 * HOUR_S, DAY_S])),
            absent_s=draw(st.sampled_from([0.0, 0.0, 60.0, DAY_S])),
            unseen_s=draw(st.sampled_from([0.0, 60.0, 700.0])),
            on_battery=draw(st.booleans()),
            leaving=draw(st.sampled_from([False, False, False, True])),
            supports_rules=draw(st.sampled_from([True, True, False])),
        )
        for name in _NAMES[: draw(st.integers(1, len(_NAMES)))]
    ]
    names = [member.seat.machine for member in members]
    voters = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    me = voters[0]
    known = {member.seat.machine: member for member in members}
    known[me] = dataclasses.replace(known[me], seat=seat(me), online=True, caught_up=True, unseen_s=0.0)
    return Facts(
        me=seat(me),
        voters=tuple(seat(name) for name in sorted(voters)),
        members=known,
        size=draw(st.integers(len(members), 12)),
        most=draw(st.sampled_from([1, 3, 5, 7])),
        preferred=frozenset(draw(st.lists(st.sampled_from(names), max_size=3))),
        vacated=draw(st.booleans()),
    )


def after(known: Facts, step: Step) -> Facts:
    """The facts once a step is committed; whoever leads then knows the same."""
    voters = known.voters
    if step.kind is StepKind.ADD:
        voters = tuple(sorted([*voters, step.seat]))
    elif step.kind is StepKind.REMOVE:
        voters = known.without(step.seat)
    me = known.me
    if step.kind is StepKind.TRANSFER or me not in voters:
        me = step.seat if step.kind is StepKind.TRANSFER else known.successor() or voters[0]
    return dataclasses.replace(known, voters=voters, me=me)


@given(situations())
def test_what_is_done_can_be_committed_by_what_it_makes(known: Facts) -> None:
    step = next_step(known)
    if step is None:
        return
    made = after(known, step)
    assert made.voters
    there = sum(1 for voter in made.voters if known.there(voter))
    assert step.kind is StepKind.TRANSFER or there >= majority(len(made.voters))
    assert len({voter.machine for voter in made.voters}) == len(made.voters)


@given(situations())
def test_while_nothing_changes_it_comes_to_rest(known: Facts) -> None:
    for _ in range(40):
        step = next_step(known)
        if step is None:
            break
        known = after(known, step)
    else:
        raise AssertionError("it goes on for ever")
    if all(known.there(voter) and known.members[voter.machine].caught_up for voter in known.voters):
        assert len(known.voters) % 2 == 1 or known.members[known.me.machine].membership is not Membership.ACTING
