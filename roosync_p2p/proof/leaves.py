"""What a leaf of the commit log's tree is (docs/protocol/proof.md §2)."""

from __future__ import annotations

from roosync_p2p.codec.canonical import pack
from roosync_p2p.ids import CommitNumber, Epoch

__all__ = ["commit_leaf"]


def commit_leaf(number: CommitNumber, time_ms: int, epoch: Epoch, signed: bytes) -> bytes:
    """The bytes of the leaf of one commit, to be hashed by :func:`~roosync_p2p.proof.hashing.leaf_hash`.

    Args:
        number: of the commit; its leaf has the index ``number - 1``.
        time_ms: the commit time, Unix milliseconds.
        epoch: in which it was ordered.
        signed: of an entry, **what its signature is over**, not the envelope: its author can sign the same header
            twice, both envelopes have the same entry id, and machines that hold different ones would otherwise have
            different roots. Of a voter change, the leader's envelope, which is itself in the replicated log.
    """
    assert number >= 1, number
    return pack([number, time_ms, epoch, signed])
