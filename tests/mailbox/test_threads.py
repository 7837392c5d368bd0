"""A thread as a tree: every message once, whatever senders say that they answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.mailbox.threads import Post, arrange, cited_commits


def _tree(*posts: tuple[str, str | None]) -> list[tuple[str, int]]:
    """Posts in their order in time, as (id, what it answers)."""
    told = [Post(name.encode(), name, answers, time_ms) for time_ms, (name, answers) in enumerate(posts)]
    return [(place.key.decode(), place.depth) for place in arrange(told)]


def test_answers_stand_below_what_they_answer_oldest_first() -> None:
    found = _tree(("a", None), ("b", "a"), ("c", None), ("d", "b"), ("e", "a"))
    assert found == [("a", 0), ("b", 1), ("d", 2), ("e", 1), ("c", 0)]


def test_an_answer_to_what_is_not_here_stands_by_itself() -> None:
    assert _tree(("b", "missing"), ("c", "b")) == [("b", 0), ("c", 1)]


def test_an_answer_whose_clock_is_behind_still_stands_below() -> None:
    assert _tree(("answer", "first"), ("first", None)) == [("first", 0), ("answer", 1)]


def test_messages_that_answer_each_other_are_shown_once() -> None:
    assert _tree(("a", "b"), ("b", "a"), ("c", "c")) == [("c", 0), ("a", 0), ("b", 1)]


def test_two_messages_of_one_id_are_both_shown() -> None:
    posts = [Post(b"1", "x", None, 1), Post(b"2", "x", None, 2), Post(b"3", "y", "x", 3)]
    assert [(place.key, place.depth) for place in arrange(posts)] == [(b"1", 0), (b"3", 1), (b"2", 0)]


def test_a_thread_may_be_deeper_than_the_stack() -> None:
    posts = [("0", None), *((f"{n}", f"{n - 1}") for n in range(1, 3_000))]
    assert _tree(*posts)[-1] == ("2999", 2_999)


_names = st.sampled_from("abcdef")


@given(st.lists(st.tuples(_names, st.none() | _names, st.integers(0, 3)), max_size=12))
def test_every_message_is_shown_exactly_once(said: list[tuple[str, str | None, int]]) -> None:
    posts = [Post(bytes([key]), name, answers, time_ms) for key, (name, answers, time_ms) in enumerate(said)]
    assert sorted(place.key for place in arrange(posts)) == [post.key for post in posts]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("see #42, #7 and #42", [7, 42]),
        ("(#1)", [1]),
        ("issues/1#2 x#3 &#4; ##5 #0 #06 #1a #", []),
        ("#12345678901234567890", []),
        ("", []),
    ],
)
def test_a_commit_is_cited_by_its_number(text: str, numbers: list[int]) -> None:
    assert cited_commits([text]) == numbers


def test_of_very_many_citations_a_few_are_looked_up() -> None:
    text = " ".join(f"#{number}" for number in range(1, 1000))
    assert cited_commits([text]) == list(range(1, limits.CITED_COMMITS_MAX + 1))
