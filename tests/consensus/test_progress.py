"""Flow control to one peer, and how a refusal leads back to where the logs agree."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.consensus.progress import Progress, ProgressState, Standing
from roosync_p2p.ids import LogIndex
from tests.consensus.cluster import seat


def replicating(match: int) -> Progress:
    """A peer that has the log up to there."""
    peer = Progress(seat("bb1"), Standing.VOTER, next_index=LogIndex(match + 1))
    peer.acknowledged(LogIndex(match))
    assert peer.state is ProgressState.REPLICATE
    return peer


def may_send(peer: Progress) -> bool:
    """What the flow control says now (a call, so that a type checker does not believe it never changes)."""
    return peer.may_send_items


def test_a_probe_waits_for_its_answer() -> None:
    peer = Progress(seat("bb1"), Standing.VOTER, next_index=LogIndex(10))
    assert may_send(peer)
    peer.sent_items(LogIndex(12), 100)
    assert not may_send(peer)
    assert peer.next == 10
    peer.acknowledged(LogIndex(12))
    assert peer.state is ProgressState.REPLICATE
    assert (peer.match, peer.next) == (12, 13)


def test_replicating_does_not_wait_up_to_a_number_of_messages() -> None:
    peer = replicating(0)
    for index in range(1, limits.APPENDS_INFLIGHT_MAX + 1):
        assert peer.may_send_items
        peer.sent_items(LogIndex(index), 1)
    assert not peer.may_send_items
    peer.acknowledged(LogIndex(1))
    assert peer.may_send_items


def test_replicating_does_not_wait_up_to_a_number_of_bytes() -> None:
    peer = replicating(0)
    peer.sent_items(LogIndex(1), limits.APPENDS_INFLIGHT_BYTES_MAX - 1)
    assert may_send(peer)
    peer.sent_items(LogIndex(2), 1)
    assert not may_send(peer)
    peer.acknowledged(LogIndex(2))
    assert may_send(peer)


def test_a_late_acknowledgement_takes_nothing_back() -> None:
    peer = replicating(0)
    for last in (5, 9):
        peer.sent_items(LogIndex(last), 1)
    assert peer.acknowledged(LogIndex(9))
    assert not peer.acknowledged(LogIndex(5))
    assert (peer.match, peer.next) == (9, 10)


def test_a_refusal_while_replicating_goes_back_to_what_is_known_to_match() -> None:
    peer = replicating(4)
    peer.sent_items(LogIndex(6), 1)
    peer.sent_items(LogIndex(8), 1)
    assert peer.refused(LogIndex(6), LogIndex(3))
    assert (peer.state, peer.next) == (ProgressState.PROBE, 5)
    assert peer.may_send_items


def test_a_refusal_of_what_is_known_to_match_is_an_old_one() -> None:
    peer = replicating(4)
    assert not peer.refused(LogIndex(4), LogIndex(0))
    assert peer.state is ProgressState.REPLICATE


def test_a_probe_follows_the_hint_but_never_below_the_match() -> None:
    peer = Progress(seat("bb1"), Standing.VOTER, next_index=LogIndex(20))
    assert peer.refused(LogIndex(19), LogIndex(7))
    assert peer.next == 8
    assert not peer.refused(LogIndex(19), LogIndex(2)), "an answer to an earlier probe"
    peer.match = LogIndex(5)
    assert peer.refused(LogIndex(7), LogIndex(0))
    assert peer.next == 6


def test_a_probe_always_gets_on() -> None:
    peer = Progress(seat("bb1"), Standing.VOTER, next_index=LogIndex(20))
    assert peer.refused(LogIndex(19), LogIndex(19)), "a hint that is no help"
    assert peer.next == 19
