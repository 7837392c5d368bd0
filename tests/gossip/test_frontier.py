"""A frontier: bounds of what a peer claims, and a digest that is equal exactly when the runs are."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.gossip.frontier import Span, check_spans, covers, digest_of
from roosync_p2p.ids import Chain, MachineId
from tests.helpers.trust import refused_with

_SPAN = Span(author="machine-b", incarnation=1, chain="mail", floor=1, head=3, id=bytes(32))


def _span(**changes: Any) -> Span:
    return msgspec.structs.replace(_SPAN, **changes)


_spans = st.builds(
    Span,
    author=st.sampled_from(["machine-a", "machine-b"]),
    incarnation=st.integers(1, 2),
    chain=st.sampled_from(["ledger", "mail"]),
    floor=st.integers(1, 3),
    head=st.integers(3, 5),
    id=st.sampled_from([bytes(32), b"x" * 32]),
)


@pytest.mark.parametrize(
    "span",
    [_SPAN, _span(floor=3, head=2, id=b""), _span(head=limits.NUMBER_MAX), _span(incarnation=limits.INCARNATION_MAX)],
)
def test_what_an_honest_node_writes_is_accepted(span: Span) -> None:
    check_spans([span])


@pytest.mark.parametrize(
    "changes",
    [
        {"incarnation": 0},
        {"incarnation": limits.INCARNATION_MAX + 1},
        {"floor": 0},
        {"floor": limits.NUMBER_MAX + 1, "head": limits.NUMBER_MAX, "id": b""},
        {"floor": 5, "head": 3},
        {"head": limits.NUMBER_MAX + 1},
        {"id": b""},
        {"id": bytes(31)},
        {"floor": 4, "head": 3},
        {"chain": "news"},
        {"author": "Machine-B"},
    ],
    ids=str,
)
def test_an_impossible_run_is_refused(changes: dict[str, Any]) -> None:
    refused_with("bad_frontier", lambda: check_spans([_SPAN, _span(**changes)]))


@pytest.mark.parametrize("author", ["", "root", "x" * 60, "machine b"])
def test_a_run_of_nobody_is_refused(author: str) -> None:
    refused_with("bad_machine_id", lambda: check_spans([_span(author=author)]))


def test_more_chains_than_the_bound_are_refused() -> None:
    check_spans([_SPAN] * limits.FRONTIER_CHAINS_MAX)
    refused_with("oversized", lambda: check_spans([_SPAN] * (limits.FRONTIER_CHAINS_MAX + 1)))


@given(st.lists(_spans, max_size=4, unique_by=lambda span: span.key), st.randoms(use_true_random=False))
def test_the_order_of_chains_does_not_change_the_digest(spans: list[Span], random: Any) -> None:
    shuffled = list(spans)
    random.shuffle(shuffled)
    assert digest_of(shuffled) == digest_of(spans)


@given(
    st.lists(_spans, max_size=3, unique_by=lambda span: span.key),
    st.lists(_spans, max_size=3, unique_by=lambda span: span.key),
)
def test_digests_are_equal_exactly_when_heads_are(one: list[Span], other: list[Span]) -> None:
    heads = [{(span.key, span.head, span.id) for span in spans} for spans in (one, other)]
    assert (digest_of(one) == digest_of(other)) == (heads[0] == heads[1])


def test_a_floor_does_not_change_the_digest() -> None:
    assert digest_of([_SPAN]) == digest_of([_span(floor=2)])


def test_a_frontier_covers_what_is_not_above_its_head() -> None:
    key = (MachineId("machine-b"), 1, Chain("mail"))
    assert covers({key: 3}, key, 3)
    assert not covers({key: 3}, key, 4)
    assert not covers({}, key, 1)
