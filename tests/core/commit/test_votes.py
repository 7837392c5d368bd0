"""Votes with a signature: the newest of each voter is kept, and nobody votes for another."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.core.commit.votes import VoteRecord, Votes, read_vote
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.entropy import Entropy
from roosync_p2p.errors import UntrustedError
from roosync_p2p.ids import Epoch, StoreId, Term
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import Verified, seal, verify
from tests.helpers.actors import A, B, directory, identity

_STORE, _OTHER = StoreId(b"s" * 16), StoreId(b"o" * 16)


def _desk() -> Desk:
    return Desk(identity(A), directory(A, B), Entropy(bytes(32)))


def _vote(term: int, *, machine: str = B, signer: str = B) -> Verified:
    record = VoteRecord(machine=machine, store=_STORE, epoch=0, term=term, candidate=A, candidate_store=_OTHER)
    author = identity(B) if signer == B else identity(A)
    envelope = seal(author.key, context=contexts.VOTE, fleet=author.fleet, author=signer, payload=encode(record))
    return verify(envelope, context=contexts.VOTE, directory=directory(A, B), size_max=limits.RECORD_BYTES_MAX)


def test_the_newest_vote_of_a_machine_is_kept_and_survives_a_restart() -> None:
    desk = _desk()
    votes = Votes(desk, {})
    for term in (3, 5, 4):
        votes.given(_vote(term))
    assert votes.of(B) == _vote(5).raw
    rows = [row for effect in desk.drain() for row in getattr(effect, "rows", ()) if isinstance(row, MetaRow)]
    stored = {row.key: row.value for row in rows if row.value is not None}
    assert Votes(_desk(), stored).of(B) == _vote(5).raw


def test_a_vote_in_the_name_of_another_is_refused() -> None:
    votes = Votes(_desk(), {})
    with pytest.raises(UntrustedError) as caught:
        votes.given(_vote(3, machine=A))
    assert caught.value.code == "wrong_source"
    assert votes.of(A) is None


def test_an_own_vote_says_for_whom_and_verifies() -> None:
    envelope = Votes(_desk(), {}).signed(
        store=_STORE, epoch=Epoch(1), term=Term(7), candidate=B, candidate_store=_OTHER
    )
    verified = verify(envelope, context=contexts.VOTE, directory=directory(A, B), size_max=limits.RECORD_BYTES_MAX)
    vote = read_vote(verified)
    assert (vote.machine, vote.epoch, vote.term, vote.candidate, vote.candidate_store) == (A, 1, 7, B, _OTHER)
