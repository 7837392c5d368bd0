"""The arithmetic of majorities against a twin that counts on its fingers."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.consensus.quorum import Election, majority, reached, tally

VALUES = st.lists(st.integers(min_value=0, max_value=20), min_size=1, max_size=9)
VOTERS = st.lists(st.sampled_from("abcdefg"), unique=True, max_size=7)
VOTES = st.dictionaries(st.sampled_from("abcdefghij"), st.booleans())


def naively_reached(values: list[int]) -> int:
    """The greatest candidate that more than half have reached, found by trying each."""
    return max(v for v in range(21) if 2 * sum(1 for value in values if value >= v) > len(values))


def naive_tally(voters: list[str], votes: dict[str, bool]) -> Election:
    """Won when some majority granted; lost when none can any more."""
    size = len(voters) // 2 + 1
    majorities = [set(group) for group in combinations(voters, size)]
    if any(all(votes.get(voter) is True for voter in group) for group in majorities):
        return Election.WON
    if all(any(votes.get(voter) is False for voter in group) for group in majorities):
        return Election.LOST
    return Election.PENDING


@given(VALUES)
def test_what_a_majority_reached_is_what_counting_says(values: list[int]) -> None:
    assert reached(values) == naively_reached(values)


@given(VOTERS, VOTES)
def test_a_vote_stands_as_counting_all_majorities_says(voters: list[str], votes: dict[str, bool]) -> None:
    assert tally(voters, votes) is naive_tally(voters, votes)


@given(st.integers(min_value=1, max_value=50))
def test_two_majorities_share_a_voter_and_two_halves_may_not(voters: int) -> None:
    assert 2 * majority(voters) > voters
    assert 2 * (majority(voters) - 1) <= voters


@given(VOTERS, st.sampled_from("hij"), VOTES)
def test_majorities_of_configurations_one_apart_share_a_voter(
    voters: list[str], added: str, votes: dict[str, bool]
) -> None:
    against = {voter: not granted for voter, granted in votes.items()}
    both = (tally(voters, votes), tally([*voters, added], against))
    assert both != (Election.WON, Election.WON)


@given(VOTERS, VOTES)
def test_votes_of_others_do_not_count(voters: list[str], votes: dict[str, bool]) -> None:
    own = {voter: granted for voter, granted in votes.items() if voter in voters}
    assert tally(voters, votes) is tally(voters, own)


def test_nobody_wins_without_voters() -> None:
    assert tally([], {"a": True}) is Election.LOST
